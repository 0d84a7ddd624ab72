"""Lies about what the clients handed in, and accomplices among them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from fedblocks.rollup.actions import CURVE_ORDER, Acknowledgement, sign_action, update_commitment
from fedblocks.rollup.entries import SUBMISSION_SIZE, SubmissionEntry, commit_entry
from fedblocks.rollup.fraud import challenges
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.keccak import keccak256
from fedblocks.types import Seat
from tests.adversary.lies import Told, flipped, lie, put, tell
from tests.adversary.stage import AGGREGATOR
from tests.adversary.truth import Truth, told

FROM, TO = 193, 225
"""Where a submission names the last update."""


def _with(truth: Truth, seat: int, content: bytes | None, **pieces: Any) -> Told:
    committed = replace(truth.committed, submissions=put(truth.data.submissions, seat, content), **pieces)
    return tell(truth, committed)


def _resigned(truth: Truth, seat: int, closed: bool, **changes: Any) -> Told:
    """A seat's submission with other parts, of which its client has signed a commitment all the same."""
    own = replace(SubmissionEntry.decode(truth.data.submissions[seat]), **changes)
    client = truth.context.cohort[seat]
    commitment = update_commitment(own.update_root, own.samples, own.salt, client)
    own = replace(own, commitment=commitment, signature=truth.signed(seat, commitment))
    commit = commit_entry(seat, client, own.commitment, own.signature)
    commits = put(truth.data.commits, seat, commit) if closed else truth.data.commits
    return _with(truth, seat, own.encode(), commits=commits)


@lie("a flipped bit in a submission", FraudCase.SUBMISSION)
def bit(truth: Truth, rng: Random) -> Told:
    seat = rng.choice(truth.present)
    span = rng.choice([(0, FROM), (TO, SUBMISSION_SIZE)])
    return _with(truth, seat, flipped(truth.data.submissions[seat], rng, *span))


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
    return _with(truth, seat, content[:FROM] + root + content[TO:])


