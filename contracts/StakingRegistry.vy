# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title StakingRegistry
@license Apache-2.0
@author The FedBlocks developers
@notice Holds the clients' stakes. A client stakes once and is then free to train; when it leaves, its stake stays slashable
        until it has been withdrawn, which takes STAKING_PERIOD. Who has been slashed never comes back.
@dev The balance is the sum of `clientStakes`, and whatever somebody forces in by destroying a contract.
"""

from .interfaces import IStakingRegistry
from .modules import payments


implements: IStakingRegistry


STAKE_AMOUNT: public(immutable(uint256))
STAKING_PERIOD: public(immutable(uint256))
SLASHING_MANAGER: public(immutable(address))
SLASH_TREASURY_ADDRESS: public(immutable(address))


# All that a slash would take: the active stake and the unbonding one.
clientStakes: public(HashMap[address, uint256])
# The part of it that is on its way out.
unbondingStakes: public(HashMap[address, uint256])
# The first second at which it can be withdrawn; zero when nothing is unbonding.
withdrawlTimelock: public(HashMap[address, uint256])
# Whether a client has an active stake, and so may train.
isStaked: public(HashMap[address, bool])
# Whether a client has been slashed, which bars it for good.
isSlashed: public(HashMap[address, bool])


# A client has staked, as version 1 says it.
event Stake:
    client: indexed(address)


# A client has staked `amount` wei.
event StakeLocked:
    client: indexed(address)
    amount: uint256


# A client has left, as version 1 says it.
event Unregister:
    client: indexed(address)


# A client has left: `amount` wei, with what was unbonding already, can be withdrawn from `withdrawableAt` on.
event UnbondingStarted:
    client: indexed(address)
    amount: uint256
    withdrawableAt: uint256


# A client has withdrawn, as version 1 says it.
event WithdrawStake:
    client: indexed(address)


# A client has withdrawn `amount` wei.
event StakeReturned:
    client: indexed(address)
    amount: uint256


# A client has been slashed, as version 1 says it.
event SlashStake:
    client: indexed(address)


# A client has been slashed of `amount` wei, all that it had here.
event StakeSlashed:
    client: indexed(address)
    amount: uint256


@deploy
def __init__(stakeAmount: uint256, stakingPeriod: uint256, slashingManager: address, slashTreasury: address):
    """
    @dev SlashingManager does not exist yet; its constructor checks that it is the one named here.
    @param stakeAmount What a client stakes, in wei
    @param stakingPeriod How long a stake stays slashable after its client has left, in seconds
    @param slashingManager Where SlashingManager will be
    @param slashTreasury Where slashed stakes go
    """
    assert stakeAmount != 0, "StakingRegistry: stake amount is zero"
    assert stakingPeriod != 0, "StakingRegistry: staking period is zero"
    assert slashingManager != empty(address), "StakingRegistry: slashing manager is the zero address"
    assert slashTreasury.is_contract, "StakingRegistry: slash treasury is not a contract"
    STAKE_AMOUNT = stakeAmount
    STAKING_PERIOD = stakingPeriod
    SLASHING_MANAGER = slashingManager
    SLASH_TREASURY_ADDRESS = slashTreasury


@external
@payable
def stake():
    """
    @notice Become a client by staking exactly STAKE_AMOUNT.
    @dev A client that has left may come back before it has withdrawn: it then has two stakes here, and would lose both.
    """
    assert msg.value == STAKE_AMOUNT, "StakingRegistry: incorrect stake amount"
    assert not self.isSlashed[msg.sender], "StakingRegistry: client has been slashed"
    assert not self.isStaked[msg.sender], "StakingRegistry: client is already staked"
    self.isStaked[msg.sender] = True
    self.clientStakes[msg.sender] += msg.value
    log Stake(client=msg.sender)
    log StakeLocked(client=msg.sender, amount=msg.value)


@external
def unRegister():
    """
    @notice Leave. The stake can be withdrawn once STAKING_PERIOD has passed, together with one that is still on its way out.
    """
    assert self.isStaked[msg.sender], "StakingRegistry: client is not staked"
    amount: uint256 = self.clientStakes[msg.sender]
    withdrawable_at: uint256 = block.timestamp + STAKING_PERIOD
    self.isStaked[msg.sender] = False
    self.unbondingStakes[msg.sender] = amount
    self.withdrawlTimelock[msg.sender] = withdrawable_at
    log Unregister(client=msg.sender)
    log UnbondingStarted(client=msg.sender, amount=amount, withdrawableAt=withdrawable_at)


@external
def withdrawStake(receiver: address = msg.sender):
    """
    @notice Take out a stake whose STAKING_PERIOD has passed.
    @param receiver Who is paid; the client itself when left out
    """
    assert receiver != empty(address), "StakingRegistry: receiver is the zero address"
    amount: uint256 = self.unbondingStakes[msg.sender]
    assert amount != 0, "StakingRegistry: nothing is unbonding"
    assert block.timestamp >= self.withdrawlTimelock[msg.sender], "StakingRegistry: staking period has not passed"
    self.unbondingStakes[msg.sender] = 0
    self.withdrawlTimelock[msg.sender] = 0
    self.clientStakes[msg.sender] -= amount
    log WithdrawStake(client=msg.sender)
    log StakeReturned(client=msg.sender, amount=amount)
    assert payments._send(receiver, amount), "StakingRegistry: receiver refused the payment"


@external
def slashStake(client: address) -> uint256:
    """
    @notice Take everything that a client has here, the unbonding part included, and bar it for good.
    @param client Whose stake is taken
    @return How much was taken, in wei
    """
    assert msg.sender == SLASHING_MANAGER, "StakingRegistry: caller is not the slashing manager"
    amount: uint256 = self.clientStakes[client]
    assert amount != 0, "StakingRegistry: client has no stake"
    self.isSlashed[client] = True
    self.isStaked[client] = False
    self.clientStakes[client] = 0
    self.unbondingStakes[client] = 0
    self.withdrawlTimelock[client] = 0
    log SlashStake(client=client)
    log StakeSlashed(client=client, amount=amount)
    assert payments._send(SLASH_TREASURY_ADDRESS, amount), "StakingRegistry: slash treasury refused the payment"
    return amount


@external
@view
def getClientStake(client: address) -> uint256:
    """
    @notice What a slash would take.
    @param client A client
    @return Its active and its unbonding stake together, in wei
    """
    return self.clientStakes[client]


@external
@view
def getStakingPeriod() -> uint256:
    """
    @notice How long a stake stays slashable after its client has left.
    @return STAKING_PERIOD, in seconds
    """
    return STAKING_PERIOD


@external
@view
def getStakeAmount() -> uint256:
    """
    @notice What a client stakes.
    @return STAKE_AMOUNT, in wei
    """
    return STAKE_AMOUNT


@external
@view
def getSlashTreasuryAddress() -> address:
    """
    @notice Where slashed stakes go.
    @return The SlashTreasury
    """
    return SLASH_TREASURY_ADDRESS


@external
@view
def getSlashingManagerAddress() -> address:
    """
    @notice Who may slash.
    @return The SlashingManager
    """
    return SLASHING_MANAGER


@external
@view
def getWithdrawlTimelock(client: address) -> uint256:
    """
    @notice When a client that has left may withdraw.
    @param client A client
    @return The first second at which it may; zero when nothing is unbonding
    """
    return self.withdrawlTimelock[client]


@external
@view
def getIsSlashed(client: address) -> bool:
    """
    @notice Whether a client has been slashed.
    @param client A client
    @return Whether it is barred
    """
    return self.isSlashed[client]


@external
@view
def getIsStaked(client: address) -> bool:
    """
    @notice Whether a client may train.
    @param client A client
    @return Whether it has an active stake
    """
    return self.isStaked[client]
