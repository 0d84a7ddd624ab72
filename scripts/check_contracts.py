"""Static analysis of the contracts: rules of this project, checked on the compiler's own typed syntax tree.

    python scripts/check_contracts.py       exits 1 and names every finding that docs/static-analysis.md does not accept

slither does not read Vyper 0.4 (docs/static-analysis.md shows what it says), so the rules are here, short enough to be
read. A finding that is meant is accepted, with its reason, in a table of that document; an acceptance without a finding
is an error too, so that the table never says more than the truth. Needs Vyper alone, no node and no network.
"""

from __future__ import annotations

import argparse
import contextlib
import operator
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vyper.cli.vyper_compile import compile_files

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "docs" / "static-analysis.md"

RULES = {
    "unchecked-call": "the result of a raw call decides nothing",
    "effects-after-call": "storage is written after a call to another contract",
    "open-to-anyone": "changes something and asks nothing of its caller",
    "revert-without-name": "a revert whose text does not begin with its contract's name",
    "large-loop": "a loop, its outer ones included, of more than 65,536 rounds",
    "forbidden": "something that these contracts never do",
    "silent-change": "writes storage or moves ether without an event",
    "foreign-target": "calls a contract that no immutable names",
    "balance-equality": "compares a balance for equality, which anyone can upset by sending ether",
}

MAX_ROUNDS = 65_536
FORBIDDEN = {
    "selfdestruct": "destroys the contract",
    "send": "fails with its receiver's gas; payments._send is the one way out for ether",
    "raw_create": "creates a contract",
    "create_minimal_proxy_to": "creates a contract",
    "create_copy_of": "creates a contract",
    "create_from_blueprint": "creates a contract",
    "raw_revert": "reverts without a text",
    "raw_log": "logs what no ABI describes",
    "unsafe_add": "may wrap around",
    "unsafe_sub": "may wrap around",
    "unsafe_mul": "may wrap around",
    "unsafe_div": "may divide by zero",
}
PAYMENTS = "modules/payments.vy"

