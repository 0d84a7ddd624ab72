"""What is done next about one intent, whatever has happened before.

Each step looks at what is written down and at what the chain says, and does the one thing that follows from both. It
can be cut off anywhere and be taken again by this process or the next: signed bytes are written down before a node has
them, the same bytes may be sent any number of times, and a nonce is given up for another only when the transaction that
took it has been seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from eth_utils.crypto import keccak
from web3.exceptions import TransactionNotFound
from web3.types import TxReceipt

from fedblocks.chain.connection import Connection, NodeRefused, NodeUnreachable
from fedblocks.chain.fees import FeePolicy, Offer, TooExpensive, first_offer, next_offer
from fedblocks.chain.nonce_owner import owner_of_nonce, transaction_count
from fedblocks.chain.nonces import Nonces, Outcome, nonces_of
from fedblocks.chain.outbox_records import (
    Attempt,
    AttemptState,
    Intent,
    IntentState,
    Listener,
    MinedIn,
    Progress,
    Step,
)
from fedblocks.chain.outbox_store import OutboxStore
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import (
    Call,
    InsufficientFunds,
    TransactionPlan,
    TransactionRejected,
    TransactionSender,
)
from fedblocks.types import BlockNumber, Hash32, Wei

_DAY = 86_400
_SOONER = 5
"""How many times sooner something is sent again that no node has said it has."""
_PENDING = (IntentState.SIGNED, IntentState.SENT)


@dataclass(frozen=True)
class OutboxSettings:
    """How patient an outbox is.

    Attributes:
        fees: what may be paid, and when more is offered.
        confirmations: blocks that must follow the one with a transaction before it counts as done.
        resend_after: seconds after which a node is asked whether it still has a transaction, and is given it again.
        fill_gap_after: seconds after which a nonce that nobody uses, but that others wait behind, is filled.
        longest_pause: seconds between two looks at the chain, at the most, while somebody waits.
        clock: the seconds since 1970.
    """

    fees: FeePolicy = field(default_factory=FeePolicy)
    confirmations: int = 0
    resend_after: float = 5.0
    fill_gap_after: float = 15.0
    longest_pause: float = 1.0
    clock: Callable[[], float] = time.time


@dataclass
class Wishes:
    """What the callers of this process have said about a meaning; not written down, since it is code."""

    done: Callable[[], bool] | None = None
    on_signed: Callable[[Hash32], None] | None = None


class Steps:
    """Takes steps for the intents of one account. Not for two threads at once."""

    def __init__(
        self, store: OutboxStore, connection: Connection, signer: Signer, settings: OutboxSettings, listener: Listener
    ) -> None:
        self._store, self._connection, self._signer = store, connection, signer
        self._settings, self._listener = settings, listener
        self._planner = TransactionSender(connection, signer)
        self._pushed: dict[Hash32, float] = {}
        self._gaps: dict[int, float] = {}
        self.wishes: dict[str, Wishes] = {}
        self.refusals: dict[Hash32, int] = {}

    @property
    def _nonces(self) -> Nonces:
        return nonces_of(self._connection, self._signer.address)

    def take(self, intent: Intent) -> None:
        """The next step for an intent.

        Raises:
            NodeUnreachable, NodeRefused, UnknownBlock: if the node doesn't answer; nothing is lost, take it again.
            LeaseTaken: if another process sends for the account now.
        """
        if intent.state is IntentState.PLANNED:
            self.start(intent)
        elif intent.state is IntentState.MINED:
            self._deepen(intent)
        elif intent.state in _PENDING:
            self._pursue(intent)

    # Planned: sign and send

    def start(self, intent: Intent, plan: TransactionPlan | None = None) -> None:
        """Sign and send an intent that is written down; `plan` if it was simulated just now."""
        if plan is None:
            try:
                plan = self._planner.plan(intent.call)
            except ContractReverted as error:
                self._end(intent, self._state_when_refused(intent), error.message)
                return
            except (InsufficientFunds, TransactionRejected) as error:
                self._wait(intent, str(error))
                return
        offer = first_offer(self._settings.fees, self._planner.market(), plan.gas, self._spent(intent))
        if isinstance(offer, TooExpensive):
            self._wait(intent, offer.reason)
            return
        with self._nonces.lock:
            highest = self._store.highest_nonce()
            nonce = max(self._nonces.next(self._connection), -1 if highest is None else highest + 1)
            if intent.gas != plan.gas:
                intent = self._store.change(intent, gas=plan.gas)
            self._sign_and_send(intent, nonce, plan.call, plan.gas, offer, cancel=False)

    def _sign_and_send(self, intent: Intent, nonce: int, call: Call, gas: int, offer: Offer, *, cancel: bool) -> Intent:
        plan = TransactionPlan(call, self._signer.address, gas, offer.price, offer.tip)
        raw = self._signer.sign_transaction(self._planner.transaction(plan, nonce))
        transaction_hash = Hash32(keccak(raw))
        intent = self._store.sign(intent, nonce, raw, transaction_hash, offer, cancel=cancel)
        self._nonces.sent(nonce)
        wishes = self.wishes.get(intent.meaning)
        if wishes is not None and wishes.on_signed is not None:
            wishes.on_signed(transaction_hash)
        self._tell(Step.SIGNED, intent, f"signed with nonce {nonce}, at most {offer.price} wei for a unit of gas")
        self._broadcast(intent, intent.attempts[-1])
        return intent

    def _broadcast(self, intent: Intent, attempt: Attempt) -> None:
        self._pushed[attempt.hash] = self._settings.clock()
        again = attempt.state is not AttemptState.SIGNED
        try:
            outcome, reason = self._planner.hand_over(attempt.raw, attempt.hash, again=True)
        except NodeUnreachable as error:
            self._tell(Step.NODE_LOST, intent, f"it is not known whether the node has it: {error}")
            return
        if outcome is Outcome.ACCEPTED:
            self.refusals.pop(attempt.hash, None)
            intent = self._store.attempt(intent, attempt.number, AttemptState.SENT, state=IntentState.SENT, waiting="")
            self._tell(Step.RESENT if again else Step.SENT, intent, "the node has it")
        elif outcome is Outcome.REFUSED:
            self.refusals[attempt.hash] = self.refusals.get(attempt.hash, 0) + 1
            waiting = f"the node refuses it: {reason}"
            self._tell(
                Step.REFUSED, self._store.attempt(intent, attempt.number, AttemptState.REFUSED, waiting=waiting), reason
            )

    # Signed or sent: find out what became of it, and see that something does

    def _pursue(self, intent: Intent) -> None:
        assert intent.nonce is not None
        for attempt in reversed(intent.attempts):
            receipt = self._find_receipt(attempt.hash)
            if receipt is not None:
                self._found(intent, attempt, receipt)
                return
        count = transaction_count(self._connection, self._signer.address)
        if count > intent.nonce:
            self._look_for_owner(intent, intent.nonce)
        else:
            self._push(intent, is_next=count == intent.nonce)

    def _find_receipt(self, transaction_hash: Hash32) -> TxReceipt | None:
        try:
            with self._connection.asking():
                return self._connection.web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            return None

    def _look_for_owner(self, intent: Intent, nonce: int) -> None:
        """None of ours was found, and the nonce is used: only what is found instead proves that ours are void."""
        try:
            owner = owner_of_nonce(self._connection, self._signer.address, nonce, intent.since)
        except NodeRefused as error:
            self._wait(
                intent,
                f"nonce {nonce} is used, and the node cannot say by what ({error}); ask one that knows the state since "
                f"block {intent.since}",
            )
            return
        if owner is None or owner.hash in {attempt.hash for attempt in intent.attempts}:
            return  # another node's answer, or our own, whose receipt will come
        if self._connection.block_number() - owner.block < self._settings.confirmations:
            return
        by = "an earlier transaction" if owner.hash is None else f"0x{owner.hash.hex()}"
        self._tell(Step.NONCE_TAKEN, intent, f"nonce {nonce} was taken by {by} of this account, which is not ours")
        for attempt in intent.attempts:
            self._store.attempt(intent, attempt.number, AttemptState.REPLACED)
        if intent.giving_up:
            self._end(intent, IntentState(intent.giving_up), intent.reason)
        elif intent.meaning.startswith(GAP):
            self._end(intent, IntentState.DONE_BY_OTHERS, "")
        else:
            self._nonces.settle(nonce)
            self.start(self._store.plan(intent.meaning, intent.call, intent.gas, intent.since))

    def _push(self, intent: Intent, *, is_next: bool) -> None:
        """See that the node has the newest transaction, and that it offers enough."""
        newest, now = intent.attempts[-1], self._settings.clock()
        if intent.giving_up and not newest.is_cancel:
            self._replace(intent, cancel=True)
            return
        pushed = self._pushed.get(newest.hash)
        if newest.state is AttemptState.DROPPED or pushed is None:
            # After a reorganisation, or in a new process.
            if newest.state is not AttemptState.DROPPED and self._planner.is_known(newest.hash):
                self._pushed[newest.hash] = newest.signed_at
            elif not is_next or self._still_right(intent):
                self._broadcast(intent, newest)
        elif is_next and now - max(newest.signed_at, pushed) >= self._settings.fees.replace_after:
            if self._still_right(intent):
                self._replace(intent, cancel=newest.is_cancel)
        elif now - pushed >= self._settings.resend_after / (_SOONER if intent.state is IntentState.SIGNED else 1):
            if intent.state is IntentState.SENT and self._planner.is_known(newest.hash):
                # Not pushed again, so that the time until it is replaced goes on.
                return
            if not is_next or self._still_right(intent):
                self._broadcast(intent, newest)

    def _still_right(self, intent: Intent) -> bool:
        """Whether the contract would still take it; if not, an empty transaction is to take its nonce.

        Only for the account's next transaction: a later one may depend on those before it.
        """
        if intent.giving_up:
            return True
        try:
            self._planner.plan(intent.call)
        except ContractReverted as error:
            state = self._state_when_refused(intent)
            intent = self._store.change(intent, giving_up=state, reason=error.message)
            self._replace(intent, cancel=True)
            return False
        except (InsufficientFunds, TransactionRejected):
            pass  # too poor for the margin, perhaps, but what was signed may still be paid for
        return True

    def _replace(self, intent: Intent, *, cancel: bool) -> None:
        """Sign another transaction with the same nonce that offers more."""
        assert intent.nonce is not None
        call, gas = intent.call, intent.gas
        if cancel:
            call = Call("nothing", "", self._signer.address)
            gas = self._planner.plan(call).gas
        highest = Offer(
            Wei(max(attempt.offer.price for attempt in intent.attempts)),
            None
            if intent.attempts[-1].offer.tip is None
            else Wei(max(attempt.offer.tip or 0 for attempt in intent.attempts)),
        )
        offer = next_offer(self._settings.fees, self._planner.market(), highest, gas, self._spent(intent))
        if isinstance(offer, TooExpensive):
            self._wait(intent, offer.reason)
            self._pushed[intent.attempts[-1].hash] = self._settings.clock()
            return
        step = Step.CANCELLING if cancel else Step.REPLACED
        self._tell(step, intent, f"nonce {intent.nonce} is offered again at {offer.price} wei for a unit of gas")
        self._sign_and_send(intent, intent.nonce, call, gas, offer, cancel=cancel)

    # Mined: wait until it is deep enough

    def _found(self, intent: Intent, attempt: Attempt, receipt: TxReceipt) -> None:
        mined = MinedIn(
            hash=attempt.hash,
            block=BlockNumber(int(receipt["blockNumber"])),
            block_hash=Hash32(bytes(receipt["blockHash"])),
            fee=Wei(int(receipt["gasUsed"]) * int(receipt.get("effectiveGasPrice", 0))),
            succeeded=receipt["status"] == 1,
            is_cancel=attempt.is_cancel,
        )
        intent = self._store.mined(intent, mined)
        self._tell(Step.MINED, intent, f"mined in block {mined.block}")
        if self._settings.confirmations == 0:
            self._finish(intent, mined, receipt)

    def _deepen(self, intent: Intent) -> None:
        mined = intent.mined
        assert mined is not None
        head = self._connection.block_number()
        receipt = self._find_receipt(mined.hash)
        if receipt is None:
            self._tell(Step.REORGANISED, intent, f"block {mined.block} is no longer part of the chain")
            self.take(self._store.reopen(intent))
        elif bytes(receipt["blockHash"]) != mined.block_hash:
            self._tell(Step.REORGANISED, intent, f"mined again in block {int(receipt['blockNumber'])}")
            attempt = next(attempt for attempt in intent.attempts if attempt.hash == mined.hash)
            self._found(intent, attempt, receipt)
        elif head - mined.block >= self._settings.confirmations:
            self._finish(intent, mined, receipt)

    def _finish(self, intent: Intent, mined: MinedIn, receipt: TxReceipt) -> None:
        if mined.is_cancel:
            self._end(intent, IntentState(intent.giving_up or IntentState.CANCELLED), intent.reason)
        elif mined.succeeded:
            self._end(intent, IntentState.CONFIRMED, "")
        else:
            error = self._planner.failure(intent.call, self._signer.address, receipt, mined.hash)
            self._end(intent, self._state_when_refused(intent), error.message)

    def _state_when_refused(self, intent: Intent) -> IntentState:
        wishes = self.wishes.get(intent.meaning)
        others = wishes is not None and wishes.done is not None and wishes.done()
        return IntentState.DONE_BY_OTHERS if others else IntentState.FAILED

    # Gaps

    def close_gaps(self) -> None:
        """See that every nonce before the ones that are waited for is used by something."""
        live = [intent for intent in self._store.live() if intent.nonce is not None and intent.state in _PENDING]
        if not live:
            self._gaps.clear()
            return
        taken = {intent.nonce for intent in live}
        count = transaction_count(self._connection, self._signer.address)
        missing = [nonce for nonce in range(count, max(nonce or 0 for nonce in taken)) if nonce not in taken]
        now = self._settings.clock()
        self._gaps = {nonce: self._gaps.get(nonce, now) for nonce in missing}
        for nonce, seen in self._gaps.items():
            through = self._store.with_nonce(nonce)
            if through is not None and through.is_final:
                if through.mined is not None and self._find_receipt(through.mined.hash) is None:
                    self._tell(Step.REORGANISED, through, "its block is no longer part of the chain")
                    self._store.reopen(through)
            elif through is None and now - seen >= self._settings.fill_gap_after:
                self._fill(nonce)

    def _fill(self, nonce: int) -> None:
        """Whoever had the nonce is not there any more: an empty transaction takes it."""
        with self._connection.asking():
            pending = int(self._connection.web3.eth.get_transaction_count(self._signer.address, "pending"))
        if pending > nonce:
            return  # somebody's transaction with it waits in the node's pool
        call = Call("nothing", "", self._signer.address)
        plan = self._planner.plan(call)
        offer = first_offer(self._settings.fees, self._planner.market(), plan.gas, self._spent(None))
        if isinstance(offer, TooExpensive):
            return
        intent = self._store.plan(f"{GAP}{nonce}", call, plan.gas, self._connection.block_number())
        self._sign_and_send(intent, nonce, call, plan.gas, offer, cancel=False)

    # What all of them do

    def _spent(self, intent: Intent | None) -> int:
        if self._settings.fees.max_daily_fee is None:
            return 0
        since = self._settings.clock() - _DAY
        return self._store.fees_since(since, but=None if intent is None else intent.id)

    def _wait(self, intent: Intent, reason: str) -> None:
        changed = self._store.change(intent, waiting=reason)
        if not intent.waiting:
            self._tell(Step.WAITING, changed, reason)

    def _end(self, intent: Intent, state: IntentState, reason: str) -> None:
        intent = self._store.change(intent, state=state, reason=reason, waiting="")
        if intent.nonce is not None:
            self._nonces.settle(intent.nonce)
        for attempt in intent.attempts:
            self._pushed.pop(attempt.hash, None)
            self.refusals.pop(attempt.hash, None)
        self._tell(Step(str(state)), intent, reason or str(state))

    def _tell(self, step: Step, intent: Intent, text: str) -> None:
        self._listener(
            Progress(
                step=step,
                meaning=intent.meaning,
                text=text,
                call=intent.call,
                nonce=intent.nonce,
                transaction_hash=intent.hash,
                block=None if intent.mined is None else intent.mined.block,
            )
        )


GAP = "gap/"
"""How the meaning of an empty transaction begins that fills a gap."""
