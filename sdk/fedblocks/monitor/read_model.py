"""Reading the index: everything that is shown, of one block."""

from __future__ import annotations

from typing import Protocol

from fedblocks.monitor.views import (
    Alert,
    BondView,
    ChallengerView,
    ChallengeView,
    ClientView,
    DemandView,
    EpochScores,
    EpochView,
    HistoryEntry,
    IndexedBlock,
    InstanceView,
    OwnTransaction,
    RewardView,
    SlashView,
    Totals,
    TreasuryView,
)
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId


class Snapshot(Protocol):
    """The protocol at one block. Sequences are in the order in which things happened, newest last, unless said."""

    @property
    def block(self) -> IndexedBlock | None:
        """Which block; None while the index is empty."""
        ...

    def totals(self) -> Totals: ...
    def clients(self) -> tuple[ClientView, ...]: ...
    def client(self, address: Address) -> ClientView | None: ...
    def slashes(self) -> tuple[SlashView, ...]: ...
    def slashes_in(self, transaction_hash: Hash32) -> tuple[SlashView, ...]: ...
    def instances(self) -> tuple[InstanceView, ...]: ...
    def instance(self, instance_id: InstanceId) -> InstanceView | None: ...

    def epochs(self, instance_id: InstanceId | None = None) -> tuple[EpochView, ...]:
        """Every posting of every epoch, overturned ones included."""
        ...

    def rewards(
        self, *, instance_id: InstanceId | None = None, client: Address | None = None
    ) -> tuple[RewardView, ...]: ...
    def bonds(self, instance_id: InstanceId | None = None) -> tuple[BondView, ...]: ...
    def challenges(self, instance_id: InstanceId | None = None) -> tuple[ChallengeView, ...]: ...
    def challengers(self) -> tuple[ChallengerView, ...]: ...
    def demands(self, instance_id: InstanceId | None = None) -> tuple[DemandView, ...]: ...
    def treasuries(self) -> tuple[TreasuryView, ...]: ...

    def history(
        self,
        *,
        instance_id: InstanceId | None = None,
        client: Address | None = None,
        transaction_hash: Hash32 | None = None,
        limit: int = 200,
    ) -> tuple[HistoryEntry, ...]:
        """The newest events, newest first."""
        ...

    def scores(self, instance_id: InstanceId, epoch: EpochNumber, header_hash: Hash32) -> EpochScores | None:
        """An epoch's figures; None where its published data were not read."""
        ...

    def alerts(self) -> tuple[Alert, ...]:
        """What somebody should look at, the worst first."""
        ...

    def own_transactions(self) -> tuple[OwnTransaction, ...]:
        """What was sent from this machine, newest first."""
        ...
