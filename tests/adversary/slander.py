"""A malicious challenger: whatever it sends about an honest epoch must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from fedblocks.rollup.actions import Acknowledgement, sign_action
from fedblocks.rollup.fraud import challenges, descent
from fedblocks.rollup.fraud.cases import Challenge, Demand, DemandKind, PaddedTree
from fedblocks.rollup.fraud.challenges import GramLeaf, chunk_opening, column_part, weighted_seats
from fedblocks.rollup.fraud.prover import _Search
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList, entries
from fedblocks.rollup.vectors import CHUNK_VALUES, LEAF_CHUNKS, LEAF_HEIGHT, node_proof, tree_depth
from fedblocks.types import Seat
from tests.adversary.lies import flipped, put
from tests.adversary.stage import client_signer
from tests.adversary.truth import Truth

BIG = (1 << 256) - 1


class Honest:
    """Complete proofs, by every function, of things that are right."""

    def __init__(self, truth: Truth, rng: Random) -> None:
        self.truth, self.rng, self.header = truth, rng, truth.header
        self.search = _Search(truth.before, truth.previous, truth.header, self._published())
        self.search._judgement()
        self.submissions = entries(truth.data.submissions, SeatList.SUBMISSIONS)
        self.leaves = len(truth.data.gram.leaves)

    def _published(self) -> Published:
        return Published.of(self.truth.context, self.header, self.truth.data)

    def proofs(self) -> Iterator[Challenge]:
        """One of every function, about a place that is drawn."""
        yield self.submission()
        yield self.last_update()
        yield self.product()
        yield self.column()
        yield self.search._challenge_figures(self._seat())
        yield self.verdict()
        yield self.search._challenge_cohort("nothing")
        yield self.delta()
        yield self.next_model()
        yield self.padding()
        yield self.censorship()

    def _seat(self) -> int:
        return self.rng.randrange(self.truth.n)

    def _at(self, leaf: int) -> GramLeaf:
        return descent.leaf_of(self.search.tree, leaf)

    def submission(self) -> Challenge:
        seat, commits = self._seat(), entries(self.truth.data.commits, SeatList.COMMITS)
        content = self.truth.data.submissions[seat]
        return challenges.submission(self.header, seat, self.submissions, content, commits, "nothing")

    def last_update(self) -> Challenge:
        seat, previous = self._seat(), self.truth.previous
        before = (b"", b"") if previous is None else (previous.submissions, previous.contents[seat])
        content, header = self.truth.data.submissions[seat], self.search.previous_header
        return challenges.last_update(self.header, header, seat, self.submissions, content, *before)

    def product(self) -> Challenge:
        n, trace = self.truth.n, self.truth.data.gram
        leaf, row = self.rng.randrange(self.leaves), self.rng.randrange(n + 1)
        last = (3 if row == n else 2) * n + 1
        entry = self.rng.choice([last, last - 1, self.rng.randrange(last + 1)])
        left, right = self.search.vectors.operands(row, entry, leaf)
        return challenges.product(
            self.header,
            self.search.previous_header,
            row,
            entry,
            self._at(leaf),
            trace.row(leaf, row),
            self._at(leaf - 1) if leaf else None,
            trace.row(leaf - 1, row) if leaf else b"",
            self.submissions,
            left,
            right,
        )

    def column(self) -> Challenge:
        seat, leaf = self._seat(), self.rng.randrange(self.leaves)
        node, proof = node_proof(self.search.vectors.updates[seat], LEAF_HEIGHT, leaf)
        column, content = self.truth.data.gram.column(leaf), self.truth.data.submissions[seat]
        return challenges.column(self.header, self._at(leaf), column, seat, self.submissions, content, node, proof)

    def verdict(self) -> Challenge:
        seat, search, stats = self._seat(), self.search, self.truth.worked.judgement.stats
        nearest = stats[seat].nearest if seat in stats else self.truth.n
        return challenges.verdict(
            self.header,
            search.previous_header,
            seat,
            search._stats,
            search._own(seat) or b"",
            search._own(nearest) or b"",
            search._own(self.truth.n) or b"",
            search._carried,
            search._previous_carried,
            search.rules,
            self.submissions,
            self.truth.data.submissions[seat],
        )

    def delta(self) -> Challenge:
        data = self.truth.data
        leaf, within = self.rng.randrange(self.leaves), self.rng.randrange(LEAF_CHUNKS)
        chunk = leaf * LEAF_CHUNKS + within
        seats = weighted_seats(data.carried)
        parts = b"".join(column_part(self.search.vectors.updates[seat], chunk) for seat in seats)
        column = data.gram.column(leaf)
        opened = chunk_opening(data.delta, chunk)
        return challenges.delta(self.header, self._at(leaf), column, data.carried, within, parts, *opened)

    def next_model(self) -> Challenge:
        data, chunk = self.truth.data, self.rng.randrange(self.leaves * LEAF_CHUNKS)
        vectors = (self.truth.before.model, data.delta, data.next_model)
        base, step, following = (chunk_opening(vector, chunk) for vector in vectors)
        return challenges.next_model(self.header, chunk, base, step, following)

    def padding(self) -> Challenge:
        """A node past the last value, where there is one; else the last chunk, or a node that is in use."""
        data, seat = self.truth.data, self.rng.choice(self.truth.present)
        tree = self.rng.choice([PaddedTree.UPDATE, PaddedTree.DELTA, PaddedTree.NEXT_MODEL])
        vector = {
            PaddedTree.UPDATE: data.updates[seat],
            PaddedTree.DELTA: data.delta,
            PaddedTree.NEXT_MODEL: data.next_model,
        }[tree]
        used, width = -(-self.truth.d // CHUNK_VALUES), 1 << tree_depth(self.truth.d)
        content = data.submissions[seat] if tree is PaddedTree.UPDATE else b""
        if self.rng.random() < 0.5:
            chunk, proof = chunk_opening(vector, used - 1)
            opened = (0, used - 1, bytes(32), chunk, proof)
        else:
            index = self.rng.randrange(used, width) if used < width else width - 1
            node, proof = node_proof(vector, 0, index)
            opened = (0, index, node, b"", proof)
        return challenges.padding(self.header, tree, self.submissions, content, seat, *opened)

    def censorship(self) -> Challenge:
        """An acknowledgement of a client that is there, or one that a client gave itself."""
        seat = self.rng.choice(self.truth.present)
        reveal = self.truth.reveals[Seat(seat)]
        receipt = Acknowledgement(keccak256(b"\x12" + self.truth.commit_hash(seat)))
        signature = sign_action(receipt, self.truth.context.domain, client_signer(seat))
        return challenges.censorship(self.header, seat, reveal.update_root, reveal.samples, reveal.salt, signature)


def _forged(value: Any, rng: Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool | int):
        return rng.choice([0, 1, value + 1, max(0, value - 1), BIG, rng.randrange(1 << 64)])
    if isinstance(value, bytes):
        if not value:
            return rng.randbytes(32)
        cut = value[: rng.randrange(len(value))] if len(value) != 32 else rng.randbytes(32)
        return rng.choice([flipped(value, rng), rng.randbytes(len(value)), cut])
    if isinstance(value, tuple | list):
        if not value:
            return value
        at = rng.randrange(len(value))
        changed = put(value, at, _forged(value[at], rng))
        return list(changed) if isinstance(value, list) else changed
    raise TypeError(type(value))


def _shuffled(arguments: tuple[Any, ...], rng: Random) -> tuple[Any, ...]:
    """Two arguments of one type in each other's place."""
    pairs = [
        (a, b)
        for a in range(len(arguments))
        for b in range(a)
        if type(arguments[a]) is type(arguments[b])
        and arguments[a] != arguments[b]
        and not isinstance(arguments[a], tuple)
    ]
    if not pairs:
        return arguments
    a, b = rng.choice(pairs)
    return put(put(arguments, a, arguments[b]), b, arguments[a])


