"""The chain's clock between two blocks.

Windows and unbonding periods end by the chain's clock, which moves only with its blocks. A countdown that is to move
every second runs on an estimate: the newest block's time plus what has passed here since that block was read. It is
only ever shown; whether something is due is decided by the chain.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class ChainClock:
    """An estimate of the chain's time."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """Make a clock.

        Args:
            wall: this machine's clock, in seconds since 1970.
        """
        self.wall = wall
        self._timestamp: int | None = None
        self._read_at = 0.0

    def set(self, timestamp: int | None) -> None:
        """Take over a block's time, unless it is one that is known: the same block read again is no later."""
        if timestamp is not None and timestamp != self._timestamp:
            self._timestamp, self._read_at = timestamp, self.wall()

    def now(self) -> float:
        """The chain's time; this machine's while no block is known."""
        if self._timestamp is None:
            return self.wall()
        return self._timestamp + max(0.0, self.wall() - self._read_at)
