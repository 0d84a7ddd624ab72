# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title StakingRegistryV1
@license Apache-2.0
@author The FedBlocks developers
@notice A stand-in for version 1's registry, with its defects V1-1 to V1-4 on purpose: never deploy it.
@dev Written from a table of behaviour, not from version 1's source. Where the table is silent, it does the plain thing. Vyper
     has no custom errors, so each refusal is its selector.
"""


STAKE_AMOUNT: public(immutable(uint256))
STAKING_PERIOD: public(immutable(uint256))
SLASHING_MANAGER: public(immutable(address))
SLASH_TREASURY_ADDRESS: public(immutable(address))


clientStakes: public(HashMap[address, uint256])
isStaked: public(HashMap[address, bool])
isSlashed: public(HashMap[address, bool])
withdrawlTimelock: public(HashMap[address, uint256])


event Stake:
    client: indexed(address)


event Unregister:
    client: indexed(address)


event WithdrawStake:
    client: indexed(address)


event SlashStake:
    client: indexed(address)


@deploy
def __init__(stakeAmount: uint256, stakingPeriod: uint256, slashingManager: address, slashTreasury: address):
    STAKE_AMOUNT = stakeAmount
    STAKING_PERIOD = stakingPeriod
    SLASHING_MANAGER = slashingManager
    SLASH_TREASURY_ADDRESS = slashTreasury


@external
@payable
def stake():
    """
    @notice V1-1: the exact amount is refused, any other is credited in full. V1-3: the credit of a client that has left is
            still there, and a sum that is not the amount is refused.
    """
    if msg.value == STAKE_AMOUNT:
        raw_revert(method_id("IncorrectStakingAmount()"))
    if self.isSlashed[msg.sender]:
        raw_revert(method_id("ClientHasBeenSlashed()"))
    if self.isStaked[msg.sender]:
        raw_revert(method_id("ClientAlreadyStaked()"))
    self.isStaked[msg.sender] = True
    self.clientStakes[msg.sender] += STAKE_AMOUNT
    if self.clientStakes[msg.sender] != STAKE_AMOUNT:
        raw_revert(method_id("IncorrectStakingAmount()"))
    log Stake(client=msg.sender)


@external
def unRegister():
    """
    @notice Leave.
    """
    if not self.isStaked[msg.sender]:
        raw_revert(method_id("ClientHasntStaked()"))
    self.isStaked[msg.sender] = False
    self.withdrawlTimelock[msg.sender] = block.timestamp + STAKING_PERIOD
    log Unregister(client=msg.sender)


@external
def withdrawStake():
    """
    @notice V1-2: pays while the timelock has not expired, and refuses once it has.
    """
    if self.isSlashed[msg.sender]:
        raw_revert(method_id("ClientHasBeenSlashed()"))
    if self.isStaked[msg.sender] or self.withdrawlTimelock[msg.sender] == 0:
        raw_revert(method_id("ClientHasntUnRegistered()"))
    if block.timestamp >= self.withdrawlTimelock[msg.sender]:
        raw_revert(method_id("TimelockHasntExpired()"))
    amount: uint256 = self.clientStakes[msg.sender]
    self.clientStakes[msg.sender] = 0
    raw_call(msg.sender, b"", value=amount)
    log WithdrawStake(client=msg.sender)


@external
def slashStake(client: address):
    """
    @notice V1-4: a client without any credit is marked like another, if it is staked or its timelock has not passed.
    @param client Whose stake is taken
    """
    if msg.sender != SLASHING_MANAGER:
        raw_revert(method_id("NotSlashingManager()"))
    if not self.isStaked[client] and block.timestamp > self.withdrawlTimelock[client]:
        raw_revert(method_id("ClientHasntStaked()"))
    amount: uint256 = self.clientStakes[client]
    self.clientStakes[client] = 0
    self.isStaked[client] = False
    self.isSlashed[client] = True
    raw_call(SLASH_TREASURY_ADDRESS, b"", value=amount)
    log SlashStake(client=client)


@external
@view
def getClientStake(client: address) -> uint256:
    return self.clientStakes[client]


@external
@view
def getStakingPeriod() -> uint256:
    return STAKING_PERIOD


@external
@view
def getStakeAmount() -> uint256:
    return STAKE_AMOUNT


@external
@view
def getSlashTreasuryAddress() -> address:
    return SLASH_TREASURY_ADDRESS


@external
@view
def getSlashingManagerAddress() -> address:
    return SLASHING_MANAGER


@external
@view
def getWithdrawlTimelock(client: address) -> uint256:
    return self.withdrawlTimelock[client]


@external
@view
def getIsSlashed(client: address) -> bool:
    return self.isSlashed[client]


@external
@view
def getIsStaked(client: address) -> bool:
    return self.isStaked[client]
