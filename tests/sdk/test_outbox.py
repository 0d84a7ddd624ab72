"""The outbox on a chain of its own: what is asked for happens once, whoever asks how often, and every end is told."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fedblocks.chain.fees import FeePolicy
from fedblocks.chain.node import Anvil
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import (
    AttemptState,
    Cancelled,
    DoneByOthers,
    IntentState,
    MeaningConflict,
    NotDoneYet,
    Progress,
    Step,
    TooLateToCancel,
    UnknownMeaning,
)
from fedblocks.chain.outbox_steps import OutboxSettings
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import Call, Declined, DryRun, InsufficientFunds, TransactionSender
from fedblocks.storage.errors import StorageFull
from fedblocks.storage.leases import LeaseTaken
from fedblocks.types import Wei
from fedblocks.units import ether
from tests.faults.mempool import (
    ONCE,
    automine,
    deploy_once,
    drop,
    give,
    nobody,
    once_is_done,
    pay,
    pooled,
    reorganise,
    rich_account,
    sign,
)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclasses.dataclass
class Desk:
    """An account with its outbox, and what happens to both."""

    node: Anvil
    signer: LocalSigner
    url: str
    clock: Clock
    steps: list[Progress] = dataclasses.field(default_factory=list)
    opened: list[Outbox] = dataclasses.field(default_factory=list)

    def open(self, *, fees: FeePolicy | None = None, confirmations: int = 0, **settings: Any) -> Outbox:
        """An outbox in the place of the last one, as a new process would open it."""
        self.close()
        box = Outbox.open(
            self.url,
            self.node.connection,
            self.signer,
            OutboxSettings(fees=fees or FeePolicy(), confirmations=confirmations, clock=self.clock, **settings),
            self.steps.append,
        )
        self.opened.append(box)
        return box

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()

    def said(self, step: Step) -> list[Progress]:
        return [progress for progress in self.steps if progress.step is step]

    @property
    def nonce(self) -> int:
        return int(self.node.connection.web3.eth.get_transaction_count(self.signer.address))

    def balance(self, address: Any) -> int:
        return self.node.connection.balance(address)


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with Anvil(accounts=2) as node:
        yield node


both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""For tests of what is written down: on both kinds of database. The others run on SQLite."""


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'outbox.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def desk(chain: Anvil, database: str) -> Iterator[Desk]:
    desk = Desk(chain, rich_account(chain), database, Clock())
    yield desk
    desk.close()
    for waiting in pooled(chain):
        chain.connection.rpc("anvil_dropTransaction", waiting["hash"])
    automine(chain, True)


# Once


@both
def test_what_is_asked_for_again_is_not_done_again(desk: Desk) -> None:
    box, to = desk.open(), nobody()
    first = box.send("pay/1", pay(to, 5))
    assert box.send("pay/1", pay(to, 5)) == first
    assert desk.open().send("pay/1", pay(to, 5)) == first
    assert desk.balance(to) == 5
    assert desk.nonce == 1


def test_every_step_is_told_in_order(desk: Desk) -> None:
    receipt = desk.open().send("pay/1", pay(nobody(), 5))
    assert [progress.step for progress in desk.steps] == [
        Step.PLANNED,
        Step.SIGNED,
        Step.SENT,
        Step.MINED,
        Step.CONFIRMED,
    ]
    last = desk.steps[-1]
    assert (last.meaning, last.nonce, last.transaction_hash, last.block) == (
        "pay/1",
        0,
        receipt.transaction_hash,
        receipt.block,
    )


def test_the_same_meaning_for_another_call_is_refused(desk: Desk) -> None:
    box, to = desk.open(), nobody()
    box.send("pay/1", pay(to, 5))
    with pytest.raises(MeaningConflict, match="two different things need two meanings"):
        box.send("pay/1", pay(to, 6))
    assert desk.balance(to) == 5


