"""`make mutants`: apply every mutation to a copy of the contracts, run their tests, and say which test noticed.

Exits 1 when a mutant survives, or is no contract at all, or when the tests fail without one.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants import table, verifiers
from tests.mutants.mutant import Mutant
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
# Where a mutant of a file is most likely noticed; what is not named here is run after that, and the fuzzer last.
LIKELY = {
    table.REGISTRY: ["staking_registry", "slashing_manager", "hostile_receivers"],
    table.SLASHING: ["slashing_manager", "deployment", "past_failures"],
    table.REWARDS: ["settlement", "instances", "hostile_receivers"],
    table.CHAIN: ["epochs", "overturning", "instances", "stopping"],
    table.TREASURY: ["treasuries"],
    table.SEATS: ["seats"],
    table.HEADERS: ["epochs"],
    verifiers.SUBMISSIONS: ["submission_verifier"],
    verifiers.VECTORS: ["vector_verifier"],
    verifiers.VERDICTS: ["verdict_verifier"],
    verifiers.DEMANDS: ["data_demands"],
    verifiers.ACTIONS: ["submission_verifier"],
    verifiers.DISPUTES: ["submission_verifier", "verdict_verifier"],
    verifiers.LISTS: ["submission_verifier", "data_demands", "verdict_verifier"],
    verifiers.MERKLE: ["data_demands", "vector_verifier"],
    verifiers.PRODUCTS: ["vector_verifier"],
    verifiers.LEAVES: ["vector_verifier"],
    verifiers.FIGURES: ["verdict_verifier"],
    verifiers.JUDGEMENT: ["verdict_verifier"],
    verifiers.COHORTS: ["verdict_verifier"],
    verifiers.CARRIED: ["verdict_verifier"],
    verifiers.THRESHOLDS: ["verdict_verifier"],
    verifiers.WIDE: ["wide", "verdict_verifier"],
}
# These read the sources, and what is said of a mutant should be said of what it does. Gas is no behaviour.
# The published vectors bring half of the project along.
LEFT_OUT = {"reverts", "v1_abi", "gas", "vectors_json"}
TIME_LIMIT_S = 900
NOTICED = re.compile(r"^(?:FAILED|ERROR) tests/contracts/(.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    name: str
    killed_by: str | None
    seconds: float
    remark: str = ""
    is_mutant: bool = True

    def __str__(self) -> str:
        if self.remark:
            fate = self.remark
        elif self.killed_by is None:
            fate = "SURVIVED" if self.is_mutant else "all tests pass"
        else:
            fate = self.killed_by
        return f"{self.name:<58}{self.seconds:>5.0f} s  {fate}"


def copy_to(folder: Path) -> None:
    """Copy what the tests of the contracts need."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=ignored)
    shutil.copytree(ROOT / "tests" / "contracts", folder / "tests" / "contracts", ignore=ignored)
    for name in ("tests/__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)


def apply(mutant: Mutant, contracts: Path) -> None:
    """Mutate a file; where the original text does not occur once, the table is out of date."""
    path = contracts / mutant.file
    source = path.read_text(encoding="utf-8")
    occurrences = source.count(mutant.original)
    if occurrences != 1:
        raise LookupError(f"{mutant.name}: its original text occurs {occurrences} times in {mutant.file}, not once")
    path.write_text(source.replace(mutant.original, mutant.replacement), encoding="utf-8")


def test_files(folder: Path, likely: Sequence[str]) -> list[str]:
    """All tests, the likely ones first and the fuzzer last."""
    stems = {path.stem.removeprefix("test_") for path in (folder / "tests" / "contracts").glob("test_*.py")}
    rest = sorted(stems - LEFT_OUT - set(likely))
    return [*(f"tests/contracts/test_{stem}.py" for stem in [*likely, *rest]), "tests/contracts/fuzz"]


def run(mutant: Mutant | None, folder: Path) -> Verdict:
    """Run the tests against a mutant; against the contracts as they are, when there is none."""
    name = mutant.name if mutant else "(no mutation)"
    began = time.monotonic()
    contracts = folder / "contracts"
    if mutant is not None:
        apply(mutant, contracts)
    files = test_files(folder, LIKELY[mutant.file] if mutant else [])
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Verdict(name, None, time.monotonic() - began, f"NOT FINISHED in {TIME_LIMIT_S} s")
    finally:
        if mutant is not None:
            shutil.copy(ROOT / "contracts" / mutant.file, contracts / mutant.file)
    seconds = time.monotonic() - began
    if result.returncode == 0:
        return Verdict(name, None, seconds, is_mutant=mutant is not None)
    noticed = NOTICED.search(result.stdout)
    if noticed is None or re.search(r"vyper\.exceptions|SyntaxException", result.stdout):
        return Verdict(name, None, seconds, f"NO CONTRACT: {result.stdout[-300:]}")
    return Verdict(name, noticed[1], seconds)


def run_all(mutants: Sequence[Mutant | None], jobs: int) -> list[Verdict]:
    """Run them side by side, and say each verdict when it is found.

    Every job keeps its folder: titanoboa compiles what it has not compiled under the same path before.
    """
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="fedblocks-mutants-") as temporary, ThreadPoolExecutor(jobs) as pool:
        folders: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            folder = Path(temporary) / str(job)
            copy_to(folder)
            folders.put(folder)

        def run_in_a_folder(mutant: Mutant | None) -> Verdict:
            folder = folders.get()
            try:
                return run(mutant, folder)
            finally:
                folders.put(folder)

        for verdict in pool.map(run_in_a_folder, mutants):
            print(verdict, flush=True)
            verdicts.append(verdict)
    return verdicts


def main() -> int:
    """Run them all, or those whose names contain what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose name or file contains one of these")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    chosen: list[Mutant | None] = [
        mutant
        for mutant in MUTANTS
        if not arguments.words or any(word in f"{mutant.file} {mutant.name}" for word in arguments.words)
    ]
    if not arguments.words:
        chosen.insert(0, None)
    began = time.monotonic()
    verdicts = run_all(chosen, arguments.jobs)
    mutants = [verdict for verdict, mutant in zip(verdicts, chosen, strict=True) if mutant is not None]
    killed = [verdict for verdict in mutants if verdict.killed_by]
    print(f"{len(killed)} of {len(mutants)} mutants killed in {time.monotonic() - began:.0f} s")
    for mutant, verdict in zip(chosen, verdicts, strict=True):
        if mutant is not None and verdict.killed_by is None:
            print(f"SURVIVED  {mutant.file}: {mutant.name}: {mutant.why}")
    sound = all(verdict.killed_by is None and not verdict.remark for verdict in verdicts if verdict not in mutants)
    if not sound:
        print("the tests fail without any mutation: the verdicts say nothing")
    return 0 if sound and len(killed) == len(mutants) else 1


if __name__ == "__main__":
    raise SystemExit(main())