Node = dict[str, Any]


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that a function breaks, once for each function."""

    rule: str
    where: str
    """Contract or module, a dot, and the function."""
    line: int
    what: str = field(compare=False, default="")

    def __str__(self) -> str:
        return f"{self.where}, line {self.line}: {self.rule}: {self.what or RULES[self.rule]}"


class Source:
    """A contract or module, by its typed syntax tree."""

    def __init__(self, tree: Node, sources: dict[str, Source]) -> None:
        self.path = str(tree["path"])
        self.name = Path(self.path).stem
        self.tree = tree
        self._sources = sources

    @cached_property
    def functions(self) -> dict[str, Node]:
        return {node["name"]: node for node in self.tree["body"] if node["ast_type"] == "FunctionDef"}

    @cached_property
    def fixed(self) -> set[str]:
        """Names of immutables and constants."""
        return {
            node["target"]["id"]
            for node in self.tree["body"]
            if node["ast_type"] == "VariableDecl" and (node["is_immutable"] or node["is_constant"])
        }

    @cached_property
    def constants(self) -> dict[str, Node]:
        return {
            node["target"]["id"]: node["value"]
            for node in self.tree["body"]
            if node["ast_type"] == "VariableDecl" and node["is_constant"]
        }

    def module(self, name: Node) -> Source | None:
        """The module that a name stands for, if it stands for one."""
        kind = name.get("type") or {}
        return self._sources.get(kind["name"]) if kind.get("typeclass") == "module" else None

    def called(self, call: Node) -> tuple[Source, Node] | None:
        """The function of ours that a call calls, if it is one."""
        function = call["func"]
        if function["ast_type"] != "Attribute" or function["value"]["ast_type"] != "Name":
            return None
        source = self if function["value"]["id"] == "self" else self.module(function["value"])
        return (source, source.functions[function["attr"]]) if source and function["attr"] in source.functions else None


def analyse(folder: Path) -> list[Finding]:
    """All findings in the contracts of a folder and the modules that they use."""
    paths = [str(path.relative_to(folder.parent)) for path in sorted(folder.glob("*.vy"))]
    with contextlib.chdir(folder.parent):
        outputs = compile_files(paths, ["annotated_ast"], ["."], False)
    sources: dict[str, Source] = {}
    for output in outputs.values():
        trees = output["annotated_ast_dict"]
        for tree in (trees["ast"], *trees["imports"]):
            if str(tree["path"]).endswith(".vy"):
                sources.setdefault(tree["path"], Source(tree, sources))
    return sorted({finding for source in sources.values() for finding in _of_source(source)})


def accepted(document: Path) -> dict[tuple[str, str], str]:
    """What the document accepts: (rule, place) and why."""
    row = re.compile(r"^\| `([a-z-]+)` \| `([\w.]+)` \| (\S.*) \|$", re.MULTILINE)
    return {(rule, place): why for rule, place, why in row.findall(document.read_text(encoding="utf-8"))}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check the contracts against this project's rules.")
    parser.add_argument("--contracts", type=Path, default=ROOT / "contracts", help="the folder of the sources")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="the document with the accepted findings")
    options = parser.parse_args(arguments)
    known = accepted(options.accepted)
    findings = analyse(options.contracts.resolve())
    found = {(each.rule, each.where) for each in findings}
    fresh = [each for each in findings if (each.rule, each.where) not in known]
    stale = sorted(set(known) - found)
    for each in fresh:
        print(f"{options.contracts}: {each}", file=sys.stderr)
    for rule, place in stale:
        print(f"{options.accepted}: accepts {rule} of {place}, which is not found any more", file=sys.stderr)
    if not fresh and not stale:
        print(f"contracts: {len(RULES)} rules, {len(found)} findings, all of them accepted with a reason")
    return 1 if fresh or stale else 0


def _of_source(source: Source) -> Iterator[Finding]:
    for name, function in source.functions.items():
        where = f"{source.name}.{name}"

        def finding(rule: str, node: Node, what: str = "", where: str = where) -> Finding:
            return Finding(rule, where, int(node["lineno"]), what)

        yield from (finding("unchecked-call", node) for node in _unchecked(source, function))
        yield from (finding("revert-without-name", node) for node in _nameless(source, function))
        yield from (finding("large-loop", node) for node in _large_loops(source, function["body"], 1))
        yield from (finding("forbidden", node, what) for node, what in _forbidden(source, function))
        yield from (finding("balance-equality", node) for node in _balance_equalities(function))
        if name == "__init__":
            continue
        yield from (finding("foreign-target", node) for node in _foreign_targets(source, function))
        decorators = {each.get("id") for each in function["decorator_list"]}
        if "external" in decorators and not decorators & {"view", "pure"}:
            yield from (finding("effects-after-call", node) for node in _effects_after_calls(source, function))
            if not _asks_its_caller(source, function):
                yield finding("open-to-anyone", function)
            kinds = {kind for kind, _ in _events(source, function, ())}
            if kinds & {"write", "payment"} and "log" not in kinds:
                yield finding("silent-change", function)


def _walk(node: Any) -> Iterator[Node]:
    """Every node below one, in the order of the source."""
    if isinstance(node, list):
        for each in node:
            yield from _walk(each)
    elif isinstance(node, dict) and "ast_type" in node:
        yield node
        # A comparison or operation lists its right side first.
        for key in sorted(node, key=lambda key: (key == "right", key)):
            if key not in ("type", "variable_reads", "variable_writes", "folded_value"):
                yield from _walk(node[key])


def _builtin(node: Node) -> str:
    """The name of the builtin that a call calls, or nothing."""
    if node["ast_type"] != "Call" or node["func"]["ast_type"] != "Name":
        return ""
    return str(node["func"]["id"])


def _root(node: Node) -> str:
    """The name at the bottom of attributes and subscripts."""
    while node["ast_type"] in ("Attribute", "Subscript"):
        node = node["value"]
    return str(node.get("id", ""))


def _events(source: Source, function: Node, stack: tuple[int, ...]) -> Iterator[tuple[str, Node]]:
    """Calls of others, writes and logs, in order, with internal functions unfolded and loops gone round twice."""
    if id(function) in stack:
        return
    yield from _events_of(source, function["body"], (*stack, id(function)))


def _events_of(source: Source, body: list[Node], stack: tuple[int, ...]) -> Iterator[tuple[str, Node]]:
    for statement in body:
        kind = statement["ast_type"]
        if kind == "If":
            yield from _events_in(source, statement["test"], stack)
            yield from _events_of(source, statement["body"], stack)
            yield from _events_of(source, statement["orelse"], stack)
        elif kind == "For":
            yield from _events_in(source, statement["iter"], stack)
            for _ in range(2):
                yield from _events_of(source, statement["body"], stack)
        else:
            yield from _events_in(source, statement, stack)
            if kind == "Log":
                yield "log", statement
            if kind in ("Assign", "AugAssign"):
                targets = statement["target"]
                targets = targets["elements"] if targets["ast_type"] == "Tuple" else [targets]
                if any(_is_storage(each) for each in targets):
                    yield "write", statement


def _is_storage(target: Node) -> bool:
    return (target["ast_type"] in ("Attribute", "Subscript") and _root(target) == "self") or (
        target["ast_type"] == "Attribute" and (target["value"].get("type") or {}).get("typeclass") == "module"
    )


def _events_in(source: Source, node: Node, stack: tuple[int, ...]) -> Iterator[tuple[str, Node]]:
    for each in _walk(node):
        if each["ast_type"] == "ExtCall":
            yield "call", each
        elif _builtin(each) in ("raw_call", "send"):
            yield "call", each
            yield "payment", each
        elif each["ast_type"] == "Call":
            if each["func"].get("attr") in ("append", "pop") and _is_storage(each["func"]["value"]):
                yield "write", each
            ours = source.called(each)
            if ours is not None:
                yield from _events(*ours, stack)


def _effects_after_calls(source: Source, function: Node) -> Iterator[Node]:
    called = False
    for kind, node in _events(source, function, ()):
        if kind == "call":
            called = True
        elif kind == "write" and called:
            yield node


def _pays(source: Source, node: Node) -> bool:
    """Whether an expression is a raw call, or a function of ours that returns the result of one."""
    if _builtin(node) == "raw_call":
        return True
    ours = source.called(node) if node["ast_type"] == "Call" else None
    if ours is None:
        return False
    owner, function = ours
    return any(
        each["ast_type"] == "Return" and each["value"] is not None and _pays(owner, each["value"])
        for each in _walk(function["body"])
    )


def _unchecked(source: Source, function: Node) -> Iterator[Node]:
    paying = [node for node in _walk(function["body"]) if _pays(source, node)]
    checked = {
        id(node)
        for statement in _walk(function["body"])
        if statement["ast_type"] in ("Assert", "Return")
        for node in _walk(statement.get("test") or statement.get("value"))
    }
    return (node for node in paying if id(node) not in checked)


def _asks_its_caller(source: Source, function: Node, seen: tuple[int, ...] = ()) -> bool:
    """Whether an assertion, here or in an internal function, depends on msg.sender."""
    if id(function) in seen:
        return False
    tainted: set[str] = set()
    for statement in _walk(function["body"]):
        kind = statement["ast_type"]
        if kind in ("AnnAssign", "Assign") and statement.get("value") and _is_tainted(statement["value"], tainted):
            tainted |= {node["id"] for node in _walk(statement["target"]) if node["ast_type"] == "Name"}
        # A payment to the caller, asserted to succeed, asks nothing of it.
        if kind == "Assert" and not any(_pays(source, node) for node in _walk(statement["test"])):
            if _is_tainted(statement["test"], tainted):
                return True
        elif kind == "Call":
            ours = source.called(statement)
            if ours is not None and _asks_its_caller(*ours, (*seen, id(function))):
                return True
    return False


def _is_tainted(expression: Node, tainted: set[str]) -> bool:
    return any(
        (node["ast_type"] == "Attribute" and node["attr"] == "sender" and node["value"].get("id") == "msg")
        or (node["ast_type"] == "Name" and node["id"] in tainted)
        for node in _walk(expression)
    )


def _nameless(source: Source, function: Node) -> Iterator[Node]:
    for node in _walk(function["body"]):
        if node["ast_type"] == "Assert":
            text = node.get("msg")
        elif node["ast_type"] == "Raise":
            text = node.get("exc")
        else:
            continue
        if not text or not _names(source, function, text):
            yield node


def _names(source: Source, function: Node, text: Node) -> bool:
    if text["ast_type"] == "Str":
        return str(text["value"]).startswith(f"{source.name}: ")
    # A module that is several contracts gets the name from them.
    if _builtin(text) != "concat" or len(text["args"]) < 2:
        return False
    name, rest = text["args"][:2]
    given = {each["arg"] for each in function["args"]["args"]} if function["name"] == "__init__" else set()
    return bool(name.get("id") in source.fixed | given and str(rest.get("value", "")).startswith(": "))


def _large_loops(source: Source, body: list[Node], outer: int) -> Iterator[Node]:
    for statement in body:
        rounds = outer
        if statement["ast_type"] == "For":
            rounds = outer * _rounds(source, statement["iter"])
            if rounds > MAX_ROUNDS:
                yield statement
        for key in ("body", "orelse"):
            if isinstance(statement.get(key), list):
                yield from _large_loops(source, statement[key], rounds)


def _rounds(source: Source, iterated: Node) -> int:
    """How often a loop goes round at the most; Vyper takes no loop for which this cannot be told."""
    if _builtin(iterated) == "range":
        bound = next((each["value"] for each in iterated["keywords"] if each["arg"] == "bound"), None)
        ends = [_constant(source, each) for each in ([bound] if bound else iterated["args"])]
        if any(end is None for end in ends):
            return MAX_ROUNDS + 1
        numbers = [end for end in ends if end is not None]
        return numbers[-1] - (numbers[0] if len(numbers) > 1 else 0)
    if iterated["ast_type"] == "List":
        return len(iterated["elements"])
    length = (iterated.get("type") or {}).get("length")
    return int(length) if length is not None else MAX_ROUNDS + 1


def _constant(source: Source, node: Node) -> int | None:
    """The value of an expression of constants; None when it is none."""
    kind = node["ast_type"]
    if kind == "Int":
        return int(node["value"])
    if kind == "Name":
        return _constant(source, source.constants[node["id"]]) if node["id"] in source.constants else None
    if kind == "Attribute" and (module := source.module(node["value"])) is not None:
        return _constant(module, module.constants[node["attr"]]) if node["attr"] in module.constants else None
    if kind == "BinOp":
        left, right = _constant(source, node["left"]), _constant(source, node["right"])
        operation = _OPERATIONS.get(node["op"]["ast_type"])
        return None if operation is None or left is None or right is None else int(operation(left, right))
    return None


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "Pow": operator.pow,
}


def _forbidden(source: Source, function: Node) -> Iterator[tuple[Node, str]]:
    for node in _walk(function["body"]):
        name = _builtin(node)
        if name in FORBIDDEN:
            yield node, f"{name} {FORBIDDEN[name]}"
        if name == "raw_call":
            if not source.path.endswith(PAYMENTS):
                yield node, f"raw_call outside {PAYMENTS}"
            if any(each["arg"] == "is_delegate_call" for each in node["keywords"]):
                yield node, "delegatecall runs foreign code on this storage"
        if node["ast_type"] == "Attribute" and (node["value"].get("id"), node["attr"]) in {
            ("tx", "origin"),
            ("block", "prevrandao"),
            ("block", "coinbase"),
        }:
            yield node, f"{node['value']['id']}.{node['attr']} is not to be trusted"


def _foreign_targets(source: Source, function: Node) -> Iterator[Node]:
    values: dict[str, Node] = {}
    for node in _walk(function["body"]):
        if node["ast_type"] == "AnnAssign" and node.get("value"):
            values[node["target"]["id"]] = node["value"]
    for node in _walk(function["body"]):
        if node["ast_type"] in ("ExtCall", "StaticCall"):
            target = node["value"]["func"]["value"]
            if not _is_fixed(source, target, values, 0):
                yield node


def _is_fixed(source: Source, target: Node, values: dict[str, Node], depth: int) -> bool:
    if depth > 8:
        return False
    if target["ast_type"] == "Name":
        if target["id"] in source.fixed:
            return True
        return target["id"] in values and _is_fixed(source, values[target["id"]], values, depth + 1)
    if target["ast_type"] == "Call" and len(target["args"]) == 1:  # an interface around an address
        return _is_fixed(source, target["args"][0], values, depth + 1)
    return False


def _balance_equalities(function: Node) -> Iterator[Node]:
    for node in _walk(function["body"]):
        if node["ast_type"] == "Compare" and node["op"]["ast_type"] in ("Eq", "NotEq"):
            sides = (node["left"], node["right"])
            if any(each["ast_type"] == "Attribute" and each["attr"] == "balance" for each in sides):
                yield node


if __name__ == "__main__":
    sys.exit(main())
