"""The network: everybody a process of its own, led from an open job to the last payment.

    with Stage(folder, cast, epochs=8, target_ppm=960_000) as stage:
        stage.play(show=print)

Four kinds of processes share nothing but what they are told of each other: the chain, PostgreSQL, a folder of blobs,
and Flower's addresses. On a development chain time stands still; the stage lets a challenge window pass when the
watcher has looked at every posted epoch, and stops the job, as its user, when it has reached its target.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import httpx

from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.header import Header
from fedblocks.service.client import MpsClient, NodeProblem
from fedblocks.service.schemas import HeaderEntry, from_hex
from fedblocks.storage.postgres import PostgresServer
from tests.flower.network import FlowerNetwork, free_port
from tests.flower.scene import FIRST_CLIENT, PARAMETERS, Scene, open_scene, write_keyfile
from tests.network.cast import APP, Cast
from tests.network.usage import Meter
from tests.operating.network import Process

SERVER_APP = "flwr-serverapp"
"""What the command line of the process of a ServerApp has in it."""

Show = Callable[[str], None]


class NotStarted(RuntimeError):
    """A process did not come up, or has ended while it was needed."""


class Stage:
    """A network that is started by entering it, and gone when it is left.

    Args:
        folder: for everybody's files.
        cast: who takes part.
        epochs: how many the user pays for.
        target_ppm: the accuracy at which to stop.
        seconds: how long the whole may take.
    """

    def __init__(self, folder: Path, cast: Cast, *, epochs: int, target_ppm: int, seconds: float = 600) -> None:
        self.folder, self.cast, self.epochs, self.target = folder, cast, epochs, target_ppm
        self.levels: dict[int, list[str]] = {}
        """How certain each epoch was, as the node said, in the order in which that was seen."""
        self.meter = Meter()
        self._seconds = seconds

    def __enter__(self) -> Stage:
        self._exit = ExitStack()
        with ExitStack() as stack:
            self._start(stack)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    @property
    def blobs_url(self) -> str:
        return f"file://{self.scene.aggregator_settings.parent / 'blobs'}"

    @property
    def watcher_account(self) -> LocalSigner:
        return self.scene.node.signer(FIRST_CLIENT + len(self.cast.parts))

    @property
    def logs(self) -> Iterator[Path]:
        """What everybody has said. (PostgreSQL's lies where only its own user may look, unless that is root.)"""
        yield from self.folder.rglob("*.log")
        yield self.postgres_log

    @property
    def mps(self) -> MpsClient:
        """A connection to the node."""
        return MpsClient(self.service_url)

    def play(self, show: Show) -> None:
        """Train until the target is reached, and stay until the aggregator has settled and ended.

        Raises:
            RuntimeError: if the app's run does not end well, or in time.
        """
        end = time.monotonic() + self._seconds
        run = self.flower.begin(
            APP,
            aggregator=str(self.scene.aggregator_settings),
            num_server_rounds=self.epochs,
            seed=self.cast.seed,
            nodes=len(self.cast.parts),
        )
        self.meter.add("flwr run", run.pid)
        while run.poll() is None and time.monotonic() < end:
            self._tick(show)
            self._see_that_all_run()
            time.sleep(0.2)
        self.flower.finish(run, max(1.0, end - time.monotonic()))
        self._tick(show)
        self._let_the_watcher_look(end)
        self.meter.look()

    def reports(self) -> list[dict[str, object]]:
        """What the watcher has reported."""
        return [json.loads(line) for line in self.watcher.log.read_text().splitlines() if line.startswith("{")]

    def _start(self, stack: ExitStack) -> None:
        strangers = 1  # the watcher
        scene = {**self.cast.scene, "epochs": self.epochs, "target_ppm": self.target, "strangers": strangers}
        self.scene: Scene = stack.enter_context(open_scene(self.folder / "scene", **scene))
        self.postgres = stack.enter_context(PostgresServer())
        assert self.postgres._folder is not None
        self.postgres_log = self.postgres._folder / "log"
        self._write_files()
        stack.enter_context(self.meter)
        self.node, self.watcher = self._node(), self._watch()
        for process in (self.node, self.watcher):
            stack.callback(process.kill)
            process.start()
        self.flower = FlowerNetwork(self.folder / "flower", {"DIGITS": str(self.folder / "digits")})
        stack.callback(self.flower.stop)
        self.flower.start_superlink()
        for number in range(len(self.cast.parts)):
            self.flower.start_node(number, self.scene.client_settings(number), len(self.cast.parts))
        self._measure()
        self._wait_for_the_node()

    def _write_files(self) -> None:
        self.cast.write(self.folder / "digits")
        path = self.scene.aggregator_settings
        lines = [line for line in path.read_text().splitlines() if not line.startswith("store ")]
        lines += [f"store = {json.dumps(self.postgres.url())}", "settle = true", "chain_seconds = 1"]
        path.write_text("\n".join(lines) + "\n")
        write_keyfile(self.folder / "watcher.json", self.watcher_account)

    def _node(self) -> Process:
        address = f"127.0.0.1:{free_port()}"
        self.service_url = f"http://{address}"
        key = self.scene.aggregator_settings.parent / "key.json"
        command = ["-m", "fedblocks.cli.node", "--store", self.postgres.url(), "--data", self.blobs_url]
        return Process("node", (*command, "--listen", address, *self._account(key)), self.folder)

    def _watch(self) -> Process:
        program = Path(sys.executable).with_name("fedblocks")
        deployment = self.scene.folder / "deployment.json"
        command = [str(program), "watch", "--network", self.scene.node.url, "--deployment", str(deployment)]
        command += ["--data", self.blobs_url, "--journal", str(self.folder / "watch.jsonl"), "--interval", "0.5"]
        return Process("watcher", (*command, "--json", *self._account(self.folder / "watcher.json")), self.folder)

    def _account(self, key: Path) -> tuple[str, ...]:
        return "--account", str(key), "--passphrase-file", str(self.scene.folder / "passphrase")

    def _measure(self) -> None:
        assert self.scene.node._process is not None
        assert self.postgres._process is not None
        assert self.node.popen is not None
        assert self.watcher.popen is not None
        assert self.flower.superlink is not None
        self.meter.add("anvil", self.scene.node._process.pid)
        self.meter.add("PostgreSQL", self.postgres._process.pid)
        self.meter.add("node", self.node.popen.pid)
        self.meter.add("watcher", self.watcher.popen.pid)
        self.meter.add("SuperLink", self.flower.superlink.pid)
        self.meter.add_when_seen("aggregator", "SuperLink", SERVER_APP)
        for number, process in self.flower.nodes.items():
            self.meter.add(f"SuperNode {number}", process.pid)

    def _wait_for_the_node(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.node.is_running:
            try:
                if httpx.get(f"{self.service_url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise NotStarted(f"the node did not come up: {self.node.log.read_text()[-2000:]}")

    def _see_that_all_run(self) -> None:
        """Say at once who has ended too early: the others would wait for it until the time is up."""
        for number, process in self.flower.nodes.items():
            if process.poll() is not None:
                raise NotStarted(f"SuperNode {number} has ended: {self.flower.log(f'node-{number}')[-2000:]}")
        for process in (self.node, self.watcher):
            if not process.is_running:
                raise NotStarted(f"the {process.name} has ended: {process.log.read_text()[-2000:]}")

    def _tick(self, show: Show) -> None:
        headers = self._ask_the_node(show)
        chain, number = self.scene.user.chain, self.scene.job.instance_id
        instance = chain.instance(number)
        posted, final = instance.posted_epochs, instance.finalized_epochs
        if final == posted or self._reported("right") < posted:
            return
        reached = any(header.metric >= self.target for header in headers[:posted])
        if reached and not instance.stopped_at and posted < self.epochs:
            self.scene.user.jobs.stop(number)
            show(f"the user stops the job: the target is reached after {posted} of {self.epochs} paid epochs")
        due = chain.epoch(number, posted).posted_at + PARAMETERS.challenge_window
        if self.scene.node.connection.block().timestamp <= due:
            self.scene.node.increase_time(PARAMETERS.challenge_window + 1)
            show(f"the challenge window of epoch {posted} passes; the watcher has found nothing wrong")

    def _ask_the_node(self, show: Show) -> list[Header]:
        """The headers that the node serves; what is new about them is said."""
        headers = []
        for entry in self._entries():
            header = Header.decode(from_hex(entry.header))
            headers.append(header)
            levels = self.levels.setdefault(entry.epoch, [])
            if entry.level.value not in levels:
                levels.append(entry.level.value)
                show(f"epoch {entry.epoch}: {header.metric / 10_000:.2f} %, {entry.level.value}, {entry.header_hash}")
        return headers

    def _entries(self) -> list[HeaderEntry]:
        with self.mps as mps:
            try:
                return list(mps.headers(self.scene.job.instance_id))
            except NodeProblem as problem:
                if problem.status == 404:  # the aggregator has not begun yet
                    return []
                raise

    def _reported(self, what: str) -> int:
        """Of how many epochs the watcher has said this."""
        return len({report["epoch"] for report in self.reports() if report["what"] == what})

    def _let_the_watcher_look(self, end: float) -> None:
        posted = self.scene.user.chain.instance(self.scene.job.instance_id).posted_epochs
        while self._reported("final") < posted:
            if time.monotonic() > end:
                raise TimeoutError(
                    f"the watcher has not seen all epochs become final: {self.watcher.log.read_text()[-2000:]}"
                )
            time.sleep(0.2)
