"""The whole deployment in a few numbers, summed up from the views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import ClientState, DemandState, EpochState, InstanceState, Totals
from fedblocks.types import Wei


def totals_of(snapshot: Snapshot, event_count: int) -> Totals:
    """The totals of a snapshot.

    Rewards count as claimable only where the client can still claim them: one that was slashed forfeits them.
    """
    clients, instances, slashes = snapshot.clients(), snapshot.instances(), snapshot.slashes()
    by_client = Counter(client.state for client in clients)
    by_instance = Counter(instance.state for instance in instances)
    posted, final = (sum(getattr(each, name) for each in instances) for name in ("posted_epochs", "finalized_epochs"))
    due = sum(instance.finalizable_epochs for instance in instances)
    return Totals(
        events=event_count,
        clients={state: by_client[state] for state in ClientState},
        at_stake=Wei(sum(client.at_stake for client in clients)),
        unbonding=Wei(sum(client.unbonding for client in clients)),
        slashes=len(slashes),
        slashed=Wei(sum(slash.amount for slash in slashes)),
        instances={state: by_instance[state] for state in InstanceState},
        epochs={
            EpochState.POSTED: posted - final - due,
            EpochState.FINALIZABLE: due,
            EpochState.FINAL: final,
            EpochState.OVERTURNED: sum(instance.overturned_epochs for instance in instances),
        },
        escrow=Wei(sum(instance.escrow for instance in instances if instance.state is not InstanceState.SETTLED)),
        bonds=Wei(sum(bond.held for bond in snapshot.bonds())),
        rewards_claimable=Wei(sum(client.claimable for client in clients if client.state is not ClientState.SLASHED)),
        refunds_claimable=Wei(sum((instance.refund or 0) - instance.refunded for instance in instances)),
        open_demands=sum(demand.state is DemandState.OPEN for demand in snapshot.demands()),
    )


_BY_STATE: Mapping[str, type[ClientState | InstanceState | EpochState]] = {
    "clients": ClientState,
    "instances": InstanceState,
    "epochs": EpochState,
}


def totals_to_json(totals: Totals) -> dict[str, Any]:
    """The totals in what JSON has."""
    return {field.name: getattr(totals, field.name) for field in fields(totals)}


def totals_from_json(content: Mapping[str, Any]) -> Totals:
    """The inverse of :func:`totals_to_json`, of content that it made."""
    counts = {name: {state: content[name][state] for state in states} for name, states in _BY_STATE.items()}
    return Totals(**{**content, **counts})
