"""A Flower network of real processes: a SuperLink, SuperNodes, and apps that are run on them.

Flower needs an environment of its own (see docs/flower.md), so that everything of it runs as a process of that
environment and nothing of it is imported here.

``python -m tests.flower`` runs the quickstart example on such a network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FEDBLOCKS_FLOWER_BIN", ROOT / ".venv-flower" / "bin"))
_START_SECONDS = 60
_NAME = "FLOWER_PROCESS"
_PORTS = range(15000, 30000)


def is_installed() -> bool:
    """Whether Flower's environment is there."""
    return (BIN / "flower-superlink").is_file()


class FlowerNetwork:
    """A SuperLink with SuperNodes, in a folder of its own; :func:`flower_network` starts and stops it.

    Args:
        folder: for Flower's own files and for what the processes say.
        environment: variables for all processes, beside those that keep Flower to itself.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes: dict[int, subprocess.Popen[bytes]] = {}
        self.superlink: subprocess.Popen[bytes] | None = None
        home = folder / "flwr"
        home.mkdir(parents=True)
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "local"\n\n[superlink.local]\naddress = "{self.address}"\ninsecure = true\n'
        )
        self.environment = {
            **{name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH") if name in os.environ},
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(folder),
            "FLWR_HOME": str(home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }

    def start_superlink(self, *, simulation: bool = False) -> None:
        """Start the SuperLink and wait until it listens; one for simulations has no SuperNodes."""
        host, port = self.address.split(":")
        self.superlink = self._start(
            "superlink",
            "flower-superlink",
            *("--insecure", "--host", host, "--port", port, "--disable-runtime-dependency-installation"),
            *(["--simulation"] if simulation else []),
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            if time.monotonic() > deadline or self.superlink.poll() is not None:
                raise RuntimeError(f"the SuperLink did not start: {self.log('superlink')[-2000:]}")
            time.sleep(0.1)

    def start_node(self, number: int, settings: Path, partitions: int) -> None:
        """Start the SuperNode of a client, which trains partition `number`."""
        config = f'partition-id={number} num-partitions={partitions} fedblocks="{settings}"'
        self.nodes[number] = self._start(
            f"node-{number}",
            "flower-supernode",
            *("--insecure", "--superlink", self.address, "--port", str(free_port()), "--node-config", config),
        )

    def kill_node(self, number: int) -> None:
        """End a SuperNode, and whatever it has started, at once (SIGKILL)."""
        process = self.nodes.pop(number)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _kill_all(f"{self.folder}/node-{number}")

    def run(self, app: Path, *, timeout: float = 300, simulate: int = 0, **config: str | int) -> str:
        """Run an app to its end; what its log says. `simulate` nodes are virtual, of Flower's simulation engine.

        Raises:
            RuntimeError: if the run does not end well.
        """
        return self.finish(self.begin(app, simulate=simulate, **config), timeout)

    def begin(self, app: Path, *, simulate: int = 0, **config: str | int) -> subprocess.Popen[bytes]:
        """Begin to run an app; :meth:`finish` waits for it."""
        written = " ".join(
            f"{name.replace('_', '-')}={value}" if isinstance(value, int) else f"{name.replace('_', '-')}='{value}'"
            for name, value in config.items()
        )
        federation = f"num-supernodes={simulate} client-resources-num-cpus=1 init-args-num-cpus=1"
        return self._start(
            "run",
            *("flwr", "run", str(app), "local", "--stream", "--run-config", written),
            *(["--federation-config", federation] if simulate else []),
        )

    def finish(self, run: subprocess.Popen[bytes], timeout: float = 300) -> str:
        """Wait for a run to end; what its log says."""
        try:
            run.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            raise RuntimeError(f"the run did not end in {timeout} seconds: {self.log('run')[-4000:]}") from None
        said = self.log("run")
        if run.returncode or "Exit Code" in said or "Successfully started run" not in said:
            raise RuntimeError(f"the run ended with {run.returncode}: {said[-4000:]}\n{self.log('superlink')[-4000:]}")
        return said

    def log(self, name: str) -> str:
        """What a process has said so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End all processes."""
        processes = [*self.nodes.values(), *([self.superlink] if self.superlink else [])]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _kill_all(str(self.folder))

    def _start(self, name: str, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            # A group of its own, so that Ctrl-C in a terminal reaches the tests first.
            return subprocess.Popen(
                [str(BIN / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, _NAME: f"{self.folder}/{name}"},
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )


@contextmanager
def flower_network(
    folder: Path, settings: Mapping[int, Path], environment: Mapping[str, str] | None = None
) -> Iterator[FlowerNetwork]:
    """A running network.

    Args:
        folder: for its files.
        settings: the client's settings of each partition.
        environment: variables for all processes.
    """
    network = FlowerNetwork(folder, environment)
    try:
        network.start_superlink()
        for number, path in settings.items():
            network.start_node(number, path, len(settings))
        yield network
    finally:
        network.stop()


@contextmanager
def flower_simulation(folder: Path, clients: Path) -> Iterator[FlowerNetwork]:
    """A SuperLink that simulates its nodes.

    Args:
        folder: for its files.
        clients: the folder with the clients' settings, ``0.toml`` and so on.
    """
    network = FlowerNetwork(folder, {"FEDBLOCKS_CLIENTS": str(clients), "RAY_USAGE_STATS_ENABLED": "0"})
    try:
        network.start_superlink(simulation=True)
        yield network
    finally:
        network.stop()


def _die_with_parent() -> None:
    # PR_SET_PDEATHSIG of prctl(2): a run that is killed leaves no processes behind; what they started ends with them.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _kill_all(name: str) -> None:
    """Kill a process of Flower's and what it has started, or, by the name of their folder, those of a network.

    What Flower starts for each message is in groups of its own, and some of it outlives who has started it.
    """
    wanted = f"{_NAME}={name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if any(each == wanted or each.startswith(wanted + b"/") for each in variables):
                os.kill(int(folder.name), signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens at, nor is given by chance."""
    # Below those that the system gives to whoever connects: it takes seconds until Flower listens, and one of theirs
    # would be somebody's by then.
    for port in random.sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError(f"no port from {_PORTS.start} to {_PORTS.stop} is free")
