"""Facts with their names, in aligned lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.widgets import Static

from fedblocks_tui.text import Cell

Fact = tuple[str, str | Cell]


def lines_of(facts: Sequence[Fact], width: int = 0) -> Text:
    """One fact a line, the names in a column."""
    width = max([width, *(len(name) for name, _ in facts)])
    lines = []
    for name, value in facts:
        text = value.text if isinstance(value, Cell) else value
        lines.append(Text.assemble((f"{name:<{width}}  ", "dim"), text))
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


class Facts(Static):
    """A framed list of facts."""

    def __init__(self, title: str, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.border_title = title

    def show(self, facts: Iterable[Fact]) -> None:
        """Write the facts anew."""
        self.update(lines_of(list(facts)))
