"""Conditional jumps, and the source that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.contracts.world import CONTRACTS

JUMPI, PUSH1, PUSH32 = 0x57, 0x60, 0x7F


@dataclass(frozen=True, order=True)
class Branch:
    """A conditional jump. One expression may make several: `which` counts them."""

    file: str
    line: int
    column: int
    kind: str
    which: int


@dataclass
class Seen:
    """All branches of the contracts that were run, and which ways they went: True is a jump."""

    branches: dict[Branch, set[bool]] = field(default_factory=dict)
    # The compiler's own checks (overflow, bounds, calldata), by their kind: how many there are, how many have failed.
    checks: dict[tuple[str, str, int], set[bool]] = field(default_factory=dict)
    _jumps: dict[bytes, dict[int, Any]] = field(default_factory=dict)

    def trace(self, code: bytes, trace: list[int], contract: Any) -> None:
        """Add what one execution did."""
        jumps = self._jumps.get(code)
        if jumps is None:
            jumps = self._jumps[code] = dict(self._of(code, contract))
        for here, there in pairwise(trace):
            ways = jumps.get(here)
            if ways is not None:
                ways.add(there != here + 1)

    def _of(self, code: bytes, contract: Any) -> Iterator[tuple[int, set[bool]]]:
        """The conditional jumps of a code, each with the set that all copies of it share."""
        source = contract.source_map
        nodes, errors = source["pc_raw_ast_map"], source["error_map"]
        name = Path(str(contract.filename or "")).stem
        met: dict[tuple[Any, ...], int] = {}
        last = max(nodes, default=0)
        for pc in conditional_jumps(code):
            if pc > last:
                return
            node = nodes.get(pc) or (errors.get(pc) is None and _nameless_if(pc, nodes)) or None
            if node is None or type(node).__name__ == "FunctionDef":
                yield pc, self.checks.setdefault((name, errors.get(pc, "dispatch of calls"), pc), set())
                continue
            path = Path(node.module_node.resolved_path)
            if not path.is_relative_to(CONTRACTS):
                return
            key = (str(path.relative_to(CONTRACTS)), node.lineno, node.col_offset, type(node).__name__)
            which = met[key] = met.get(key, 0) + 1
            yield pc, self.branches.setdefault(Branch(*key, which), set())


def _nameless_if(pc: int, nodes: dict[int, Any]) -> Any:
    """The `if` that a jump belongs to which the source map leaves out: the optimiser drops the comparison of `== 0`.

    What comes before such a jump is the comparison or, for a lone `break`, `continue` or `return`, that.
    """
    before = next((nodes[i] for i in range(pc, max(pc - 64, 0), -1) if i in nodes), None)
    kind = type(before).__name__
    if kind in ("Break", "Continue", "Return", "Compare"):
        statement = before if kind != "Compare" else before._parent
        parent = statement if type(statement).__name__ == "If" else statement._parent
        return parent if type(parent).__name__ == "If" else None
    return None


def conditional_jumps(code: bytes) -> Iterator[int]:
    """Where they are."""
    pc = 0
    while pc < len(code):
        opcode = code[pc]
        if opcode == JUMPI:
            yield pc
        pc += opcode - PUSH1 + 2 if PUSH1 <= opcode <= PUSH32 else 1
