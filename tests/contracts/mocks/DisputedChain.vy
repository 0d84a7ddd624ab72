# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title DisputedChain
@notice Stands in for ModelParameterChain and RewardManager where a verifier is tested alone: holds what the test says and
        remembers what was overturned.
"""

from contracts.interfaces import IDisputes


REWARD_MANAGER: public(address)
clients: public(HashMap[uint256, address])
_dispute: IDisputes.Dispute

overturned: public(uint256)
challenger: public(address)


@deploy
def __init__():
    self.REWARD_MANAGER = self


@external
def hold(dispute: IDisputes.Dispute, clients: DynArray[address, 64]):
    self._dispute = dispute
    self.overturned = 0
    for seat: uint256 in range(len(clients), bound=64):
        self.clients[seat] = clients[seat]


@external
@view
def getDispute(instanceId: uint256, epoch: uint256) -> IDisputes.Dispute:
    return self._dispute


@external
@view
def getClient(instanceId: uint256, seat: uint256) -> address:
    return self.clients[seat]


@external
def overturnEpoch(instanceId: uint256, epoch: uint256, challenger: address, fraudCase: uint256):
    self.overturned = fraudCase
    self.challenger = challenger
