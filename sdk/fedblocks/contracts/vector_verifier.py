"""VectorVerifier: shows that an epoch's vectors, or their products, are wrong, by a few thousand of their values.

Each method proves one fault of a pending epoch, whose aggregator then loses its bond, a part of it to the sender. The
cases and their arguments are in docs/proofs.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.contracts.model_parameter_chain import HeaderLike
from fedblocks.contracts.openings import Opening, Operand, header_words
from fedblocks.types import Address, Hash32, Seat


class VectorVerifier(Contract):
    """The cases about vectors."""

    NAME = "VectorVerifier"

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose epochs are overturned."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def challenge_product(
        self,
        header: HeaderLike,
        previous: HeaderLike | None,
        row: int,
        entry: int,
        at: Opening,
        rows: bytes,
        content: bytes,
        before: Opening,
        rows_before: bytes,
        content_before: bytes,
        submissions: bytes,
        left: Operand,
        right: Operand,
    ) -> Receipt:
        """A running sum is not the one before it and the products of a leaf."""
        return self._send(
            "challengeProduct",
            header.as_tuple(),
            header_words(previous),
            row,
            entry,
            at.as_tuple(),
            rows,
            content,
            before.as_tuple(),
            rows_before,
            content_before,
            submissions,
            left.as_tuple(),
            right.as_tuple(),
        )

    def challenge_column(
        self,
        header: HeaderLike,
        at: Opening,
        column: bytes,
        seat: Seat,
        submissions: bytes,
        content: bytes,
        node: Hash32,
        proof: Sequence[Hash32],
    ) -> Receipt:
        """An entry of a column is not the root of the update's subtree."""
        return self._send(
            "challengeColumn",
            header.as_tuple(),
            at.as_tuple(),
            column,
            seat,
            submissions,
            content,
            node,
            list(proof),
        )

    def challenge_delta(
        self,
        header: HeaderLike,
        at: Opening,
        column: bytes,
        carried: bytes,
        chunk: int,
        parts: bytes,
        delta: bytes,
        proof: Sequence[Hash32],
    ) -> Receipt:
        """A chunk of the global delta is not the weighted mean of the updates'."""
        return self._send(
            "challengeDelta", header.as_tuple(), at.as_tuple(), column, carried, chunk, parts, delta, list(proof)
        )

    def challenge_next_model(
        self,
        header: HeaderLike,
        index: int,
        base: bytes,
        base_proof: Sequence[Hash32],
        delta: bytes,
        delta_proof: Sequence[Hash32],
        next_model: bytes,
        next_proof: Sequence[Hash32],
    ) -> Receipt:
        """A chunk of the next model is not that of the base model and that of the global delta."""
        return self._send(
            "challengeNextModel",
            header.as_tuple(),
            index,
            base,
            list(base_proof),
            delta,
            list(delta_proof),
            next_model,
            list(next_proof),
        )

    def challenge_padding(
        self,
        header: HeaderLike,
        tree: int,
        submissions: bytes,
        content: bytes,
        seat: Seat,
        height: int,
        index: int,
        node: Hash32,
        chunk: bytes,
        proof: Sequence[Hash32],
    ) -> Receipt:
        """Something lies where a tree must be empty."""
        return self._send(
            "challengePadding",
            header.as_tuple(),
            tree,
            submissions,
            content,
            seat,
            height,
            index,
            node,
            chunk,
            list(proof),
        )
