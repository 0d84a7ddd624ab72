"""An epoch's published figures, believed only as far as its header goes.

A header commits to an epoch in a few hashes; the manifest, found by its content address, holds what they are of. Here
every list of the manifest is hashed again and held against the header that is on chain, and what the rules make of the
figures is worked out again from the figures. A piece that is missing or is not the header's is an error that names it:
an unverified number is never shown. What remains unchecked is whether the figures are those of the updates; that takes
the updates themselves, and is what ``fedblocks watch`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import CohortStats
from fedblocks.aggregation.verdicts import SeatVerdict, verdicts_of
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.evidence import measures_of
from fedblocks.monitor.measuring import Subject
from fedblocks.monitor.views import EpochScores, EpochView, InstanceView, SeatScores
from fedblocks.rollup.blobs import BlobMissing, BlobStore
from fedblocks.rollup.entries import CarriedEntry, StatsEntry, read_carried, read_cohort_entry, read_stats_entry
from fedblocks.rollup.epoch_data import carried_root
from fedblocks.rollup.header import Header, rules_hash
from fedblocks.rollup.lists import SeatList, list_root
from fedblocks.rollup.manifest import Manifest, read_manifest
from fedblocks.seats import SlashReason, seats_of, unpack_reasons
from fedblocks.types import EpochNumber, Hash32, InstanceId, Seat


class ScoresMissing(FedBlocksError, LookupError):
    """An epoch's manifest is not where the data are looked for."""

    def __init__(self, instance_id: InstanceId, epoch: EpochNumber, locator: Hash32, where: str) -> None:
        super().__init__(
            f"epoch {epoch} of instance {instance_id} has its figures in the manifest 0x{locator.hex()}, which is not "
            f"in {where}; give --data the URL at which the aggregator publishes, or demand the data on chain"
        )
        self.instance_id, self.epoch, self.locator, self.where = instance_id, epoch, locator, where


class ScoresUnusable(FedBlocksError, ValueError):
    """What was published for an epoch is not what its header commits to, so that none of its numbers is shown."""

    def __init__(self, instance_id: InstanceId, epoch: EpochNumber, what: str) -> None:
        super().__init__(
            f"epoch {epoch} of instance {instance_id}: {what}; nothing of it is shown. While the epoch can be "
            "challenged, `fedblocks watch` demands what is missing and proves what is wrong"
        )
        self.instance_id, self.epoch, self.what = instance_id, epoch, what


@dataclass(frozen=True)
class Figures:
    """What a manifest says of an epoch, all of it under the header's roots.

    Attributes:
        rules: by what is judged.
        participants: by seat, what is said of who took part.
        cohort: what they are compared with.
        carried: by seat, what is left to the next epoch.
    """

    rules: Rules
    participants: Mapping[int, StatsEntry]
    cohort: CohortStats
    carried: tuple[CarriedEntry, ...]


def posted_before(epoch: EpochView, epochs: Iterable[EpochView]) -> EpochView | None:
    """The posting that an epoch follows, found by its header's hash; None for the first."""
    wanted = epoch.header.previous_header_hash
    return next((each for each in epochs if each.header_hash == wanted and each.instance_id == epoch.instance_id), None)


def read_figures(blobs: BlobStore, epoch: EpochView, instance: InstanceView) -> Figures:
    """The figures of a posted epoch, as they are published.

    Args:
        blobs: where epochs' data are published.
        epoch: which.
        instance: its instance.

    Raises:
        ScoresMissing: if its manifest is not there.
        ScoresUnusable: if a piece of it is not what the header commits to.
        StorageError: if the place cannot be read.
    """
    header = Header.from_tuple(epoch.header.as_tuple())
    if header.hash() != epoch.header_hash:
        raise ScoresUnusable(epoch.instance_id, epoch.epoch, "the header in the index is not the one on chain")
    n = len(instance.cohort)
    try:
        manifest = read_manifest(blobs.get(header.data_locator), n)
    except BlobMissing as error:
        raise ScoresMissing(epoch.instance_id, epoch.epoch, header.data_locator, blobs.url) from error
    except ValueError as error:
        raise ScoresUnusable(epoch.instance_id, epoch.epoch, str(error)) from error
    _check_roots(manifest, header, epoch, instance)
    try:
        return Figures(
            rules=Rules.from_words(manifest.rules),
            participants={
                seat: read_stats_entry(entry) for seat, entry in enumerate(manifest.stats) if entry is not None
            },
            cohort=read_cohort_entry(manifest.cohort),
            carried=read_carried(manifest.carried, n),
        )
    except ValueError as error:
        raise ScoresUnusable(epoch.instance_id, epoch.epoch, f"its figures cannot be read: {error}") from error


def _check_roots(manifest: Manifest, header: Header, epoch: EpochView, instance: InstanceView) -> None:
    pieces = {
        "commitments": (list_root(manifest.commits, SeatList.COMMITS), header.commits_root),
        "submissions": (list_root(manifest.submissions, SeatList.SUBMISSIONS), header.submissions_root),
        "figures": (list_root([*manifest.stats, manifest.cohort], SeatList.STATS), header.stats_root),
        "counters and weights": (carried_root(manifest.carried), header.carried_root),
        "rules": (_rules_hash(manifest.rules), instance.rules_hash),
    }
    for what, (published, committed) in pieces.items():
        if published != committed:
            raise ScoresUnusable(
                epoch.instance_id,
                epoch.epoch,
                f"its published {what} hash to {_hex(published)}, the chain has {_hex(committed)}",
            )


