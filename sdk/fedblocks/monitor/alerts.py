"""Alerts: what follows from a snapshot that somebody should look at, and what to do about it.

They are worked out from the snapshot alone and are gone when their cause is. Money that is in danger is critical, what
waits for somebody a warning, what merely happened is news.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.views import (
    Alert,
    ClientState,
    DemandState,
    InstanceState,
    Severity,
)
from fedblocks.types import Timestamp
from fedblocks.units import format_ether

DAY = 24 * 3600
UNCLAIMED_AFTER = 7 * DAY
DEADLINE_NEAR = 6 * 3600

_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def alerts_of(snapshot: Snapshot, subject: Subject) -> tuple[Alert, ...]:
    """All alerts of a snapshot, the worst first."""
    if snapshot.block is None:
        return ()
    now = snapshot.block.timestamp
    found = [alert for rule in _RULES for alert in rule(snapshot, subject, now)]
    return tuple(sorted(found, key=lambda alert: _ORDER[alert.severity]))


def _missing_money(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    """What left a stake must arrive in the treasury."""
    for slash in snapshot.slashes():
        if slash.received != slash.amount:
            arrived = "nothing" if slash.received is None else f"{format_ether(slash.received)} ETH"
            yield Alert(
                severity=Severity.CRITICAL,
                text=f"{format_ether(slash.amount)} ETH were taken from {slash.client}, {arrived} came to the treasury",
                what_to_do=f"fedblocks explain slash 0x{slash.slashed.transaction_hash.hex()}; fedblocks check",
                instance_id=slash.instance_id,
                client=slash.client,
            )
    for treasury in snapshot.treasuries():
        if treasury.holds < 0:
            yield Alert(
                severity=Severity.CRITICAL,
                text=f"{treasury.name} has paid out {format_ether(-treasury.holds)} ETH more than events say came in",
                what_to_do="fedblocks check: an index that is incomplete, or ether that was forced in",
            )


def _unexecuted(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    """A final verdict whose client still has a stake: anyone may carry it out, until the stake is withdrawn."""
    told = set()
    for instance in snapshot.instances():
        for address, epoch in instance.verdicts.items():
            client = snapshot.client(address)
            if client is None or client.at_stake == 0 or client.state is ClientState.SLASHED or address in told:
                continue
            told.add(address)
            leaving = client.withdrawable_at is not None
            yield Alert(
                severity=Severity.CRITICAL if leaving else Severity.WARNING,
                text=f"the verdict on {address} in epoch {epoch} of instance {instance.instance_id} is final, and its "
                f"stake is still there{' and on its way out' if leaving else ''}",
                what_to_do=f"fedblocks slash execute {instance.instance_id}",
                instance_id=instance.instance_id,
                client=address,
            )


def _demands(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    for demand in snapshot.demands():
        if demand.state is not DemandState.OPEN:
            continue
        what = f"data of epoch {demand.epoch} of instance {demand.instance_id}, demanded by {demand.demander},"
        if now > demand.deadline:
            yield Alert(
                severity=Severity.WARNING,
                text=f"{what} were not opened in time: the epoch can be overturned",
                what_to_do="fedblocks watch fails the demand",
                instance_id=demand.instance_id,
            )
        else:
            yield Alert(
                severity=Severity.WARNING if demand.deadline - now < DEADLINE_NEAR else Severity.INFO,
                text=f"{what} must be opened within {_hours(demand.deadline - now)}",
                what_to_do="whoever has the data answers; the aggregator's bond is at stake",
                instance_id=demand.instance_id,
            )


def _finalizable(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    for instance in snapshot.instances():
        if instance.finalizable_epochs:
            first = instance.finalized_epochs + 1
            last = instance.finalized_epochs + instance.finalizable_epochs
            which = f"epoch {first}" if first == last else f"epochs {first} to {last}"
            yield Alert(
                severity=Severity.INFO,
                text=f"{which} of instance {instance.instance_id} can be made final",
                what_to_do=f"fedblocks finalize {instance.instance_id}",
                instance_id=instance.instance_id,
            )


def _unsettled(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    for instance in snapshot.instances():
        if instance.state is InstanceState.COMPLETE:
            yield Alert(
                severity=Severity.INFO,
                text=f"all epochs of instance {instance.instance_id} are final: its clients can be paid",
                what_to_do=f"fedblocks job settle {instance.instance_id}",
                instance_id=instance.instance_id,
            )


def _silent(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    """An aggregator that has given no sign of life for the liveness period may be replaced."""
    if subject.parameters is None:
        return
    for instance in snapshot.instances():
        awaited = instance.posted_epochs < instance.number_of_epochs
        if instance.state is not InstanceState.TRAINING or not awaited or instance.alive_at is None:
            continue
        silence = now - instance.alive_at
        if silence > subject.parameters.liveness_period:
            yield Alert(
                severity=Severity.WARNING,
                text=f"nothing was heard of instance {instance.instance_id}'s aggregator for {_hours(silence)}",
                what_to_do=f"its user names another, or ends it: fedblocks job stop {instance.instance_id}",
                instance_id=instance.instance_id,
            )


def _unclaimed(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    unclaimed = Counter(
        each.instance_id for each in snapshot.rewards() if each.credited - each.claimed - each.forfeited > 0
    )
    for instance in snapshot.instances():
        if instance.state is not InstanceState.SETTLED or instance.settled is None:
            continue
        if now - instance.settled.timestamp <= UNCLAIMED_AFTER:
            continue
        refund = (instance.refund or 0) - instance.refunded
        if refund > 0:
            yield Alert(
                severity=Severity.INFO,
                text=f"{format_ether(refund)} ETH of instance {instance.instance_id} wait for its user",
                what_to_do=f"fedblocks job claim {instance.instance_id}",
                instance_id=instance.instance_id,
            )
        if waiting := unclaimed[instance.instance_id]:
            yield Alert(
                severity=Severity.INFO,
                text=f"{waiting} of instance {instance.instance_id}'s clients have not claimed their pay",
                what_to_do=f"fedblocks job claim {instance.instance_id}, as the client",
                instance_id=instance.instance_id,
            )


def _news(snapshot: Snapshot, subject: Subject, now: Timestamp) -> Iterator[Alert]:
    for slash in snapshot.slashes():
        if now - slash.slashed.timestamp <= DAY:
            yield Alert(
                severity=Severity.WARNING,
                text=f"{slash.client} was slashed: {format_ether(slash.amount)} ETH",
                what_to_do=f"fedblocks explain slash 0x{slash.slashed.transaction_hash.hex()}",
                instance_id=slash.instance_id,
                client=slash.client,
            )
    for challenge in snapshot.challenges():
        if now - challenge.overturned.timestamp <= DAY:
            yield Alert(
                severity=Severity.WARNING,
                text=f"epoch {challenge.epoch} of instance {challenge.instance_id} was proved wrong by "
                f"{challenge.challenger}",
                what_to_do=f"fedblocks epochs {challenge.instance_id}",
                instance_id=challenge.instance_id,
            )


def _hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


_RULES: tuple[Callable[[Snapshot, Subject, Timestamp], Iterator[Alert]], ...] = (
    _missing_money,
    _unexecuted,
    _news,
    _demands,
    _silent,
    _finalizable,
    _unsettled,
    _unclaimed,
)
