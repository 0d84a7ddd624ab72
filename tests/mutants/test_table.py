"""The table keeps up with the contracts: a mutation that no longer applies would test nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutants.__main__ import LIKELY, ROOT, apply
from tests.mutants.mutant import Mutant
from tests.mutants.table import MUTANTS


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    return tmp_path / "contracts"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutation_changes_its_contract(mutant: Mutant, contracts: Path) -> None:
    before = (contracts / mutant.file).read_text(encoding="utf-8")
    apply(mutant, contracts)
    assert (contracts / mutant.file).read_text(encoding="utf-8") != before


def test_a_mutation_that_no_longer_applies_is_named(contracts: Path) -> None:
    stale = Mutant("stale", MUTANTS[0].file, "no such text", "", "")
    with pytest.raises(LookupError, match="stale: its original text occurs 0 times"):
        apply(stale, contracts)


def test_every_mutant_has_a_name_of_its_own_and_tests_that_are_likely_to_notice() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.file for mutant in MUTANTS} == set(LIKELY)
    tests = ROOT / "tests" / "contracts"
    assert all((tests / f"test_{stem}.py").exists() for stems in LIKELY.values() for stem in stems)
