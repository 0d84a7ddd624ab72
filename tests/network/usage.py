"""What processes cost: CPU time and memory, of each with everything that it has started, by the system's account.

A SuperNode starts a process for every message, PostgreSQL one for every connection; so a cost is that of a tree, as it
grows and shrinks. Memory is proportional (PSS): what several processes share is divided among them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SECONDS = 0.5


@dataclass
class Usage:
    """Of one tree.

    Attributes:
        name: for people.
        pid: of the process at its root.
        within: the name of the tree that it is part of, and not counted with.
        cpu_seconds: of all its processes so far, ended ones among them.
        peak_bytes: the most memory that was seen.
    """

    name: str
    pid: int
    within: str = ""
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class _Process:
    parent: int
    own: float
    children: float
    command: str


class Meter:
    """Looks at all processes twice a second, within a with statement."""

    def __init__(self) -> None:
        self.usages: dict[str, Usage] = {}
        self._apart: dict[str, tuple[str, str]] = {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def add(self, name: str, pid: int) -> None:
        """Measure a process and what it starts."""
        with self._lock:
            self.usages[name] = Usage(name, pid)

    def add_when_seen(self, name: str, within: str, word: str) -> None:
        """Measure apart the process of another one's tree whose command line has a word."""
        self._apart[name] = (within, word)

    def look(self) -> None:
        """Measure now."""
        with self._lock:
            processes = dict(_processes())
            self._find(processes)
            for usage in self.usages.values():
                others = {each.pid for each in self.usages.values() if each.within == usage.name}
                members = [pid for pid in processes if _is_below(pid, usage.pid, processes)]
                within = sum(each.cpu_seconds for each in self.usages.values() if each.within == usage.name)
                # Who waits for a child that has ended has its time from then on.
                spent = sum(processes[pid].own + processes[pid].children for pid in members)
                usage.cpu_seconds = max(usage.cpu_seconds, spent - within)
                apart = [pid for pid in members if any(_is_below(pid, other, processes) for other in others)]
                usage.peak_bytes = max(usage.peak_bytes, sum(map(_memory, set(members) - set(apart))))

    def _find(self, processes: dict[int, _Process]) -> None:
        for name, (within, word) in self._apart.items():
            for pid, process in processes.items():
                if (
                    name not in self.usages
                    and word in process.command
                    and _is_below(pid, self.usages[within].pid, processes)
                ):
                    self.usages[name] = Usage(name, pid, within)

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            self.look()


def _is_below(pid: int, root: int, processes: dict[int, _Process]) -> bool:
    while pid in processes:
        if pid == root:
            return True
        pid = processes[pid].parent
    return False


def _processes() -> Iterator[tuple[int, _Process]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                # The name, in parentheses, may hold anything.
                words = (folder / "stat").read_text().rpartition(")")[2].split()
                own, children = (sum(map(int, words[at : at + 2])) / _TICKS for at in (11, 13))
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield int(folder.name), _Process(int(words[1]), own, children, command)


def _memory(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
