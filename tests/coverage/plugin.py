"""A pytest plugin: watches every execution, then writes docs/coverage.md and fails below the mark."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from boa import Env

from tests.contracts.world import CONTRACTS, ROOT
from tests.coverage.branches import Branch, Seen

PAGE = ROOT / "docs" / "coverage.md"
MARK = 95

# Why a branch cannot be taken both ways, by its file and the text of its line.
_BOUND = "the compiler's own check of the bound, which cannot fail: {}"
EXPLAINED = {
    (
        "ModelParameterChain.vy",
        "for i: uint256 in range(self._instances[instanceId].finalizedEpochs, bound=limits.MAX_EPOCHS):",
    ): _BOUND.format("no instance has more than MAX_EPOCHS epochs"),
    (
        "RewardManager.vy",
        "for seat: uint256 in range(cohort_size, bound=limits.MAX_COHORT):",
    ): _BOUND.format("no cohort has more than MAX_COHORT seats"),
}

HEAD = f"""\
# Branches of the contracts that the tests take

Written by `make coverage`, which fails below {MARK} %, and when a branch that is not taken is not explained here.
Counted are the conditional jumps in the bytecode that come from an expression of ours (`assert`, `if`, `for`, `and`,
`or`), each to be seen taken and not taken, over the tests in tests/contracts, the short fuzzing included and gas left
out. The constructors count. titanoboa 0.2.8's own plugin for coverage.py counts lines, and branches of `if` alone: a
line with an `assert` that has never failed is covered to it.
"""

SEEN = Seen()


def _trace(env: Env, computation: Any, contract: Any = None) -> None:
    """In place of titanoboa's hook for its own coverage."""
    if contract is None:
        contract = env.lookup_contract(computation.msg.code_address)
    filename = str(getattr(contract, "filename", None) or "")
    if hasattr(contract, "source_map") and filename.startswith(str(CONTRACTS)):
        SEEN.trace(bytes(computation.code._raw_code_bytes), computation.code._trace, contract)
    for child in computation.children:
        _trace(env, child)


def pytest_configure(config: pytest.Config) -> None:
    Env._coverage_enabled = True
    Env._trace_computation = _trace


def _text(branch: Branch) -> str:
    lines = (CONTRACTS / branch.file).read_text(encoding="utf-8").splitlines()
    return lines[branch.line - 1].strip()


def _page() -> tuple[str, float, list[str]]:
    """The page, the percentage, and what is neither covered nor explained."""
    ways: Counter[str] = Counter()
    total: Counter[str] = Counter()
    missing: dict[str, list[Branch]] = defaultdict(list)
    for branch, seen in sorted(SEEN.branches.items()):
        total[branch.file] += 2
        ways[branch.file] += len(seen)
        if len(seen) < 2:
            missing[branch.file].append(branch)
    lines = [HEAD, "| file | ways | taken | |", "|---|---:|---:|---:|"]
    lines += [f"| {file} | {total[file]} | {ways[file]} | {ways[file] / total[file]:.1%} |" for file in sorted(total)]
    share = sum(ways.values()) / max(1, sum(total.values()))
    lines += [f"| **all** | {sum(total.values())} | {sum(ways.values())} | **{share:.1%}** |", "", "## Not taken", ""]
    unexplained = []
    for file, branches in missing.items():
        for branch in branches:
            why = EXPLAINED.get((file, _text(branch)))
            if why is None:
                unexplained.append(f"{file}:{branch.line} {branch.kind}: {_text(branch)}")
            lines.append(f"- {file}, `{_text(branch)}`: {why or 'not explained'}")
    for file, line, text in _unmeasured():
        unexplained.append(f"{file}:{line} was never compiled or never met: {text}")
    if not missing:
        lines.append("Every branch was taken both ways.")
    return "\n".join([*lines, "", *_checks()]) + "\n", share, unexplained


def _unmeasured() -> Iterator[tuple[str, int, str]]:
    """Statements of ours that branch and have no jump: without this, what is never compiled would look covered."""
    measured = {(branch.file, branch.line) for branch in SEEN.branches}
    for path in [*sorted(CONTRACTS.glob("*.vy")), *sorted((CONTRACTS / "modules").glob("*.vy"))]:
        source = re.sub(r'"""[\s\S]*?"""', lambda text: "\n" * text[0].count("\n"), path.read_text(encoding="utf-8"))
        for number, text in enumerate(source.splitlines(), start=1):
            file = str(path.relative_to(CONTRACTS))
            if re.match(r"\s+(assert|if|elif)\b", text) and not measured & {(file, number), (file, number + 1)}:
                yield file, number, text.strip()


def _checks() -> list[str]:
    """The checks that the compiler adds, which are its to test."""
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, kind, _), seen in SEEN.checks.items():
        kinds[kind][0] += 1
        kinds[kind][1] += len(seen) == 2
    lines = [
        "## The compiler's own checks",
        "",
        "Not counted above: the jumps by which Vyper finds the function and guards calldata, arithmetic and indices.",
        "",
        "| check | jumps | taken both ways |",
        "|---|---:|---:|",
    ]
    return [*lines, *(f"| {kind} | {count} | {both} |" for kind, (count, both) in sorted(kinds.items()))]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus != 0 or hasattr(session.config, "workerinput"):
        return
    page, share, unexplained = _page()
    PAGE.write_text(page, encoding="utf-8")
    print(f"\n{share:.1%} of all branches were taken; see {PAGE.relative_to(ROOT)}")
    for line in unexplained:
        print(f"not taken, and not explained: {line}")
    if share * 100 < MARK or unexplained:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
