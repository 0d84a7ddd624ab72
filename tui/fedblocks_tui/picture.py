"""What the screens show: everything of one snapshot, so that no two numbers on a screen are of two blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import (
    Alert,
    BondView,
    ChallengerView,
    ChallengeView,
    ClientView,
    DemandView,
    EpochState,
    EpochView,
    Health,
    IndexedBlock,
    InstanceView,
    OwnTransaction,
    RewardView,
    SlashView,
    Totals,
    TreasuryView,
)
from fedblocks.types import Address, InstanceId


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The protocol at one block, and how the connection is.

    Attributes:
        block: None while the index is empty.
        watcher: what the watcher's journal says; None where no journal was named.
        complete: whether alerts and all that hangs on epochs is in it; the first picture of a large index is shown
            before, and the next one has them.
    """

    block: IndexedBlock | None
    health: Health
    totals: Totals
    clients: tuple[ClientView, ...]
    slashes: tuple[SlashView, ...]
    instances: tuple[InstanceView, ...]
    epochs: tuple[EpochView, ...]
    bonds: tuple[BondView, ...]
    challenges: tuple[ChallengeView, ...]
    challengers: tuple[ChallengerView, ...]
    demands: tuple[DemandView, ...]
    treasuries: tuple[TreasuryView, ...]
    alerts: tuple[Alert, ...]
    own: tuple[OwnTransaction, ...]
    own_rewards: tuple[RewardView, ...]
    watcher: str | None = None
    complete: bool = True

    def with_health(self, health: Health) -> Picture:
        """The same data, with the connection as it is now."""
        return replace(self, health=health)

    @cached_property
    def clients_by_address(self) -> dict[Address, ClientView]:
        """The clients by address."""
        return {client.address: client for client in self.clients}

    @cached_property
    def instances_by_id(self) -> dict[InstanceId, InstanceView]:
        """The instances by number."""
        return {instance.instance_id: instance for instance in self.instances}

    def epochs_of(self, instance_id: InstanceId) -> tuple[EpochView, ...]:
        """The postings of one instance's epochs."""
        return tuple(self._epochs_by_instance.get(instance_id, ()))

    @cached_property
    def _epochs_by_instance(self) -> dict[InstanceId, list[EpochView]]:
        found: dict[InstanceId, list[EpochView]] = {}
        for epoch in self.epochs:
            found.setdefault(epoch.instance_id, []).append(epoch)
        return found

    def condemned(self, instance_id: InstanceId) -> tuple[Address, ...]:
        """Clients whom a final epoch of an instance condemns and who still have something at stake."""
        instance = self.instances_by_id.get(instance_id)
        if instance is None:
            return ()
        seats = [
            seat
            for epoch in self.epochs_of(instance_id)
            if epoch.state is EpochState.FINAL
            for seat in epoch.new_slash_reasons
        ]
        addresses = (instance.cohort[seat] for seat in sorted(seats))
        clients = (self.clients_by_address.get(address) for address in addresses)
        return tuple(client.address for client in clients if client is not None and client.at_stake > 0)


def take(
    snapshot: Snapshot,
    health: Health,
    *,
    account: Address | None = None,
    watcher: str | None = None,
    complete: bool = True,
) -> Picture:
    """Read everything that the screens show from one snapshot.

    Args:
        snapshot: of one block.
        health: how the connection is.
        account: whose rewards are wanted too, for what can be claimed.
        watcher: what the watcher's journal says.
        complete: False leaves out all but the totals, the rest takes long with tens of thousands of clients or epochs.
    """
    return Picture(
        block=snapshot.block,
        health=health,
        totals=snapshot.totals(),
        clients=snapshot.clients() if complete else (),
        slashes=snapshot.slashes() if complete else (),
        instances=snapshot.instances() if complete else (),
        epochs=snapshot.epochs() if complete else (),
        bonds=snapshot.bonds() if complete else (),
        challenges=snapshot.challenges() if complete else (),
        challengers=snapshot.challengers() if complete else (),
        demands=snapshot.demands() if complete else (),
        treasuries=snapshot.treasuries(),
        alerts=snapshot.alerts() if complete else (),
        own=snapshot.own_transactions(),
        own_rewards=() if account is None else snapshot.rewards(client=account),
        watcher=watcher,
        complete=complete,
    )
