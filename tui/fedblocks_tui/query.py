"""What is typed after `/`: words, beginnings of addresses, and comparisons such as ``stake>0.5``.

A row stays if every term holds of it. A word is looked for anywhere in the row's words (its address, its state); a
comparison names one of the row's numbers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeVar

from fedblocks.units import WEI_PER_ETHER

Row = TypeVar("Row")

_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_TERM = re.compile(r"([a-z]+)(>=|<=|>|<|=)(.*)")


@dataclass(frozen=True, kw_only=True)
class Searchable(Generic[Row]):
    """What a table's filter may look at.

    Attributes:
        words: all of a row's words.
        numbers: its numbers by name; None where one is not known, which no comparison holds of.
        amounts: likewise, in Wei; they are compared as ether.
    """

    words: Callable[[Row], str]
    numbers: Mapping[str, Callable[[Row], int | None]]
    amounts: Mapping[str, Callable[[Row], int | None]]

    @property
    def hint(self) -> str:
        """What one may type, for an empty filter."""
        names = [*self.amounts, *self.numbers]
        return "words or 0x…" + (f", and {', '.join(f'{name}>N' for name in names)}" if names else "")


def compile_query(text: str, searchable: Searchable[Row]) -> Callable[[Row], bool] | None:
    """The test that a filter stands for; None for an empty one, which leaves everything.

    A term that looks like a comparison but names nothing known, or compares with no number, is taken as a word: while
    somebody types, every beginning of a comparison goes by.
    """
    tests = [_term(each, searchable) for each in text.lower().split()]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _term(term: str, searchable: Searchable[Row]) -> Callable[[Row], bool]:
    if match := _TERM.fullmatch(term):
        name, sign, given = match.groups()
        compare = _COMPARISONS[sign]
        try:
            bound = Decimal(given)
        except InvalidOperation:
            bound = Decimal("NaN")
        if bound.is_finite() and name in searchable.amounts:
            return _comparison(searchable.amounts[name], compare, bound * WEI_PER_ETHER)
        if bound.is_finite() and name in searchable.numbers:
            return _comparison(searchable.numbers[name], compare, bound)
    words = searchable.words
    return lambda row: term in words(row).lower()


def _comparison(
    number: Callable[[Row], int | None], compare: Callable[[Decimal, Decimal], bool], bound: Decimal
) -> Callable[[Row], bool]:
    def holds(row: Row) -> bool:
        value = number(row)
        return value is not None and compare(Decimal(value), bound)

    return holds
