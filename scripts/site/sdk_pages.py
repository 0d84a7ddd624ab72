"""The SDK's reference: one page for each package, its modules one after the other, from their docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk" / "fedblocks"
FOLDER = "reference/sdk"


def sdk_pages(package: Path = SDK) -> dict[str, str]:
    """The pages of a package and of all packages in it, by their address in the site.

    The first page has the modules that lie in no package of their own.
    """
    name = package.name
    pages = {f"{FOLDER}/{name}.md": _page(name, package)}
    for init in sorted(package.rglob("__init__.py")):
        inner = init.parent.relative_to(package)
        # Folders of data have an __init__ as well, and nothing in it to read.
        if inner.parts and any(path.name != "__init__.py" for path in init.parent.glob("*.py")):
            dotted = ".".join((name, *inner.parts))
            pages[f"{FOLDER}/{dotted}.md"] = _page(dotted, init.parent)
    return pages


def page_of(module: str, package: Path = SDK) -> str:
    """The address of the page on which a module is described."""
    parts = module.split(".")
    folder = package.joinpath(*parts[1:])
    return f"{FOLDER}/{'.'.join(parts if folder.is_dir() else parts[:-1])}.md"


def _page(dotted: str, folder: Path) -> str:
    lines = [f"::: {dotted}", "    options:", "      members: false", "      show_root_heading: true", ""]
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    if modules:
        lines += ["| module | |", "|---|---|"]
    for path in modules:
        module = f"{dotted}.{path.stem}"
        lines.append(f"| [`{path.stem}`](#{module}) | {_summary(path)} |")
    lines.append("")
    for path in modules:
        lines += [
            f"::: {dotted}.{path.stem}",
            "    options:",
            "      heading_level: 2",
            "      show_root_heading: true",
            "",
        ]
    return "\n".join(lines)


def _summary(path: Path) -> str:
    """The first sentence of a module's docstring, or nothing."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(said.split("\n\n")[0].split()).replace("|", "\\|")
    return first.removesuffix(".")
