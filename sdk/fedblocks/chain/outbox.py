"""The outbox: transactions that are neither lost nor sent twice.

Between the decision to send a transaction and the moment when it is deep enough in the chain, everything may happen:
the process is killed, the node loses the answer, forgets the transaction, lags behind, takes back a block, or asks for
a higher fee. An outbox writes down what is to happen, by what it means, and every signed transaction before any node
has it. Whenever it is started again it finds out from the chain what became of each, and goes on from there.

Why nothing happens twice: all transactions of an intent have one nonce, of which the chain takes one; another nonce is
used only after the transaction that took the first one was found, and was not ours or has failed. One process at a time
has the right to write into the outbox of an account, and only what is written there is sent.

>>> outbox = Outbox.open("sqlite:///outbox.db", connection, signer)  # doctest: +SKIP
>>> outbox.send("pay/invoice-17", Call("transfer", "", to, value=Wei(1)))  # doctest: +SKIP
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from web3.exceptions import BadResponseFormat, BlockNotFound, TransactionNotFound

from fedblocks.chain.connection import Connection, NodeRefused, NodeUnreachable, UnknownBlock
from fedblocks.chain.outbox_records import (
    Cancelled,
    DoneByOthers,
    Intent,
    IntentState,
    Listener,
    MeaningConflict,
    NotDoneYet,
    Progress,
    Step,
    TooLateToCancel,
)
from fedblocks.chain.outbox_steps import OutboxSettings, Steps, Wishes
from fedblocks.chain.outbox_store import OutboxStore
from fedblocks.chain.reverts import revert_of
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import Call, Receipt, TransactionPlan, TransactionRejected, TransactionSender
from fedblocks.storage.database import StorageBusy, StorageGone
from fedblocks.types import Hash32

_REFUSALS = 3
_STORAGE_ERRORS = (StorageBusy, StorageGone)
_NODE_ERRORS = (NodeUnreachable, NodeRefused, UnknownBlock, BlockNotFound, BadResponseFormat)


class Outbox:
    """The transactions of one account on one chain.

    Args:
        store: where they are written down.
        connection: where they are sent.
        signer: whose they are.
        settings: fees, confirmations and patience.
        listener: told of every step.
    """

    def __init__(
        self,
        store: OutboxStore,
        connection: Connection,
        signer: Signer,
        settings: OutboxSettings | None = None,
        listener: Listener = lambda _: None,
    ) -> None:
        self._store, self._connection, self.address = store, connection, signer.address
        self._listener = listener
        settings = settings or OutboxSettings()
        self._longest_pause = settings.longest_pause
        self._steps = Steps(store, connection, signer, settings, listener)
        self._planner = TransactionSender(connection, signer)
        self._lock = threading.RLock()
        self._ticked = 0.0

    @classmethod
    def open(
        cls,
        url: str,
        connection: Connection,
        signer: Signer,
        settings: OutboxSettings | None = None,
        listener: Listener = lambda _: None,
        *,
        owner: str | None = None,
        wait: float = 0.0,
        lease_seconds: float = 15.0,
    ) -> Outbox:
        """Open or make the outbox of an account, and take the right to send for it.

        Args:
            url: the database, ``sqlite:///outbox.db`` or ``postgresql+psycopg://host/name``; it may hold other tables
                of FedBlocks too, and the outboxes of many accounts.
            connection, signer, settings, listener: as of the class.
            owner: this process's name; one with the same name takes over at once. Made up when left out: then one that
                is still alive keeps the right for `lease_seconds` after its last word.
            wait: seconds to wait for another process to give up the right.
            lease_seconds: how long others have to wait after this process's last word.

        Raises:
            LeaseTaken: if another process sends for the account.
            SchemaMismatch, StorageError: if the database cannot be used.
        """
        store = OutboxStore(url, connection.chain_id, signer.address, owner=owner, lease_seconds=lease_seconds)
        try:
            store.acquire(wait)
        except BaseException:
            store.database.close()
            raise
        return cls(store, connection, signer, settings, listener)

    def close(self) -> None:
        """Give back the right to send; what is on its way goes on by itself, and is found by the next one."""
        with self._lock:
            self._store.close()

    # Sending

    def send(
        self, meaning: str, call: Call, *, done: Callable[[], bool] | None = None, timeout: float = 120.0
    ) -> Receipt:
        """Do something on chain, once, and wait until it is done.

        Args:
            meaning: what it is, the same whenever the same thing is wanted. What was done is not done again: its
                receipt is returned. What is on its way is waited for.
            call: what does it.
            done: says whether it is done on chain already, whoever has done it.
            timeout: seconds to wait; what is not done by then stays in the outbox.

        Raises:
            DoneByOthers: if somebody else has done it.
            ContractReverted: if the contract refuses it, in the simulation or when it is mined; it may be asked again.
            InsufficientFunds: if the account cannot pay for it.
            NotDoneYet: if it is not done in time, and
            TransactionRejected: if the node won't take it; in both cases it stays in the outbox.
            MeaningConflict: if the meaning was used for another call.
            Cancelled: if it was cancelled meanwhile.
            LeaseTaken: if another process sends for the account now.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.submit(meaning, call, done=done)
                break
            except (*_NODE_ERRORS, *_STORAGE_ERRORS) as error:
                # Nothing is written down, or it is and will be found.
                if time.monotonic() > deadline:
                    raise
                self._lost(meaning, error)
                time.sleep(0.05)
        return self.wait(meaning, timeout=max(0.0, deadline - time.monotonic()))

    def submit(
        self,
        meaning: str,
        call: Call,
        *,
        done: Callable[[], bool] | None = None,
        plan: TransactionPlan | None = None,
        on_signed: Callable[[Hash32], None] | None = None,
    ) -> Intent:
        """As :meth:`send`, but come back as soon as it is written down and, unless it has to wait, sent.

        It raises what :meth:`send` raises, but for what takes time.

        Args:
            meaning, call, done: as of :meth:`send`.
            plan: the call's plan, if it was simulated just now.
            on_signed: told the hash of each transaction that is signed for it, before any node has it.

        Raises:
            NodeUnreachable, NodeRefused: if the node doesn't answer.
        """
        with self._lock:
            self._store.acquire()
            intent = self._store.find(meaning)
            if intent is not None and not self._is_open_again(intent, done):
                if (intent.call.to, intent.call.data, intent.call.value) != (call.to, call.data, call.value):
                    raise MeaningConflict(meaning, intent.call, call)
                wishes = self._steps.wishes.setdefault(meaning, Wishes())
                wishes.done, wishes.on_signed = done or wishes.done, on_signed or wishes.on_signed
                return intent
            if done is not None and done():
                self._store.add_final(meaning, call, IntentState.DONE_BY_OTHERS)
                raise DoneByOthers(meaning)
            plan = plan or self._planner.plan(call)
            self._steps.wishes[meaning] = Wishes(done, on_signed)
            intent = self._store.plan(meaning, call, plan.gas, self._connection.block_number())
            self._listener(Progress(Step.PLANNED, meaning, f"{plan.gas} gas at most", call))
            try:
                self._steps.start(intent, plan)
            except _NODE_ERRORS as error:
                self._lost(meaning, error)  # it is written down, and is sent as soon as the node is back
            return self._store.get(meaning)

    def send_planned(
        self,
        meaning: str,
        plan: TransactionPlan,
        *,
        done: Callable[[], bool] | None = None,
        on_signed: Callable[[Hash32], None] | None = None,
        timeout: float = 120.0,
    ) -> Receipt:
        """As :meth:`send`, for a call that was simulated and confirmed just now."""
        self.submit(meaning, plan.call, done=done, plan=plan, on_signed=on_signed)
        return self.wait(meaning, timeout=timeout)

    def has(self, meaning: str) -> bool:
        """Whether something is done or on its way, so that to ask for it again sends nothing new."""
        with self._lock:
            intent = self._store.find(meaning)
            return intent is not None and not self._is_open_again(intent, None)

    def wait(self, meaning: str, *, timeout: float = 120.0) -> Receipt:
        """Wait until something that was submitted, by this process or an earlier one, is done; as :meth:`send`.

        Raises:
            UnknownMeaning: if it isn't in the outbox.
        """
        deadline = time.monotonic() + timeout
        pause = 0.002
        while True:
            try:
                intent, receipt = self._look(meaning, fresh=pause / 2)
            except _STORAGE_ERRORS as error:
                # A database server that is being started again: nothing is sent meanwhile, and nothing is lost.
                if time.monotonic() > deadline:
                    raise
                self._lost(meaning, error)
            else:
                if receipt is not None:
                    return receipt
                newest = intent.hash
                if newest is not None and self._steps.refusals.get(newest, 0) >= _REFUSALS:
                    self._steps.refusals.pop(newest)
                    raise TransactionRejected(intent.call, intent.waiting)
                if time.monotonic() > deadline:
                    raise NotDoneYet(intent, timeout)
            time.sleep(pause)
            pause = min(self._longest_pause, pause * 1.5)

    def _look(self, meaning: str, fresh: float) -> tuple[Intent, Receipt | None]:
        """How far something is, after a step for everything unless the last one was less than `fresh` seconds ago."""
        with self._lock:
            intent = self._store.get(meaning)
            if not intent.is_final and time.monotonic() - self._ticked >= fresh:
                self.tick()
                intent = self._store.get(meaning)
            return intent, self._result(intent) if intent.is_final else None

    def cancel(self, meaning: str) -> Intent:
        """Give something up: drop it if nothing was sent, else have an empty transaction take its nonce.

        Whether that comes before the transaction itself is decided by the chain: :meth:`wait` says how it ended.

        Raises:
            TooLateToCancel: if it is mined.
            UnknownMeaning: if it isn't in the outbox.
        """
        with self._lock:
            self._store.acquire()
            intent = self._store.get(meaning)
            if intent.is_final or intent.state is IntentState.MINED:
                raise TooLateToCancel(meaning, intent.state)
            if intent.state is IntentState.PLANNED:
                intent = self._store.change(intent, state=IntentState.CANCELLED, waiting="")
                self._listener(Progress(Step.CANCELLED, meaning, "nothing was sent", intent.call))
                return intent
            intent = self._store.change(intent, giving_up=IntentState.CANCELLED)
            self.tick()
            return self._store.get(meaning)

    # Going on

    def tick(self) -> None:
        """Take one step for everything that is on its way; a node that doesn't answer is reported, not raised.

        Raises:
            LeaseTaken: if another process sends for the account now.
        """
        with self._lock:
            self._store.acquire()
            try:
                self._steps.close_gaps()
            except _NODE_ERRORS as error:
                self._lost("", error)
            for intent in self._store.live():
                try:
                    self._steps.take(intent)
                except NodeUnreachable as error:
                    self._lost(intent.meaning, error)
                    break
                except _NODE_ERRORS as error:
                    self._lost(intent.meaning, error)
            self._ticked = time.monotonic()

    def settle(self, *, timeout: float = 120.0) -> tuple[Intent, ...]:
        """Go on until nothing is on its way any more, or the time is over; what still is, is returned.

        Whoever starts again calls this first: it sends what was written down, and finds what was sent.
        """
        deadline = time.monotonic() + timeout
        pause = 0.002
        while True:
            try:
                with self._lock:
                    self.tick()
                    live = self._store.live()
                if not live or time.monotonic() > deadline:
                    return live
            except _STORAGE_ERRORS as error:
                if time.monotonic() > deadline:
                    raise
                self._lost("", error)
            time.sleep(pause)
            pause = min(self._longest_pause, pause * 1.5)

    def intents(self) -> tuple[Intent, ...]:
        """Everything that was ever asked for, in that order."""
        with self._lock:
            return self._store.all()

    def find(self, meaning: str) -> Intent | None:
        """What is known of something; None if it was never asked for."""
        with self._lock:
            return self._store.find(meaning)

    def _is_open_again(self, intent: Intent, done: Callable[[], bool] | None) -> bool:
        """Whether an intent ended without being done, so that it may be asked for anew."""
        if intent.state is IntentState.DONE_BY_OTHERS:
            return done is not None and not done()
        return intent.state in (IntentState.FAILED, IntentState.CANCELLED)

    def _result(self, intent: Intent) -> Receipt | None:
        """How it ended; None if it turns out not to have ended."""
        if intent.state is IntentState.DONE_BY_OTHERS:
            raise DoneByOthers(intent.meaning)
        if intent.state is IntentState.CANCELLED:
            raise Cancelled(intent.meaning)
        mined = intent.mined
        if intent.state is IntentState.FAILED:
            raise revert_of(intent.reason, None if mined is None or mined.is_cancel else mined.hash)
        assert mined is not None
        try:
            with self._connection.asking():
                receipt = self._connection.web3.eth.get_transaction_receipt(mined.hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            # Taken back although it was deep enough, or asked of a node that lags: to send it again is right in both.
            self._store.acquire()
            self._store.reopen(intent)
            return None
        except _NODE_ERRORS as error:
            self._lost(intent.meaning, error)
            return None
        return self._planner.receipt(receipt, mined.hash)

    def _lost(self, meaning: str, error: Exception) -> None:
        step = Step.DATABASE_LOST if isinstance(error, _STORAGE_ERRORS) else Step.NODE_LOST
        self._listener(Progress(step, meaning, str(error)))

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