def _rules_hash(words: tuple[int, ...]) -> Hash32 | None:
    try:
        return rules_hash(words)
    except ValueError:
        return None


def _hex(value: Hash32 | None) -> str:
    return "nothing" if value is None else "0x" + value.hex()


def read_scores(
    blobs: BlobStore, epoch: EpochView, instance: InstanceView, previous: EpochView | None = None
) -> EpochScores:
    """What an epoch measured of every participant, and what followed.

    Args:
        blobs: where epochs' data are published.
        epoch: which.
        instance: its instance.
        previous: the posting that it follows (:func:`posted_before`); None for the first epoch.

    Raises:
        ScoresMissing, ScoresUnusable, StorageError: as :func:`read_figures`; unusable too without the right `previous`.
    """
    if epoch.epoch > 1 and (previous is None or previous.header_hash != epoch.header.previous_header_hash):
        wanted = _hex(epoch.header.previous_header_hash)
        raise ScoresUnusable(epoch.instance_id, epoch.epoch, f"the epoch that it follows ({wanted}) is not indexed")
    figures = read_figures(blobs, epoch, instance)
    return scores_of(figures, epoch, instance, previous)


def scores_of(
    figures: Figures, epoch: EpochView, instance: InstanceView, previous: EpochView | None = None
) -> EpochScores:
    """The same from figures that were read.

    Raises:
        ScoresUnusable: if the figures are not of as many as they say, or name one as nearest that took no part.
    """
    subjects = _subjects(figures, epoch, previous)
    gone = unpack_reasons(previous.header.slash_reasons) if previous is not None else {}
    stats = {seat: entry.figures for seat, entry in figures.participants.items()}
    verdicts = verdicts_of(
        stats,
        figures.cohort,
        {seat: subject.signs for seat, subject in subjects.items()},
        [entry.counters for entry in figures.carried],
        n=len(instance.cohort),
        gone=gone,
        rules=figures.rules,
    )
    reasons = unpack_reasons(epoch.header.slash_reasons)
    return EpochScores(
        instance_id=epoch.instance_id,
        epoch=epoch.epoch,
        header_hash=epoch.header_hash,
        seats=tuple(
            SeatScores(
                seat=Seat(seat),
                client=instance.cohort[seat],
                excluded=bool(epoch.header.excluded >> seat & 1),
                slashed=SlashReason.NONE if seat in gone else reasons.get(Seat(seat), SlashReason.NONE),
                evidence=figures.participants[seat].evidence,
                strikes=worst_strikes(subject.counters),
                weight=figures.carried[seat].weight,
                measures=measures_of(subject),
            )
            for seat, subject in subjects.items()
        ),
        absent=tuple(Seat(seat) for seat in range(len(instance.cohort)) if seat not in subjects),
        faults=tuple(_faults(figures, epoch, gone, verdicts)),
    )


def worst_strikes(counters: Counters) -> int:
    """The highest of a client's three counters of strikes."""
    return max(counters.outlying, counters.central, counters.growing)


def _subjects(figures: Figures, epoch: EpochView, previous: EpochView | None) -> dict[int, Subject]:
    before = previous.header.participants if previous is not None else 0
    if figures.cohort.participants != len(figures.participants):
        what = (
            f"{figures.cohort.participants} are said to have taken part, but figures are of {len(figures.participants)}"
        )
        raise ScoresUnusable(epoch.instance_id, epoch.epoch, what)
    subjects = {}
    for seat, entry in figures.participants.items():
        nearest = figures.participants.get(entry.figures.nearest)
        if nearest is None and len(figures.participants) > 1:
            raise ScoresUnusable(
                epoch.instance_id,
                epoch.epoch,
                f"the figures of seat {seat} name seat {entry.figures.nearest} as nearest, which took no part",
            )
        subjects[seat] = Subject(
            seat=seat,
            own=entry.figures,
            nearest=None if nearest is None else nearest.figures,
            cohort=figures.cohort,
            counters=figures.carried[seat].counters,
            tested=bool(before >> seat & 1) and figures.cohort.weight > 0,
            rules=figures.rules,
        )
    return subjects


def _faults(
    figures: Figures, epoch: EpochView, gone: Mapping[Seat, SlashReason], verdicts: Mapping[int, SeatVerdict]
) -> Iterable[str]:
    """What of the header does not follow from the figures, as sentences."""
    header = epoch.header
    if seats_of(header.participants) != sorted(figures.participants):
        yield f"the header says that seats {seats_of(header.participants)} took part, the figures say {[*verdicts]}"
    reasons = unpack_reasons(header.slash_reasons)
    for seat, verdict in verdicts.items():
        entry = figures.participants[seat]
        if entry.evidence is not verdict.evidence:
            yield f"evidence against seat {seat} is {entry.evidence.name}, by its figures it is {verdict.evidence.name}"
        if entry.own_badness != verdict.own_badness:
            yield f"seat {seat} is said to be bad by {entry.own_badness}, by its figures it is by {verdict.own_badness}"
        slashed = SlashReason.NONE if seat in gone else reasons.get(Seat(seat), SlashReason.NONE)
        if slashed is not verdict.slashed:
            yield f"seat {seat} is slashed for {slashed.name}, by its figures it is for {verdict.slashed.name}"
        if bool(header.excluded >> seat & 1) is not verdict.excluded:
            yield f"seat {seat} is {'kept' if verdict.excluded else 'left out'}, which its figures do not say"
