"""Why was I slashed? One answer for people and programs, from the verdict's numbers to how to check them oneself.

An explanation says what is known and from where: the chain alone says who lost how much, when, for which reason and by
which epoch; the numbers behind the reason are in the epoch's published data. Where those are not at hand the
explanation says so, and how to get them. Its text is made of it by :mod:`fedblocks.monitor.explain_text`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fedblocks.monitor.evidence import COUNTED_BY, RULE_OF
from fedblocks.monitor.money import MoneyCheck
from fedblocks.monitor.reasons import REASONS, Reason
from fedblocks.monitor.views import EpochScores, EpochView, Measure, Place, SlashView
from fedblocks.types import Address, EpochNumber, Hash32
from fedblocks.units import format_ether


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that led to the slash: the epoch's posting, its end, the taking of the stake."""

    what: str
    place: Place
    text: str


@dataclass(frozen=True, kw_only=True)
class RunEpoch:
    """An epoch of a run that a rule needs.

    Attributes:
        measure: what made it count; None if the client took no part.
        run: how many epochs counted, this one included; None likewise.
    """

    epoch: EpochNumber
    header_hash: Hash32
    measure: Measure | None
    run: int | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that a person can do to check the slash, with the command that does it."""

    what: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the commands of an explanation are given, as it was given to this one.

    Attributes:
        network, deployment, data: options; what is None becomes a word in capitals, to be filled in.
        rpc_url: the node's address, for tools that know no networks.
        contracts: addresses by name.
    """

    network: str | None = None
    deployment: str | None = None
    data: str | None = None
    rpc_url: str | None = None
    contracts: Mapping[str, Address] = field(default_factory=dict)

    @property
    def options(self) -> str:
        """--network and --deployment."""
        return f"--network {self.network or 'NETWORK'} --deployment {self.deployment or 'FILE'}"

    def contract(self, name: str) -> str:
        """A contract's address, or its name in capitals."""
        return self.contracts.get(name, name.upper())


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a stake was taken.

    Attributes:
        slash: the slash, as the chain says it.
        headline: everything in one sentence.
        reason: what the reason means; None where version 1 took the stake, which gives none.
        measure: the rule with its numbers; None without published data.
        others: further evidence against the client in the same epoch.
        run: for a rule that needs a run of epochs: those epochs, the oldest first.
        faults: what of the epoch's verdicts does not follow from its figures; nothing, unless the aggregator lied.
        steps: what led to it, in order.
        money: the same amount three times, in words, and
        balances: the check of it against the chain's state, if a node was asked.
        recourse: what could be done about it, and until when.
        missing: what is not known here, and how to see it; None when nothing is.
        checks: how to verify all of it.
    """

    slash: SlashView
    headline: str
    reason: Reason | None
    measure: Measure | None
    others: tuple[Measure, ...]
    run: tuple[RunEpoch, ...]
    faults: tuple[str, ...]
    steps: tuple[Step, ...]
    money: str
    balances: MoneyCheck | None
    recourse: str
    missing: str | None
    checks: tuple[Check, ...]


def explain_slash(
    slash: SlashView,
    scores: EpochScores | None = None,
    history: Sequence[EpochScores] = (),
    *,
    epoch: EpochView | None = None,
    balances: MoneyCheck | None = None,
    where: Where | None = None,
    unread: str | None = None,
) -> Explanation:
    """Explain a slash.

    Args:
        slash: which.
        scores: of the epoch that condemned the client, if its published data were read.
        history: of the epochs before it, the oldest first, as far as they were read.
        epoch: the posting that condemned it.
        balances: the check of its money against the chain's state, if a node was asked.
        where: what to put into the commands.
        unread: why there are no scores, if it is known.

    Raises:
        ValueError: if the scores are of another posting than the one that condemned the client.
    """
    where = where or Where()
    reason = REASONS.get(slash.reason) if slash.reason is not None else None
    if scores is not None and scores.header_hash != slash.header_hash:
        raise ValueError(f"these scores are of epoch {scores.epoch} (0x{scores.header_hash.hex()}), not of the slash's")
    own = scores.of(slash.client) if scores is not None else None
    measures = own.measures if own is not None else ()
    rule = RULE_OF.get(slash.reason) if slash.reason is not None else None
    return Explanation(
        slash=slash,
        headline=_headline(slash, reason),
        reason=reason,
        measure=next((each for each in measures if each.rule == rule), None),
        others=tuple(each for each in measures if each.slashes and each.triggered and each.rule != rule),
        run=_run(slash, scores, history),
        faults=scores.faults if scores is not None else (),
        steps=tuple(_steps(slash)),
        money=_money(slash),
        balances=balances,
        recourse=_recourse(slash, reason, epoch),
        missing=_missing(slash, own is not None, epoch, where, unread),
        checks=tuple(_checks(slash, epoch, where)),
    )


def utc(timestamp: int) -> str:
    """A time of the chain, for people."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _headline(slash: SlashView, reason: Reason | None) -> str:
    lost = f"{slash.client} lost its stake of {format_ether(slash.amount)} ETH"
    if reason is None:
        return f"{lost}. It was taken under version 1 of the contracts, which gives no reason."
    condemned = f"in instance {slash.instance_id}, condemned by epoch {slash.epoch}"
    return f"{lost} {condemned}: {reason.meaning} ({reason.name}, as seat {slash.seat})."


