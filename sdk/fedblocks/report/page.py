"""The page of an instance: everything that the index knows of it, at one block, in one file.

It needs nothing from anywhere: pictures are drawn into it, there is no script, no font and no image to fetch, and a
policy in its head forbids it to load any. Whatever somebody else has chosen is escaped. The same snapshot gives the
same bytes; the only time on it is that of its block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from fedblocks.exceptions import FedBlocksError
from fedblocks.explorers import Kind, explorer_link
from fedblocks.monitor.explain import Check, Explanation, Where, explain_slash, utc
from fedblocks.monitor.explaining import history_of
from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.reasons import REASONS
from fedblocks.monitor.views import (
    EpochScores,
    EpochState,
    EpochView,
    IndexedBlock,
    InstanceView,
    Measure,
    RewardView,
    SeatScores,
    Side,
    SlashView,
)
from fedblocks.report.figures import Picture, accuracy_figure, fate, money_figure, score_figures
from fedblocks.report.ledger import Ledger, ledgers_of
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.seats import SlashReason
from fedblocks.types import Address, Hash32, InstanceId
from fedblocks.units import PARTS_PER_MILLION, format_ether

SIGNS = {"accepted": "●", "excluded": "▲", "slashed": "✕", "absent": "–", "unknown": "?"}
"""A client's fate in an epoch, told apart without a colour."""


class UnknownInstance(FedBlocksError, LookupError):
    """The index has no instance with this number."""

    def __init__(self, instance_id: InstanceId, known: Sequence[InstanceId]) -> None:
        listed = ", ".join(map(str, known[:20])) or "none"
        super().__init__(f"there is no instance {instance_id} in the index; it has {listed}")
        self.instance_id = instance_id


@dataclass(frozen=True)
class SeatRow:
    """A client in the table of verdicts.

    Attributes:
        fates: by standing epoch, the oldest first: a name of SIGNS.
        reason: for which it is condemned, and
        condemned_in: by which epoch.
    """

    seat: int
    client: Address
    fates: tuple[str, ...]
    reason: SlashReason
    condemned_in: int | None
    slash: SlashView | None
    reward: RewardView | None

    def count(self, fate: str) -> int:
        """In how many epochs it was met with this fate."""
        return self.fates.count(fate)


@dataclass(frozen=True)
class Report:
    """All that is on the page.

    Attributes:
        epochs: every posting, in the order in which they were posted, and
        standing: ... those that were not overturned, by epoch.
        scores: of standing epochs, as far as they were read.
        wrong: overturned postings whose own figures contradict them.
        unread: standing epochs whose figures were not read.
    """

    instance: InstanceView
    epochs: tuple[EpochView, ...]
    standing: tuple[EpochView, ...]
    scores: tuple[EpochScores, ...]
    wrong: tuple[tuple[EpochView, EpochScores], ...]
    unread: tuple[int, ...]
    seats: tuple[SeatRow, ...]
    explanations: tuple[Explanation, ...]
    ledgers: tuple[Ledger, ...]
    accuracy: Picture | None
    plots: tuple[Picture, ...]
    money: tuple[Picture, ...]
    checks: tuple[Check, ...]


def render_report(
    snapshot: Snapshot,
    instance_id: InstanceId,
    *,
    chain_id: int,
    where: Where | None = None,
    scores: Mapping[Hash32, EpochScores] | None = None,
    target_ppm: int | None = None,
) -> str:
    """The page as HTML.

    Args:
        snapshot: the index at one block.
        instance_id: which instance.
        chain_id: for links to the chain's explorer, if it has one.
        where: what to put into the commands.
        scores: by header hash, scores that the snapshot does not have itself.
        target_ppm: the accuracy that was asked for, in millionths; it is not on the chain.

    Raises:
        UnknownInstance: if the index has no such instance.
    """
    report = gather(snapshot, instance_id, where=where, scores=scores, target_ppm=target_ppm)
    return render(report, snapshot.block, chain_id=chain_id, target_ppm=target_ppm)


def render(report: Report, block: IndexedBlock | None, *, chain_id: int, target_ppm: int | None = None) -> str:
    """The page of what was gathered; arguments as for :func:`render_report`."""
    return _template().render(
        report=report,
        instance=report.instance,
        block=block,
        chain_id=chain_id,
        target_ppm=target_ppm,
        link=lambda kind, value: _link(chain_id, kind, value),
        SIGNS=SIGNS,
        NONE=SlashReason.NONE,
    )


