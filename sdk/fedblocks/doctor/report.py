"""What the doctor found: pure data, which is printed, compared and written as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any

from fedblocks.types import Address, BlockNumber


class Defect(Enum):
    """What version 1 did wrong on the chain, by its number."""

    V1_1 = (
        "V1-1",
        "StakingRegistry",
        "stake() refuses the exact amount, or credits another as if it were the exact one",
    )
    V1_2 = ("V1-2", "StakingRegistry", "withdrawStake() pays before the staking period is over, or not after it")
    V1_3 = ("V1-3", "StakingRegistry", "a client that has left cannot come back before it has withdrawn")
    V1_4 = ("V1-4", "StakingRegistry", "slashStake() slashes a client that has nothing at stake")
    V1_5 = ("V1-5", "SlashingManager", "a key slashes whom it likes, without evidence")
    V1_6 = ("V1-6", "RewardManager", "newUserInstance() takes unpaid orders, or unstaked or repeated clients")
    V1_7 = (
        "V1-7",
        "RewardManager",
        "collectTrainingFees() pays untrained epochs or repeatedly, keeps excess ether, or lets one client block all",
    )

    def __init__(self, number: str, contract: str, title: str) -> None:
        self.number, self.contract, self.title = number, contract, title


STAKING_DEFECTS = (Defect.V1_1, Defect.V1_2, Defect.V1_3, Defect.V1_4, Defect.V1_5)
"""Those that can cost a staker its stake."""


class Verdict(StrEnum):
    """Whether a defect is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Evidence:
    """One simulated call."""

    call: str
    returned: str

    def __str__(self) -> str:
        return f"{self.call} → {self.returned}"


@dataclass(frozen=True)
class Finding:
    """Whether one defect is there, and how one knows."""

    defect: Defect
    verdict: Verdict
    why: str
    """One sentence: what decided it."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class ContractFacts:
    """What lies at one address of the deployment."""

    name: str
    address: Address
    code_size: int
    """Bytes of code; 0 where there is no contract."""
    code_hash: str
    """keccak-256 of the code."""
    known_build: bool
    """Whether the code is what this version of FedBlocks deploys; its parameters may still be anything."""
    proxy: str | None
    """How the address hands calls on to code that can be exchanged, and to where; None when it does not."""


@dataclass(frozen=True)
class Report:
    """All findings about one deployment, seen at one block."""

    node: str
    chain_id: int
    block: BlockNumber
    contracts: tuple[ContractFacts, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What else somebody should know before relying on the findings."""

    def verdict(self, defect: Defect) -> Verdict:
        """Whether a defect is there."""
        return next((each.verdict for each in self.findings if each.defect is defect), Verdict.UNKNOWN)

    def with_verdict(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(each for each in self.findings if each.verdict is verdict)

    @property
    def without_code(self) -> tuple[ContractFacts, ...]:
        """The addresses at which there is no contract."""
        return tuple(each for each in self.contracts if not each.code_size)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "node": self.node,
            "chainId": self.chain_id,
            "block": self.block,
            "contracts": [asdict(each) for each in self.contracts],
            "findings": [
                {
                    "defect": each.defect.number,
                    "contract": each.defect.contract,
                    "title": each.defect.title,
                    "verdict": each.verdict.value,
                    "why": each.why,
                    "evidence": [asdict(item) for item in each.evidence],
                }
                for each in self.findings
            ],
            "notes": list(self.notes),
        }


def unknown(defects: Iterable[Defect], why: str) -> tuple[Finding, ...]:
    """Findings that say nothing but why nothing is known."""
    return tuple(Finding(defect, Verdict.UNKNOWN, why) for defect in defects)
