"""Accomplices among the clients, who sign whatever they are asked to, and clients of which nobody wants to know."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from fedblocks.rollup.actions import CURVE_ORDER, Acknowledgement, sign_action, update_commitment
from fedblocks.rollup.entries import SubmissionEntry, commit_entry
from fedblocks.rollup.fraud import challenges
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.keccak import keccak256
from fedblocks.types import Seat
from tests.adversary.lies import Told, lie, put, tell, with_submission
from tests.adversary.stage import AGGREGATOR
from tests.adversary.truth import Truth, told


def _resigned(truth: Truth, seat: int, closed: bool, **changes: Any) -> Told:
    """A seat's submission with other parts, of which its client has signed a commitment all the same."""
    own = replace(SubmissionEntry.decode(truth.data.submissions[seat]), **changes)
    client = truth.context.cohort[seat]
    commitment = update_commitment(own.update_root, own.samples, own.salt, client)
    own = replace(own, commitment=commitment, signature=truth.signed(seat, commitment))
    commit = commit_entry(seat, client, own.commitment, own.signature)
    commits = put(truth.data.commits, seat, commit) if closed else truth.data.commits
    return with_submission(truth, seat, own.encode(), commits=commits)


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
        return with_submission(truth, seat, own.encode(), commits=put(truth.data.commits, seat, commit))


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
    return with_submission(truth, seat, own.encode(), commits=put(truth.data.commits, seat, commit))


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
