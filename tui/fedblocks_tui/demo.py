"""The feed of `--demo`: a recorded run, played in time lapse.

The recording holds the logs of a real run and what was published of its epochs. They go through the same index as those
of a live chain, in a folder that is deleted at the end; only the head of the chain moves as it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import Health
from fedblocks_tui.picture import Picture, take

if TYPE_CHECKING:
    from fedblocks.monitor.monitor import Monitor
    from fedblocks.monitor.recording import RecordedSource

T = TypeVar("T")

SECONDS = 45.0
"""How long a whole run takes to play."""


class RecordedFeed:
    """A recorded run.

    Args:
        recording: its file; the one that is shipped when left out.
        seconds: how long it plays; 0 shows its end at once.
        interval: seconds from one step to the next.
    """

    label = "demo: a recorded run"

    def __init__(self, recording: Path | None = None, *, seconds: float = SECONDS, interval: float = 0.5) -> None:
        self._path = recording or Path(str(files("fedblocks_tui") / "recording.jsonl.gz"))
        self.interval = interval
        self._steps = max(1, round(seconds / interval)) if seconds else 1
        self._step = 0
        self._folder = TemporaryDirectory(prefix="fedblocks-demo-")
        self._monitor: Monitor | None = None
        self._source: RecordedSource | None = None

    def _open(self) -> tuple[Monitor, RecordedSource]:
        from fedblocks.monitor.monitor import Monitor, index_database  # web3 takes a second; this is a worker
        from fedblocks.monitor.published import read_scores
        from fedblocks.monitor.recording import RecordedSource, Recording
        from fedblocks.rollup.blobs import BlobStore

        recording = Recording.load(self._path)
        blobs = BlobStore(f"file://{self._folder.name}/blobs")
        for blob in recording.blobs.values():
            blobs.put(blob)
        source = RecordedSource(recording, head=recording.logs[0].block)
        monitor = Monitor(
            source.subject,
            source,
            index_database(Path(self._folder.name) / "index.db"),
            read_scores=lambda epoch, instance, previous: read_scores(blobs, epoch, instance, previous),
        )
        return monitor, source

    def poll(self, say: Callable[[Health], None]) -> Picture:
        """Go one step on."""
        if self._monitor is None or self._source is None:
            self._monitor, self._source = self._open()
        if self._step < self._steps:
            self._step += 1
            moments = self._source.moments
            self._source.advance(moments[max(0, len(moments) * self._step // self._steps - 1)])
        self._monitor.update()
        with self._monitor.snapshot() as snapshot:
            return take(snapshot, self._monitor.health(), watcher="recorded: nobody watches now")

    def read(self, look: Callable[[Snapshot], T]) -> T:
        """Read a detail."""
        assert self._monitor is not None
        with self._monitor.snapshot() as snapshot:
            return look(snapshot)

    def close(self) -> None:
        """Delete the folder."""
        if self._monitor is not None:
            self._monitor.close()
        self._folder.cleanup()
