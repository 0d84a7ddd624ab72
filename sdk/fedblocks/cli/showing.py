"""How the read model's views are printed: tables for people, the views themselves as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fedblocks.cli.output import (
    countdown,
    eth,
    moment,
    percent,
    plain,
    print_fields,
    print_json,
    print_table,
    talk,
)
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import ClientView, EpochState, EpochView, InstanceState, InstanceView, SlashView
from fedblocks.seats import seats_of
from fedblocks.types import Address, InstanceId, Timestamp


class UnknownInstance(FedBlocksError, LookupError):
    """The index has no such instance."""

    def __init__(self, instance_id: int, known: int) -> None:
        super().__init__(f"there is no instance {instance_id}; there are {known} (`fedblocks job list`)")


def instance_of(snapshot: Snapshot, instance_id: int) -> InstanceView:
    """An instance by its number.

    Raises:
        UnknownInstance: if there is none.
    """
    found = snapshot.instance(InstanceId(instance_id))
    if found is None:
        raise UnknownInstance(instance_id, len(snapshot.instances()))
    return found


def now_of(snapshot: Snapshot) -> Timestamp:
    """The time of the snapshot's block."""
    return Timestamp(0) if snapshot.block is None else snapshot.block.timestamp


def say_block(snapshot: Snapshot) -> None:
    """Say on stderr of which block everything is."""
    if snapshot.block is None:
        talk("the index is empty: `fedblocks index` fills it", mark="yellow")
    else:
        talk(f"as of block {snapshot.block.number}, {moment(snapshot.block.timestamp)}")


def show_instances(instances: Sequence[InstanceView], as_json: bool) -> None:
    """All instances, one a line."""
    if as_json:
        print_json(instances)
        return
    rows = [
        (
            str(each.instance_id),
            each.state.value,
            each.user,
            f"{each.finalized_epochs}/{each.posted_epochs}/{each.number_of_epochs}",
            percent(each.accuracy_ppm),
            str(len(each.cohort)),
            str(each.slashed_clients),
            eth(each.base_fee + each.escrow),
        )
        for each in instances
    ]
    headings = ("instance", "state", "user", "final/posted/paid", "accuracy", "cohort", "slashed", "paid in")
    print_table(headings, rows, right=("instance", "final/posted/paid", "accuracy", "cohort", "slashed", "paid in"))


def show_instance(snapshot: Snapshot, instance: InstanceView, as_json: bool) -> None:
    """One instance with its cohort, its money and its next step."""
    rewards = snapshot.rewards(instance_id=instance.instance_id)
    epochs = [each for each in snapshot.epochs(instance.instance_id) if each.state is not EpochState.OVERTURNED]
    following = next_step(instance, epochs, now_of(snapshot))
    if as_json:
        content: dict[str, Any] = plain(instance)
        print_json({**content, "rewards": plain(rewards), "nextStep": following})
        return
    say_block(snapshot)
    print_fields(
        [
            ("instance", str(instance.instance_id)),
            ("state", instance.state.value),
            ("next", following),
            ("user", instance.user),
            ("aggregator", f"{instance.aggregator or '-'} (attempt {instance.attempt})"),
            (
                "epochs",
                f"{instance.finalized_epochs} final, {instance.posted_epochs} posted, "
                f"{instance.number_of_epochs} paid for, {instance.overturned_epochs} overturned",
            ),
            ("accuracy", percent(instance.accuracy_ppm)),
            ("parameters", "-" if instance.d is None else f"{instance.d:,}"),
            ("base fee", eth(instance.base_fee)),
            ("escrow paid", eth(instance.escrow)),
            ("to clients", eth(instance.clients_total)),
            ("to the protocol", eth(instance.protocol_total)),
            ("refund", f"{eth(instance.refund)}, of which {eth(instance.refunded)} withdrawn"),
        ]
    )
    earned = {each.client: each for each in rewards}
    slashed = {each.client for each in snapshot.slashes() if each.instance_id == instance.instance_id}
    rows = []
    for seat, client in enumerate(instance.cohort):
        reward = earned.get(client)
        rows.append(
            (
                str(seat),
                client,
                "slashed" if client in slashed else "",
                "-" if reward is None else str(reward.epochs),
                eth(None if reward is None else reward.credited),
                eth(None if reward is None else reward.claimed),
            )
        )
    print_fields([("", "")])
    print_table(
        ("seat", "client", "", "epochs paid", "credited", "claimed"),
        rows,
        right=("seat", "epochs paid", "credited", "claimed"),
    )


