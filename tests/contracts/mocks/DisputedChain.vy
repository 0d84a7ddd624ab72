# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title DisputedChain
@notice Stands in for ModelParameterChain and RewardManager where a verifier is tested alone: holds what the test says and
        remembers what was overturned.
"""

from contracts.interfaces import IDisputes
from contracts.interfaces import IEpochs


CHALLENGE_WINDOW: public(constant(uint256)) = 100


REWARD_MANAGER: public(address)
clients: public(HashMap[uint256, address])
_dispute: IDisputes.Dispute
_posted_at: uint256

overturned: public(uint256)
challenger: public(address)


@deploy
def __init__():
    self.REWARD_MANAGER = self


@external
def hold(dispute: IDisputes.Dispute, clients: DynArray[address, 64]):
    self._dispute = dispute
    self._posted_at = block.timestamp
    self.overturned = 0
    for seat: uint256 in range(len(clients), bound=64):
        self.clients[seat] = clients[seat]


@external
@view
def getDispute(instanceId: uint256, epoch: uint256) -> IDisputes.Dispute:
    return self._dispute


@external
@view
def getEpoch(instanceId: uint256, epoch: uint256) -> IEpochs.EpochRecord:
    record: IEpochs.EpochRecord = empty(IEpochs.EpochRecord)
    record.headerHash = self._dispute.headerHash
    record.postedAt = self._posted_at
    return record


@external
@view
def getClient(instanceId: uint256, seat: uint256) -> address:
    return self.clients[seat]


@external
def overturnEpoch(instanceId: uint256, epoch: uint256, challenger: address, fraudCase: uint256):
    self.overturned = fraudCase
    self.challenger = challenger
