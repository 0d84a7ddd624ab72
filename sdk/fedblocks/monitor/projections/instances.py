"""An instance: its cohort, its epochs as they were posted, its bonds, and where its money went.

Epochs are kept by posting: an epoch that was overturned stays, and is there again when it is posted anew. Overturning
one takes back all that were posted after it; those fell with it and were not proved wrong themselves.
"""

from __future__ import annotations

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.data_demands import DataDemanded
from fedblocks.contracts.model_parameter_chain import (
    AggregatorNamed,
    BondDeposited,
    BondSlashed,
    BondWithdrawn,
    ClientSlashable,
    CommitsClosed,
    EpochFinalized,
    EpochOverturned,
    EpochSubmitted,
    InstanceConfigured,
    InstanceOpened,
    InstanceStopped,
)
from fedblocks.contracts.reward_manager import (
    CollectTrainingFees,
    FeesSettled,
    InstanceFunded,
    NewUserInstance,
    RefundWithdrawn,
    RewardClaimed,
    RewardCredited,
    RewardForfeited,
)
from fedblocks.contracts.slashing_manager import ClientSlashed, SlashClients
from fedblocks.monitor.projections.projection import Entry, Keys, State
from fedblocks.seats import seats_of
from fedblocks.types import ZERO_ADDRESS

_EVENTS = (
    InstanceFunded,
    InstanceOpened,
    InstanceConfigured,
    AggregatorNamed,
    BondDeposited,
    BondWithdrawn,
    BondSlashed,
    CommitsClosed,
    EpochSubmitted,
    EpochFinalized,
    EpochOverturned,
    ClientSlashable,
    ClientSlashed,
    InstanceStopped,
    FeesSettled,
    RewardCredited,
    RewardClaimed,
    RewardForfeited,
    RefundWithdrawn,
    DataDemanded,
)

_SIGNS_OF_LIFE = (InstanceConfigured, AggregatorNamed, BondDeposited, CommitsClosed, EpochSubmitted, EpochOverturned)
"""What moves the contract's lastActivity: by it an aggregator is silent or not."""


def _instance(event: InstanceFunded) -> tuple[str]:
    return (str(event.instance_id),)


