"""The verifiers: contracts that are shown a fault in a pending epoch, and overturn it.

What they are shown comes ready made from :mod:`fedblocks.rollup.fraud`: a challenge knows its contract, its function
and its arguments. The cases are in docs/proofs.md.
"""

from __future__ import annotations

from typing import Any, Protocol

from fedblocks.chain.connection import Block
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.base import Contract
from fedblocks.types import Address


class ChallengeLike(Protocol):
    """A fault, as a verifier is shown it: :class:`fedblocks.rollup.fraud.cases.Challenge`."""

    @property
    def contract(self) -> str:
        """The verifier's name."""
        ...

    @property
    def function(self) -> str:
        """Its function, by its ABI name."""
        ...

    @property
    def arguments(self) -> tuple[Any, ...]:
        """As the ABI encoder takes them."""
        ...


class Verifier(Contract):
    """What all verifiers have in common."""

    def model_parameter_chain(self, block: Block = "latest") -> Address:
        """The contract whose epochs are overturned."""
        return Address(self._read("MODEL_PARAMETER_CHAIN", block=block))

    def prove(self, challenge: ChallengeLike) -> Receipt:
        """Prove a fault: its epoch is overturned, and a part of its aggregator's bond is the sender's.

        Raises:
            ValueError: if the challenge is another verifier's.
        """
        if challenge.contract != self.NAME:
            raise ValueError(f"{self.NAME} cannot take {challenge.function}: it is {challenge.contract}'s")
        return self.execute(challenge.function, *challenge.arguments)


class SubmissionVerifier(Verifier):
    """Takes the cases about submissions: what clients handed in is not what an epoch says."""

    NAME = "SubmissionVerifier"


class VectorVerifier(Verifier):
    """Takes the cases about values: products, columns, the global delta, the next model, padding."""

    NAME = "VectorVerifier"


class VerdictVerifier(Verifier):
    """Takes the cases about figures and verdicts."""

    NAME = "VerdictVerifier"
