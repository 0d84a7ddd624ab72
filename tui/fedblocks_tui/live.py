"""The feed of a running chain: the index first, then the node, again and again.

What the index holds is shown before anybody has been asked anything, so that the first screen does not wait for a node.
A node that goes away is asked again at every turn; until it answers, the index's data stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import Health, HealthState
from fedblocks.types import Address
from fedblocks_tui.calm import without_collecting
from fedblocks_tui.picture import Picture, take

if TYPE_CHECKING:
    from fedblocks.monitor.indexer import Progress
    from fedblocks.monitor.monitor import Monitor

T = TypeVar("T")

REREAD_AFTER = 15.0
"""Seconds after which a picture is taken anew although no event came: what is due by the clock may have changed."""

_CONNECTING = Health(
    state=HealthState.LOADING,
    head=None,
    head_timestamp=None,
    indexed=None,
    data_age=0.0,
    text="from the index; connecting to the node",
)


class NothingYet(FedBlocksError, LookupError):
    """There is neither an index nor a node to show anything from."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing is indexed yet, and {why}")


class LiveFeed:
    """A deployment through a node.

    Args:
        label: what is looked at.
        open_index: opens what is indexed already, without any node; raises if there is nothing.
        connect: opens the same index with the node.
        account: whose rewards are wanted too.
        watcher: says what the watcher's journal says.
        interval: seconds from one look to the next.
    """

    def __init__(
        self,
        label: str,
        open_index: Callable[[], Monitor],
        connect: Callable[[], Monitor],
        *,
        account: Address | None = None,
        watcher: Callable[[], str | None] = lambda: None,
        interval: float = 2.0,
    ) -> None:
        self.label = label
        self.interval = 0.0
        self._later = interval
        self._open_index, self._connect = open_index, connect
        self._account, self._watcher = account, watcher
        self._monitor: Monitor | None = None
        self._connected = False
        self._last: Picture | None = None
        self._taken_at = 0.0

    def poll(self, say: Callable[[Health], None]) -> Picture:
        """Show the index at first; then read what is new."""
        if self._monitor is None and self._last is None:
            picture = self._from_index()
            if picture is not None:
                return picture
        if self._monitor is not None and self._last is not None and not self._last.complete:
            return self._take(self._monitor, _CONNECTING)
        self.interval = self._later
        try:
            changed = self._update(say)
        except FedBlocksError as error:
            return self._still(self._trouble(str(error)))
        monitor = self._monitor
        assert monitor is not None
        if self._last is None or changed or time.monotonic() - self._taken_at > REREAD_AFTER:
            return self._take(monitor, monitor.health())
        self._last = replace(self._last, health=monitor.health(), watcher=self._watcher())
        return self._last

    def _from_index(self) -> Picture | None:
        try:
            self._monitor = self._open_index()
        except FedBlocksError:
            return None  # there is nothing yet: the node will tell
        return self._take(self._monitor, _CONNECTING, complete=False)

    def _update(self, say: Callable[[Health], None]) -> bool:
        """Connect if need be, and bring the index up to date; whether anything changed."""
        if not self._connected:
            connected = self._connect()
            if self._monitor is not None:
                self._monitor.close()
            self._monitor, self._connected = connected, True
        monitor = self._monitor
        assert monitor is not None
        own = None if self._last is None else self._last.own

        def progress(each: Progress) -> None:
            say(monitor.health())

        update = monitor.update(progress)
        with monitor.snapshot() as snapshot:
            sent = snapshot.own_transactions()
        return bool(update.new_events or update.rolled_back or update.new_scores) or sent != own

    def _trouble(self, text: str) -> Health:
        if self._connected and self._monitor is not None:
            health = self._monitor.health()
            if health.state is not HealthState.HEALTHY:
                return health
        last = _CONNECTING if self._last is None else self._last.health
        return replace(last, state=HealthState.DISCONNECTED, text=text)

    def _still(self, health: Health) -> Picture:
        if self._last is None:
            raise NothingYet(health.text)
        self._last = self._last.with_health(health)
        return self._last

    def _take(self, monitor: Monitor, health: Health, *, complete: bool = True) -> Picture:
        self._taken_at = time.monotonic()
        with without_collecting(), monitor.snapshot() as snapshot:
            self._last = take(snapshot, health, account=self._account, watcher=self._watcher(), complete=complete)
        return self._last

    def read(self, look: Callable[[Snapshot], T]) -> T:
        """Read a detail of the index as it is now."""
        monitor = self._monitor
        if monitor is None:
            raise NothingYet("the node has not answered")
        with monitor.snapshot() as snapshot:
            return look(snapshot)

    def note_sent(self, transaction_hash: bytes, sender: Address, what: str, value: int) -> None:
        """Write an own transaction into the index's journal, before any node has it."""
        from fedblocks.types import Hash32, Wei

        if self._monitor is not None:
            self._monitor.journal.note_sent(Hash32(transaction_hash), sender, what, Wei(value))

    def close(self) -> None:
        """Close the index."""
        if self._monitor is not None:
            self._monitor.close()