def next_step(instance: InstanceView, epochs: Sequence[EpochView], now: Timestamp) -> str:
    """What has to happen next, and who can do it."""
    number = instance.instance_id
    due = [each for each in epochs if each.state is EpochState.FINALIZABLE]
    waiting = [each for each in epochs if each.state is EpochState.POSTED]
    if instance.state is InstanceState.SETTLED:
        if instance.refund and instance.refunded < instance.refund:
            return f"`fedblocks job claim {number}` pays rewards and the refund"
        return f"nothing; clients claim with `fedblocks job claim {number}`"
    if due:
        return f"`fedblocks finalize {number}` makes {len(due)} epochs final"
    if instance.state is InstanceState.FUNDED:
        return f"the aggregator accepts with `fedblocks bond deposit {number}`"
    if waiting:
        first = waiting[0]
        return f"epoch {first.epoch} can be made final {countdown(first.finalizable_at, now)}, if nobody challenges it"
    if instance.state in (InstanceState.STOPPED, InstanceState.COMPLETE):
        return f"`fedblocks job settle {number}` bills what is final"
    return "the aggregator posts the next epoch"


def show_epochs(snapshot: Snapshot, instance: InstanceView, as_json: bool) -> None:
    """All postings of an instance's epochs."""
    epochs = snapshot.epochs(instance.instance_id)
    now = now_of(snapshot)
    if as_json:
        print_json([{**plain(each), "now": now} for each in epochs])
        return
    say_block(snapshot)
    rows = [
        (
            str(each.epoch),
            str(each.attempt),
            each.state.value,
            percent(each.accuracy_ppm),
            _seats(each.participants),
            _seats(each.excluded),
            ", ".join(f"{seat} {reason.name.lower()}" for seat, reason in sorted(each.new_slash_reasons.items()))
            or "-",
            countdown(each.finalizable_at, now) if each.state is EpochState.POSTED else "-",
            "0x" + each.header_hash.hex(),
        )
        for each in epochs
    ]
    headings = ("epoch", "attempt", "state", "accuracy", "took part", "left out", "condemned", "final", "header")
    print_table(headings, rows, right=("epoch", "attempt", "accuracy"))


def _seats(bitmap: int) -> str:
    """A set of seats, with ranges: ``0-3,5``."""
    parts: list[list[int]] = []
    for seat in seats_of(bitmap):
        if parts and parts[-1][-1] == seat - 1:
            parts[-1] = [parts[-1][0], seat]
        else:
            parts.append([seat, seat])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts) or "-"


def show_slashes(snapshot: Snapshot, slashes: Sequence[SlashView], as_json: bool) -> None:
    """Slashes, the newest last."""
    if as_json:
        print_json(slashes)
        return
    say_block(snapshot)
    rows = [
        (
            moment(each.slashed.timestamp),
            each.client,
            "-" if each.reason is None else each.reason.name.lower(),
            "-" if each.instance_id is None else str(each.instance_id),
            "-" if each.epoch is None else str(each.epoch),
            eth(each.amount),
            "0x" + each.slashed.transaction_hash.hex(),
        )
        for each in slashes
    ]
    headings = ("when", "client", "reason", "instance", "epoch", "amount", "transaction")
    print_table(headings, rows, right=("instance", "epoch", "amount"))
    if slashes:
        talk("`fedblocks explain slash TRANSACTION` tells why, in words and numbers")


