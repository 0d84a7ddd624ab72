"""A PostgreSQL server of one's own: started for a demo or a test, and gone with it.

It listens on a socket in a folder that only its owner can enter, and on no network. It forces nothing to the disk: what
is in it survives the end of its process, also a violent one, but not a power failure. PostgreSQL refuses to run as
root; then it is run as the system's user ``postgres``, or as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from fedblocks.exceptions import FedBlocksError

_START_SECONDS = 30.0
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "logging_collector": "off",
}

# The shell lives as long as its standard input, which this process holds: however this process ends, SIGKILL included,
# the pipe closes, and the server is stopped at once.
_KEEPER = 'exec 3<&0; "$@" </dev/null & p=$!; { cat <&3 >/dev/null; kill -QUIT $p 2>/dev/null; } & exec 3<&-; wait $p'


class PostgresMissing(FedBlocksError, FileNotFoundError):
    """There is no PostgreSQL server on this machine."""

    def __init__(self) -> None:
        super().__init__("initdb and postgres were not found; install PostgreSQL's server (apt install postgresql)")


class PostgresFailed(FedBlocksError, RuntimeError):
    """PostgreSQL did not start."""

    def __init__(self, output: str) -> None:
        super().__init__(f"PostgreSQL did not start; it said: {output.strip()[-2000:] or '(nothing)'}")


def find_postgres() -> Path:
    """The folder with ``initdb`` and ``postgres``: PATH's, else the newest of Debian's.

    Raises:
        PostgresMissing: if there is none.
    """
    if (found := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(found).parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name)):
        if (folder / "initdb").is_file():
            return folder
    raise PostgresMissing


class PostgresServer:
    """A running PostgreSQL, as a context manager.

    >>> with PostgresServer() as server:  # doctest: +SKIP
    ...     RollupStore(server.url())
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()

    def start(self) -> PostgresServer:
        """Make the cluster if there is none, start the server and wait until it answers.

        Raises:
            PostgresMissing: if there is no server on this machine.
            PostgresFailed: if it does not start.
        """
        if self._process is not None:
            return self
        programs = find_postgres()
        if self._folder is None:
            # Not in TMPDIR: the path of a socket has at most 107 bytes.
            self._folder = Path(tempfile.mkdtemp(prefix="fedblocks-pg-", dir="/tmp"))
            if self._user is not None:
                os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            made = subprocess.run(
                [
                    *(programs / "initdb", "--pgdata", self._folder / "data", "--username", "fedblocks"),
                    *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
                ],
                capture_output=True,
                check=False,
                **self._as_user(),
            )
            if made.returncode:
                raise PostgresFailed((made.stdout + made.stderr).decode(errors="replace"))
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "postgres", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Stop the server as a crash would, and keep its data; :meth:`start` starts it again."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_START_SECONDS)
        self._process = None

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://fedblocks@/{database}?host={self._folder}"

    def __enter__(self) -> PostgresServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self) -> None:
        assert self._folder is not None
        assert self._process is not None
        lock, end = self._folder / "data" / "postmaster.pid", time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            # The eighth line of the server's own file is its state.
            lines = lock.read_text().splitlines() if lock.is_file() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        output = (self._folder / "log").read_text(errors="replace")
        self._process.send_signal(signal.SIGTERM)
        self._process = None
        raise PostgresFailed(output)

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "cwd": "/"}


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs the server: None for whoever this is, another user for root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresFailed("it must not be run by root, and this system has neither a user postgres nor nobody")