def gather(
    snapshot: Snapshot,
    instance_id: InstanceId,
    *,
    where: Where | None = None,
    scores: Mapping[Hash32, EpochScores] | None = None,
    target_ppm: int | None = None,
) -> Report:
    """What is on the page; arguments as for :func:`render_report`."""
    where = where or Where()
    instance = snapshot.instance(instance_id)
    if instance is None:
        raise UnknownInstance(instance_id, [each.instance_id for each in snapshot.instances()])
    epochs = snapshot.epochs(instance_id)
    standing = tuple(
        sorted((each for each in epochs if each.state is not EpochState.OVERTURNED), key=lambda each: each.epoch)
    )
    given = scores or {}
    found = {
        each.header_hash: known
        for each in epochs
        if (known := given.get(each.header_hash) or snapshot.scores(instance_id, each.epoch, each.header_hash))
    }
    measured = tuple(found[each.header_hash] for each in standing if each.header_hash in found)
    slashes = tuple(each for each in snapshot.slashes() if each.instance_id == instance_id)
    rewards = snapshot.rewards(instance_id=instance_id)
    bonds, challenges = snapshot.bonds(instance_id), snapshot.challenges(instance_id)
    ledgers = ledgers_of(instance, rewards, slashes, bonds, challenges)
    names = {seat: f"seat {seat}" for seat in range(len(instance.cohort))}
    return Report(
        instance=instance,
        epochs=tuple(sorted(epochs, key=lambda each: (each.posted.block, each.posted.log_index))),
        standing=standing,
        scores=measured,
        wrong=tuple(
            (each, found[each.header_hash])
            for each in epochs
            if each.state is EpochState.OVERTURNED and each.header_hash in found and found[each.header_hash].faults
        ),
        unread=tuple(each.epoch for each in standing if each.header_hash not in found),
        seats=tuple(_seat_rows(instance, standing, slashes, rewards)),
        explanations=tuple(_explained(each, epochs, found, where) for each in slashes),
        ledgers=ledgers,
        accuracy=accuracy_figure(epochs, target_ppm),
        plots=tuple(score_figures(measured, names)),
        money=tuple(money_figure(each) for each in ledgers),
        checks=tuple(_checks(instance, where)),
    )


def _explained(
    slash: SlashView, epochs: Sequence[EpochView], found: Mapping[Hash32, EpochScores], where: Where
) -> Explanation:
    if slash.header_hash is None:
        return explain_slash(slash, where=where)
    posting = next((each for each in epochs if each.header_hash == slash.header_hash), None)
    return explain_slash(
        slash, found.get(slash.header_hash), history_of(posting, epochs, found), epoch=posting, where=where
    )


def _seat_rows(
    instance: InstanceView,
    standing: Sequence[EpochView],
    slashes: Sequence[SlashView],
    rewards: Sequence[RewardView],
) -> list[SeatRow]:
    rows = []
    for seat, client in enumerate(instance.cohort):
        condemned = next(((each.epoch, reason) for each in standing if (reason := _new_reason(each, seat))), None)
        rows.append(
            SeatRow(
                seat=seat,
                client=client,
                fates=tuple(_fate_in(each, seat) for each in standing),
                reason=condemned[1] if condemned else SlashReason.NONE,
                condemned_in=condemned[0] if condemned else None,
                slash=next((each for each in slashes if each.client == client), None),
                reward=next((each for each in rewards if each.client == client), None),
            )
        )
    return rows


def _new_reason(epoch: EpochView, seat: int) -> SlashReason:
    return next((reason for each, reason in epoch.new_slash_reasons.items() if each == seat), SlashReason.NONE)


def _fate_in(epoch: EpochView, seat: int) -> str:
    if not epoch.participants >> seat & 1:
        return "absent"
    if _new_reason(epoch, seat):
        return "slashed"
    return "excluded" if epoch.excluded >> seat & 1 else "accepted"


def _checks(instance: InstanceView, where: Where) -> list[Check]:
    number, data = instance.instance_id, where.data or "URL"
    return [
        Check(what="The epochs as the chain has them", command=f"fedblocks epochs {number} {where.options}"),
        Check(
            what="Every epoch worked out again from the published updates; ends with 4 if anything is wrong",
            command=f"fedblocks watch --once {where.options} --data {data}",
        ),
        Check(
            what="Every header from an aggregator's store, bit for bit",
            command=f"fedblocks replay --store FOLDER --instance {number}",
        ),
        Check(
            what="One slash, with its numbers and its money held against the balances",
            command=f"fedblocks explain slash TRANSACTION {where.options} --data {data}",
        ),
        Check(
            what="This page again",
            command=f"fedblocks report {number} {where.options} --data {data} --output report.html",
        ),
    ]


def _link(chain_id: int, kind: Kind, value: bytes | str | int) -> Markup:
    """A hash, an address or a block, in short, as a link where the chain has an explorer; whole in its title."""
    whole = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    short = whole if len(whole) < 20 else f"{whole[:10]}…{whole[-6:]}"
    url = explorer_link(chain_id, kind, value)
    if url is None:
        return Markup('<code title="{}">{}</code>').format(whole, short)
    return Markup('<a href="{}" title="{}" rel="noreferrer"><code>{}</code></a>').format(url, whole, short)


def _percent(ppm: int | None) -> str:
    return "–" if ppm is None else f"{100 * ppm / PARTS_PER_MILLION:.2f} %"


def _ether(wei: int | None) -> str:
    return "–" if wei is None else format_ether(wei)


def _case(fraud_case: int | None) -> str:
    """The name of a fraud case; its number where a later version has added one."""
    if fraud_case is None:
        return "–"
    known = {int(case): case.name.lower().replace("_", " ") for case in FraudCase}
    return known.get(fraud_case, f"case {fraud_case}")


def _bad_side(measure: Measure) -> str:
    return "above" if measure.bad is Side.ABOVE else "below"


def _against(own: SeatScores) -> str:
    """What was held against a client in an epoch, as the short names of the measures."""
    return ", ".join(each.rule for each in own.measures if each.triggered and each.excludes) or "nothing"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "ether": _ether,
        "utc": utc,
        "case": _case,
        "fate": fate,
        "side": _bad_side,
        "against": _against,
        "reason": lambda reason: REASONS[reason].name if reason in REASONS else "–",
        "hex": lambda value: "0x" + value.hex(),
        "picture": lambda picture: Markup(picture.svg),
    }
    return environment.get_template("template.html")
