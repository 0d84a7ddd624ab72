"""Instances, epochs, bonds, challenges and rewards, as people see them: made of an instance's state alone.

What depends on the time - whether an epoch could be made final - is told by the time of the block that is shown.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from struct import Struct

from fedblocks.contracts.model_parameter_chain import PostedHeader
from fedblocks.monitor.projections import PlaceJson, State, place_from
from fedblocks.monitor.views import (
    BondView,
    ChallengeView,
    EpochState,
    EpochView,
    InstanceState,
    InstanceView,
    Place,
    RewardView,
)
from fedblocks.seats import unpack_reasons
from fedblocks.types import EpochNumber, Hash32, InstanceId, Timestamp, Wei

_HEADER_FIELDS = [field.name for field in fields(PostedHeader)]
_NUMBERS = [field.type != "Hash32" for field in fields(PostedHeader)]
_WORDS = Struct("32s" * len(_HEADER_FIELDS))


@dataclass(frozen=True)
class Holds:
    """What demands do to epochs: a demand that is open, or was answered lately, keeps its epoch from becoming final."""

    open: frozenset[str]
    """The hashes (in hex) of the headers of which something is demanded."""
    until: Mapping[str, int]
    """The last second in which an answered demand holds an epoch."""

    @classmethod
    def of(cls, demands: Iterable[State], answer_period: int) -> Holds:
        """Of all demands."""
        until: dict[str, int] = {}
        waiting = set()
        for demand in demands:
            if demand["state"] == "open":
                waiting.add(demand["header_hash"])
            if demand["answered_at"] is not None:
                last = demand["answered_at"] + answer_period
                until[demand["header_hash"]] = max(until.get(demand["header_hash"], 0), last)
        return cls(frozenset(waiting), until)

    def hold(self, header_hash: str, now: int) -> bool:
        """Whether an epoch cannot become final for them now."""
        return header_hash in self.open or now <= self.until.get(header_hash, -1)


def instance_state(state: State) -> InstanceState:
    """Where an instance is in its life."""
    if state["settled"] is not None:
        return InstanceState.SETTLED
    if state["number_of_epochs"] and state["final"] == state["number_of_epochs"]:
        return InstanceState.COMPLETE
    if state["stopped"] is not None:
        return InstanceState.STOPPED
    return InstanceState.TRAINING if state["bonds"] else InstanceState.FUNDED


def instance_view(instance_id: InstanceId, state: State, due: int) -> InstanceView:
    """An instance, of whose pending epochs some are due."""
    settled, metrics = state["settled"], state["metrics"]
    return InstanceView(
        instance_id=instance_id,
        user=state["user"],
        state=instance_state(state),
        aggregator=state["aggregator"],
        attempt=state["attempt"],
        d=state["d"],
        genesis_model_root=_hash(state["genesis"]),
        rules_hash=_hash(state["rules"]),
        cohort=tuple(state["cohort"]),
        number_of_epochs=state["number_of_epochs"],
        posted_epochs=len(metrics),
        finalized_epochs=state["final"],
        overturned_epochs=len(state["overturned"]),
        accuracy_ppm=metrics[-1] if metrics else None,
        base_fee=Wei(state["base_fee"]),
        escrow=Wei(state["escrow"]),
        billed_epochs=None if settled is None else settled["billed"],
        clients_total=None if settled is None else settled["clients"],
        protocol_total=None if settled is None else settled["protocol"],
        refund=None if settled is None else settled["refund"],
        refunded=Wei(state["refunded"]),
        slashed_clients=state["slashed_clients"],
        opened=place_from(state["opened"]),
        last_activity=place_from(state["last"]),
        settled=None if settled is None else place_from(settled["at"]),
        alive_at=Timestamp(state["alive_at"]),
        finalizable_epochs=due,
        verdicts={client: EpochNumber(verdict["epoch"]) for client, verdict in state["condemned"].items()},
    )


def due_epochs(state: State, now: Timestamp, holds: Holds) -> int:
    """How many of an instance's pending epochs could be made final now, one after the other."""
    due = 0
    for posting in state["pending"]:
        # One that is held holds all after it.
        if now < posting["finalizable_at"] or holds.hold(posting["header_hash"], now):
            break
        due += 1
    return due


