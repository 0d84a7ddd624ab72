"""A process that makes payments through an outbox, to be killed at any moment.

To start Python and load web3 takes seconds, so one process loads everything and then forks a payer for each line of
JSON on its standard input; it answers with the payer's process number. A payer writes how it ended to a file; one that
was killed does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from fedblocks.chain.connection import Connection
from fedblocks.chain.node import MNEMONIC
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_steps import OutboxSettings
from fedblocks.chain.retries import Retries
from fedblocks.chain.signers import LocalSigner
from fedblocks.storage.leases import LeaseTaken
from tests.faults.payments import Payments


def run(job: dict[str, Any]) -> str:
    """Make the payments of a job; how it ended."""
    from eth_account import Account
    from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

    path = f"m/44'/60'/0'/0/{job['account']}"
    signer = LocalSigner(Account.from_key(key_from_seed(seed_from_mnemonic(MNEMONIC, ""), path)))
    connection = Connection.open(job["url"], timeout=2.0, retries=Retries(first_pause=0.005))
    settings = OutboxSettings(
        confirmations=job.get("confirmations", 0), resend_after=0.05, fill_gap_after=0.3, longest_pause=0.1
    )
    try:
        box = Outbox.open(
            job["database"], connection, signer, settings, wait=job.get("wait", 0.0), lease_seconds=job.get("lease", 5)
        )
    except LeaseTaken as error:
        return f"refused: {error}"
    with box:
        Payments(job["name"], job["count"]).make(box)
        if left := box.settle(timeout=10):
            return f"left: {[intent.meaning for intent in left]}"
    return "done"


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                text = run(job)
            except BaseException as error:
                text = f"{type(error).__name__}: {error}"
            end = Path(job["result"])
            end.with_suffix(".part").write_text(text, encoding="utf-8")
            end.with_suffix(".part").rename(end)
            os._exit(0)
        print(pid, flush=True)


class Payers:
    """Starts payers, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def __enter__(self) -> Payers:
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.payer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def start(self, **job: Any) -> Payer:
        """Start a payer."""
        self._count += 1
        result = self._folder / f"payer-{self._count}"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(job | {"result": str(result)}), file=self._process.stdin, flush=True)
        return Payer(int(self._process.stdout.readline()), result)


class Payer:
    """One payer's process."""

    def __init__(self, pid: int, result: Path) -> None:
        self.pid, self._result = pid, result

    def kill(self) -> None:
        """Kill it, as kill -9 does; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 60.0) -> str | None:
        """How it ended; None if it was killed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            gone = not self._runs()
            if self._result.exists():
                return self._result.read_text(encoding="utf-8")
            if gone:
                return None
            time.sleep(0.005)
        raise TimeoutError(f"the payer {self.pid} does not end")

    def _runs(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


if __name__ == "__main__":
    main()
