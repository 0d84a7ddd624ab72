"""Lies in the header alone: fields that do not follow, and roots of nothing."""

from __future__ import annotations

from random import Random

from fedblocks.rollup.fraud.cases import FraudCase
from tests.adversary.lies import Told, lie, tell
from tests.adversary.truth import Truth

NUMBERS = ("instance_id", "epoch", "attempt")
LINKS = ("previous_header_hash", "commits_root", "base_model_root")
ROOTS = ("submissions_root", "gram_root", "stats_root", "delta_root", "next_model_root", "carried_root")


def _number(name: str) -> None:
    @lie(f"a false {name}")
    def told(truth: Truth, rng: Random) -> Told:
        right = truth.instance.number if name == "instance_id" else getattr(truth.header, name)
        other = rng.choice([value for value in (0, right - 1, right + 1, 2**256 - 1) if value not in (right, -1)])
        return tell(truth, **{name: other})


def _link(name: str) -> None:
    @lie(f"a false {name}")
    def told(truth: Truth, rng: Random) -> Told:
        return tell(truth, **{name: rng.randbytes(32)})


def _root(name: str) -> None:
    @lie(f"a {name} of nothing", FraudCase.WITHHELD)
    def told(truth: Truth, rng: Random) -> Told:
        return tell(truth, **{name: rng.choice([rng.randbytes(32), bytes(32)])})

    @lie(f"a {name} of the epoch before", FraudCase.WITHHELD)
    def stale(truth: Truth, rng: Random) -> Told | None:
        if not truth.past:
            return None
        root = getattr(truth.past[-1].header, name)
        return None if root == getattr(truth.header, name) else tell(truth, **{name: root})


for _name in NUMBERS:
    _number(_name)
for _name in LINKS:
    _link(_name)
for _name in ROOTS:
    _root(_name)


@lie("a base model that is stale")
def stale_base(truth: Truth, rng: Random) -> Told | None:
    roots = {epoch.header.base_model_root for epoch in truth.past} - {truth.header.base_model_root}
    return tell(truth, base_model_root=rng.choice(sorted(roots))) if roots else None


@lie("a participant that stayed away", FraudCase.SUBMISSION)
def invented(truth: Truth, rng: Random) -> Told | None:
    if not truth.absent:
        return None
    return tell(truth, participants=truth.header.participants | 1 << rng.choice(truth.absent))


@lie("a client left out, its submission left in", FraudCase.SUBMISSION)
def left_out(truth: Truth, rng: Random) -> Told:
    seat = 1 << rng.choice(truth.present)
    return tell(truth, participants=truth.header.participants & ~seat, excluded=truth.header.excluded & ~seat)


@lie("a participant without a seat")
def without_seat(truth: Truth, rng: Random) -> Told:
    return tell(truth, participants=truth.header.participants | 1 << rng.choice([truth.n, 64, 255]))


@lie("nobody is accepted")
def nobody(truth: Truth, rng: Random) -> Told:
    return tell(truth, excluded=truth.header.participants)


@lie("somebody else is left out", FraudCase.VERDICT, FraudCase.COHORT)
def other_excluded(truth: Truth, rng: Random) -> Told:
    return tell(truth, excluded=truth.header.excluded ^ 1 << rng.choice(truth.present))


@lie("slash reasons that do not follow", FraudCase.COHORT)
def reasons(truth: Truth, rng: Random) -> Told:
    return tell(truth, slash_reasons=truth.header.slash_reasons ^ rng.randrange(1, 7) << 4 * rng.choice(truth.present))


@lie("an innocent client is slashed and left out", FraudCase.VERDICT, FraudCase.COHORT)
def slandered(truth: Truth, rng: Random) -> Told | None:
    innocent = [seat for seat in truth.present if not truth.header.slash_reasons >> 4 * seat & 15]
    if not innocent:
        return None
    seat = rng.choice(innocent)
    reasons = truth.header.slash_reasons | rng.randrange(1, 7) << 4 * seat
    return tell(truth, slash_reasons=reasons, excluded=truth.header.excluded | 1 << seat)