@lie("a submission that is too short or too long", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def length(truth: Truth, rng: Random) -> Told:
    seat = rng.randrange(truth.n)
    content = truth.data.submissions[seat]
    return _with(truth, seat, rng.choice([b"", content[:-1], content[:161], content + b"\0", content + bytes(31)]))


@lie("a submission that fits no call", FraudCase.WITHHELD)
def huge(truth: Truth, rng: Random) -> Told:
    seat = rng.randrange(truth.n)
    return _with(truth, seat, truth.data.submissions[seat] + bytes(rng.choice([32, 1000])))


@lie("no submission at all", FraudCase.SUBMISSION, FraudCase.WITHHELD)
def missing(truth: Truth, rng: Random) -> Told:
    return _with(truth, rng.randrange(truth.n), None)


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
    return _with(truth, b, renamed)


@lie("an update of the aggregator's own in a client's place", FraudCase.SUBMISSION)
def replaced(truth: Truth, rng: Random) -> Told:
    """Everything follows from it, but the client never committed to it."""
    seat, other = rng.sample(truth.present, 2)
    reveal = replace(
        truth.reveals[Seat(seat)], update=truth.reveals[Seat(other)].update[::-1].copy(), salt=rng.randbytes(32)
    )
    lied = told(truth, {**truth.reveals, Seat(seat): reveal}, truth.attempt)
    own = replace(
        SubmissionEntry.decode(lied.data.submissions[seat]),
        signature=truth.commits[Seat(seat)].signature,
        commitment=rng.choice([truth.commits[Seat(seat)].commitment, lied.commits[Seat(seat)].commitment]),
    )
    submissions = put(lied.data.submissions, seat, own.encode())
    return _retold(truth, lied, submissions=submissions, commits=truth.data.commits)


def _retold(truth: Truth, lied: Truth, **pieces: Any) -> Told:
    """What another set of reveals leads to, in the place of the truth."""
    words = {name: getattr(lied.header, name) for name in ("participants", "excluded", "slash_reasons")}
    return tell(truth, replace(lied.committed, **pieces), **words)


@lie("an update leaked to an accomplice, who commits late", FraudCase.SUBMISSION)
def late(truth: Truth, rng: Random) -> Told | None:
    if not truth.absent or truth.absent[0] in truth.before.slashable:
        return None
    seat, victim = truth.absent[0], rng.choice(truth.present)
    reveal = replace(truth.reveals[Seat(victim)], seat=Seat(seat), salt=rng.randbytes(32))
    lied = told(truth, {**truth.reveals, Seat(seat): reveal}, truth.attempt)
    return _retold(truth, lied, commits=truth.data.commits)


@lie("an accomplice changes its update after the closing", FraudCase.SUBMISSION)
def changed_late(truth: Truth, rng: Random) -> Told:
    seat = rng.choice(truth.present)
    reveal = replace(truth.reveals[Seat(seat)], salt=rng.randbytes(32))
    lied = told(truth, {**truth.reveals, Seat(seat): reveal}, truth.attempt)
    return _retold(truth, lied, commits=truth.data.commits)


@lie("an accomplice without samples", FraudCase.SUBMISSION)
def no_samples(truth: Truth, rng: Random) -> Told:
    return _resigned(truth, rng.choice(truth.present), closed=True, samples=0)


@lie("an accomplice's update that nobody can open", FraudCase.WITHHELD)
def unopened(truth: Truth, rng: Random) -> Told:
    root = rng.choice([rng.randbytes(32), bytes(32)])
    return _resigned(truth, rng.choice(truth.present), closed=True, update_root=root)


def _signed_for(name: str, **changes: Any) -> None:
    @lie(f"a commitment for another {name}", FraudCase.SUBMISSION)
    def other(truth: Truth, rng: Random) -> Told:
        seat = rng.choice(truth.present)
        own = SubmissionEntry.decode(truth.data.submissions[seat])
        values = {field: change(getattr(truth.header, field)) for field, change in changes.items()}
        own = replace(own, signature=truth.signed(seat, own.commitment, **values))
        commit = commit_entry(seat, own.client, own.commitment, own.signature)
        return _with(truth, seat, own.encode(), commits=put(truth.data.commits, seat, commit))


_signed_for("instance", instance_id=lambda number: number + 1)
_signed_for("epoch", epoch=lambda epoch: epoch + 1)
_signed_for("attempt", attempt=lambda attempt: attempt + 1)
_signed_for("base model", base_model_root=keccak256)


@lie("the other form of a signature", FraudCase.SUBMISSION)
def malleable(truth: Truth, rng: Random) -> Told:
    seat = rng.choice(truth.present)
    own = SubmissionEntry.decode(truth.data.submissions[seat])
    s = CURVE_ORDER - int.from_bytes(own.signature[32:64], "big")
    own = replace(own, signature=own.signature[:32] + s.to_bytes(32, "big") + bytes([55 - own.signature[64]]))
    commit = commit_entry(seat, own.client, own.commitment, own.signature)
    return _with(truth, seat, own.encode(), commits=put(truth.data.commits, seat, commit))


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
    return _with(truth, seat, flipped(truth.data.submissions[seat], rng, *span))


@lie("an acknowledged client is left out", FraudCase.CENSORSHIP)
def censored(truth: Truth, rng: Random) -> Told | None:
    """Everything else follows, so that only the client can tell."""
    seat = rng.choice(truth.present)
    rest = {own: reveal for own, reveal in truth.reveals.items() if own != seat}
    if len(rest) < 3:
        return None
    lied = told(truth, rest, truth.attempt)
    retold = _retold(truth, lied, commits=truth.data.commits)
    reveal = truth.reveals[Seat(seat)]
    receipt = Acknowledgement(keccak256(b"\x12" + truth.commit_hash(seat)))
    signature = sign_action(receipt, truth.context.domain, AGGREGATOR)
    known = challenges.censorship(retold.header, seat, reveal.update_root, reveal.samples, reveal.salt, signature)
    return replace(retold, known=known)
