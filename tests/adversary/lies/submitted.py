"""Lies about what the clients handed in."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from fedblocks.rollup.entries import SUBMISSION_SIZE
from fedblocks.rollup.fraud.cases import FraudCase
from tests.adversary.lies import Told, flipped, lie, put, tell, with_submission
from tests.adversary.truth import Truth

FROM, TO = 193, 225
"""Where a submission names the last update."""


@lie("a flipped bit in a submission", FraudCase.SUBMISSION)
def bit(truth: Truth, rng: Random) -> Told:
    seat = rng.choice(truth.present)
    span = rng.choice([(0, FROM), (TO, SUBMISSION_SIZE)])
    return with_submission(truth, seat, flipped(truth.data.submissions[seat], rng, *span))


@lie("a false last update", FraudCase.LAST_UPDATE)
def last_update(truth: Truth, rng: Random) -> Told | None:
    seat = rng.randrange(truth.n)
    content = truth.data.submissions[seat]
    roots = {
        rng.randbytes(32),
        bytes(32),
        content[161:193],
        *(past.data.submissions[seat][161:193] for past in truth.past),
    }
    root = rng.choice(sorted(roots - {content[FROM:TO]}))
    return with_submission(truth, seat, content[:FROM] + root + content[TO:])


@lie("a submission that is too short or too long", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def length(truth: Truth, rng: Random) -> Told:
    seat = rng.randrange(truth.n)
    content = truth.data.submissions[seat]
    return with_submission(
        truth, seat, rng.choice([b"", content[:-1], content[:161], content + b"\0", content + bytes(31)])
    )


@lie("a submission that fits no call", FraudCase.WITHHELD)
def huge(truth: Truth, rng: Random) -> Told:
    seat = rng.randrange(truth.n)
    return with_submission(truth, seat, truth.data.submissions[seat] + bytes(rng.choice([32, 1000])))


@lie("no submission at all", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def missing(truth: Truth, rng: Random) -> Told:
    return with_submission(truth, rng.randrange(truth.n), None)


@lie("a list of submissions of another length", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def other_length(truth: Truth, rng: Random) -> Told:
    own = truth.data.submissions
    changed = rng.choice([own[:-1], (*own, own[0]), (*own, None), (), own * 2, (None, *own)])
    return tell(truth, replace(truth.committed, submissions=changed))


@lie("a list of commitments of another length", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def other_commits(truth: Truth, rng: Random) -> Told:
    own = truth.data.commits
    changed = rng.choice([own[:-1], (*own, own[0]), (*own, None), (), own * 2])
    return tell(truth, replace(truth.committed, commits=changed))


@lie("seats in another order", FraudCase.SUBMISSION)
def swapped(truth: Truth, rng: Random) -> Told:
    a, b = rng.sample(range(truth.n), 2)
    own = truth.data.submissions
    return tell(truth, replace(truth.committed, submissions=put(put(own, a, own[b]), b, own[a])))


@lie("a client counted twice", FraudCase.SUBMISSION)
def twice(truth: Truth, rng: Random) -> Told:
    a, b = rng.sample(truth.present, 2)
    content = truth.data.submissions[a]
    renamed = rng.choice([content, truth.data.submissions[b][:64] + content[64:]])
    return with_submission(truth, b, renamed)


@lie("commitments of a deleted epoch", FraudCase.SUBMISSION)
def reused(truth: Truth, rng: Random) -> Told | None:
    if truth.deleted is None:
        return None
    return tell(truth, truth.deleted.committed)


@lie("an absent seat that is not empty", FraudCase.SUBMISSION)
def not_empty(truth: Truth, rng: Random) -> Told | None:
    if not truth.absent:
        return None
    seat = rng.choice(truth.absent)
    span = rng.choice([(0, FROM), (TO, SUBMISSION_SIZE)])
    return with_submission(truth, seat, flipped(truth.data.submissions[seat], rng, *span))
