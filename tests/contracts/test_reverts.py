"""Every way to fail has a reason that names its contract, and a test that fails that way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.world import CONTRACTS

SOURCES = sorted(CONTRACTS.glob("*.vy")) + sorted((CONTRACTS / "modules").glob("*.vy"))
# These modules are told their contract's name and put it in front; that one belongs to a single contract.
TOLD = {"treasury", "disputes"}
OWNERS = {"figures": "VerdictVerifier"}
REASON = re.compile(r'"((\w*): [^"\n]+)"')
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))


def reasons_of(source: Path) -> list[tuple[str, str]]:
    """The reasons in a source, with the contract that each names."""
    return [(match[1], match[2]) for match in REASON.finditer(source.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_revert_names_its_contract(source: Path) -> None:
    expected = "" if source.stem in TOLD else OWNERS.get(source.stem, source.stem)
    assert {contract for _, contract in reasons_of(source)} <= {expected}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_revert_has_a_reason(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s+assert\b", text, re.MULTILINE)) == len(reasons_of(source))
    assert "raise" not in re.sub(r'"""[\s\S]*?"""', "", text)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_reason_is_met_in_a_test(source: Path) -> None:
    untested = [reason for reason, _ in reasons_of(source) if reason.partition(": ")[2] not in TESTS]
    assert untested == []
