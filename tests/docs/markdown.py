"""Tables of the pages."""

from __future__ import annotations

from itertools import dropwhile, takewhile


def table(text: str) -> list[list[str]]:
    """The cells of the first table of a text, its head first, without the line below the head."""

    def is_row(line: str) -> bool:
        return line.startswith("|")

    lines = takewhile(is_row, dropwhile(lambda line: not is_row(line), text.splitlines()))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells[0], *cells[2:]]


def records(text: str) -> list[dict[str, str]]:
    """The rows of the first table of a text, by the words of its head."""
    head, *rows = table(text)
    return [dict(zip(head, row, strict=True)) for row in rows]
