"""Every key of the screen that one is on, read from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Static

from fedblocks_tui.widgets.facts import lines_of

_SIGNS = """\
States have a sign of their own, whatever the colours: ● staked, accepted, healthy  ◐ unbonding  ○ withdrawn, funded
◔ posted, pending  ◆ finalizable, complete  ✓ final, settled, done  ▲ warning, left out  ✗ slashed, overturned, failed
Filter (/): words, the beginning of an address, comparisons: staked stake>0.05 strikes>=2
≈chain time: the newest block's time plus what has passed here since it was read; countdowns run on it."""


def bindings_of(node: DOMNode) -> list[Binding]:
    """A node's own bindings, one for each key."""
    return [binding for bindings in node._bindings.key_to_bindings.values() for binding in bindings]


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close the help"),
    ]

    def __init__(self, nodes: Iterable[tuple[str, DOMNode]]) -> None:
        """Make the help.

        Args:
            nodes: whose bindings, with a heading for each.
        """
        super().__init__()
        self._parts = [(title, _keys(bindings_of(node))) for title, node in nodes]

    def compose(self) -> ComposeResult:
        """One list of keys for each part."""
        with VerticalScroll(classes="box") as box:
            box.border_title = "keys"
            box.border_subtitle = "escape closes"
            for title, keys in self._parts:
                if keys:
                    yield Static(Text.assemble((title, "bold underline"), "\n", lines_of(keys, 18)))
            yield Static(_SIGNS, markup=False)


def _keys(bindings: Iterable[Binding]) -> list[tuple[str, str]]:
    by_what: dict[str, list[str]] = {}
    for binding in bindings:
        if binding.description and not binding.system:
            by_what.setdefault(binding.description, []).append(binding.key_display or _display(binding.key))
    return [(" ".join(dict.fromkeys(keys)), what) for what, keys in by_what.items()]


def _display(key: str) -> str:
    names = {"question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]"}
    return names.get(key, key)
