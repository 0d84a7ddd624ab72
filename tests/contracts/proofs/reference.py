"""An epoch's vectors, Gram tree, delta and next model, and every opening of them, straight from docs/proofs.md.

Slow and plain on purpose: Python's integers and one hash at a time. Vectors and trees are sparse, so that a model of a
billion values costs no more than the leaves of it that are not zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import Any, TypeVar

from eth_abi import encode
from eth_utils import keccak

CHUNK = 256
LEAF = 4096
NOTHING = bytes(32)
HEADER_DOMAIN = keccak(text="FedBlocks.Header.v2")
INSTANCE = 7


def offset(value: int, width: int) -> bytes:
    """An offset integer of so many bytes.

    Raises:
        OverflowError: if it does not fit.
    """
    return (value + (1 << (8 * width - 1))).to_bytes(width, "big")


def levels_over(leaves: int) -> int:
    return (leaves - 1).bit_length()


def parts(joined: bytes, size: int) -> list[bytes]:
    return [joined[start : start + size] for start in range(0, len(joined), size)]


class Tree:
    """A perfect tree whose leaves come in runs: from each start on, all leaves are the same until the next."""

    def __init__(self, depth: int, tag: int, runs: Mapping[int, bytes]) -> None:
        self.depth = depth
        self._tag = bytes([tag])
        self._starts = sorted(runs)
        self._leaves = [runs[start] for start in self._starts]
        self._nodes: dict[tuple[int, int], bytes] = {}

    def node(self, height: int, index: int) -> bytes:
        first = bisect_right(self._starts, index << height) - 1
        last = bisect_right(self._starts, ((index + 1) << height) - 1) - 1
        if height == 0:
            return self._leaves[first]
        if first == last:
            return self.doubled(self._leaves[first], height)
        if (height, index) not in self._nodes:
            below = self.node(height - 1, 2 * index) + self.node(height - 1, 2 * index + 1)
            self._nodes[height, index] = keccak(self._tag + below)
        return self._nodes[height, index]

    def doubled(self, leaf: bytes, height: int) -> bytes:
        for _ in range(height):
            leaf = keccak(self._tag + leaf + leaf)
        return leaf

    def proof(self, height: int, index: int, top: int | None = None) -> list[bytes]:
        """The siblings of a node, lowest first, up to below the root or below another height."""
        heights = range(height, self.depth if top is None else top)
        return [self.node(at, (index >> (at - height)) ^ 1) for at in heights]

    @property
    def root(self) -> bytes:
        return self.node(self.depth, 0)


@dataclass(frozen=True, eq=False)
class Vector:
    """d values of 2 or 4 bytes, by leaf; what is not named is zero. A fraud may also name what lies past d."""

    d: int
    width: int
    leaves: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Sequence[int], width: int) -> Vector:
        cut = range(0, len(values), LEAF)
        return cls(len(values), width, {start // LEAF: _filled(values[start : start + LEAF], LEAF) for start in cut})

    def values(self, leaf: int) -> Sequence[int]:
        return self.leaves.get(leaf, _ZEROS)

    def content(self, leaf: int) -> bytes:
        """A leaf's values, as they are hashed."""
        return b"".join(offset(value, self.width) for value in self.values(leaf))

    def chunk(self, index: int) -> bytes:
        return parts(self.content(index // 16), CHUNK * self.width)[index % 16]

    @cached_property
    def tree(self) -> Tree:
        leaf_tag, node_tag = (b"\x01", 0x02) if self.width == 2 else (b"\x03", 0x04)
        zeros = keccak(leaf_tag + offset(0, self.width) * CHUNK)
        runs = {0: zeros} | {16 * (leaf + 1): zeros for leaf in self.leaves}
        for leaf in self.leaves:
            chunks = parts(self.content(leaf), CHUNK * self.width)
            runs |= {16 * leaf + i: keccak(leaf_tag + chunk) for i, chunk in enumerate(chunks)}
        return Tree(4 + levels_over(-(-self.d // LEAF)), node_tag, runs)


def _filled(values: Sequence[int], size: int) -> tuple[int, ...]:
    return (*values, *[0] * (size - len(values)))


_ZEROS = (0,) * LEAF

T = TypeVar("T")
Forged = Mapping[tuple[Any, ...], Any]
Opening = tuple[int, bytes, bytes, list[bytes]]
Operand = tuple[bytes, bytes, list[bytes]]
NO_OPENING: Opening = (0, NOTHING, NOTHING, [])
NO_OPERAND: Operand = (b"", b"", [])


@dataclass
class Epoch:
    """An honest epoch, unless something is forged: then that is committed to in place of what is right."""

    d: int
    updates: list[Vector | None]
    """u_i; None for an absent seat."""
    last: list[Vector]
    """p_i."""
    last_delta: Vector
    base: Vector
    weights: list[int]
    number: int = 2
    forged: Forged = field(default_factory=dict)
    _products: dict[tuple[int, int], Callable[[int], int]] = field(default_factory=dict)

    def forge(self, forged: Forged) -> Epoch:
        """The same epoch with other things committed to."""
        other = copy(self)
        for name in [name for name in vars(other) if isinstance(getattr(type(other), name, None), cached_property)]:
            del vars(other)[name]
        other.forged = {**self.forged, **forged}
        return other

    def _committed(self, what: tuple[Any, ...], right: Callable[[], T]) -> T:
        committed: T = self.forged[what] if what in self.forged else right()
        return committed

    @property
    def n(self) -> int:
        return len(self.updates)

    @property
    def leaves(self) -> int:
        return -(-self.d // LEAF)

    @property
    def participants(self) -> int:
        return sum(1 << seat for seat, update in enumerate(self.updates) if update is not None)

    @cached_property
    def touched(self) -> list[int]:
        """The leaves at which some vector is not zero."""
        vectors = [*filter(None, self.updates), *self.last, self.last_delta, self.base]
        return sorted({leaf for vector in vectors for leaf in vector.leaves if leaf < self.leaves})

    # The vectors that follow from the others.

    @cached_property
    def delta(self) -> Vector:
        return self._committed(("delta",), self._mean)

    def _mean(self) -> Vector:
        accepted = [(u, w) for u, w in zip(self.updates, self.weights, strict=True) if w and u is not None]
        total = sum(self.weights)
        leaves = {}
        for leaf in self.touched:
            columns = zip(*([w * value for value in u.values(leaf)] for u, w in accepted), strict=True)
            leaves[leaf] = [sum(column) // total for column in columns]
        return Vector(self.d, 2, leaves)

    @cached_property
    def next_model(self) -> Vector:
        return self._committed(("next",), self._moved)

    def _moved(self) -> Vector:
        leaves = {}
        for leaf in self.touched:
            pairs = zip(self.base.values(leaf), self.delta.values(leaf), strict=True)
            leaves[leaf] = [min(max(a + b, -(2**31)), 2**31 - 1) for a, b in pairs]
        return Vector(self.d, 4, leaves)

    # The lists of seats.

    def submission(self, seat: int) -> bytes:
        update = self.updates[seat]
        named = update.tree.root if update is not None else NOTHING
        took_part = update is not None
        return self._committed(
            ("submission", seat),
            lambda: (
                seat.to_bytes(32, "big")
                + bytes(12)
                + keccak(text=f"client {seat}")[:20]
                + (keccak(text=f"commitment {seat}") if took_part else NOTHING)
                + (bytes([27]) * 65 if took_part else bytes(65))
                + named
                + self.last[seat].tree.root
                + (1000 + seat if took_part else 0).to_bytes(32, "big")
                + (keccak(text=f"salt {seat}") if took_part else NOTHING)
            ),
        )

    @cached_property
    def submissions(self) -> bytes:
        return self._committed(
            ("submissions",), lambda: b"".join(keccak(b"\x07" + self.submission(seat)) for seat in range(self.n))
        )

    @cached_property
    def carried(self) -> bytes:
        return self._committed(
            ("carried",),
            lambda: b"".join(
                (seat + 1).to_bytes(4, "big") + weight.to_bytes(5, "big") + offset(-seat, 14)
                for seat, weight in enumerate(self.weights)
            ),
        )

    # The Gram tree.

    def product(self, left: Vector | None, right: Vector | None, leaf: int) -> int:
        """The running sum over the values of all leaves up to one."""
        if left is None or right is None:
            return 0
        names = (min(id(left), id(right)), max(id(left), id(right)))
        if names not in self._products:
            both = sorted(set(left.leaves) & set(right.leaves))
            sums = [0, *accumulate(sum(map(mul, left.values(k), right.values(k))) for k in both)]
            self._products[names] = lambda k: sums[bisect_right(both, k)]
        return self._products[names](leaf)

    def factors(self, row: int) -> list[tuple[Vector | None, Vector | None]]:
        """The two vectors of every entry of a row, n being the common one."""
        u, p, g, w = self.updates, self.last, self.last_delta, self.base
        if row < self.n:
            x = p[row] if u[row] is None else u[row]
            return [(x, right) for right in (*u, *p, g, w)]
        return [*((v, v) for v in (*u, *p)), *((v, g) for v in u), (g, g), (w, w)]

    def row(self, leaf: int, row: int) -> bytes:
        def entries() -> bytes:
            values = [self.product(left, right, leaf) for left, right in self.factors(row)]
            return b"".join(offset(value, 8) for value in values[:-1]) + offset(values[-1], 12)

        return self._committed(("row", leaf, row), entries)

    def rows(self, leaf: int) -> bytes:
        return self._committed(
            ("rows", leaf), lambda: b"".join(keccak(b"\x0b" + self.row(leaf, row)) for row in range(self.n + 1))
        )

    def column(self, leaf: int) -> bytes:
        zero = Vector(self.d, 2)
        return self._committed(
            ("column", leaf), lambda: b"".join((update or zero).tree.node(4, leaf) for update in self.updates)
        )

    def gram_leaf(self, leaf: int) -> bytes:
        column, rows = keccak(b"\x0d" + self.column(leaf)), keccak(b"\x0c" + self.rows(leaf))
        return self._committed(("leaf", leaf), lambda: keccak(b"\x0e" + column + rows))

    @cached_property
    def gram(self) -> Tree:
        special = {name[1] for name in self.forged if name[0] in ("row", "rows", "column", "leaf")}
        runs = {self.leaves: NOTHING}
        for leaf in {0, *self.touched, *special}:
            if leaf < self.leaves:
                runs |= {at: self.gram_leaf(at) for at in (leaf, leaf + 1) if at < self.leaves}
            else:
                runs |= {leaf: self.forged["leaf", leaf], leaf + 1: NOTHING}
        return Tree(levels_over(self.leaves), 0x0F, runs)

    # Headers.

    @cached_property
    def previous(self) -> tuple[Any, ...]:
        if self.number == 1:
            return (0, 0, 0, *[NOTHING] * 8, 0, 0, 0, NOTHING, 0, NOTHING)
        roots = [keccak(text=name) for name in ("before", "commits", "submissions", "gram", "stats", "base")]
        last = [self.last_delta.tree.root, self.base.tree.root]
        return (INSTANCE, self.number - 1, 0, *roots, *last, 1, 0, 0, keccak(text="carried"), 5, keccak(text="blobs"))

    @cached_property
    def header(self) -> tuple[Any, ...]:
        return (
            INSTANCE,
            self.number,
            0,
            header_hash(self.previous),
            keccak(text="commits"),
            keccak(b"\x08" + self.submissions),
            self.gram.root,
            keccak(text="stats"),
            self.base.tree.root,
            self.delta.tree.root,
            self.next_model.tree.root,
            self.participants,
            0,
            0,
            keccak(b"\x11" + self.carried),
            5,
            keccak(text="blobs"),
        )

    @property
    def dispute(self) -> tuple[Any, ...]:
        """What the chain holds of the epoch."""
        return (header_hash(self.header), "0x" + "aa" * 20, self.n, self.d, keccak(text="rules"))

    # The arguments of the five cases.

    def opening(self, leaf: int) -> Opening:
        column, rows = keccak(b"\x0d" + self.column(leaf)), keccak(b"\x0c" + self.rows(leaf))
        return leaf, column, rows, self.gram.proof(0, leaf)

    def operand(self, vector: Vector | None, leaf: int) -> Operand:
        if vector is None:
            return NO_OPERAND
        named = {id(v): seat for vectors in (self.updates, self.last) for seat, v in enumerate(vectors)}
        content = self.submission(named[id(vector)]) if id(vector) in named else b""
        return content, vector.content(leaf), vector.tree.proof(4, leaf)

    def product_arguments(self, row: int, entry: int, leaf: int) -> dict[str, Any]:
        left, right = self.factors(row)[entry]
        zero = left is None or right is None
        first = leaf == 0
        return {
            "header": self.header,
            "previous": self.previous,
            "row": row,
            "entry": entry,
            "at": self.opening(leaf),
            "rows": self.rows(leaf),
            "content": self.row(leaf, row),
            "before": NO_OPENING if first else self.opening(leaf - 1),
            "rowsBefore": b"" if first else self.rows(leaf - 1),
            "contentBefore": b"" if first else self.row(leaf - 1, row),
            "submissions": self.submissions,
            "left": NO_OPERAND if zero else self.operand(left, leaf),
            "right": NO_OPERAND if zero or left is right else self.operand(right, leaf),
        }

    def column_arguments(self, seat: int, leaf: int) -> dict[str, Any]:
        update = self.updates[seat]
        return {
            "header": self.header,
            "at": self.opening(leaf),
            "column": self.column(leaf),
            "seat": seat,
            "submissions": self.submissions,
            "content": self.submission(seat),
            "node": NOTHING if update is None else update.tree.node(4, leaf),
            "proof": [] if update is None else update.tree.proof(4, leaf),
        }

    def delta_arguments(self, leaf: int, chunk: int) -> dict[str, Any]:
        index = 16 * leaf + chunk
        seats = [(self.updates[seat] or Vector(self.d, 2)) for seat, weight in enumerate(self.weights) if weight]
        joined = (seat.chunk(index) + b"".join(seat.tree.proof(0, index, 4)) for seat in seats)
        return {
            "header": self.header,
            "at": self.opening(leaf),
            "column": self.column(leaf),
            "carried": self.carried,
            "chunk": chunk,
            "parts": b"".join(joined),
            "delta": self.delta.chunk(index),
            "proof": self.delta.tree.proof(0, index),
        }

    def next_model_arguments(self, index: int) -> dict[str, Any]:
        return {
            "header": self.header,
            "index": index,
            "base": self.base.chunk(index),
            "baseProof": self.base.tree.proof(0, index),
            "delta": self.delta.chunk(index),
            "deltaProof": self.delta.tree.proof(0, index),
            "next": self.next_model.chunk(index),
            "nextProof": self.next_model.tree.proof(0, index),
        }

    def padded(self, tree: int, seat: int = 0) -> Vector | None:
        """The vector that a number of challengePadding means; nothing for the Gram tree."""
        return (self.updates[seat], self.delta, self.next_model, None)[tree]

    def padding_arguments(self, tree: int, index: int, height: int | None = None, seat: int = 0) -> dict[str, Any]:
        """Of a chunk, or of a node when its height is given."""
        vector = self.padded(tree, seat)
        nodes = self.gram if vector is None else vector.tree
        return {
            "header": self.header,
            "tree": tree,
            "submissions": self.submissions if tree == 0 else b"",
            "content": self.submission(seat) if tree == 0 else b"",
            "seat": seat,
            "height": height or 0,
            "index": index,
            "node": NOTHING if height is None else nodes.node(height, index),
            "chunk": vector.chunk(index) if height is None and vector is not None else b"",
            "proof": nodes.proof(height or 0, index),
        }


def header_hash(header: Iterable[Any]) -> bytes:
    types = ["uint256"] * 3 + ["bytes32"] * 8 + ["uint256"] * 3 + ["bytes32", "uint256", "bytes32"]
    return keccak(HEADER_DOMAIN + encode(types, tuple(header)))
