"""A client's stake: active, unbonding, returned or taken.

Version 2 says every amount. Version 1 says none: there a stake is the amount that its contract states, and what was
paid out is not known to differ from it (it may: V1-1 in docs/doctor.md).
"""

from __future__ import annotations

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.staking_registry import (
    SlashStake,
    Stake,
    StakeLocked,
    StakeReturned,
    StakeSlashed,
    UnbondingStarted,
    Unregister,
    WithdrawStake,
)
from fedblocks.monitor.projections.projection import Entry, Keys, State
from fedblocks.monitor.views import ClientState
from fedblocks.types import Wei


def _client(event: Stake | StakeLocked) -> tuple[str]:
    return (event.client,)


class Clients:
    """The stakes of version 2's clients."""

    kind = "client"

    def __init__(self) -> None:
        kinds = (StakeLocked, UnbondingStarted, StakeReturned, StakeSlashed)
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(kinds, _client)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The stake after an event."""
        event = entry.event
        if state is None:
            state = _nothing(entry)
        if isinstance(event, StakeLocked):
            _stake(state, event.amount)
        elif isinstance(event, UnbondingStarted):
            # The event says all that unbonds, an earlier stake that has not been withdrawn included.
            state |= {"active": 0, "unbonding": event.amount, "withdrawable_at": event.withdrawable_at}
            state["state"] = ClientState.UNBONDING.value
        elif isinstance(event, StakeReturned):
            _return(state, event.amount)
        elif isinstance(event, StakeSlashed):
            _slash(state, event.amount)
        state["since"] = entry.place
        return state


class ClientsV1:
    """The stakes of version 1's clients."""

    kind = "client"

    def __init__(self, stake_amount: Wei) -> None:
        """`stake_amount` is what the registry says a client stakes."""
        self._amount = stake_amount
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(
            (Stake, Unregister, WithdrawStake, SlashStake), _client
        )

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The stake after an event."""
        event = entry.event
        if state is None:
            state = _nothing(entry)
        if isinstance(event, Stake):
            _stake(state, self._amount)
        elif isinstance(event, Unregister):
            # When it may be withdrawn no event says.
            state["unbonding"] += state["active"]
            state |= {"active": 0, "state": ClientState.UNBONDING.value}
        elif isinstance(event, WithdrawStake):
            _return(state, state["unbonding"])
        elif isinstance(event, SlashStake):
            _slash(state, state["active"] + state["unbonding"] or self._amount)
        state["since"] = entry.place
        return state


def _nothing(entry: Entry) -> State:
    return {
        "state": ClientState.WITHDRAWN.value,
        "active": 0,
        "unbonding": 0,
        "withdrawable_at": None,
        "returned": 0,
        "slashed": 0,
        "first": [entry.event.block, entry.event.log_index],
    }


def _stake(state: State, amount: int) -> None:
    state["active"] += amount
    state["state"] = ClientState.STAKED.value


def _return(state: State, amount: int) -> None:
    state["returned"] += amount
    state |= {"unbonding": 0, "withdrawable_at": None}
    # Who has staked anew meanwhile is at work.
    state["state"] = (ClientState.STAKED if state["active"] else ClientState.WITHDRAWN).value


def _slash(state: State, amount: int) -> None:
    state["slashed"] += amount
    state |= {"active": 0, "unbonding": 0, "withdrawable_at": None, "state": ClientState.SLASHED.value}
