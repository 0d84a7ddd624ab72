"""What a process says while it runs: one line for each thing that happened, on stderr, for people or for programs.

Keys are a fixed vocabulary and values are numbers, hashes and sentences of FedBlocks' own errors, which hold no
secrets: no salt, no key, no passphrase, no update, no address with a password in it.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any, TextIO


class Stopped(Exception):
    """The process was told to stop; everything that matters is on disk."""


class Talk:
    """Writes lines.

    Args:
        stream: where to; stderr when left out.
        as_json: each line a JSON object, for programs.
    """

    def __init__(self, stream: TextIO | None = None, *, as_json: bool = False) -> None:
        self._stream, self._as_json, self._lock = stream, as_json, threading.Lock()
        self._said: dict[str, str] = {}

    def __call__(self, what: str, level: str = "info", /, **details: Any) -> None:
        """Say that something happened.

        Args:
            what: in a word or two, always the same for the same thing.
            level: info, warning or error.
            details: instance, epoch and the like; what is None is left out.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        shown = {name: _plain(value) for name, value in details.items() if value is not None}
        if self._as_json:
            line = json.dumps({"at": at, "level": level, "what": what, **shown})
        else:
            rest = " ".join(f"{name}={_quoted(value)}" for name, value in shown.items())
            line = f"{at} {level:<7} {what:<20} {rest}".rstrip()
        with self._lock:
            print(line, file=self._stream or sys.stderr, flush=True)

    def once(self, about: str, what: str, level: str = "warning", /, **details: Any) -> None:
        """Say what stays as it is once, and again when it has changed."""
        said = json.dumps([what, level, {name: str(_plain(value)) for name, value in details.items()}])
        with self._lock:
            if self._said.get(about) == said:
                return
            self._said[about] = said
        self(what, level, **details)


class Stopping:
    """Whether the process was told to stop; waiting ends at once when it is."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def listen(self) -> None:
        """Stop on SIGTERM and SIGINT; the second time at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.stop()

    def stop(self) -> None:
        """Ask everybody who waits to end."""
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def rest(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: if the process is to stop.
        """
        if self._event.wait(seconds):
            raise Stopped

    def every(self, seconds: float, do: Callable[[], object]) -> Callable[[], None]:
        """What does something when it is called and that many seconds have passed since the last time."""
        last = -seconds

        def due() -> None:
            nonlocal last
            if time.monotonic() - last >= seconds:
                do()
                last = time.monotonic()

        return due


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if not text or not text.isprintable() or " " in text else text


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value if isinstance(value, (int, float, str, bool, list)) else str(value)
