"""SubmissionVerifier: shows that what clients handed in is not what an epoch says.

Each method proves one fault of a pending epoch, whose aggregator then loses its bond, a part of it to the sender. The
cases and their arguments are in docs/proofs.md.
"""

from __future__ import annotations

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.contracts.model_parameter_chain import HeaderLike
from fedblocks.contracts.openings import header_words
from fedblocks.types import Address, Hash32, Seat


class SubmissionVerifier(Contract):
    """The cases about submissions."""

    NAME = "SubmissionVerifier"

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose epochs are overturned."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def challenge_submission(
        self, header: HeaderLike, seat: Seat, submissions: bytes, content: bytes, commits: bytes
    ) -> Receipt:
        """A submission is not what it must be."""
        return self._send("challengeSubmission", header.as_tuple(), seat, submissions, content, commits)

    def challenge_last_update(
        self,
        header: HeaderLike,
        previous: HeaderLike | None,
        seat: Seat,
        submissions: bytes,
        content: bytes,
        previous_submissions: bytes,
        previous_content: bytes,
    ) -> Receipt:
        """A seat's last update is not the one that it last revealed."""
        return self._send(
            "challengeLastUpdate",
            header.as_tuple(),
            header_words(previous),
            seat,
            submissions,
            content,
            previous_submissions,
            previous_content,
        )

    def challenge_censorship(
        self, header: HeaderLike, seat: Seat, update_root: Hash32, samples: int, salt: Hash32, acknowledgement: bytes
    ) -> Receipt:
        """A reveal that the aggregator has acknowledged is left out."""
        return self._send("challengeCensorship", header.as_tuple(), seat, update_root, samples, salt, acknowledgement)
