"""Where epochs are challenged: the verifier, and a stand-in for the chain that holds whatever epoch is disputed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boa
from eth_abi import decode

from tests.contracts.verdicts.epochs import Epoch

FAULT = "fault"
NO_FAULT = "VerdictVerifier: no fault"
_ERROR = bytes.fromhex("08c379a0")


@dataclass(frozen=True)
class Trial:
    """How a challenge went.

    Attributes:
        outcome: FAULT, or the reason of the revert; empty when there is none.
        gas: what executing it took.
        calldata: its length in bytes.
    """

    outcome: str
    gas: int
    calldata: int


@dataclass(frozen=True)
class Court:
    chain: Any
    verifier: Any

    def hold(self, epoch: Epoch, **changes: Any) -> None:
        """Have an epoch be pending."""
        held = {
            "headerHash": epoch.header_hash,
            "aggregator": self.chain.address,
            "cohortSize": epoch.n,
            "d": epoch.d,
            "rulesHash": epoch.rules_hash,
        }
        self.chain.hold(tuple((held | changes).values()), [])

    def call(self, function: str, arguments: list[Any]) -> Trial:
        """What a challenge of the epoch that is held would come to."""
        data = getattr(self.verifier, function).prepare_calldata(*arguments)
        computation = boa.env.execute_code(to_address=self.verifier.address, data=data, simulate=True)
        outcome = FAULT
        if computation.is_error:
            output = computation.output
            outcome = decode(["string"], output[4:])[0] if output[:4] == _ERROR else ""
        return Trial(outcome, computation.get_gas_used(), len(data))

    def figures(self, epoch: Epoch, seat: int) -> str:
        self.hold(epoch)
        return self.call("challengeFigures", epoch.figures_arguments(seat)).outcome

    def verdict(self, epoch: Epoch, seat: int) -> str:
        self.hold(epoch)
        return self.call("challengeVerdict", epoch.verdict_arguments(seat)).outcome

    def cohort(self, epoch: Epoch) -> str:
        self.hold(epoch)
        return self.call("challengeCohort", epoch.cohort_arguments()).outcome

    def all_outcomes(self, epoch: Epoch, seats: list[int]) -> set[str]:
        """What comes of every challenge of some seats, and of the cohort's."""
        each = {challenge(epoch, seat) for seat in seats for challenge in (self.figures, self.verdict)}
        return each | {self.cohort(epoch)}