def _mixed(arguments: tuple[Any, ...], others: tuple[Any, ...], rng: Random) -> tuple[Any, ...]:
    """Some arguments from another proof; the header stays."""
    return (arguments[0], *(rng.choice(pair) for pair in zip(arguments[1:], others[1:], strict=True)))


def slanders(truth: Truth, rng: Random) -> Iterator[tuple[str, Challenge]]:
    """Challenges of an honest epoch: complete proofs of what is right, and those forged in many ways."""
    honest = Honest(truth, rng)
    other = Honest(truth.past[-1], rng) if truth.past else Honest(truth, rng)
    for right, elsewhere in zip(honest.proofs(), other.proofs(), strict=True):
        arguments = right.arguments
        yield "true", right
        yield "forged", replace(right, arguments=(arguments[0], *_forged(arguments[1:], rng)))
        yield "shuffled", replace(right, arguments=_shuffled(arguments, rng))
        yield "of another epoch", elsewhere
        yield "mixed", replace(right, arguments=_mixed(arguments, elsewhere.arguments, rng))
        several = arguments
        for _ in range(rng.randint(2, 5)):
            several = (several[0], *_forged(several[1:], rng))
        yield "forged several times", replace(right, arguments=several)


def demanded(truth: Truth, rng: Random) -> Demand:
    """A position that an honest aggregator opens."""
    kind = rng.choice(list(DemandKind))
    seat = {
        DemandKind.SUBMISSION: rng.randrange(truth.n),
        DemandKind.UPDATE: rng.choice(truth.present),
        DemandKind.ROW: rng.randrange(truth.n + 1),
        DemandKind.STATS: rng.randrange(truth.n + 1),
    }.get(kind, 0)
    by_leaf = (DemandKind.UPDATE, DemandKind.COLUMN, DemandKind.ROW, DemandKind.DELTA, DemandKind.NEXT_MODEL)
    leaf = rng.randrange(len(truth.data.gram.leaves)) if kind in by_leaf else 0
    return Demand(kind, seat, leaf, "nothing")
