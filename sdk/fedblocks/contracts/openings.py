"""What the verifiers take and DataDemands tells in pieces: opened leaves of the Gram tree and of vectors.

docs/proofs.md says what the pieces are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fedblocks.contracts.model_parameter_chain import HeaderLike
from fedblocks.types import ZERO_HASH, Hash32


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A leaf of the Gram tree, and the halves of it that are not opened further."""

    index: int
    column_root: Hash32
    rows_root: Hash32
    proof: tuple[Hash32, ...]
    """The siblings up to the root, lowest first."""

    def as_tuple(self) -> tuple[int, bytes, bytes, list[Hash32]]:
        """The contract's struct."""
        return self.index, self.column_root, self.rows_root, list(self.proof)


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A leaf of a vector: 4,096 values as they are hashed."""

    content: bytes = b""
    """The submission that names the vector's root; empty where the header does."""
    values: bytes = b""
    proof: tuple[Hash32, ...] = ()
    """The siblings from height 4 to the vector's root."""

    def as_tuple(self) -> tuple[bytes, bytes, list[Hash32]]:
        """The contract's struct."""
        return self.content, self.values, list(self.proof)


NO_OPENING = Opening(index=0, column_root=ZERO_HASH, rows_root=ZERO_HASH, proof=())
"""For what is not looked at: the leaf before the first one."""

NO_OPERAND = Operand()
"""For what is not looked at: the second factor of a square."""


class AnswerLike(Protocol):
    """What opens a demanded position; what its kind has no use for is empty."""

    @property
    def entries(self) -> bytes:
        """The entries of the list in which the position is."""
        ...

    @property
    def submission(self) -> bytes:
        """The submission that names an update's root."""
        ...

    @property
    def column_root(self) -> bytes:
        """The columns' half of a Gram leaf."""
        ...

    @property
    def rows_root(self) -> bytes:
        """The rows' half of it."""
        ...

    @property
    def leaf_proof(self) -> Sequence[bytes]:
        """The siblings from the Gram leaf to the root."""
        ...

    @property
    def content(self) -> bytes:
        """What was demanded."""
        ...

    @property
    def proof(self) -> Sequence[bytes]:
        """The siblings from height 4 of a vector to its root."""
        ...


def header_words(header: HeaderLike | None) -> tuple[int | bytes, ...]:
    """A header as the contracts take it; zeros for the one before the first, which is not looked at."""
    return _NO_HEADER if header is None else header.as_tuple()


_NUMBERS = {0, 1, 2, 11, 12, 13, 15}
_NO_HEADER: tuple[int | bytes, ...] = tuple(0 if word in _NUMBERS else ZERO_HASH for word in range(17))
