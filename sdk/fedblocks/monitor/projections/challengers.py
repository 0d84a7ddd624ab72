"""What accounts have earned by proving epochs wrong, in all instances together."""

from __future__ import annotations

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.model_parameter_chain import BondSlashed, ChallengeRewardClaimed, EpochOverturned
from fedblocks.monitor.projections.projection import Entry, Keys, State


def _challenger(event: EpochOverturned) -> tuple[str]:
    return (event.challenger,)


class Challengers:
    """The challengers of version 2."""

    kind = "challenger"

    def __init__(self) -> None:
        kinds = (EpochOverturned, BondSlashed, ChallengeRewardClaimed)
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(kinds, _challenger)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """A challenger's account after an event."""
        event = entry.event
        if state is None:
            first = [entry.event.block, entry.event.log_index]
            state = {"overturned": 0, "credited": 0, "claimed": 0, "first": first}
        if isinstance(event, EpochOverturned):
            state["overturned"] += 1
        elif isinstance(event, BondSlashed):
            state["credited"] += event.reward
        elif isinstance(event, ChallengeRewardClaimed):
            state["claimed"] += event.amount
        return state