def epoch_views(instance_id: InstanceId, state: State, due: int) -> tuple[EpochView, ...]:
    """Every posting of every epoch, in the order in which they were posted; `state` is that of its epochs."""
    finalizable = set(state["standing"][state["final"] : state["final"] + due])
    return tuple(
        _epoch_view(instance_id, posting, may_be_final=index in finalizable)
        for index, posting in enumerate(state["postings"])
    )


def _epoch_view(instance_id: InstanceId, posting: State, *, may_be_final: bool) -> EpochView:
    if posting["overturned"] is not None:
        state = EpochState.OVERTURNED
    elif posting["final"] is not None:
        state = EpochState.FINAL
    else:
        state = EpochState.FINALIZABLE if may_be_final else EpochState.POSTED
    challenger, fraud_case = posting["proof"] or (None, None)
    header = _header(posting["header"])
    return EpochView(
        instance_id=instance_id,
        epoch=EpochNumber(posting["epoch"]),
        attempt=header.attempt,
        state=state,
        aggregator=posting["aggregator"],
        header_hash=Hash32(bytes.fromhex(posting["header_hash"])),
        header=header,
        data_locator=header.data_locator,
        accuracy_ppm=header.metric,
        participants=header.participants,
        excluded=header.excluded,
        new_slash_reasons=unpack_reasons(posting["new_reasons"]) if posting["new_reasons"] else {},
        finalizable_at=Timestamp(posting["finalizable_at"]),
        posted=place_from(posting["posted"]),
        finalized=_place(posting["final"]),
        overturned=_place(posting["overturned"]),
        overturned_by=challenger,
        fraud_case=fraud_case,
    )


def _header(text: str) -> PostedHeader:
    words = _WORDS.unpack(binascii.a2b_base64(text))
    values = [
        int.from_bytes(word, "big") if is_number else word for is_number, word in zip(_NUMBERS, words, strict=True)
    ]
    return PostedHeader(**dict(zip(_HEADER_FIELDS, values, strict=True)))  # type: ignore[arg-type]


def bond_views(instance_id: InstanceId, state: State) -> Iterable[BondView]:
    """The bonds in an instance, by aggregator."""
    for aggregator, bond in state["bonds"].items():
        yield BondView(
            instance_id=instance_id,
            aggregator=aggregator,
            deposited=Wei(bond["deposited"]),
            withdrawn=Wei(bond["withdrawn"]),
            slashed=Wei(bond["slashed"]),
            is_current=aggregator == state["aggregator"],
        )


def challenge_views(instance_id: InstanceId, state: State) -> Iterable[ChallengeView]:
    """The epochs of an instance that were proved wrong; those that only fell with one are not among them."""
    for challenge in state["challenges"]:
        yield ChallengeView(
            instance_id=instance_id,
            epoch=EpochNumber(challenge["epoch"]),
            attempt=challenge["attempt"],
            fraud_case=challenge["case"],
            challenger=challenge["challenger"],
            aggregator=challenge["aggregator"],
            header_hash=Hash32(bytes.fromhex(challenge["header_hash"])),
            reward=Wei(challenge["reward"]),
            treasury=Wei(challenge["treasury"]),
            overturned=place_from(challenge["overturned"]),
        )


def reward_views(instance_id: InstanceId, state: State) -> Iterable[RewardView]:
    """What an instance's clients were credited, in the order of their seats."""
    for seat, client in enumerate(state["cohort"]):
        if (reward := state["rewards"].get(str(seat))) is not None:
            epochs, credited, claimed, forfeited = reward
            yield RewardView(
                instance_id=instance_id,
                client=client,
                epochs=epochs,
                credited=Wei(credited),
                claimed=Wei(claimed),
                forfeited=Wei(forfeited),
            )


def _place(json: PlaceJson | None) -> Place | None:
    return None if json is None else place_from(json)


def _hash(text: str | None) -> Hash32 | None:
    return None if text is None else Hash32(bytes.fromhex(text))
