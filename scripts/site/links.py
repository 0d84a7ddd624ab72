"""Links as the repository has them, turned into links of the site.

The documents are read in a checkout too, so that they link to files beside docs/ by their path. Of those, the documents
at the top have a page of their own in the site; a module of the SDK is its place in the reference; any other file is a
page that shows its source.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from scripts.site.sdk_pages import page_of

ROOT = Path(__file__).resolve().parents[2]
HOMES = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""The documents at the top of the repository, and their pages."""

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")


def source_page(path: str) -> str:
    """The address of the page that shows a file."""
    return f"source/{path}.md"


def rewritten(markdown: str, uri: str, origin: str) -> str:
    """A page's text with the links of the site.

    Args:
        markdown: The text as the repository has it.
        uri: The page's address in the site.
        origin: The folder, from the repository's top, from which its links go out.
    """

    def link(match: re.Match[str]) -> str:
        target, hash_, anchor = match["target"].partition("#")
        path = _path(target, origin)
        if path is None:
            return match[0]
        page = home(path)
        if page is None:
            return match[0]
        page, inner = page
        return f"[{match['text']}]({posixpath.relpath(page, posixpath.dirname(uri) or '.')}{inner or hash_ + anchor})"

    parts = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else LINK.sub(link, part) for number, part in enumerate(parts))


def home(path: str) -> tuple[str, str] | None:
    """Page and anchor of a file of the repository; none if it has no page."""
    if path in HOMES:
        return HOMES[path], ""
    if path.startswith("docs/"):
        return path.removeprefix("docs/"), ""
    if path.startswith("sdk/fedblocks/") and path.endswith(".py"):
        module = path.removeprefix("sdk/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        return page_of(module), "" if path.endswith("__init__.py") else f"#{module}"
    return (source_page(path), "") if (ROOT / path).is_file() else None


def linked_sources(markdown: str, origin: str) -> Iterator[str]:
    """The files whose source a text links to."""
    for match in LINK.finditer(markdown):
        path = _path(match["target"].partition("#")[0], origin)
        page = home(path) if path is not None else None
        if path is not None and page is not None and page[0] == source_page(path):
            yield path


def _path(target: str, origin: str) -> str | None:
    """What a relative link names, from the repository's top; none for any other link, and for what is not there."""
    if not target or ":" in target or target.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(origin, target))
    return path if not path.startswith("..") and os.path.lexists(ROOT / path) else None
