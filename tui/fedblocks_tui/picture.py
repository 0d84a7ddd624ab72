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
        return tuple(epoch for epoch in self.epochs if epoch.instance_id == instance_id)

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


def take(snapshot: Snapshot, health: Health, *, account: Address | None = None, watcher: str | None = None) -> Picture:
    """Read everything that the screens show from one snapshot.

    Args:
        snapshot: of one block.
        health: how the connection is.
        account: whose rewards are wanted too, for what can be claimed.
        watcher: what the watcher's journal says.
    """
    return Picture(
        block=snapshot.block,
        health=health,
        totals=snapshot.totals(),
        clients=snapshot.clients(),
        slashes=snapshot.slashes(),
        instances=snapshot.instances(),
        epochs=snapshot.epochs(),
        bonds=snapshot.bonds(),
        challenges=snapshot.challenges(),
        challengers=snapshot.challengers(),
        demands=snapshot.demands(),
        treasuries=snapshot.treasuries(),
        alerts=snapshot.alerts(),
        own=snapshot.own_transactions(),
        own_rewards=() if account is None else snapshot.rewards(client=account),
        watcher=watcher,
    )
