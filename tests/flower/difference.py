"""What the quickstart's two versions differ by, as docs/flower.md shows it.

``python -m tests.flower.difference`` writes it into the page anew.
"""

from __future__ import annotations

import difflib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "flower-quickstart"
PAGE = ROOT / "docs" / "flower.md"
_BEGIN, _END = "<!-- difference -->", "<!-- end of difference -->"


def files() -> list[Path]:
    """The example's files, relative to each version's folder."""
    found = {
        path.relative_to(EXAMPLE / version)
        for version in ("before", "after")
        for path in (EXAMPLE / version).rglob("*")
        if path.suffix in (".py", ".toml")
    }
    return sorted(found)


def difference() -> str:
    """The difference of all files, in the form of `diff -u`."""
    lines: list[str] = []
    for path in files():
        before, after = ((EXAMPLE / version / path).read_text().splitlines() for version in ("before", "after"))
        lines += difflib.unified_diff(before, after, f"before/{path}", f"after/{path}", n=1, lineterm="")
    return "\n".join(lines)


def shown() -> str:
    """The difference as the page shows it."""
    page = PAGE.read_text()
    return page[page.index(_BEGIN) : page.index(_END)].removeprefix(f"{_BEGIN}\n```diff\n").removesuffix("\n```\n")


def main() -> None:
    page = PAGE.read_text()
    start, end = page.index(_BEGIN), page.index(_END)
    PAGE.write_text(f"{page[:start]}{_BEGIN}\n```diff\n{difference()}\n```\n{page[end:]}")


if __name__ == "__main__":
    main()
