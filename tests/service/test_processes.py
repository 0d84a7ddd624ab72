"""A node as a process: what it holds of large updates, what a kill leaves, what it writes into its log."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from fedblocks.rollup.actions import CommitUpdate, Reveal, sign_action
from fedblocks.rollup.arriving import sweep_spool
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.progress import Phase, RoundRecord
from fedblocks.rollup.records import ActionKind, InstanceRecord
from fedblocks.rollup.sequencer import instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import encode_vector
from fedblocks.service.client import MpsClient
from fedblocks.types import Seat
from tests.rollup.cohort import SmallCohort
from tests.rollup.instance import AGGREGATOR, USER
from tests.service.running import PASSPHRASE, NodeProcess
from tests.service.sending import body_of, reveal_headers

MEBI = 1 << 20
D = 32 * MEBI
"""An update of 64 MiB."""


class LargeInstance:
    """An instance of a large model, as far as intake knows it: the model itself is nowhere."""

    def __init__(self, folder: Path, d: int, url: str = "", n: int = 4, sending: int = 2) -> None:
        cohort = SmallCohort(n)
        self.signers, self.domain = cohort.signers, cohort.context.domain
        self.url, self.blobs = url or f"sqlite:///{folder}/rollup.sqlite", BlobStore(f"file://{folder}/blobs")
        self.store, self.key = RollupStore(self.url), instance_key(cohort.context)
        record = InstanceRecord(
            key=self.key,
            user=USER.address,
            aggregator=AGGREGATOR.address,
            cohort=cohort.context.cohort,
            d=d,
            max_epochs=5,
            rules=cohort.context.rules.words(),
            genesis_hash=cohort.context.genesis_hash,
        )
        self.store.add_instance(record)
        self.store.acquire_writer(self.key, AGGREGATOR.address)
        self.store.rounds.begin(self.key, RoundRecord(1, 0, bytes(32), bytes(32)))
        self.updates = {seat: np.full(d, seat, dtype=np.int16) for seat in range(sending)}
        self.reveals = {
            seat: Reveal(Seat(seat), update, 10, bytes([100 + seat] * 32)) for seat, update in self.updates.items()
        }

    def commit(self, client: MpsClient, seat: int) -> CommitUpdate:
        commitment = self.reveals[seat].commitment(self.signers[seat].address)
        action = CommitUpdate(self.key.instance_id, 1, 0, bytes(32), commitment)
        signature = sign_action(action, self.domain, self.signers[seat])
        client.commit(self.domain, action, signature, AGGREGATOR.address)
        return action

    def close(self) -> None:
        self.store.rounds.move(self.key, 1, 0, Phase.CLOSED)
        self.store.rounds.fix_commits(self.key, 1, 0, bytes(31) + b"\1")

    def revealed(self) -> list[int]:
        return [record.seat for record in self.store.actions(self.key, 1, 0, ActionKind.REVEAL)]


class Watched:
    """The most that a process holds while something is done."""

    def __init__(self, node: NodeProcess) -> None:
        self._node, self._done = node, threading.Event()
        self.before = self.most = node.resident_bytes
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        return self.most - self.before

    def _look(self) -> None:
        while not self._done.wait(0.01):
            self.most = max(self.most, self._node.resident_bytes)


@pytest.fixture
def large(tmp_path) -> LargeInstance:
    return LargeInstance(tmp_path, D)


def test_large_updates_stream_through_and_a_kill_in_the_middle_leaves_nothing(large, tmp_path):
    with NodeProcess(tmp_path, large.url, large.blobs) as node, MpsClient(node.url, pause=0.05) as client:
        actions = {seat: large.commit(client, seat) for seat in (0, 1)}
        large.close()
        assert half_sent_and_killed(node, actions[0], large.reveals[0])
        assert large.revealed() == []
        (left,) = large.blobs.spool.iterdir()
        assert left.stat().st_size > 0

        node.start()
        # The first one loads what it needs; the second shows what one takes.
        client.reveal(large.domain, actions[0], large.reveals[0], AGGREGATOR.address)
        with Watched(node) as upload:
            client.reveal(large.domain, actions[1], large.reveals[1], AGGREGATOR.address)
        assert large.revealed() == [0, 1]
        assert upload.grown < 16 * MEBI, f"the node has grown by {upload.grown / MEBI:.0f} MiB"

        stored, _ = large.store.actions(large.key, 1, 0, ActionKind.REVEAL)
        with Watched(node) as download:
            file = client.fetch(stored.update_blob, tmp_path / "update")
        assert file.read_bytes() == encode_vector(large.updates[0])
        assert download.grown < 16 * MEBI, f"the node has grown by {download.grown / MEBI:.0f} MiB"

        assert sweep_spool(large.blobs, older_than=0) == [left]
        node.stop()
        written = node.log.read_text()
        assert "POST /v1/instances/{instance}/reveals 200" in written
        for secret in (PASSPHRASE, AGGREGATOR._account.key.hex(), *(r.salt.hex() for r in large.reveals.values())):
            assert secret not in written


def half_sent_and_killed(node: NodeProcess, action: CommitUpdate, reveal: Reveal) -> bool:
    """Send half of an update, wait until some of it is on the disk, and kill the node."""
    body, at = body_of(reveal), urlsplit(node.url)
    head = "".join(f"{name}: {value}\r\n" for name, value in reveal_headers(action, reveal).items())
    with socket.create_connection((at.hostname, at.port), timeout=20) as connection:
        path = f"/v1/instances/{action.instance_id}/reveals"
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode())
        connection.sendall(body[: len(body) // 2])
        while "fedblocks_update_bytes_received_total 0.0" in node.http.get("/metrics").text:
            time.sleep(0.01)
        node.kill()
    return node.process.returncode < 0
