"""An EVM node of one's own: anvil, started for a demo or a test, and gone with it.

Two runs with the same transactions see the same chain, down to the block hashes: the genesis block has a fixed time,
and each block comes one second after the one before it, whatever the clock on the wall says. Days pass by
:meth:`Anvil.increase_time`, never by sleeping.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path
from types import TracebackType

from eth_account import Account
from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

from fedblocks.chain.connection import Connection
from fedblocks.chain.signers import LocalSigner
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Timestamp

GENESIS_TIME = Timestamp(1_700_000_000)
LOCAL_CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
"""anvil's own phrase. Everyone knows these keys; they are worth nothing outside a development chain."""

_START_SECONDS = 20.0

# The shell lives as long as its standard input, which this process holds: however this process ends, SIGKILL included,
# the pipe closes, and anvil is stopped. It also ends when anvil does, with its exit status.
_KEEPER = 'exec 3<&0; "$@" </dev/null & p=$!; { cat <&3 >/dev/null; kill $p 2>/dev/null; } & exec 3<&-; wait $p'


class AnvilMissing(FedBlocksError, FileNotFoundError):
    """There is no anvil on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "anvil, the EVM node for development, was not found on PATH nor in node_modules; run `make setup` in a "
            "checkout, or install Foundry (https://getfoundry.sh), or run `npm install @foundry-rs/anvil@1.7.1`"
        )


class AnvilFailed(FedBlocksError, RuntimeError):
    """anvil did not start."""

    def __init__(self, output: str) -> None:
        super().__init__(f"anvil did not start; it said: {output.strip()[-2000:] or '(nothing)'}")


def find_anvil() -> Path:
    """Find anvil: on PATH, else in a node_modules folder above the working directory or above this package.

    Raises:
        AnvilMissing: if it is nowhere.
    """
    if found := shutil.which("anvil"):
        return Path(found)
    # npm's .bin/anvil is a script that needs node; the binary itself lies in the platform's package.
    system = {"Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "linux")
    cpu = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "amd64"
    binary = "anvil.exe" if system == "win32" else "anvil"
    inside = Path("node_modules", "@foundry-rs", f"anvil-{system}-{cpu}", "bin", binary)
    here = Path(__file__).resolve()
    for folder in (Path.cwd(), *Path.cwd().parents, *here.parents):
        if (folder / inside).is_file():
            return folder / inside
    raise AnvilMissing


class Anvil:
    """A running anvil, as a context manager.

    >>> with Anvil(accounts=3) as node:  # doctest: +SKIP
    ...     node.connection.balance(node.signer(0).address)
    """

    def __init__(
        self, *, accounts: int = 10, chain_id: int = LOCAL_CHAIN_ID, port: int = 0, arguments: tuple[str, ...] = ()
    ) -> None:
        """Describe a node; ``with`` or :meth:`start` starts it.

        Args:
            accounts: How many accounts with 10,000 ether each; :meth:`signer` holds their keys.
            chain_id: The chain id it serves.
            port: Where it listens; with 0 the system chooses a free one, so that tests do not race.
            arguments: More arguments of anvil's command line, such as ``("--hardfork", "berlin")``.
        """
        self.accounts = accounts
        self.chain_id = chain_id
        self._port = port
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        self._signers: dict[int, LocalSigner] = {}
        self.url = ""

    def start(self) -> Anvil:
        """Start the node and wait until it answers.

        Raises:
            AnvilMissing: if there is no anvil.
            AnvilFailed: if it does not start.
        """
        if self._process is not None:
            return self
        self.__dict__.pop("connection", None)  # a node that was stopped comes back at another port
        command = [
            str(find_anvil()),
            *("--port", str(self._port)),
            *("--chain-id", str(self.chain_id)),
            *("--accounts", str(self.accounts)),
            *("--mnemonic", MNEMONIC),
            *("--timestamp", str(GENESIS_TIME)),
            *self._arguments,
        ]
        keeper = ["/bin/sh", "-c", _KEEPER, "anvil-keeper"] if os.name == "posix" else []
        handle, name = tempfile.mkstemp(prefix="fedblocks-anvil-", suffix=".log")
        self._log = Path(name)
        with os.fdopen(handle, "wb") as log:
            # A session of its own, so that Ctrl-C in a terminal reaches the program first and not the node.
            self._process = subprocess.Popen(
                [*keeper, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.stop)
        try:
            self.url = f"http://127.0.0.1:{self._wait_for_port()}"
            # Without this, blocks take the time of the clock on the wall and no two runs are alike.
            self.connection.rpc("anvil_setBlockTimestampInterval", 1)
        except BaseException:
            self.stop()
            raise
        return self

    @cached_property
    def connection(self) -> Connection:
        """A connection to this node."""
        return Connection.open(self.url, chain_id=self.chain_id)

    def signer(self, index: int) -> LocalSigner:
        """The key of account `index`, 0 to `accounts` - 1."""
        if not 0 <= index < self.accounts:
            raise IndexError(f"this node was started with {self.accounts} accounts; there is no number {index}")
        if index not in self._signers:
            seed = seed_from_mnemonic(MNEMONIC, "")
            self._signers[index] = LocalSigner(Account.from_key(key_from_seed(seed, f"m/44'/60'/0'/0/{index}")))
        return self._signers[index]

    def increase_time(self, seconds: int) -> Timestamp:
        """Let `seconds` pass on the chain: mine a block that much later, and return its time."""
        latest = self.connection.block().timestamp
        self.connection.rpc("evm_setNextBlockTimestamp", latest + seconds)
        return self.mine()

    def mine(self, blocks: int = 1) -> Timestamp:
        """Mine empty blocks, and return the last one's time."""
        for _ in range(blocks):
            self.connection.rpc("evm_mine")
        return self.connection.block().timestamp

    def snapshot(self) -> str:
        """Remember the chain's state; :meth:`revert` goes back to it, once."""
        return str(self.connection.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot."""
        self.connection.rpc("evm_revert", snapshot)
        # A revert takes the clock back, but anvil keeps its offset to it.
        self.connection.rpc("anvil_setBlockTimestampInterval", 1)

    def stop(self) -> None:
        """Stop the node; nothing happens when it does not run."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            if os.name != "posix":
                process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                if os.name == "posix":
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    def _wait_for_port(self) -> int:
        assert self._process is not None
        assert self._log is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            # Whether it still runs is asked before its output is read, so that last words are not missed.
            ended = self._process.poll() is not None
            output = self._log.read_text(encoding="utf-8", errors="replace")
            if match := re.search(r"Listening on \S+?:(\d+)\s", output):
                return int(match[1])
            if ended or time.monotonic() > deadline:
                raise AnvilFailed(output)
            time.sleep(0.01)

    def __enter__(self) -> Anvil:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
