"""Which code made a result: a hash of every module that a run depends on, comments and docstrings aside.

A result counts only for the code that made it. What a module depends on is read from its imports, so that nothing has
to be listed by hand, and a change of a table or a plot makes no run void.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

_PACKAGE = "fedblocks"
_ROOT = Path(__file__).parents[1]
_LENGTH = 12


def fingerprint(*modules: str) -> str:
    """12 hexadecimal digits for these modules of FedBlocks and all of its modules that they import."""
    digest = sha256()
    for name in sorted(_reached(modules)):
        digest.update(name.encode() + b"\0" + _code(name).encode())
    return digest.hexdigest()[:_LENGTH]


def _reached(modules: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imports(name)
    return found


def _path(name: str) -> Path | None:
    place = _ROOT.joinpath(*name.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def _tree(name: str) -> ast.Module:
    path = _path(name)
    assert path is not None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A string alone is a docstring, or stands below an attribute as one.
            node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


@cache
def _code(name: str) -> str:
    return ast.dump(_tree(name))


@cache
def _imports(name: str) -> frozenset[str]:
    """Modules of FedBlocks that this one imports, wherever in it."""
    found = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # What is imported from a package may be a module of its own.
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    mine = {each for each in found if each == _PACKAGE or each.startswith(f"{_PACKAGE}.")}
    return frozenset(each for each in mine if each != _PACKAGE and _path(each) is not None)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
