"""Clients as people see them: their stake, by their own events, and what all their instances together owe them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fedblocks.monitor.cache import ReadCache
from fedblocks.monitor.projections import State, place_from
from fedblocks.monitor.views import ClientState, ClientView
from fedblocks.types import Address, Timestamp, Wei


@dataclass(slots=True)
class Earnings:
    """What a client has done and earned, summed over instances."""

    instances: int = 0
    running: int = 0
    accepted: int = 0
    excluded: int = 0
    strikes: int | None = None
    pending: int = 0
    credited: int = 0
    claimed: int = 0
    forfeited: int = 0

    def key(self) -> tuple[int | None, ...]:
        """All of it, to be compared."""
        return (
            self.instances,
            self.running,
            self.accepted,
            self.excluded,
            self.strikes,
            self.pending,
            self.credited,
            self.claimed,
            self.forfeited,
        )


NOTHING = Earnings()


@dataclass
class Ledger:
    """The earnings of all clients.

    Attributes:
        strikes: what the counters of each running instance's clients stand at, by instance.
    """

    strikes: Mapping[str, Mapping[str, int]]
    earnings: dict[str, Earnings] = field(default_factory=dict)

    def add(self, key: str, state: State) -> None:
        """Count an instance in."""
        settled = state["settled"] is not None
        strikes = {} if settled else self.strikes.get(key, {})
        rewards, condemned = state["rewards"], state["condemned"]
        for seat, client in enumerate(state["cohort"]):
            accepted, excluded, pay = state["tallies"][seat]
            own = self.earnings.get(client)
            if own is None:
                own = self.earnings[client] = Earnings()
            own.instances += 1
            own.accepted += accepted
            own.excluded += excluded
            if not settled:
                own.running += 1
                # Nothing for whom a final verdict of the instance is against.
                own.pending += 0 if client in condemned else pay
            if client in strikes:
                own.strikes = max(own.strikes or 0, strikes[client])
            if (reward := rewards.get(str(seat))) is not None:
                own.credited += reward[1]
                own.claimed += reward[2]
                own.forfeited += reward[3]


def client_views(
    clients: Mapping[str, State], instances: Iterable[tuple[str, State]], ledger: Ledger, cache: ReadCache
) -> tuple[ClientView, ...]:
    """All clients, in the order in which they first staked."""
    for key, state in instances:
        ledger.add(key, state)
    ordered = sorted(clients.items(), key=lambda item: item[1]["first"])
    views = []
    for address, state in ordered:
        earned = ledger.earnings.get(address, NOTHING)
        views.append(
            cache.view(
                "client",
                address,
                (state, earned.key()),
                lambda address=address, state=state, earned=earned: _view(address, state, earned),  # type: ignore[misc]
            )
        )
    return tuple(views)


def _view(address: Address, state: State, earned: Earnings) -> ClientView:
    stands = ClientState(state["state"])
    withdrawable_at = state["withdrawable_at"]
    return ClientView(
        address=address,
        state=stands,
        active=Wei(state["active"]),
        unbonding=Wei(state["unbonding"]),
        withdrawable_at=None if withdrawable_at is None else Timestamp(withdrawable_at),
        returned=Wei(state["returned"]),
        slashed=Wei(state["slashed"]),
        instances=earned.instances,
        running=earned.running,
        accepted=earned.accepted,
        excluded=earned.excluded,
        strikes=earned.strikes,
        # A client that was slashed, for whatever instance, is paid by none.
        pending=Wei(0 if stands is ClientState.SLASHED else earned.pending),
        credited=Wei(earned.credited),
        claimed=Wei(earned.claimed),
        forfeited=Wei(earned.forfeited),
        since=place_from(state["since"]),
    )