def show_totals(snapshot: Snapshot, as_json: bool) -> None:
    """The whole deployment in a few numbers, and what somebody should look at."""
    totals, alerts, treasuries = snapshot.totals(), snapshot.alerts(), snapshot.treasuries()
    if as_json:
        print_json(
            {"block": plain(snapshot.block), "totals": plain(totals), "treasuries": plain(treasuries), "alerts": alerts}
        )
        return
    say_block(snapshot)
    print_fields(
        [
            ("clients", _counts(totals.clients)),
            ("at stake", f"{eth(totals.at_stake)}, of which {eth(totals.unbonding)} unbonding"),
            ("slashes", f"{totals.slashes}, {eth(totals.slashed)} taken"),
            ("instances", _counts(totals.instances)),
            ("epochs", _counts(totals.epochs)),
            ("held in escrow", eth(totals.escrow)),
            ("bonds", eth(totals.bonds)),
            ("rewards to claim", eth(totals.rewards_claimable)),
            ("refunds to claim", eth(totals.refunds_claimable)),
            ("open demands", str(totals.open_demands)),
            *(
                (each.name, f"{eth(each.holds)} ({eth(each.received)} in, {eth(each.withdrawn)} out)")
                for each in treasuries
            ),
        ]
    )
    for alert in alerts:
        talk(f"{alert.severity.value}: {alert.text}; {alert.what_to_do}", mark="yellow")


def _counts(counted: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {state.value}" for state, count in counted.items() if count) or "none"


def show_account(snapshot: Snapshot, address: Address, as_json: bool) -> None:
    """Everything that an account has in the protocol: stake, pending, earned and claimable shown apart."""
    client = snapshot.client(address)
    instances = [each for each in snapshot.instances() if each.user == address]
    bonds = [each for each in snapshot.bonds() if each.aggregator == address]
    challenger = next((each for each in snapshot.challengers() if each.challenger == address), None)
    now = now_of(snapshot)
    if as_json:
        print_json(
            {
                "address": address,
                "block": plain(snapshot.block),
                "client": None if client is None else _client_json(client, now),
                "instances": plain(instances),
                "bonds": [{**plain(each), "held": each.held} for each in bonds],
                "challenger": plain(challenger),
            }
        )
        return
    say_block(snapshot)
    pairs: list[tuple[str, str]] = [("account", address)]
    if client is not None:
        pairs += _client_fields(client, now)
        for reward in snapshot.rewards(client=address):
            left = reward.credited - reward.claimed - reward.forfeited
            if left:
                pairs.append(
                    (
                        f"instance {reward.instance_id}",
                        f"{eth(left)} to claim: `fedblocks job claim {reward.instance_id}`",
                    )
                )
    for each in instances:
        owed = 0 if each.refund is None else each.refund - each.refunded
        text = f"{each.state.value}, {percent(each.accuracy_ppm)}, {eth(owed)} of refund to claim"
        pairs.append((f"user of {each.instance_id}", text))
    pairs += [(f"bond for {each.instance_id}", eth(each.held)) for each in bonds]
    if challenger is not None:
        owed = challenger.credited - challenger.claimed
        pairs.append(
            ("challenges", f"{challenger.overturned} epochs overturned, {eth(owed)} to claim: `fedblocks collect`")
        )
    if len(pairs) == 1:
        pairs.append(("state", "has had no part in this deployment"))
    print_fields(pairs)


def _client_fields(client: ClientView, now: Timestamp) -> list[tuple[str, str]]:
    unbonding = eth(client.unbonding)
    if client.withdrawable_at is not None and client.unbonding:
        ready = client.can_withdraw(now)
        when = "now: `fedblocks withdraw`" if ready else countdown(client.withdrawable_at, now)
        unbonding += f", to be withdrawn {when}"
    return [
        ("state", client.state.value),
        ("stake", eth(client.active)),
        ("unbonding", unbonding),
        ("returned", eth(client.returned)),
        ("slashed", eth(client.slashed)),
        ("pending", f"{eth(client.pending)} (of final epochs that are not settled yet)"),
        ("earned", f"{eth(client.credited)} credited, {eth(client.claimed)} paid, {eth(client.forfeited)} forfeited"),
        ("claimable", eth(client.claimable)),
        ("epochs", f"{client.accepted} accepted, {client.excluded} left out"),
        ("cohorts", f"{client.instances}, {client.running} of them running"),
        ("strikes", "- (no published data read)" if client.strikes is None else str(client.strikes)),
    ]


def _client_json(client: ClientView, now: Timestamp) -> dict[str, Any]:
    seconds = None if client.withdrawable_at is None else max(0, client.withdrawable_at - now)
    return {
        **plain(client),
        "atStake": client.at_stake,
        "claimable": client.claimable,
        "withdrawableInSeconds": seconds,
    }
