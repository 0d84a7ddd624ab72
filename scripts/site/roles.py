"""An extension for griffe: docstrings as they are written here, as Markdown.

They name things as Sphinx does (``:func:`find_fault```), which become links, show examples without a fence, and
describe parameters that belong together in one line. A dataclass describes its fields in its own docstring, so that
they are not shown a second time below it; what else has no docstring is shown as it is.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`(~?)([\w.]+)`")
TOGETHER = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)
EXAMPLE = re.compile(r"(?:^>>> .*\n(?:^(?!>>>|\s*$).*\n?|^>>> .*\n?)*)", re.MULTILINE)


class HouseStyle(griffe.Extension):
    """Rewrites every docstring when its package has been read."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        self.on_object(obj=pkg)  # the package itself is not among the objects that it consists of

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = rewritten(obj.docstring.value, obj)
        elif not (obj.is_attribute and _describes_its_fields(obj.parent)):
            obj.docstring = griffe.Docstring("", parent=obj)


def _describes_its_fields(scope: Any) -> bool:
    return (
        scope is not None and scope.is_class and scope.docstring is not None and "Attributes:" in scope.docstring.value
    )


def rewritten(text: str, scope: griffe.Object) -> str:
    """A docstring's text, with links for roles, fences around examples, and each parameter by itself."""
    text = TOGETHER.sub(lambda match: "\n".join(f"{match[1]}{name}: {match[3]}" for name in match[2].split(", ")), text)
    text = ROLE.sub(lambda match: _link(match[2], bool(match[1]), scope), text.replace("``", "`"))
    return EXAMPLE.sub(lambda match: f"```pycon\n{_plain(match[0])}\n```\n", text + "\n").rstrip("\n")


def _plain(example: str) -> str:
    """Without what is for doctest alone."""
    return re.sub(r"\s+# doctest:.*", "", example).rstrip("\n")


def _link(name: str, short: bool, scope: griffe.Object) -> str:
    shown = name.rpartition(".")[2] if short else name
    # An optional reference is text where nothing has that name: what is private has no place in the reference.
    return f'<autoref identifier="{_resolved(name, scope)}" optional><code>{shown}</code></autoref>'


def _resolved(name: str, scope: griffe.Object) -> str:
    head, dot, rest = name.partition(".")
    if head in ("fedblocks", "fedblocks_tui"):
        return name
    try:
        return f"{scope.resolve(head)}{dot}{rest}"
    except griffe.NameResolutionError:
        return f"{scope.path}.{name}"  # a method of the class whose docstring it is
