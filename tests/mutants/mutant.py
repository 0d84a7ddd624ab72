"""What a mutant is, and the ways to write one down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One deliberate defect."""

    name: str
    file: str
    original: str
    replacement: str
    why: str


def cut(text: str) -> str:
    """What remains of a statement that is left out: its line, without it."""
    return text[: len(text) - len(text.lstrip())] + "pass"


def without(name: str, file: str, statement: str, why: str) -> Mutant:
    """A statement left out."""
    return Mutant(name, file, statement, cut(statement), why)


def swapped(name: str, file: str, first: str, second: str, why: str) -> Mutant:
    """Two neighbouring passages in the wrong order."""
    return Mutant(name, file, f"{first}\n{second}", f"{second}\n{first}", why)
