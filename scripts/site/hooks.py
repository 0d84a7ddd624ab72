"""What MkDocs asks while it builds the site: pages that nobody writes, the menu's folders, links out of docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from scripts.site.contract_pages import contract_pages
from scripts.site.links import HOMES, ROOT, linked_sources, rewritten, source_page
from scripts.site.sdk_pages import sdk_pages

DOCS = ROOT / "docs"
MERMAID = ROOT / ".build" / "mermaid" / "mermaid.min.js"
ASSETS = {"mermaid.min.js": MERMAID, "mermaid.LICENSE.txt": MERMAID.parent / "LICENSE"}
LANGUAGES = {".py": "python", ".vy": "python", ".vyi": "python", ".toml": "toml", ".sh": "bash", ".json": "json"}

_written: dict[str, str] = {}
"""The text of the pages that are made here, by their address."""
_origins: dict[str, str] = {}
"""The folder from which a page's links go out, where that is not its own."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write the pages, and open the menu's folders."""
    if not MERMAID.is_file():
        raise PluginError(f"{MERMAID.relative_to(ROOT)} is missing: `make docs` fetches it (scripts/setup/mermaid.sh)")
    _written.clear()
    _origins.clear()
    _written.update(contract_pages() | sdk_pages())
    for path, uri in HOMES.items():
        if uri != "index.md":
            _written[uri] = (ROOT / path).read_text(encoding="utf-8")
            _origins[uri] = ""
    config.nav = _opened(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that were written, Mermaid, and the source of every file that a page links to."""
    texts = {file.src_uri: file.content_string for file in files.documentation_pages()} | _written
    sources = {path for uri, text in texts.items() for path in linked_sources(text, _origin(uri))}
    pages = _written | {source_page(path): _source(path) for path in sources}
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    for name, path in ASSETS.items():
        files.append(File.generated(config, f"assets/{name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn the repository's Markdown into the site's."""
    uri = page.file.src_uri
    return markdown if uri.startswith("source/") else _bare_pipes(rewritten(markdown, uri, _origin(uri)))


def _bare_pipes(markdown: str) -> str:
    """Within code in a table a checkout wants a pipe escaped, and the site does not."""

    def row(match: re.Match[str]) -> str:
        return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), match[0])

    return re.sub(r"^\|.*$", row, markdown, flags=re.MULTILINE)


def _origin(uri: str) -> str:
    return _origins.get(uri, str(Path("docs", uri).parent))


def _opened(nav: list[Any]) -> list[Any]:
    """The menu, with the pages of a folder in the place of an address that ends with a slash."""
    opened: list[Any] = []
    for item in nav:
        (title, value), *_ = item.items() if isinstance(item, dict) else [(None, item)]
        if isinstance(value, list):
            opened.append({title: _opened(value)})
        elif isinstance(value, str) and value.endswith("/"):
            opened.append({title: _inside(value)})
        else:
            opened.append(item)
    return opened


def _inside(folder: str) -> list[Any]:
    """The pages of a folder: those written here in their order, those of docs/ by name."""
    made = [{Path(uri).stem: uri} for uri in _written if uri.startswith(folder)]
    return made or sorted(str(path.relative_to(DOCS)) for path in (DOCS / folder).glob("*.md"))


def _source(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f'---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language} linenums="1"\n{text}\n````\n'