@both
def test_many_things_go_out_at_once_and_in_order(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(), [nobody() for _ in range(5)]
    for index, address in enumerate(to):
        box.submit(f"pay/{index}", pay(address, index + 1))
    assert [intent.nonce for intent in box.intents()] == [0, 1, 2, 3, 4]
    desk.node.mine()
    assert box.settle(timeout=5) == ()
    assert [desk.balance(address) for address in to] == [1, 2, 3, 4, 5]
    assert {intent.state for intent in box.intents()} == {IntentState.CONFIRMED}


@both
def test_accounts_that_share_a_database_do_not_meet(desk: Desk) -> None:
    other = rich_account(desk.node)
    to = nobody()
    box = desk.open()
    with Outbox.open(desk.url, desk.node.connection, other) as others:
        others.send("pay", pay(to, 1))
        box.send("pay", pay(to, 1))
    assert desk.balance(to) == 2
    assert [intent.meaning for intent in box.intents()] == ["pay"]


def test_threads_share_an_outbox_and_a_key_with_a_plain_sender(desk: Desk) -> None:
    box, plain = desk.open(longest_pause=0.05), TransactionSender(desk.node.connection, desk.signer)
    to, failures = nobody(), []

    def work(name: int) -> None:
        try:
            for index in range(3):
                box.send(f"pay/{name}/{index}", pay(to, 1))
                plain.transfer(to, Wei(100))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert desk.balance(to) == 9 * 101


def test_what_cannot_be_written_down_is_not_sent(desk: Desk) -> None:
    box, paid = desk.open(), [nobody() for _ in range(40)]
    calls = [Call("transfer", "", address, b"x" * 500, Wei(5)) for address in paid]
    with box._store.database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        # As long as this connection lasts, SQLite itself says that the disk is full.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

    def submit_all() -> None:
        for index, call in enumerate(calls):
            box.submit(f"pay/{index}", call)

    with pytest.raises(StorageFull, match="nothing was written"):
        submit_all()
    assert desk.nonce == len([intent for intent in box.intents() if intent.attempts])
    box = desk.open()
    submit_all()
    assert box.settle(timeout=10) == ()
    assert [desk.balance(address) for address in paid] == [5] * 40
    assert desk.nonce == 40


# Ends


def test_what_a_contract_refuses_is_not_written_down(desk: Desk) -> None:
    deploy_once(desk.node)
    box = desk.open()
    box.send("once/1", ONCE)
    with pytest.raises(ContractReverted):
        box.send("once/2", ONCE)
    assert box.find("once/2") is None
    assert desk.nonce == 1


@both
def test_what_is_refused_only_when_it_is_mined_has_failed_and_may_be_asked_for_again(desk: Desk) -> None:
    deploy_once(desk.node)
    automine(desk.node, False)
    box, rival = desk.open(), rich_account(desk.node)
    box.submit("once", ONCE)
    # Who offers more comes first in the block.
    call = {"to": ONCE.to, "gas": 60_000, "nonce": 0, "chainId": 31337, "type": 2, "value": 0}
    give(desk.node, rival.sign_transaction(call | {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**11}))
    desk.node.mine()
    with pytest.raises(ContractReverted) as caught:
        box.wait("once", timeout=5)
    intent = box.find("once")
    assert intent is not None
    assert intent.state is IntentState.FAILED
    assert caught.value.transaction_hash == intent.hash
    automine(desk.node, True)
    deploy_once(desk.node)
    assert box.send("once", ONCE).block
    assert desk.nonce == 2


def test_what_somebody_else_has_done_is_not_sent(desk: Desk) -> None:
    deploy_once(desk.node)
    TransactionSender(desk.node.connection, rich_account(desk.node)).send(ONCE)
    box = desk.open()
    for _ in range(2):
        with pytest.raises(DoneByOthers, match="by somebody else"):
            box.send("once", ONCE, done=lambda: once_is_done(desk.node))
    assert desk.nonce == 0
    deploy_once(desk.node)
    assert box.send("once", ONCE, done=lambda: once_is_done(desk.node)).block


def test_what_somebody_else_does_first_ends_as_done_by_others(desk: Desk) -> None:
    deploy_once(desk.node)
    automine(desk.node, False)
    box = desk.open()
    box.submit("once", ONCE, done=lambda: once_is_done(desk.node))
    desk.node.connection.rpc("anvil_setStorageAt", ONCE.to, "0x0", "0x" + "00" * 31 + "01")
    desk.node.mine()
    with pytest.raises(DoneByOthers):
        box.wait("once", timeout=5)


def test_who_is_too_poor_is_told_so_and_nothing_is_written_down(desk: Desk) -> None:
    box = desk.open()
    with pytest.raises(InsufficientFunds):
        box.send("much", pay(nobody(), ether(1000)))
    assert box.intents() == ()


def test_what_nobody_asked_for_is_unknown(desk: Desk) -> None:
    box = desk.open()
    with pytest.raises(UnknownMeaning, match="'pay/9'"):
        box.wait("pay/9")
    with pytest.raises(UnknownMeaning):
        box.cancel("pay/9")


# Waiting too long


@both
def test_what_waits_too_long_is_replaced_by_an_eighth_more_and_only_one_is_mined(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(fees=FeePolicy(replace_after=30)), nobody()
    box.submit("pay", pay(to, 5))
    for _ in range(3):
        desk.clock.now += 31
        box.tick()
    intent = box.find("pay")
    assert intent is not None
    prices = [attempt.offer.price for attempt in intent.attempts]
    tips = [attempt.offer.tip or 0 for attempt in intent.attempts]
    assert len(prices) == 4
    assert all(after * 1000 >= before * 1125 for before, after in pairwise(prices))
    assert all(after * 1000 >= before * 1125 for before, after in pairwise(tips))
    assert {attempt.nonce for attempt in intent.attempts} == {0}
    assert [waiting["hash"] for waiting in pooled(desk.node)] == ["0x" + intent.attempts[-1].hash.hex()]
    desk.node.mine()
    assert box.wait("pay", timeout=5).transaction_hash == intent.attempts[-1].hash
    assert desk.balance(to) == 5
    done = box.find("pay")
    assert done is not None
    assert [attempt.state for attempt in done.attempts] == [*[AttemptState.REPLACED] * 3, AttemptState.MINED]


def test_the_transaction_that_was_replaced_counts_when_it_is_the_one_that_is_mined(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(fees=FeePolicy(replace_after=30)), nobody()
    first = box.submit("pay", pay(to, 5)).attempts[0]
    desk.clock.now += 31
    box.tick()
    # The miner had the first one, whatever the node's pool says.
    for waiting in pooled(desk.node):
        desk.node.connection.rpc("anvil_dropTransaction", waiting["hash"])
    give(desk.node, first.raw)
    desk.node.mine()
    assert box.wait("pay", timeout=5).transaction_hash == first.hash
    assert desk.balance(to) == 5


def test_what_is_not_done_in_time_stays_and_is_done_later(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(), nobody()
    with pytest.raises(NotDoneYet, match="is sent after"):
        box.send("pay", pay(to, 5), timeout=0.05)
    desk.node.mine()
    assert desk.open().send("pay", pay(to, 5), timeout=5).block == desk.node.connection.block_number()
    assert desk.balance(to) == 5


# Ceilings


def test_over_the_ceiling_it_waits_unsigned_and_goes_on_when_the_price_falls(desk: Desk) -> None:
    box, to = desk.open(fees=FeePolicy(max_price=Wei(5 * 10**9))), nobody()
    desk.node.connection.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    desk.node.mine()
    intent = box.submit("pay", pay(to, 5))
    assert intent.state is IntentState.PLANNED
    assert "over the ceiling of 5000000000 wei for a unit of gas" in intent.waiting
    with pytest.raises(NotDoneYet, match="waits for a lower price"):
        box.wait("pay", timeout=0.05)
    assert len(desk.said(Step.WAITING)) == 1
    assert desk.nonce == 0
    desk.node.connection.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    desk.node.mine()
    receipt = box.wait("pay", timeout=5)
    assert receipt.fee <= 21_000 * 5 * 10**9
    assert desk.balance(to) == 5


@both
def test_what_the_day_may_cost_is_not_exceeded_and_the_next_day_goes_on(desk: Desk) -> None:
    cost = desk.open().send("pay/0", pay(nobody(), 1)).fee
    room = cost * 3 // 2  # enough for a transaction and a half
    box = desk.open(fees=FeePolicy(max_daily_fee=Wei(room)))
    desk.clock.now = time.time()  # by which fees are booked
    waits = box.submit("pay/1", pay(nobody(), 1))
    assert "for the gas of 24 hours" in waits.waiting
    assert desk.nonce == 1
    desk.clock.now += 86_401
    assert box.wait("pay/1", timeout=5).fee <= room


def test_a_replacement_over_the_ceiling_is_not_sent_and_the_first_one_stays(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(fees=FeePolicy(replace_after=30, max_fee=Wei(26_250 * 3 * 10**9))), nobody()
    box.submit("pay", pay(to, 5))
    for _ in range(4):
        desk.clock.now += 31
        box.tick()
    intent = box.find("pay")
    assert intent is not None
    assert "ceiling" in intent.waiting
    assert max(attempt.offer.price for attempt in intent.attempts) * intent.gas <= 26_250 * 3 * 10**9
    desk.node.mine()
    assert box.wait("pay", timeout=5).block
    assert desk.balance(to) == 5


# Cancelling


@both
def test_what_was_sent_is_cancelled_by_an_empty_transaction(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(), nobody()
    box.submit("pay", pay(to, 5))
    assert box.cancel("pay").attempts[-1].is_cancel
    desk.node.mine()
    with pytest.raises(Cancelled, match="ask for it again"):
        box.wait("pay", timeout=5)
    assert (desk.balance(to), desk.nonce) == (0, 1)
    automine(desk.node, True)
    assert box.send("pay", pay(to, 5)).block
    assert (desk.balance(to), desk.nonce) == (5, 2)


def test_what_waits_for_its_price_is_cancelled_at_once(desk: Desk) -> None:
    box, to = desk.open(fees=FeePolicy(max_price=Wei(1))), nobody()
    box.submit("pay", pay(to, 5))
    assert box.cancel("pay").state is IntentState.CANCELLED
    assert desk.open().send("pay", pay(to, 5)).block


def test_what_is_mined_cannot_be_cancelled(desk: Desk) -> None:
    box = desk.open()
    box.send("pay", pay(nobody(), 5))
    with pytest.raises(TooLateToCancel, match="it is confirmed"):
        box.cancel("pay")


def test_a_cancel_that_comes_too_late_ends_as_done(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(), nobody()
    first = box.submit("pay", pay(to, 5)).attempts[0]
    cancel = box.cancel("pay").attempts[-1]
    drop(desk.node, cancel.hash)
    give(desk.node, first.raw)
    desk.node.mine()
    assert box.wait("pay", timeout=5).transaction_hash == first.hash
    assert desk.balance(to) == 5


# Dropped, taken, gaps


def test_what_the_node_forgets_is_sent_again_with_the_same_bytes(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(resend_after=5), nobody()
    first = box.submit("pay", pay(to, 5)).attempts[0]
    drop(desk.node, first.hash)
    desk.clock.now += 6
    box.tick()
    assert [progress.transaction_hash for progress in desk.said(Step.RESENT)] == [first.hash]
    desk.node.mine()
    assert box.wait("pay", timeout=5).transaction_hash == first.hash
    assert desk.balance(to) == 5


@both
def test_a_nonce_that_another_program_takes_is_found_and_the_next_one_used(desk: Desk) -> None:
    automine(desk.node, False)
    box, to, elsewhere = desk.open(), nobody(), nobody()
    first = box.submit("pay", pay(to, 5)).attempts[0]
    drop(desk.node, first.hash)
    foreign = give(desk.node, sign(desk.node, desk.signer, 0, elsewhere, 9))
    desk.node.mine()
    automine(desk.node, True)
    receipt = box.wait("pay", timeout=5)
    assert foreign.hex() in desk.said(Step.NONCE_TAKEN)[0].text
    assert receipt.transaction_hash != first.hash
    assert (desk.balance(to), desk.balance(elsewhere), desk.nonce) == (5, 9, 2)


def test_an_account_that_has_sent_before_begins_where_it_is(desk: Desk) -> None:
    for nonce in range(3):
        give(desk.node, sign(desk.node, desk.signer, nonce, nobody(), 1))
    desk.open().send("pay", pay(nobody(), 5))
    assert desk.nonce == 4


def test_a_gap_that_another_program_left_is_filled(desk: Desk) -> None:
    automine(desk.node, False)
    box, to = desk.open(fill_gap_after=10), nobody()
    foreign = give(desk.node, sign(desk.node, desk.signer, 0, nobody(), 9))
    assert box.submit("pay", pay(to, 5)).nonce == 1
    drop(desk.node, foreign)
    box.tick()
    assert len(box.intents()) == 1
    desk.clock.now += 11
    box.tick()
    desk.node.mine()
    assert box.settle(timeout=5) == ()
    assert [intent.meaning for intent in box.intents()] == ["pay", "gap/0"]
    assert (desk.balance(to), desk.nonce) == (5, 2)


# Confirmations and reorganisations


def test_it_is_done_when_it_is_deep_enough_and_not_before(desk: Desk) -> None:
    box = desk.open(confirmations=3)
    box.submit("pay", pay(nobody(), 5))
    box.tick()
    desk.node.mine(2)
    box.tick()
    intent = box.find("pay")
    assert intent is not None
    assert intent.state is IntentState.MINED
    desk.node.mine()
    box.tick()
    confirmed = box.find("pay")
    assert confirmed is not None
    assert confirmed.state is IntentState.CONFIRMED


@both
@pytest.mark.parametrize("depth", [1, 3])
def test_what_a_reorganisation_takes_back_is_sent_again(desk: Desk, depth: int) -> None:
    box, to = desk.open(confirmations=4), nobody()
    desk.node.mine(3)
    calls = {f"pay/{index}": pay(to, 5) for index in range(3)}
    for meaning, call in calls.items():
        box.submit(meaning, call)
        box.tick()
    reorganise(desk.node, depth)
    assert desk.balance(to) == 5 * (3 - depth)
    box.tick()
    desk.node.mine(5)
    assert box.settle(timeout=5) == ()
    assert len(desk.said(Step.REORGANISED)) == depth
    assert (desk.balance(to), desk.nonce) == (15, 3)


def test_what_was_thought_to_be_deep_enough_is_sent_again_too(desk: Desk) -> None:
    box, to = desk.open(), nobody()
    desk.node.mine(2)
    first = box.send("pay/1", pay(to, 5))
    reorganise(desk.node, 1)
    # The next one finds the nonce before it unused, and by what it was used.
    box.submit("pay/2", pay(to, 5))
    assert box.settle(timeout=5) == ()
    assert box.send("pay/1", pay(to, 5)).transaction_hash == first.transaction_hash
    assert (desk.balance(to), desk.nonce) == (10, 2)


def test_what_others_have_done_after_a_reorganisation_is_not_done_again(desk: Desk) -> None:
    deploy_once(desk.node)
    desk.node.mine(2)
    box = desk.open(confirmations=2)
    box.submit("once", ONCE, done=lambda: once_is_done(desk.node))
    box.tick()
    reorganise(desk.node, 1)
    TransactionSender(desk.node.connection, rich_account(desk.node)).send(ONCE)
    box.tick()
    desk.node.mine(3)
    with pytest.raises(DoneByOthers):
        box.wait("once", timeout=5)
    intent = box.find("once")
    assert intent is not None
    assert intent.mined is not None
    assert intent.mined.is_cancel
    assert desk.nonce == 1


# One process at a time


@both
def test_a_second_process_is_refused_until_the_first_one_has_gone(desk: Desk) -> None:
    desk.open()
    with pytest.raises(LeaseTaken, match="stop the other one, or wait"):
        Outbox.open(desk.url, desk.node.connection, desk.signer)
    desk.close()
    Outbox.open(desk.url, desk.node.connection, desk.signer).close()


@both
def test_who_was_taken_over_writes_and_sends_nothing_any_more(desk: Desk) -> None:
    first = Outbox.open(desk.url, desk.node.connection, desk.signer, owner="node", lease_seconds=30)
    second = Outbox.open(desk.url, desk.node.connection, desk.signer, owner="node", lease_seconds=30)
    to = nobody()
    with pytest.raises(LeaseTaken, match="node has the right"):
        first.send("pay", pay(to, 5))
    assert desk.nonce == 0
    second.send("pay", pay(to, 5))
    assert desk.balance(to) == 5
    second.close()
    first.close()


# The sender in front of it


@pytest.fixture
def sender(desk: Desk) -> Callable[..., TransactionSender]:
    def made(**settings: Any) -> TransactionSender:
        return TransactionSender(desk.node.connection, desk.signer, outbox=desk.open(), **settings)

    return made


def test_a_sender_with_an_outbox_does_a_meaning_once(desk: Desk, sender: Callable[..., TransactionSender]) -> None:
    deploy_once(desk.node)
    signed: list[bytes] = []
    with (here := sender()).meaning("once"):
        first = here.send(ONCE, on_signed=signed.append)
    assert signed == [first.transaction_hash]
    with (again := sender()).meaning("once"):
        # To simulate it would be refused: it is done.
        assert again.send(ONCE) == first
    with pytest.raises(ContractReverted):
        again.send(ONCE)


def test_what_has_no_meaning_is_something_new_each_time(desk: Desk, sender: Callable[..., TransactionSender]) -> None:
    here, to = sender(), nobody()
    here.transfer(to, Wei(5))
    here.transfer(to, Wei(5))
    assert desk.balance(to) == 10


def test_what_is_declined_or_tried_only_is_not_written_down(
    desk: Desk, sender: Callable[..., TransactionSender]
) -> None:
    careful = sender(confirm=lambda plan: False)
    with careful.meaning("pay"), pytest.raises(Declined):
        careful.transfer(nobody(), Wei(5))
    trying = sender(dry_run=True)
    with trying.meaning("pay"), pytest.raises(DryRun):
        trying.transfer(nobody(), Wei(5))
    assert desk.open().intents() == ()
