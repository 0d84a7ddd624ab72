"""Instances, epochs, bonds, challenges and rewards, as people see them: made of an instance's state alone.

What depends on the time - whether an epoch could be made final - is told by the time of the block that is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

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
from fedblocks.seats import SlashReason, unpack_reasons
from fedblocks.types import Address, Bitmap, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei

_HEADER_FIELDS = [(field.name, "Hash32" in str(field.type)) for field in fields(PostedHeader)]


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


def instance_view(instance_id: InstanceId, state: State) -> InstanceView:
    """An instance."""
    settled = state["settled"]
    postings, standing = state["epochs"], state["posted"]
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
        posted_epochs=len(standing),
        finalized_epochs=state["final"],
        overturned_epochs=len(postings) - len(standing),
        accuracy_ppm=postings[standing[-1]]["metric"] if standing else None,
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
    )


def epoch_views(instance_id: InstanceId, state: State, now: Timestamp, holds: Holds) -> tuple[EpochView, ...]:
    """Every posting of every epoch, in the order in which they were posted."""
    finalizable = set()
    for index in state["posted"][state["final"] :]:
        posting = state["epochs"][index]
        # They become final one after the other: one that is held holds all after it.
        if now < posting["finalizable_at"] or holds.hold(posting["header_hash"], now):
            break
        finalizable.add(index)
    return tuple(
        _epoch_view(instance_id, posting, may_be_final=index in finalizable)
        for index, posting in enumerate(state["epochs"])
    )


def _epoch_view(instance_id: InstanceId, posting: State, *, may_be_final: bool) -> EpochView:
    if posting["overturned"] is not None:
        state = EpochState.OVERTURNED
    elif posting["final"] is not None:
        state = EpochState.FINAL
    else:
        state = EpochState.FINALIZABLE if may_be_final else EpochState.POSTED
    challenger, fraud_case = posting["proof"] or (None, None)
    header = _header(bytes.fromhex(posting["header"]))
    return EpochView(
        instance_id=instance_id,
        epoch=EpochNumber(posting["epoch"]),
        attempt=posting["attempt"],
        state=state,
        aggregator=posting["aggregator"],
        header_hash=Hash32(bytes.fromhex(posting["header_hash"])),
        header=header,
        data_locator=header.data_locator,
        accuracy_ppm=posting["metric"],
        participants=Bitmap(posting["participants"]),
        excluded=Bitmap(posting["excluded"]),
        new_slash_reasons=unpack_reasons(posting["new_reasons"]),
        finalizable_at=Timestamp(posting["finalizable_at"]),
        posted=place_from(posting["posted"]),
        finalized=_place(posting["final"]),
        overturned=_place(posting["overturned"]),
        overturned_by=challenger,
        fraud_case=fraud_case,
    )


def _header(words: bytes) -> PostedHeader:
    values = (words[start : start + 32] for start in range(0, len(words), 32))
    return PostedHeader(
        **{
            name: value if is_hash else int.from_bytes(value, "big")
            for (name, is_hash), value in zip(_HEADER_FIELDS, values, strict=True)
        }  # type: ignore[arg-type]  # the field's own type says which of the two
    )


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
        posting = state["epochs"][challenge["posting"]]
        challenger, fraud_case = posting["proof"]
        yield ChallengeView(
            instance_id=instance_id,
            epoch=EpochNumber(posting["epoch"]),
            attempt=posting["attempt"],
            fraud_case=fraud_case,
            challenger=challenger,
            aggregator=posting["aggregator"],
            header_hash=Hash32(bytes.fromhex(posting["header_hash"])),
            reward=Wei(challenge["reward"]),
            treasury=Wei(challenge["treasury"]),
            overturned=place_from(challenge["overturned"]),
        )


def reward_views(instance_id: InstanceId, state: State) -> Iterable[RewardView]:
    """What an instance's clients were credited, in the order of their seats."""
    for client in state["cohort"]:
        if (reward := state["rewards"].get(client)) is not None:
            yield RewardView(
                instance_id=instance_id,
                client=client,
                epochs=reward["epochs"],
                credited=Wei(reward["credited"]),
                claimed=Wei(reward["claimed"]),
                forfeited=Wei(reward["forfeited"]),
            )


def final_posting(state: State, epoch: int) -> State | None:
    """The posting of an epoch that became final."""
    if not 0 < epoch <= state["final"]:
        return None
    found: State = state["epochs"][state["posted"][epoch - 1]]
    return found


def verdicts(state: State) -> Mapping[Address, tuple[EpochNumber, SlashReason]]:
    """Against whom a verdict is final."""
    return {client: (EpochNumber(epoch), SlashReason(reason)) for client, (epoch, reason) in state["condemned"].items()}


def seat_in(state: State, client: str) -> Seat | None:
    """A client's seat."""
    return Seat(state["cohort"].index(client)) if client in state["cohort"] else None


def _place(json: PlaceJson | None) -> Place | None:
    return None if json is None else place_from(json)


def _hash(text: str | None) -> Hash32 | None:
    return None if text is None else Hash32(bytes.fromhex(text))
