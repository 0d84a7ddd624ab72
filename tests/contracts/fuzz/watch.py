"""What must never happen, told by the event log alone and checked with every event."""

from __future__ import annotations

from typing import Any

from tests.contracts.fuzz.model import reason_of
from tests.contracts.world import AGGREGATOR_BOND, FEE_PER_EPOCH, STAKE_AMOUNT, Header


class Watch:
    """Keeps the few facts that it takes to notice a theft, and none of the protocol's rules."""

    def __init__(self) -> None:
        self.at_stake: dict[str, int] = {}
        self.slashed: set[str] = set()
        self.cohorts: dict[int, list[str]] = {}
        self.headers: dict[tuple[int, int], Header] = {}
        self.final: set[tuple[int, int]] = set()
        self.escrowed = self.billed = self.refunded = 0
        self.settled: set[int] = set()
        self.attempts: dict[int, int] = {}

    def see(self, event: Any) -> None:
        """Check an event, and remember what the next ones are checked by."""
        check = getattr(self, f"_{type(event).__name__}", None)
        if check is not None:
            check(event)

    def held(self, escrow: int, refunds: int) -> None:
        """What came in as escrow was billed, went back, or is still there."""
        assert self.escrowed == self.billed + self.refunded + refunds + escrow, "escrow was lost or made up"

    def _StakeLocked(self, event: Any) -> None:  # noqa: N802 - the names are the events'
        assert event.client not in self.slashed, "who was slashed has come back"
        assert event.amount == STAKE_AMOUNT
        self.at_stake[event.client] = self.at_stake.get(event.client, 0) + event.amount

    def _StakeReturned(self, event: Any) -> None:  # noqa: N802
        assert event.client not in self.slashed, "who was slashed has its stake back"
        self.at_stake[event.client] -= event.amount
        assert self.at_stake[event.client] >= 0, "a client has more back than it staked"

    def _StakeSlashed(self, event: Any) -> None:  # noqa: N802
        assert event.client not in self.slashed, "slashed twice"
        assert event.amount > 0, "slashed after it has withdrawn"
        assert event.amount == self.at_stake[event.client], "slashed by less than all, or by more"
        self.at_stake[event.client] = 0
        self.slashed.add(event.client)

    def _ClientSlashed(self, event: Any) -> None:  # noqa: N802
        epoch = (event.instanceId, event.epoch)
        seat = self.cohorts[event.instanceId].index(event.client)
        assert epoch in self.final, "slashed by a verdict that is not final"
        assert reason_of(self.headers[epoch].slash_reasons, seat) == event.reason != 0, "slashed without a verdict"
        assert self.headers[epoch].excluded >> seat & 1, "slashed in an epoch that it was not excluded from"

    def _InstanceFunded(self, event: Any) -> None:  # noqa: N802
        self.cohorts[event.instanceId] = list(event.clients)
        self.escrowed += event.escrow

    def _EpochSubmitted(self, event: Any) -> None:  # noqa: N802
        assert (event.instanceId, event.epoch) not in self.headers, "an epoch was posted twice"
        assert event.instanceId not in self.settled, "an epoch was posted after the settlement"
        header = Header(*event.header)
        assert header.attempt >= self.attempts.get(event.instanceId, 0), (
            "commitments of an overturned epoch count again"
        )
        self.headers[event.instanceId, event.epoch] = header

    def _EpochFinalized(self, event: Any) -> None:  # noqa: N802
        assert (event.instanceId, event.epoch) in self.headers, "final without having been posted"
        self.final.add((event.instanceId, event.epoch))

    def _EpochOverturned(self, event: Any) -> None:  # noqa: N802
        epoch = (event.instanceId, event.epoch)
        assert epoch in self.headers, "overturned without having been posted"
        assert epoch not in self.final, "overturned after it was final"
        assert event.instanceId not in self.settled, "overturned after the settlement"
        gone = [each for each in self.headers if each[0] == event.instanceId and each[1] >= event.epoch]
        for each in gone:
            del self.headers[each]
        self.attempts[event.instanceId] = event.attempt

    def _BondSlashed(self, event: Any) -> None:  # noqa: N802
        assert event.amount == AGGREGATOR_BOND, "slashed by less than all, or by more"
        assert 0 < 2 * event.reward <= event.amount, "an aggregator that challenges itself loses too little"

    def _FeesSettled(self, event: Any) -> None:  # noqa: N802
        assert event.instanceId not in self.settled, "settled twice"
        assert event.billedEpochs == sum(1 for instance, _ in self.final if instance == event.instanceId)
        self.settled.add(event.instanceId)
        self.billed += event.billedEpochs * FEE_PER_EPOCH

    def _RewardClaimed(self, event: Any) -> None:  # noqa: N802
        assert event.client not in self.slashed, "who was slashed was paid"

    def _RewardForfeited(self, event: Any) -> None:  # noqa: N802
        assert event.client in self.slashed, "who was not slashed lost its pay"

    def _RefundWithdrawn(self, event: Any) -> None:  # noqa: N802
        self.refunded += event.amount
