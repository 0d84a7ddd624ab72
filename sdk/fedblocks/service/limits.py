"""What keeps a node alive: rates, threads that do not pile up, and an end to patience."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fedblocks.service.problems import Busy, TooManyRequests

T = TypeVar("T")

REMEMBERED = 20_000
"""Senders whose rate is remembered; the one that was heard of longest ago is forgotten first."""


class Rate:
    """A token bucket for each sender; safe to share between threads.

    Args:
        per_second: how many requests a sender may make for ever.
        burst: how many it may make at once after a pause.
        clock: tells seconds.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, sender: str, whose: str) -> None:
        """Count one request.

        Args:
            sender: who.
            whose: how an error calls it.

        Raises:
            TooManyRequests: if it was one too many.
        """
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.pop(sender, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._rate)
            allowed = tokens >= 1
            self._buckets[sender] = (tokens - 1 if allowed else tokens, now)
            while len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyRequests(whose, (1 - tokens) / self._rate)


class Slots:
    """So many at a time; whoever comes when all are taken is sent away, not kept waiting."""

    def __init__(self, count: int, full: str) -> None:
        self.taken, self._count, self._full = 0, count, full

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Busy: if there is none.
        """
        if self.taken >= self._count:
            raise Busy(self._full)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class Workers:
    """Threads for what waits on a disk or a database; the event loop never does.

    Args:
        threads: how many.
        waiting: how many calls may wait for one of them.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="node")
        self._slots = Slots(threads + waiting, "too many requests wait for the node's storage")

    @property
    def busy(self) -> int:
        """Calls that run or wait."""
        return self._slots.taken

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in a thread.

        Raises:
            Busy: if too many calls wait already.
        """
        with self._slots.one():
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Let what runs end, and start nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
