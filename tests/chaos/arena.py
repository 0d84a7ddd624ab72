"""A network that is played again and again from the same beginning: one chain, one open job, many fates.

The chain goes back to a snapshot between two runs; databases, blobs, states and logs are new each time. What has to
come out is computed once, by the engine in one process, undisturbed.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import create_engine, text

from fedblocks.chain.node import LOCAL_CHAIN_ID, Anvil
from fedblocks.rollup.watcher import Happening
from tests.chaos.processes import Child, Zygote
from tests.chaos.relay import StallingRelay
from tests.faults.proxy import FaultyNode
from tests.operating.network import AGGREGATOR, FIRST_CLIENT, WINDOW, Network

AGGREGATOR_ACCOUNT = AGGREGATOR

SEEN = (Happening.RIGHT, Happening.FINAL)
"""What a watcher has to say of each epoch."""
HARMLESS = (*SEEN, Happening.MISSING)
"""What a watcher may say when nobody lies: a blob may be gone for a while."""

OPEN = ("planned", "signed", "sent", "mined")
"""States in which the outbox still has something to do."""


@dataclass
class Setup:
    """How a run differs from an undisturbed one, from its beginning.

    Attributes:
        store: the database's URL; SQLite when left out.
        confirmations: how deep everybody wants a block to lie; blocks then come by themselves.
        timeout: seconds that everybody waits for an answer of the node.
        nodes: by role, the misbehaving node that it talks to.
        relay: by client, how to make the network between it and the service.
        skew: by role, what its clock is ahead by.
        piped: whether logs go through a pipe.
    """

    store: str | None = None
    confirmations: int = 0
    timeout: float = 10.0
    nodes: dict[str, FaultyNode] = field(default_factory=dict)
    relay: dict[str, Callable[[int], StallingRelay]] = field(default_factory=dict)
    skew: dict[str, float] = field(default_factory=dict)
    piped: bool = False


class Arena(Network):
    """The network of one lane.

    Args:
        folder: where the lane's files lie.
        zygote: makes its processes.
        lane: its number. Each has a chain id of its own: within a process, an account has one count of nonces a chain.
    """

    node: Child  # type: ignore[assignment]
    aggregator: Child  # type: ignore[assignment]
    clients: list[Child]  # type: ignore[assignment]
    watcher: Child

    def __init__(self, folder: Path, zygote: Zygote, *, lane: int = 0, clients: int = 4, epochs: int = 2) -> None:
        super().__init__(folder, clients=clients, epochs=epochs, local_steps=2, poll=0.1)
        self.anvil = Anvil(accounts=FIRST_CLIENT + clients + 1, chain_id=LOCAL_CHAIN_ID + lane)
        self._watcher_signer = self.anvil.signer(FIRST_CLIENT + clients)
        self._zygote, self._lane = zygote, folder
        self.relays: list[StallingRelay] = []
        self.setup = Setup()
        self.mining = True

    def __enter__(self) -> Arena:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.anvil.__enter__()
        try:
            self._open_job()
            self.first_block = self.anvil.connection.block_number()
            local = self._lane / "local"
            local.mkdir()
            self.reference = self.play_locally(local)
            self._base = self.anvil.snapshot()
        except BaseException:
            self.anvil.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.anvil.stop()

    @property
    def processes(self) -> list[Child]:  # type: ignore[override]
        return [self.node, self.aggregator, *self.clients, self.watcher]

    def begin(self, folder: Path, setup: Setup) -> None:
        """Take the chain back to the open job, and make everything else anew."""
        rpc = self.anvil.connection.rpc
        rpc("evm_setAutomine", True)
        self.anvil.revert(self._base)
        rpc("anvil_dropAllTransactions")
        self._base = self.anvil.snapshot()
        assert self.anvil.connection.block_number() == self.first_block, "the chain does not go back"
        folder.mkdir(parents=True)
        shutil.copy(self._lane / "deployment.json", folder)
        self.folder, self.setup, self.mining = folder, setup, True
        self.store_url = setup.store or f"sqlite:///{folder / 'rollup.sqlite'}"
        self.blobs_url = f"file://{folder / 'blobs'}"
        self._prepare()
        self.watcher = self._watch()
        port = int(self.service_url.rpartition(":")[2])
        for child in self.processes:
            child.skew, child.piped = setup.skew.get(child.name, 0.0), setup.piped
            file = folder / f"{child.name}.toml"
            if not file.is_file():
                continue
            written = file.read_text().replace(
                "[chain]\n", f"[chain]\nconfirmations = {setup.confirmations}\ntimeout = {setup.timeout}\n"
            )
            if child.name in setup.nodes:
                written = written.replace(self.anvil.url, setup.nodes[child.name].url)
            if child.name in setup.relay:
                relay = setup.relay[child.name](port)
                self.relays.append(relay)
                written = written.replace(self.service_url, f"http://127.0.0.1:{relay.port}")
            file.write_text(written)

    def end(self) -> None:
        """End what still runs."""
        for child in self.processes:
            child.kill()
        for relay in self.relays:
            relay.close()
        self.relays.clear()

    def tick(self) -> None:
        """Let a challenge window pass if an epoch waits for it."""
        chain, number = self.user.chain, self.job.instance_id
        instance = chain.instance(number)
        if instance.finalized_epochs < instance.posted_epochs:
            record = chain.epoch(number, instance.finalized_epochs + 1)  # type: ignore[arg-type]
            if self.anvil.connection.block().timestamp <= record.posted_at + WINDOW:
                self.anvil.increase_time(WINDOW + 1)

    def sent(self) -> dict[str, int]:
        """How often everybody has called which function, with success: what happened twice would be there twice."""
        return {name: count for name, count in self._calls().items() if not name.endswith(" refused")}

    def refused(self) -> int:
        """How many transactions a contract has refused."""
        return sum(count for name, count in self._calls().items() if name.endswith(" refused"))

    def has_been_watched(self) -> bool:
        """Whether the watcher, since it was last started, has found every epoch right and seen it become final."""
        said = {what: {each["epoch"] for each in self.watcher.said(what, since_start=True)} for what in SEEN}
        return all(said[what] >= set(range(1, self.epochs + 1)) for what in SEEN)

    def unwatched(self) -> list[str]:
        """What the watcher has not seen, or has said or done although nobody lies."""
        found = [] if self.has_been_watched() else ["it has not found every epoch right and final"]
        for what in Happening:
            if what not in HARMLESS and (said := self.watcher.said(what)):
                found.append(f"{what}: {said[0]['text']}")
        if sent := self.anvil.connection.web3.eth.get_transaction_count(self._watcher_signer.address, "pending"):  # type: ignore[arg-type]
            found.append(f"it has sent {sent} transactions")
        if (self.folder / "watch.jsonl").is_file():
            found.append("it has written down that it sends something")
        return found

    def stuck(self) -> list[str]:
        """Whose account cannot go on: a transaction waits in the pool, or in an outbox."""
        eth, found = self.anvil.connection.web3.eth, []
        for name, address in self._accounts().items():
            waiting = eth.get_transaction_count(address, "pending") - eth.get_transaction_count(address)  # type: ignore[arg-type,type-var]
            if waiting:
                found.append(f"{name}: {waiting} in the node's pool")
        boxes = {"aggregator": self.store_url}
        boxes |= {each.name: f"sqlite:///{self.folder / each.name / 'outbox.sqlite'}" for each in self.clients}
        for name, url in boxes.items():
            if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).is_file():
                continue
            for row in _rows(url, "SELECT meaning, state FROM chain_outbox_intents"):
                if row.state in OPEN:
                    found.append(f"{name}: {row.meaning} is {row.state}")
        return found

    def unkept(self) -> list[str]:
        """Which clients do not hold, for each epoch, what proves that they took part and how it ended."""
        found = []
        for child, signer in zip(self.clients, self.signers, strict=True):
            records = sorted((self.folder / child.name / signer.address.lower() / "records").glob("*/*.json"))
            final = [record for record in records if '"outcome": "final"' in record.read_text()]
            if len(final) != self.epochs:
                found.append(f"{child.name} holds {len(final)} final records of {self.epochs} epochs")
        return found

    def is_update(self, address: str) -> bool:
        """Whether a blob is an update that a client has revealed."""
        rows = _rows(self.store_url, "SELECT update_blob FROM rollup_actions WHERE update_blob IS NOT NULL")
        return address in {bytes(row.update_blob).hex() for row in rows}

    def lines(self) -> int:
        """How many lines aggregator and clients have logged: how far the run is."""
        logs = [child.log for child in (self.aggregator, *self.clients)]
        return sum(log.read_bytes().count(b"\n") for log in logs if log.is_file())

    def has_named(self, what: str) -> bool:
        """Whether any log holds some text."""
        return any(child.log.is_file() and what in child.log.read_text(errors="replace") for child in self.processes)

    def _process(self, name: str, module: str, *arguments: str) -> Child:  # type: ignore[override]
        if name == "node":
            arguments = (*arguments, "--quiet", "--reads-per-second", "1000000", "--writes-per-second", "1000000")
        return Child(name, ("-m", module, *arguments), self.folder, self._zygote)

    def _watch(self) -> Child:
        url = self.setup.nodes["watcher"].url if "watcher" in self.setup.nodes else self.anvil.url
        where = ("--network", url, "--deployment", str(self.folder / "deployment.json"), "--data", self.blobs_url)
        patience = ("--interval", str(self.poll), "--timeout", str(self.setup.timeout))
        key = self._keyfile("watcher", self._watcher_signer)
        account = ("--account", str(self.folder / key), "--passphrase-file", str(self.folder / "passphrase"))
        journal = ("--journal", str(self.folder / "watch.jsonl"), "--confirmations", str(self.setup.confirmations))
        return self._process("watcher", "fedblocks.cli.watch", *where, *patience, *account, *journal, "--json")

    def _accounts(self) -> dict[str, str]:
        names = {f"client-{number}": signer.address for number, signer in enumerate(self.signers)}
        return {"aggregator": self.anvil.signer(AGGREGATOR).address, **names}

    def _calls(self) -> Counter[str]:
        eth, found = self.anvil.connection.web3.eth, Counter[str]()
        names = {address: name for name, address in self._accounts().items()}
        ours = {contract.address for contract in self.user.contracts}
        for number in range(self.first_block + 1, eth.block_number + 1):
            block: Any = eth.get_block(number, full_transactions=True)
            for each in block["transactions"]:
                if each["from"] in names and each.get("to") in ours:
                    refused = "" if eth.get_transaction_receipt(each["hash"])["status"] else " refused"
                    found[f"{names[each['from']]} {bytes(each['input'])[:4].hex()}{refused}"] += 1
        return found


def _rows(url: str, query: str) -> list[Any]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query)))
    finally:
        engine.dispose()


def wait_a_moment(seconds: float) -> Callable[[], bool]:
    """A condition that holds after some seconds."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end
