"""The processes of a network, as one who harms them sees them: made by a zygote, killed, paused, starved, restarted."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any


class Zygote:
    """The process that makes the others; see :mod:`tests.chaos.zygote`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Zygote:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._popen.stdout is not None
        assert self._popen.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()

    def ask(self, **what: Any) -> Any:
        """Have it do something; its answer."""
        with self._lock:
            assert self._popen.stdin is not None
            assert self._popen.stdout is not None
            self._popen.stdin.write(json.dumps(what) + "\n")
            self._popen.stdin.flush()
            return json.loads(self._popen.stdout.readline())


@dataclass
class Child:
    """One role's process, of which there may be many, one after the other.

    Attributes:
        skew: what its clock is ahead by, in seconds.
        piped: whether its log goes through a pipe, so that it can speak with a full disk.
        begins_at: where in its log its last life begins, in bytes.
        ends: the exit codes of all of its lives but those that were killed from here.
    """

    name: str
    command: Sequence[str]
    folder: Path
    zygote: Zygote
    skew: float = 0.0
    piped: bool = False
    pid: int | None = None
    starts: int = 0
    ends: list[int] = field(default_factory=list)
    ended_at: float = 0.0
    killed: bool = False
    begins_at: int = 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        if self.pid is None:
            return False
        code = self.zygote.ask(what="poll", pid=self.pid)
        if code is None:
            return True
        self.pid, self.ended_at = None, time.monotonic()
        self.ends.append(code)
        return False

    @property
    def is_done(self) -> bool:
        """Whether it has ended by itself, and well."""
        return not self.is_running and bool(self.ends) and self.ends[-1] == 0

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.is_running:
            module, *arguments = self.command[1:]
            self.begins_at = self.log.stat().st_size if self.log.is_file() else 0
            self.pid = self.zygote.ask(
                what="start",
                module=module,
                arguments=arguments,
                log=str(self.log),
                skew=self.skew,
                piped=self.piped,
            )
            self.starts += 1
            self.killed = False

    def kill(self) -> bool:
        """End it as a power failure would; whether there was anything to end."""
        if not self.is_running:
            return False
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        while self.zygote.ask(what="poll", pid=self.pid) is None:
            time.sleep(0.001)
        self.pid, self.killed = None, True
        return True

    def pause(self) -> None:
        """Stop it in the middle of whatever it does."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def limit_files(self, size: int) -> None:
        """Let it write no file beyond a size; -1 ends that."""
        if self.is_running and self.pid is not None:
            # The hard limit stays, so that the soft one can be raised again.
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, -1))

    def said(self, what: str, *, since_start: bool = False) -> list[dict[str, object]]:
        """What it has logged of one kind, in all of its lives or in the last one."""
        if not self.log.is_file():
            return []
        # Whole lines only: the last one may be in the middle of being written, or have ended with the process.
        logged = self.log.read_bytes()[self.begins_at if since_start else 0 :].rpartition(b"\n")[0]
        lines = [line for line in logged.decode(errors="replace").splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines if f'"what": "{what}"' in line and line.endswith("}")]

    def _signal(self, number: int) -> None:
        if self.is_running and self.pid is not None:
            os.kill(self.pid, number)
