"""Events told to people: one sentence each, with names, numbers and amounts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts import data_demands as demands
from fedblocks.contracts import model_parameter_chain as chain
from fedblocks.contracts import reward_manager as rewards
from fedblocks.contracts import slashing_manager as slashing
from fedblocks.contracts import staking_registry as staking
from fedblocks.contracts import treasury
from fedblocks.monitor.projections import Entry, place_from
from fedblocks.monitor.views import HistoryEntry
from fedblocks.rollup.fraud.cases import DemandKind, FraudCase
from fedblocks.seats import SlashReason, seats_of, unpack_reasons
from fedblocks.types import ZERO_ADDRESS, Address
from fedblocks.units import PARTS_PER_MILLION, format_ether


def _ether(amount: int) -> str:
    return f"{format_ether(amount)} ETH"


def _percent(ppm: int) -> str:
    return f"{ppm * 100 / PARTS_PER_MILLION:.2f} %"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _reason(reason: SlashReason) -> str:
    return reason.name.lower()


def _to(receiver: Address, usual: Address) -> str:
    return "" if receiver == usual else f" to {receiver}"


def _named(event: chain.AggregatorNamed) -> str:
    text = f"{event.aggregator} was named aggregator of instance {event.instance_id}"
    if event.previous_aggregator != ZERO_ADDRESS:
        text += f" in place of {event.previous_aggregator}; commitments before attempt {event.attempt} are void"
    return text + "."


def _submitted(event: chain.EpochSubmitted) -> str:
    header = event.header
    text = (
        f"Epoch {event.epoch} of instance {event.instance_id} was posted by {event.aggregator} (attempt "
        f"{header.attempt}): accuracy {_percent(header.metric)}, {_count(len(seats_of(header.participants)), 'seat')}"
    )
    if header.excluded:
        text += f", without pay: {', '.join(map(str, seats_of(header.excluded)))}"
    if header.slash_reasons:
        condemned = unpack_reasons(header.slash_reasons).items()
        text += f", condemned so far: {', '.join(f'seat {seat} ({_reason(reason)})' for seat, reason in condemned)}"
    return text + "."


def _finalized(event: chain.EpochFinalized) -> str:
    paid = len(seats_of(event.participants & ~event.excluded))
    return f"Epoch {event.epoch} of instance {event.instance_id} is final; {_count(paid, 'client')} will share its fee."


def _overturned(event: chain.EpochOverturned) -> str:
    case = next((case.name.lower() for case in FraudCase if case == event.fraud_case), str(event.fraud_case))
    return (
        f"Epoch {event.epoch} of instance {event.instance_id}, posted by {event.aggregator}, was proved wrong by "
        f"{event.challenger} (case {case}) and is gone, with all after it."
    )


def _bond_slashed(event: chain.BondSlashed) -> str:
    return (
        f"{event.aggregator} lost its bond of {_ether(event.amount)} in instance {event.instance_id}: "
        f"{_ether(event.reward)} to the challenger {event.challenger}, {_ether(event.amount - event.reward)} to the "
        "treasury."
    )


def _slashable(event: chain.ClientSlashable) -> str:
    return (
        f"The verdict on {event.client} in epoch {event.epoch} of instance {event.instance_id} is final "
        f"({_reason(event.reason)}): its stake can be taken."
    )


def _client_slashed(event: slashing.ClientSlashed) -> str:
    return (
        f"{event.client} lost {_ether(event.amount)} for epoch {event.epoch} of instance {event.instance_id} "
        f"({_reason(event.reason)})."
    )


def _funded(event: rewards.InstanceFunded) -> str:
    return (
        f"{event.user} opened instance {event.instance_id} with {_count(len(event.clients), 'client')}: base fee "
        f"{_ether(event.base_fee)}, {_ether(event.escrow)} in escrow."
    )


def _settled(event: rewards.FeesSettled) -> str:
    return (
        f"Instance {event.instance_id} was settled for {_count(event.billed_epochs, 'epoch')}: "
        f"{_ether(event.clients_total)} to clients, {_ether(event.protocol_total)} to the protocol, "
        f"{_ether(event.refund)} back to the user."
    )


def _demanded(event: demands.DataDemanded) -> str:
    kind = next((kind.name.lower() for kind in DemandKind if kind == event.kind), str(event.kind))
    return (
        f"{event.demander} demanded data of epoch {event.epoch} of instance {event.instance_id} ({kind}, seat "
        f"{event.seat}, leaf {event.index}); the epoch is held until they come."
    )


def _instance(text: str) -> Callable[[Any], str]:
    return lambda event: text.format(event.instance_id)


_TELL: dict[type[ChainEvent], Callable[[Any], str]] = {
    staking.Stake: lambda e: f"{e.client} staked.",
    staking.StakeLocked: lambda e: f"{e.client} staked {_ether(e.amount)}.",
    staking.Unregister: lambda e: f"{e.client} unregistered.",
    staking.UnbondingStarted: lambda e: f"{e.client} unregistered: {_ether(e.amount)} began to unbond.",
    staking.WithdrawStake: lambda e: f"{e.client} withdrew its stake.",
    staking.StakeReturned: lambda e: f"{e.client} withdrew {_ether(e.amount)} of stake.",
    staking.SlashStake: lambda e: f"{e.client} was slashed.",
    staking.StakeSlashed: lambda e: f"The registry took {_ether(e.amount)} from {e.client}.",
    slashing.SlashClients: _instance("Verdicts of instance {} were carried out."),
    slashing.ClientSlashed: _client_slashed,
    rewards.NewUserInstance: lambda e: (
        f"Instance {e.instance_id} was ordered for {_count(e.number_of_epochs, 'epoch')}."
    ),
    rewards.InstanceFunded: _funded,
    rewards.CollectTrainingFees: lambda e: (
        f"The fees of instance {e.instance_id} were settled for {_count(e.number_of_epochs, 'epoch')}."
    ),
    rewards.FeesSettled: _settled,
    rewards.RewardCredited: lambda e: (
        f"{e.client} was credited {_ether(e.amount)} for {_count(e.epochs, 'epoch')} of instance {e.instance_id}."
    ),
    rewards.RewardClaimed: lambda e: (
        f"{e.client} was paid {_ether(e.amount)} for instance {e.instance_id}{_to(e.receiver, e.client)}."
    ),
    rewards.RewardForfeited: lambda e: (
        f"{e.client}, who was slashed, lost its pay of {_ether(e.amount)} for instance {e.instance_id} to the treasury."
    ),
    rewards.RefundWithdrawn: lambda e: (
        f"{e.user} got {_ether(e.amount)} of instance {e.instance_id} back{_to(e.receiver, e.user)}."
    ),
    chain.InstanceOpened: lambda e: (
        f"Instance {e.instance_id} of {e.user} was opened for {_count(e.number_of_epochs, 'epoch')}."
    ),
    chain.InstanceConfigured: lambda e: f"What instance {e.instance_id} trains was fixed: {e.d} parameters.",
    chain.AggregatorNamed: _named,
    chain.BondDeposited: lambda e: f"{e.aggregator} accepted instance {e.instance_id} with {_ether(e.amount)}.",
    chain.BondWithdrawn: lambda e: (
        f"{e.aggregator} took back its bond of {_ether(e.amount)} from instance {e.instance_id}"
        f"{_to(e.receiver, e.aggregator)}."
    ),
    chain.CommitsClosed: lambda e: (
        f"Commitments to epoch {e.epoch} of instance {e.instance_id} were closed (attempt {e.attempt})."
    ),
    chain.EpochSubmitted: _submitted,
    chain.EpochFinalized: _finalized,
    chain.EpochOverturned: _overturned,
    chain.BondSlashed: _bond_slashed,
    chain.ClientSlashable: _slashable,
    chain.InstanceStopped: lambda e: (
        f"Instance {e.instance_id} was stopped by {e.caller} with {e.finalized_epochs} of {e.posted_epochs} posted "
        "epochs final."
    ),
    chain.ChallengeRewardClaimed: lambda e: (
        f"{e.challenger} was paid {_ether(e.amount)} for faults that it had shown{_to(e.receiver, e.challenger)}."
    ),
    demands.DataDemanded: _demanded,
    demands.DemandAnswered: lambda e: f"{e.answerer} opened what was demanded; everybody can read it in this event.",
    demands.DemandFailed: lambda e: f"What {e.demander} had demanded was not opened in time.",
    demands.DepositCredited: lambda e: f"{e.answerer} was credited a deposit of {_ether(e.amount)}.",
    demands.DepositReturned: lambda e: f"{e.demander} was credited its deposit of {_ether(e.amount)} again.",
    demands.Withdrawn: lambda e: f"{e.account} withdrew {_ether(e.amount)} of deposits{_to(e.receiver, e.account)}.",
    treasury.Withdraw: lambda e: f"The admin withdrew {_ether(e.amount)}.",
    treasury.Recieved: lambda e: f"{_ether(e.amount)} came in.",
    treasury.AdminTransferStarted: lambda e: f"{e.admin} offered its office to {e.pending_admin}.",
    treasury.AdminTransferred: lambda e: f"{e.new_admin} is the admin now.",
}


def told_events() -> frozenset[type[ChainEvent]]:
    """The events for which there is a sentence."""
    return frozenset(_TELL)


def history_entry(entry: Entry) -> HistoryEntry:
    """One event, told to a person."""
    event = entry.event
    cls: Any = type(event)
    text = _TELL[cls](event)
    if cls in treasury.Treasury.EVENTS:  # they don't say which of the two treasuries
        text = f"{entry.contract}: {text[0].lower()}{text[1:]}" if text[0].isalpha() else f"{entry.contract}: {text}"
    return HistoryEntry(
        place=place_from(entry.place),
        contract=entry.contract,
        event=cls.__name__,
        text=text,
        instance_id=getattr(event, "instance_id", None),
        clients=_clients(event),
        amount=getattr(event, _amount_field(cls) or "", None),
    )


def _clients(event: ChainEvent) -> tuple[Address, ...]:
    several: tuple[Address, ...] = getattr(event, "clients", ())
    one: Address | None = getattr(event, "client", None)
    return several if one is None else (one,)


@cache
def _amount_field(cls: Any) -> str | None:
    return next((name for name in ("amount", "escrow", "clients_total") if name in cls.__dataclass_fields__), None)
