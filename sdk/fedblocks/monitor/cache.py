"""What a reader keeps in memory between two snapshots.

Most entities do not change from one block to the next. Their states are read as text each time, which is quick; only a
text that differs from the last one is parsed, and only views whose state has changed are made anew. What is kept is
found by the text itself, so that no reorganisation can make it stale.
"""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fedblocks.monitor.projections import State

T = TypeVar("T")


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Make many objects, none of them garbage: looking for garbage among them meanwhile takes as long again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class ReadCache:
    """Parsed states and finished views; safe to be shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._states: dict[str, dict[str, tuple[str, State]]] = {}
        self._views: dict[str, dict[str, tuple[tuple[Any, ...], Any]]] = {}
        self._whole: tuple[Any, dict[str, Any]] = (None, {})

    def states(self, kind: str, rows: Iterable[tuple[str, str]]) -> dict[str, State]:
        """The states of all entities of a kind, by key. They are shared: nobody may change them."""
        with self._lock:
            before = self._states.get(kind, {})
            now: dict[str, tuple[str, State]] = {}
            for key, text in rows:
                known = before.get(key)
                now[key] = known if known is not None and known[0] == text else (text, json.loads(text))
            self._states[kind] = now
            return {key: state for key, (_, state) in now.items()}

    def view(self, kind: str, key: str, of: tuple[Any, ...], make: Callable[[], T]) -> T:
        """A view, made anew when what it is made of is not the same; states are the same if they are identical."""
        views = self._views.setdefault(kind, {})
        known = views.get(key)
        if known is not None and all(
            a is b or (not isinstance(a, dict) and a == b) for a, b in zip(known[0], of, strict=True)
        ):
            return known[1]  # type: ignore[no-any-return]
        made = make()
        views[key] = (of, made)
        return made

    def whole(self, version: Any, name: str, make: Callable[[], T]) -> T:
        """A result that depends on the whole index, kept while its version is the same."""
        with self._lock:
            if self._whole[0] != version:
                self._whole = (version, {})
            kept = self._whole[1]
            if name not in kept:
                with _without_collecting():
                    kept[name] = make()
            return kept[name]  # type: ignore[no-any-return]
