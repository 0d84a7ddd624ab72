# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title SlashingManagerV1
@license Apache-2.0
@author The FedBlocks developers
@notice A stand-in for version 1's slashing manager, with its defect V1-5 on purpose: never deploy it.
@dev Written from a table of behaviour, not from version 1's source.
"""


interface Registry:
    def slashStake(client: address): nonpayable


# Version 1 took a list of any length; a stand-in needs no more than version 2.
MAX_CLIENTS: constant(uint256) = 64


SLASHER_ADDRESS: public(immutable(address))


event SlashClients:
    instanceId: indexed(uint256)


@deploy
def __init__(slasher: address):
    SLASHER_ADDRESS = slasher


@external
def slash(clients: DynArray[address, MAX_CLIENTS], instanceId: uint256, stakingRegistry: address):
    """
    @notice V1-5: one key slashes whom it likes, in whatever registry, and shows no evidence.
    @param clients Who is slashed
    @param instanceId What the event is to say
    @param stakingRegistry Where the stakes are
    """
    if msg.sender != SLASHER_ADDRESS:
        raw_revert(method_id("NotSlasher()"))
    for client: address in clients:
        extcall Registry(stakingRegistry).slashStake(client)
    log SlashClients(instanceId=instanceId)


@external
@view
def getSlasherAddress() -> address:
    return SLASHER_ADDRESS
