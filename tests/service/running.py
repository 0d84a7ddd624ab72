"""A node that listens, in a thread of the test's process, and one in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from eth_account import Account

from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.blobs import BlobStore
from fedblocks.service.app import create_app
from fedblocks.service.server import NodeServer, make_server
from fedblocks.service.settings import ServiceSettings
from tests.rollup.cohort import signer
from tests.rollup.instance import AGGREGATOR

PASSPHRASE = "a passphrase that must not be seen"


def listening() -> socket.socket:
    """A socket on a free port."""
    return socket.create_server(("127.0.0.1", 0))


class ThreadedNode:
    """A node in a thread; the store is reached by its URL, as another process would."""

    def __init__(
        self,
        store_url: str,
        blobs: BlobStore,
        settings: ServiceSettings | None = None,
        account: LocalSigner | None = AGGREGATOR,
    ) -> None:
        self.app = create_app(store_url, blobs.url, account, settings)
        self._socket = listening()
        host, port = self._socket.getsockname()
        self.address = (host, port)
        self.url = f"http://{host}:{port}"
        self.server: NodeServer = make_server(self.app, host, port)
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> ThreadedNode:
        self._thread.start()
        while not self.server.started:
            time.sleep(0.005)
        self.http = httpx.Client(base_url=self.url, timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.app.state.serving.stopping.set()
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()


class NodeProcess:
    """`fedblocks node` as people start it."""

    def __init__(self, folder: Path, store_url: str, blobs: BlobStore, *options: str) -> None:
        self.log = folder / f"node-{os.urandom(4).hex()}.log"
        keyfile, passphrase = folder / "aggregator.json", folder / "passphrase"
        # One round of the key derivation: this key is nobody's.
        keyfile.write_text(json.dumps(Account.encrypt(AGGREGATOR._account.key, PASSPHRASE, kdf="pbkdf2", iterations=1)))
        passphrase.write_text(PASSPHRASE + "\n")
        with listening() as probe:
            host, port = probe.getsockname()
        self.url = f"http://{host}:{port}"
        self.command = [
            *(sys.executable, "-m", "fedblocks.cli.node", "--store", store_url, "--data", blobs.url),
            *("--listen", f"{host}:{port}", "--account", str(keyfile), "--passphrase-file", str(passphrase)),
            *options,
        ]

    def __enter__(self) -> NodeProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        self.http = httpx.Client(base_url=self.url, timeout=20)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    def kill(self) -> None:
        """End it as a power failure would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Tell it to stop, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    @property
    def resident_bytes(self) -> int:
        """What it holds of the memory that it could not give back, by the system's account."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (anonymous,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
        return int(anonymous.split()[1]) * 1024


__all__ = ["NodeProcess", "ThreadedNode", "signer"]
