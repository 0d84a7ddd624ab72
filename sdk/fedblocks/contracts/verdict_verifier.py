"""VerdictVerifier: shows that an epoch's figures, verdicts or selection do not follow from its products.

Each method proves one fault of a pending epoch, whose aggregator then loses its bond, a part of it to the sender. The
cases and their arguments are in docs/proofs.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.contracts.model_parameter_chain import HeaderLike
from fedblocks.contracts.openings import Opening, header_words
from fedblocks.types import Address, Seat


class VerdictVerifier(Contract):
    """The cases about figures and what follows from them."""

    NAME = "VerdictVerifier"

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose epochs are overturned."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def challenge_figures(
        self,
        header: HeaderLike,
        previous: HeaderLike | None,
        seat: Seat,
        at: Opening,
        rows: bytes,
        row: bytes,
        common: bytes,
        stats: bytes,
        own: bytes,
        carried: bytes,
        previous_carried: bytes,
        rules: Sequence[int],
        krum_bound: int,
        normalised_bound: int,
    ) -> Receipt:
        """The figures of a seat do not follow from its products."""
        return self._send(
            "challengeFigures",
            header.as_tuple(),
            header_words(previous),
            seat,
            at.as_tuple(),
            rows,
            row,
            common,
            stats,
            own,
            carried,
            previous_carried,
            list(rules),
            krum_bound,
            normalised_bound,
        )

    def challenge_verdict(
        self,
        header: HeaderLike,
        previous: HeaderLike | None,
        seat: Seat,
        stats: bytes,
        own: bytes,
        nearest: bytes,
        cohort: bytes,
        carried: bytes,
        previous_carried: bytes,
        rules: Sequence[int],
        submissions: bytes,
        content: bytes,
    ) -> Receipt:
        """The verdict on a seat does not follow from its figures."""
        return self._send(
            "challengeVerdict",
            header.as_tuple(),
            header_words(previous),
            seat,
            stats,
            own,
            nearest,
            cohort,
            carried,
            previous_carried,
            list(rules),
            submissions,
            content,
        )

    def challenge_cohort(
        self,
        header: HeaderLike,
        previous: HeaderLike | None,
        stats: bytes,
        entries: bytes,
        cohort: bytes,
        at: Opening,
        rows: bytes,
        common: bytes,
        previous_carried: bytes,
        rules: Sequence[int],
    ) -> Receipt:
        """The cohort's figures, or who is excluded or slashable, do not follow."""
        return self._send(
            "challengeCohort",
            header.as_tuple(),
            header_words(previous),
            stats,
            entries,
            cohort,
            at.as_tuple(),
            rows,
            common,
            previous_carried,
            list(rules),
        )