def _run(slash: SlashView, scores: EpochScores | None, history: Sequence[EpochScores]) -> tuple[RunEpoch, ...]:
    """The epochs that count towards a run, up to the one that condemned the client."""
    if scores is None or slash.reason not in COUNTED_BY:
        return ()
    counted: list[RunEpoch] = []
    for each in (*history, scores):
        own = each.of(slash.client)
        total = own.measure(RULE_OF[slash.reason]) if own is not None else None
        if total is not None and total.value == 0:
            counted.clear()  # the run began after this epoch
            continue
        counted.append(
            RunEpoch(
                epoch=each.epoch,
                header_hash=each.header_hash,
                measure=own.measure(COUNTED_BY[slash.reason]) if own is not None else None,
                run=None if total is None else int(total.value),
            )
        )
    while counted and counted[0].measure is None:
        counted.pop(0)
    return tuple(counted)


def _steps(slash: SlashView) -> list[Step]:
    steps = []
    if slash.posted is not None:
        text = f"the aggregator {slash.aggregator} posted epoch {slash.epoch}, which condemns seat {slash.seat}"
        steps.append(Step(what="posted", place=slash.posted, text=text))
    if slash.finalized is not None:
        text = f"epoch {slash.epoch} became final: nobody had proved it wrong while it could be challenged"
        steps.append(Step(what="final", place=slash.finalized, text=text))
    text = f"StakingRegistry took {format_ether(slash.amount)} ETH and sent it to SlashTreasury"
    return [*steps, Step(what="slashed", place=slash.slashed, text=text)]


def _money(slash: SlashView) -> str:
    taken = f"{format_ether(slash.amount)} ETH ({slash.amount} wei) left the stake"
    if slash.received is None:
        return f"{taken}; what the treasury received with it is not known."
    if slash.received == slash.amount:
        return f"{taken}, and the treasury received the same with the same transaction."
    received = f"{format_ether(slash.received)} ETH ({slash.received} wei)"
    return f"{taken}, but the treasury received {received}: a contract lies."


def _recourse(slash: SlashView, reason: Reason | None, epoch: EpochView | None) -> str:
    if reason is None:
        return "Version 1 has no challenge: who may slash decides alone."
    look = f"An honest client looks first at {reason.remedy}."
    if slash.posted is None or epoch is None:
        return f"A wrong verdict can be overturned while its epoch can be challenged. {look}"
    return (
        f"From {utc(slash.posted.timestamp)} to {utc(epoch.finalizable_at)} anybody could have had the epoch "
        "overturned by proving one wrong number in it (`fedblocks challenge`, or `fedblocks watch` all along); the "
        f"verdict would have gone with it, and the aggregator's bond. A final verdict stands. {look}"
    )


def _missing(slash: SlashView, measured: bool, epoch: EpochView | None, where: Where, unread: str | None) -> str | None:
    if slash.reason is None or measured:
        return None
    told = unread or "the epoch's published data were not read, so that only what the chain says is told here"
    manifest = f" They are in the manifest 0x{epoch.data_locator.hex()}." if epoch is not None else ""
    how = "" if where.data else " Give --data URL, the place at which the aggregator publishes, to see the numbers."
    return f"{told[0].upper()}{told[1:].rstrip('.')}.{manifest}{how}"


def _checks(slash: SlashView, epoch: EpochView | None, where: Where) -> list[Check]:
    rpc, block = where.rpc_url or "RPC_URL", slash.slashed.block
    registry = where.contract("StakingRegistry")
    cast = f"--rpc-url {rpc}"
    checks = [
        Check(
            what="The stake was there in the block before, and is gone in the block of the slash",
            command=(
                f"cast call {registry} 'clientStakes(address)(uint256)' {slash.client} --block {block - 1} {cast}; "
                f"cast call {registry} 'clientStakes(address)(uint256)' {slash.client} --block {block} {cast}"
            ),
        ),
        Check(
            what="The transaction that took it, with its events",
            command=f"cast receipt 0x{slash.slashed.transaction_hash.hex()} {cast}",
        ),
    ]
    if slash.reason is None:
        return checks
    chain = where.contract("ModelParameterChain")
    checks += [
        Check(
            what=f"The chain's own verdict: epoch {slash.epoch}, reason {int(slash.reason)} ({slash.reason.name})",
            command=(
                f"cast call {chain} 'getVerdict(uint256,address)(uint256,uint256)' {slash.instance_id} {slash.client} "
                f"{cast}"
            ),
        ),
        Check(
            what="The epochs as they were posted, with their headers' hashes",
            command=f"fedblocks epochs {slash.instance_id} {where.options}",
        ),
        Check(
            what="Every number of every epoch worked out again from the published updates, bit for bit",
            command=f"fedblocks watch --once {where.options} --data {where.data or 'URL'}",
        ),
        Check(
            what="The same from an aggregator's store",
            command=f"fedblocks replay --store FOLDER --instance {slash.instance_id}",
        ),
    ]
    if epoch is not None:
        data = where.data or "URL"
        store = f"from fedblocks.rollup.blobs import BlobStore; print(BlobStore({data!r})"
        checks.insert(
            3,
            Check(
                what=(
                    "The evidence itself: the manifest, found by the address that the header names, which is the "
                    "keccak-256 of its bytes (reading checks it)"
                ),
                command=f'python -c "{store}.get(bytes.fromhex({epoch.data_locator.hex()!r})).decode())"',
            ),
        )
    return checks
