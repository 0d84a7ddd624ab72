"""Where the screens get their data: one picture of one block after another.

A feed is asked by a worker thread and may take its time; it never touches a widget. Whatever goes wrong on the way to
the node is not an error here but a state of health, with the last data still there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import Health
from fedblocks_tui.picture import Picture

T = TypeVar("T")


class Feed(Protocol):
    """A source of pictures."""

    @property
    def label(self) -> str:
        """What is looked at, in a few words, for the header."""
        ...

    @property
    def interval(self) -> float:
        """Seconds from one look to the next."""
        ...

    def poll(self, say: Callable[[Health], None]) -> Picture:
        """Read what is new, which may take long.

        Args:
            say: told of progress, and of trouble, meanwhile.
        """
        ...

    def read(self, look: Callable[[Snapshot], T]) -> T:
        """Read a detail of one snapshot that no picture holds."""
        ...

    def close(self) -> None:
        """Let go of everything; a poll that is under way may still end."""
        ...
