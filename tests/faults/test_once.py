"""Exactly once, whatever fails: counted on chain, where nothing forbids to pay twice.

The short profile runs with every test run; FEDBLOCKS_CHAOS_RUNS makes it as long as one likes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fedblocks.chain.connection import Connection
from fedblocks.chain.fees import FeePolicy
from fedblocks.chain.node import Anvil
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import Progress, Step
from fedblocks.chain.outbox_steps import OutboxSettings
from fedblocks.chain.outbox_store import OutboxStore
from fedblocks.chain.retries import Retries
from fedblocks.storage.postgres import PostgresServer
from tests.faults.mempool import automine, drop, pooled, reorganise, rich_account
from tests.faults.payer import Payers
from tests.faults.payments import Payments, check
from tests.faults.proxy import OF_SENDING, Dice, Fault, FaultyNode, Script

RUNS = int(os.environ.get("FEDBLOCKS_CHAOS_RUNS", "1"))
"""How many runs of each random test; a short profile by default."""

STRIDE = 3 if RUNS == 1 else 1
"""Which of the moments at which a process may be killed are tried: every third, or all."""

SLOW = (Fault.TIME_OUT, Fault.TIME_OUT_UNSEEN)
QUICK = Retries(first_pause=0.002, longest_pause=0.05)


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with Anvil(accounts=100) as node:
        yield node


@pytest.fixture
def faulty(chain: Anvil) -> Iterator[FaultyNode]:
    with FaultyNode(chain.url, hang=0.3) as node:
        yield node
    automine(chain, True)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'outbox.sqlite'}"


def quick(confirmations: int = 0) -> OutboxSettings:
    return OutboxSettings(
        fees=FeePolicy(replace_after=0.4),
        confirmations=confirmations,
        resend_after=0.02,
        fill_gap_after=0.2,
        longest_pause=0.1,
    )


def old_account(chain: Anvil) -> Any:
    """An account whose ether a node knows of that lags some blocks behind."""
    signer = rich_account(chain)
    chain.mine(4)
    return signer


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_of_one_kind_loses_and_doubles_nothing(
    chain: Anvil, faulty: FaultyNode, database: str, fault: Fault
) -> None:
    signer = old_account(chain)
    connection = Connection.open(faulty.url, timeout=0.2, retries=QUICK)
    payments = Payments(f"{fault}/{signer.address}", 2)
    # Once in the sending itself, and then in a part of all requests.
    faulty.plan = Script([fault], ["eth_sendRawTransaction"])
    with Outbox.open(database, connection, signer, quick()) as box:
        meaning, call = next(iter(payments.all.items()))
        box.submit(meaning, call)
        faulty.plan = Dice(len(fault), 0.05 if fault in SLOW else 0.25, [fault])
        if fault in OF_SENDING:
            faulty.plan = Script([fault, None, fault, fault], ["eth_sendRawTransaction"])
        payments.make(box)
        faulty.plan = Script()
        box.settle(timeout=10)
        check(chain, payments, box)
    assert faulty.seen[fault] > 0


@pytest.mark.parametrize("seed", range(RUNS))
def test_faults_of_all_kinds_and_reorganisations_lose_and_double_nothing(
    chain: Anvil, faulty: FaultyNode, database: str, seed: int
) -> None:
    signer = old_account(chain)
    connection = Connection.open(faulty.url, timeout=0.2, retries=QUICK)
    payments = Payments(f"mixed/{seed}/{signer.address}", 4)
    fast = [fault for fault in Fault if fault not in SLOW]
    faulty.plan = Dice(seed, 0.15, [*fast, *fast, *SLOW])
    automine(chain, False)
    with mischief(chain, seed), Outbox.open(database, connection, signer, quick(confirmations=4)) as box:
        payments.make(box, seconds=60, patience=2.0)
        faulty.plan = Script()
        assert box.settle(timeout=20) == ()
        check(chain, payments, box)


class mischief:  # noqa: N801
    """Mines now and then, and in between takes blocks back and forgets transactions, until it is left."""

    def __init__(self, chain: Anvil, seed: int) -> None:
        self._chain, self._random = chain, random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(0.02):
            roll = self._random.random()
            if roll < 0.06:
                reorganise(self._chain, self._random.choice([1, 2]))
            elif roll < 0.12:
                for waiting in pooled(self._chain)[:1]:
                    drop(self._chain, bytes.fromhex(waiting["hash"][2:]))
            else:
                self._chain.mine()


# Killed


class Killed(BaseException):
    """Stands for a kill: nothing catches it, nothing is tidied up."""


class Fuse:
    """Ends the process, so to speak, before or after its n-th deed."""

    def __init__(self, at: int) -> None:
        self.at, self.deeds = at, 0

    def around(self, deed: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **named: Any) -> Any:
            self._pass()
            result = deed(*arguments, **named)
            self._pass()
            return result

        return done

    def _pass(self) -> None:
        self.deeds += 1
        if self.deeds == self.at:
            raise Killed


def test_killed_before_or_after_any_question_or_write_it_is_done_once(
    chain: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, at = True, 0
    while killed:
        killed, at = False, at + STRIDE
        signer = rich_account(chain)
        payments = Payments(f"fuse/{at}/{signer.address}", 1)
        url = f"sqlite:///{tmp_path / f'{at}.sqlite'}"
        fuse = Fuse(at)
        connection = Connection.open(chain.url)
        with monkeypatch.context() as patch:
            provider = connection.web3.provider
            patch.setattr(provider, "_once", fuse.around(provider._once))
            for write in ("plan", "sign", "attempt", "mined", "change"):
                patch.setattr(OutboxStore, write, fuse.around(getattr(OutboxStore, write)))
            box = Outbox.open(url, connection, signer, quick(), owner="payer")
            try:
                payments.make(box)
            except Killed:
                killed = True
        # The next process has the same name, and asks for the same things.
        with Outbox.open(url, Connection.open(chain.url), signer, quick(), owner="payer") as box:
            payments.make(box)
            check(chain, payments, box)
    assert at > 25  # so many deeds has one payment, and each was the last one once


@pytest.fixture(scope="module")
def payers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Payers]:
    with Payers(tmp_path_factory.mktemp("payers")) as payers:
        yield payers


class KillAt:
    """Kills a process in the middle of its n-th request, before or after the node has it; and rolls dice."""

    def __init__(self, at: int, dice: Dice) -> None:
        self.at, self._dice = at, dice
        self.kill: Callable[[], None] = lambda: None

    def fault(self, method: str, params: list[Any]) -> Fault | None:
        self.at -= 1
        if self.at == 0:
            self.kill()
        return self._dice.fault(method, params)


@pytest.mark.parametrize("seed", range(RUNS))
def test_processes_that_are_killed_at_random_lose_and_double_nothing(
    chain: Anvil, faulty: FaultyNode, payers: Payers, database: str, seed: int
) -> None:
    dice = random.Random(seed)
    name, account = f"killed/{seed}/{time.time_ns()}", 1 + seed % 99
    chain.mine(4)
    job = {"url": faulty.url, "database": database, "account": account, "name": name, "count": 4, "wait": 10}
    kills = 0
    for _ in range(5):
        plan = KillAt(dice.randrange(3, 60), Dice(dice.randrange(10**6), 0.05, [f for f in Fault if f not in SLOW]))
        payer = payers.start(**job)
        plan.kill = payer.kill
        faulty.plan = plan
        if dice.random() < 0.3:
            # Not in a request, but anywhere.
            threading.Timer(dice.uniform(0.02, 0.4), payer.kill).start()
        kills += payer.wait() is None
    faulty.plan = Script()
    assert payers.start(**job).wait() == "done"
    assert kills > 0
    signer = chain.signer(account)
    with Outbox.open(database, chain.connection, signer, quick()) as box:
        check(chain, Payments(name, 4), box)


def test_two_processes_with_one_key_take_turns_and_do_everything_once(
    chain: Anvil, payers: Payers, database: str
) -> None:
    name = f"two/{time.time_ns()}"
    job = {"url": chain.url, "database": database, "account": 0, "name": name, "count": 8}
    both = [payers.start(**job, wait=20) for _ in range(2)]
    assert [payer.wait() for payer in both] == ["done", "done"]
    with Outbox.open(database, chain.connection, chain.signer(0), quick()) as box:
        check(chain, Payments(name, 8), box)
        # While it is open here, a process that doesn't wait is told so.
        refusal = payers.start(**job).wait()
    assert refusal is not None
    assert refusal.startswith("refused: ")
    assert f"/{os.getpid()}/" in refusal


def test_a_database_server_that_is_started_again_loses_and_doubles_nothing(
    chain: Anvil, postgres_server: PostgresServer, postgres_url: str
) -> None:
    signer = rich_account(chain)
    payments = Payments(f"restart/{signer.address}", 3)
    told: list[Progress] = []
    with Outbox.open(postgres_url, chain.connection, signer, quick(), told.append) as box:
        for index, (meaning, call) in enumerate(payments.all.items()):
            postgres_server.stop()
            # Before anything is written down, and when it is on its way.
            back = threading.Timer(0.2 + index / 10, postgres_server.start)
            back.start()
            assert box.send(meaning, call, timeout=20).block
            back.join()
        check(chain, payments, box)
    assert Step.DATABASE_LOST in {progress.step for progress in told}
