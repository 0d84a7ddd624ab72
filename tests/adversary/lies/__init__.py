"""The lies, by name. Each module has those of one subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from fedblocks.rollup.fraud.cases import Challenge, FraudCase
from fedblocks.rollup.header import Header
from tests.adversary.committed import Committed
from tests.adversary.truth import Truth


@dataclass(frozen=True, eq=False)
class Told:
    """A lie as it is told.

    Attributes:
        committed: what is under the header's roots.
        words: the header, field by field; it may be one that no honest node could even write down.
        known: a challenge by who knows more than what is published.
    """

    committed: Committed
    words: dict[str, Any]
    known: Challenge | None = None

    @property
    def header(self) -> Header:
        return Header(**self.words)


Tell = Callable[[Truth, Random], Told | None]


@dataclass(frozen=True)
class Lie:
    """A kind of lie.

    Attributes:
        name: what it is.
        cases: by which it must be found; none where the chain must refuse the epoch.
        tell: how it is told about an epoch; None where that epoch gives no occasion.
    """

    name: str
    cases: frozenset[FraudCase]
    tell: Tell


LIES: dict[str, Lie] = {}


def lie(name: str, *cases: FraudCase) -> Callable[[Tell], Tell]:
    """Enter a lie under its name."""

    def enter(tell: Tell) -> Tell:
        assert name not in LIES
        LIES[name] = Lie(name, frozenset(cases), tell)
        return tell

    return enter


def words_of(header: Header) -> dict[str, Any]:
    return {field.name: getattr(header, field.name) for field in fields(header)}


def tell(truth: Truth, committed: Committed | None = None, **words: Any) -> Told:
    """An epoch with other contents, a header that commits to them, and words of the header that are changed besides."""
    committed = committed or truth.committed
    return Told(committed, words_of(truth.header) | committed.roots() | words)


def with_submission(truth: Truth, seat: int, content: bytes | None, **pieces: Any) -> Told:
    """A seat's submission is another one."""
    committed = replace(truth.committed, submissions=put(truth.data.submissions, seat, content), **pieces)
    return tell(truth, committed)


def put(contents: Sequence[Any], index: int, content: Any) -> tuple[Any, ...]:
    """A list with another content at one place."""
    return (*contents[:index], content, *contents[index + 1 :])


def flipped(content: bytes, rng: Random, start: int = 0, stop: int | None = None) -> bytes:
    """The content with one bit the other way, between two places."""
    at = rng.randrange(start, len(content) if stop is None else stop)
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def overwritten(content: bytes, start: int, piece: bytes) -> bytes:
    return content[:start] + piece + content[start + len(piece) :]


def extreme(width: int, rng: Random) -> bytes:
    """The least or the greatest value of a width, or what is next to zero when it is offset."""
    half = 1 << 8 * width - 1
    return rng.choice([0, 1, half - 1, half + 1, 2 * half - 2, 2 * half - 1]).to_bytes(width, "big")


def both(truth: Truth, first: Told, second: Told) -> Told:
    """Two lies at once; where they meet, the second is told."""
    honest = tell(truth)
    pieces = {
        name: getattr(second.committed if piece is not getattr(second.committed, name) else first.committed, name)
        for name, piece in vars(truth.committed).items()
        if name in Committed.__dataclass_fields__
    }
    committed = Committed(**pieces)
    roots = committed.roots()
    words = {
        name: second.words[name] if second.words[name] != word else first.words[name]
        for name, word in honest.words.items()
    }
    forced = {
        name: own.words[name]
        for own in (first, second)
        for name in roots
        if own.words[name] != own.committed.roots()[name]
    }
    return replace(second, committed=committed, words=words | roots | forced, known=second.known or first.known)


from tests.adversary.lies import accomplices, followed, headers, judged, products, sizes, submitted, vectors  # noqa: E402, F401