class Instances:
    """Version 2's instances."""

    kind = "instance"

    def __init__(self) -> None:
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(_EVENTS, _instance)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The instance after an event."""
        event = entry.event
        if state is None:
            state = _nothing(entry)
        if isinstance(event, InstanceFunded):
            state |= {"user": event.user, "base_fee": event.base_fee, "escrow": event.escrow}
            state["cohort"] = list(event.clients)
        elif isinstance(event, InstanceOpened):
            state |= {"user": event.user, "number_of_epochs": event.number_of_epochs}
        elif isinstance(event, InstanceConfigured):
            state |= {"d": event.d, "genesis": event.genesis_model_root.hex(), "rules": event.rules_hash.hex()}
        elif isinstance(event, AggregatorNamed):
            state |= {"aggregator": event.aggregator, "attempt": event.attempt}
        elif isinstance(event, CommitsClosed):
            state["attempt"] = event.attempt
        elif isinstance(event, InstanceStopped):
            state["stopped"] = entry.place
        elif isinstance(event, (BondDeposited, BondWithdrawn, BondSlashed)):
            _bond(state, event, entry)
        elif isinstance(event, (EpochSubmitted, EpochFinalized, EpochOverturned, ClientSlashable)):
            _epoch(state, event, entry)
        elif isinstance(event, ClientSlashed):
            state["slashed_clients"] += 1
        elif isinstance(event, (FeesSettled, RewardCredited, RewardClaimed, RewardForfeited, RefundWithdrawn)):
            _money(state, event, entry)
        state["last"] = entry.place
        if isinstance(event, _SIGNS_OF_LIFE):
            state["alive_at"] = entry.timestamp
        return state


class InstancesV1:
    """Version 1's instances, of which no event says whose they are, who took part, or what was paid."""

    kind = "instance"

    def __init__(self) -> None:
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(
            (NewUserInstance, CollectTrainingFees, SlashClients), _instance
        )

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The instance after an event."""
        event = entry.event
        if state is None:
            state = _nothing(entry)
        if isinstance(event, NewUserInstance):
            state["number_of_epochs"] = event.number_of_epochs
        elif isinstance(event, CollectTrainingFees):
            unknown = dict.fromkeys(("clients", "protocol", "refund"))
            state["settled"] = {"billed": event.number_of_epochs, "at": entry.place, **unknown}
        state["last"] = entry.place
        return state


def _nothing(entry: Entry) -> State:
    return {
        "user": ZERO_ADDRESS,
        "cohort": [],
        "number_of_epochs": 0,
        "base_fee": 0,
        "escrow": 0,
        "aggregator": None,
        "attempt": 0,
        "d": None,
        "genesis": None,
        "rules": None,
        "epochs": [],
        "posted": [],
        "final": 0,
        "condemned": {},
        "bonds": {},
        "challenges": [],
        "rewards": {},
        "settled": None,
        "refunded": 0,
        "stopped": None,
        "slashed_clients": 0,
        "alive_at": entry.timestamp,
        "opened": entry.place,
    }


def _epoch(
    state: State, event: EpochSubmitted | EpochFinalized | EpochOverturned | ClientSlashable, entry: Entry
) -> None:
    postings, standing = state["epochs"], state["posted"]
    if isinstance(event, EpochSubmitted):
        header = event.header
        before = postings[standing[-1]]["reasons"] if standing else 0
        standing.append(len(postings))
        postings.append(
            {
                "epoch": event.epoch,
                "attempt": header.attempt,
                "aggregator": event.aggregator,
                "header_hash": event.header_hash.hex(),
                "header": b"".join(map(_word, header.as_tuple())).hex(),
                "metric": header.metric,
                "participants": header.participants,
                "excluded": header.excluded,
                "reasons": header.slash_reasons,
                # Only added to: the contract sees to that.
                "new_reasons": header.slash_reasons ^ before,
                "finalizable_at": event.finalizable_at,
                "posted": entry.place,
                "final": None,
                "overturned": None,
                "proof": None,
            }
        )
        state["attempt"] = header.attempt
    elif isinstance(event, EpochFinalized):
        postings[standing[event.epoch - 1]]["final"] = entry.place
        state["final"] = event.epoch
    elif isinstance(event, ClientSlashable):
        state["condemned"][event.client] = [event.epoch, int(event.reason)]
    else:
        wrong = standing[event.epoch - 1]
        for index in standing[event.epoch - 1 :]:
            postings[index]["overturned"] = entry.place
        postings[wrong]["proof"] = [event.challenger, event.fraud_case]
        del standing[event.epoch - 1 :]
        state["attempt"] = event.attempt
        state["challenges"].append({"posting": wrong, "reward": 0, "treasury": 0, "overturned": entry.place})


def _bond(state: State, event: BondDeposited | BondWithdrawn | BondSlashed, entry: Entry) -> None:
    bond = state["bonds"].setdefault(event.aggregator, {"deposited": 0, "withdrawn": 0, "slashed": 0})
    if isinstance(event, BondDeposited):
        bond["deposited"] += event.amount
    elif isinstance(event, BondWithdrawn):
        bond["withdrawn"] += event.amount
    else:
        bond["slashed"] += event.amount
        # It is the same transaction that has overturned an epoch.
        state["challenges"][-1] |= {"reward": event.reward, "treasury": event.amount - event.reward}


def _money(
    state: State, event: FeesSettled | RewardCredited | RewardClaimed | RewardForfeited | RefundWithdrawn, entry: Entry
) -> None:
    if isinstance(event, FeesSettled):
        state["settled"] = {
            "billed": event.billed_epochs,
            "clients": event.clients_total,
            "protocol": event.protocol_total,
            "refund": event.refund,
            "at": entry.place,
        }
        return
    if isinstance(event, RefundWithdrawn):
        state["refunded"] += event.amount
        return
    reward = state["rewards"].setdefault(event.client, {"epochs": 0, "credited": 0, "claimed": 0, "forfeited": 0})
    if isinstance(event, RewardCredited):
        reward["epochs"] += event.epochs
        reward["credited"] += event.amount
    elif isinstance(event, RewardClaimed):
        reward["claimed"] += event.amount
    else:
        reward["forfeited"] += event.amount


def _word(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(32, "big")


def shares_of(state: State, clients_fee: int) -> dict[str, list[int]]:
    """What every client of an instance has earned in its final epochs: accepted, excluded, pay.

    The pay is what RewardManager will credit, by its formula: each epoch's part for the clients, divided by those that
    were accepted and rounded down; nothing for a client against whom a verdict is final in the instance.
    """
    cohort, found = state["cohort"], {client: [0, 0, 0] for client in state["cohort"]}
    for index in state["posted"][: state["final"]]:
        posting = state["epochs"][index]
        accepted = seats_of(posting["participants"] & ~posting["excluded"])
        share = clients_fee // len(accepted) if accepted else 0
        for seat in accepted:
            figures = found[cohort[seat]]
            figures[0] += 1
            figures[2] += share
        for seat in seats_of(posting["excluded"]):
            found[cohort[seat]][1] += 1
    for client in state["condemned"]:
        if client in found:
            found[client][2] = 0
    return found
