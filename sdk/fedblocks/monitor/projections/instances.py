"""An instance: its cohort, what its seats have earned, its bonds, and where its money went.

The epochs themselves are in :mod:`fedblocks.monitor.projections.epochs`; here is what is counted of them. An instance
is looked at far more often than all its headers are.
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
from fedblocks.types import ZERO_ADDRESS, Wei

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

    def __init__(self, clients_fee: Wei) -> None:
        """`clients_fee` is what the clients of a final epoch share."""
        self._clients_fee = clients_fee
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(_EVENTS, _instance)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The instance after an event."""
        event = entry.event
        if state is None:
            state = _nothing(entry)
        if isinstance(event, InstanceFunded):
            state |= {"user": event.user, "base_fee": event.base_fee, "escrow": event.escrow}
            state["cohort"] = list(event.clients)
            # By seat: epochs accepted, epochs excluded, pay.
            state["tallies"] = [[0, 0, 0] for _ in event.clients]
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
            if isinstance(event, EpochFinalized):
                _pay(state, event, self._clients_fee)
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
        "tallies": [],
        "metrics": [],
        "pending": [],
        "final": 0,
        "last_final": None,
        "overturned": [],
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
    pending = state["pending"]
    if isinstance(event, EpochSubmitted):
        pending.append(
            {
                "epoch": event.epoch,
                "attempt": event.header.attempt,
                "aggregator": event.aggregator,
                "header_hash": event.header_hash.hex(),
                "finalizable_at": event.finalizable_at,
                "posted": entry.place,
            }
        )
        state["metrics"].append(event.header.metric)
        state["attempt"] = event.header.attempt
    elif isinstance(event, EpochOverturned):
        index = event.epoch - state["final"] - 1
        wrong = pending[index]
        # All that were posted after it are gone with it.
        state["overturned"] += [posting["header_hash"] for posting in pending[index:]]
        del pending[index:], state["metrics"][event.epoch - 1 :]
        state["attempt"] = event.attempt
        proof = {"challenger": event.challenger, "case": event.fraud_case, "overturned": entry.place}
        state["challenges"].append({**wrong, **proof, "reward": 0, "treasury": 0})
    elif isinstance(event, EpochFinalized):
        state["last_final"] = pending.pop(0) | {"final": entry.place}
        state["final"] = event.epoch
    else:
        verdict = {"reason": int(event.reason), "seat": state["cohort"].index(event.client)}
        state["condemned"][event.client] = {**state["last_final"], **verdict}


def _bond(state: State, event: BondDeposited | BondWithdrawn | BondSlashed, entry: Entry) -> None:
    bond = state["bonds"].setdefault(event.aggregator, {"deposited": 0, "withdrawn": 0, "slashed": 0})
    if isinstance(event, BondDeposited):
        bond["deposited"] += event.amount
    elif isinstance(event, BondWithdrawn):
        bond["withdrawn"] += event.amount
    else:
        bond["slashed"] += event.amount
        # The same transaction has overturned an epoch right before.
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
    seat = str(state["cohort"].index(event.client))
    # Epochs, credited, claimed, forfeited.
    reward = state["rewards"].setdefault(seat, [0, 0, 0, 0])
    if isinstance(event, RewardCredited):
        reward[0] += event.epochs
        reward[1] += event.amount
    elif isinstance(event, RewardClaimed):
        reward[2] += event.amount
    else:
        reward[3] += event.amount


def _pay(state: State, event: EpochFinalized, clients_fee: int) -> None:
    """Count an epoch's pay, by RewardManager's formula: the clients' part of the fee, divided by those accepted."""
    accepted = seats_of(event.participants & ~event.excluded)
    share = clients_fee // len(accepted) if accepted else 0
    for seat in accepted:
        tally = state["tallies"][seat]
        tally[0] += 1
        tally[2] += share
    for seat in seats_of(event.excluded):
        state["tallies"][seat][1] += 1
