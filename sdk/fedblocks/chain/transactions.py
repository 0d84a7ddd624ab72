"""Sending a transaction, in the one place where it is done.

A transaction is first simulated, so that a refusal costs nothing; then shown to whoever may decline it; then signed,
sent, and waited for. What comes back is the receipt of a transaction that succeeded: a refusal is raised, never
returned. Without a signer everything up to the sending works, and the error that ends it carries the plan.

Two senders with the same key take turns (see :mod:`fedblocks.chain.nonces`). With an outbox
(:mod:`fedblocks.chain.outbox`) what is sent is written down before, and survives the process.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain import web3_errors
from fedblocks.chain.connection import Connection, NodeRefused, NodeUnreachable, message_of
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.fees import Market
from fedblocks.chain.nonces import Outcome, nonces_of, outcome_of
from fedblocks.chain.reverts import ContractReverted, revert_of, revert_of_error
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import ZERO_ADDRESS, Address, BlockNumber, Hash32, Wei
from fedblocks.units import format_ether

if TYPE_CHECKING:
    from web3.types import TxParams, TxReceipt

    from fedblocks.chain.outbox import Outbox
    from fedblocks.chain.signers import Signer

E = TypeVar("E", bound=ChainEvent)

_ATTEMPTS = 8


@dataclass(frozen=True)
class Call:
    """What a transaction is to do. `to` is None when it creates a contract."""

    contract: str
    function: str
    to: Address | None
    data: bytes = b""
    value: Wei = Wei(0)  # noqa: RUF009
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}" if self.function else self.contract


@dataclass(frozen=True)
class TransactionPlan:
    """A simulated transaction that is ready to be signed: what it does and what it costs at most."""

    call: Call
    sender: Address
    gas: int
    gas_price: Wei
    """The highest price that will be paid for a unit of gas."""
    priority_fee: Wei | None
    """The tip within that price; None on a chain with plain gas prices."""

    @property
    def fee(self) -> Wei:
        """What the transaction costs beside its value, at most."""
        return Wei(self.gas * self.gas_price)

    @property
    def cost(self) -> Wei:
        """Value and fee: what the sender must hold."""
        return Wei(self.call.value + self.fee)


@dataclass(frozen=True)
class Receipt:
    """A transaction that was mined and succeeded."""

    transaction_hash: Hash32
    block: BlockNumber
    block_hash: Hash32
    gas_used: int
    fee: Wei
    contract_address: Address | None
    """The contract that it created, if it created one."""
    events: tuple[ChainEvent, ...]
    """What every contract that the connection knows has said in it."""

    def all(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        """The only event of a kind."""
        found = self.all(kind)
        if len(found) != 1:
            raise LookupError(
                f"expected one {kind.__name__} event in 0x{self.transaction_hash.hex()}, got {len(found)}"
            )
        return found[0]


class NotSent(FedBlocksError):
    """The transaction was simulated and would succeed, but was not sent."""

    def __init__(self, plan: TransactionPlan | None, what: Call, why: str) -> None:
        self.plan = plan
        super().__init__(f"{what} was not sent: {why}")


class NoSigner(NotSent, PermissionError):
    """A transaction was asked for, but nobody is there to sign it."""

    def __init__(self, plan: TransactionPlan | None, what: Call) -> None:
        super().__init__(plan, what, "there is no signer; connect with one, or look at the plan only")


class DryRun(NotSent):
    """A transaction was asked for in a dry run."""

    def __init__(self, plan: TransactionPlan) -> None:
        super().__init__(plan, plan.call, "this is a dry run")


class Declined(NotSent, PermissionError):
    """The one who was asked to confirm a transaction has declined it."""

    def __init__(self, plan: TransactionPlan) -> None:
        super().__init__(plan, plan.call, "it was declined")


class InsufficientFunds(FedBlocksError, ValueError):
    """An account holds less than a transaction needs."""

    def __init__(self, address: Address, balance: Wei, needed: Wei) -> None:
        self.address, self.balance, self.needed = address, balance, needed
        super().__init__(
            f"{address} holds {format_ether(balance)} ether, but {format_ether(needed)} are needed (value and fee)"
        )


class TransactionRejected(FedBlocksError, RuntimeError):
    """The node did not take a transaction; it will not be mined."""

    def __init__(self, call: Call, reason: str) -> None:
        super().__init__(f"the node refused {call}: {reason}")


class TransactionNotMined(FedBlocksError, TimeoutError):
    """A transaction was sent, but was not mined in time; it may still be."""

    def __init__(self, call: Call, transaction_hash: Hash32, seconds: float) -> None:
        self.transaction_hash = transaction_hash
        super().__init__(
            f"{call} was sent as 0x{transaction_hash.hex()} but was not mined within {seconds:g} s; it may still be"
        )


class FateUnknown(FedBlocksError, ConnectionError):
    """The connection failed while a transaction was handed over: the node may have it or not."""

    def __init__(self, call: Call, transaction_hash: Hash32) -> None:
        self.transaction_hash = transaction_hash
        super().__init__(
            f"the connection failed while {call} was sent; look for 0x{transaction_hash.hex()} before sending it again"
        )


class NonceTaken(FedBlocksError, RuntimeError):
    """The nonce that a transaction had to have was used by another transaction of the same account."""

    def __init__(self, call: Call, nonce: int) -> None:
        self.nonce = nonce
        super().__init__(f"{call} was to have nonce {nonce}, but another transaction of this account took it")


Confirm = Callable[[TransactionPlan], bool]


class TransactionSender:
    """Sends transactions of one account over one connection."""

    def __init__(
        self,
        connection: Connection,
        signer: Signer | None = None,
        *,
        address: Address | None = None,
        confirm: Confirm | None = None,
        dry_run: bool = False,
        timeout: float = 120.0,
        gas_margin: float = 1.25,
        outbox: Outbox | None = None,
    ) -> None:
        """Make a sender.

        Args:
            connection: Where to.
            signer: Who signs; without one, only plans are made.
            address: Whose transactions to plan when there is no signer.
            confirm: Asked before each transaction is signed; False declines it.
            dry_run: Make plans only, although there is a signer.
            timeout: Seconds to wait until a transaction is mined.
            gas_margin: The gas limit, as a multiple of the estimate: by the time a transaction is mined, the state
                that it was simulated on may have changed.
            outbox: Where the account's transactions are written down, so that none is lost or sent twice whatever
                happens; a transaction that must have a certain nonce passes it by.
        """
        self.connection = connection
        self.signer = signer
        self.address: Address | None = signer.address if signer is not None else address
        self._confirm = confirm
        self._dry_run = dry_run
        self._timeout = timeout
        self.gas_margin = gas_margin
        self.outbox = outbox
        self._meant = threading.local()

    def plan(self, call: Call) -> TransactionPlan:
        """Simulate a call and price it.

        Raises:
            ContractReverted: if the contract would refuse it; most often one of its subclasses.
            InsufficientFunds: if the account cannot pay for it.
        """
        sender = self.address or ZERO_ADDRESS
        web3 = self.connection.web3
        transaction: TxParams = {"from": sender, "data": call.data, "value": call.value}  # type: ignore[typeddict-item]
        if call.to is not None:
            transaction["to"] = call.to
        price, tip = self.price()
        balance = self.connection.balance(sender)
        # Nodes word "too poor" in many ways; asking for the balance first leaves nothing to parse.
        if self.address is not None and balance < call.value:
            raise InsufficientFunds(sender, balance, call.value)
        try:
            # Estimating is simulating: the node runs the transaction, and a refusal comes back with its reason.
            gas = int(int(web3.eth.estimate_gas(transaction)) * self.gas_margin)
        except web3_errors.ContractLogicError as error:
            raise revert_of_error(error) from None
        except web3_errors.Web3RPCError as error:
            raise TransactionRejected(call, message_of(error)) from error
        plan = TransactionPlan(call=call, sender=sender, gas=gas, gas_price=price, priority_fee=tip)
        if self.address is not None and balance < plan.cost:
            raise InsufficientFunds(sender, balance, plan.cost)
        return plan

    def send(
        self, call: Call, *, nonce: int | None = None, on_signed: Callable[[Hash32], None] | None = None
    ) -> Receipt:
        """Simulate, confirm, sign, send, and wait for the receipt.

        Args:
            call: What to do.
            nonce: The nonce that it must have, where something else depends on it; else the account's next one.
            on_signed: Told the transaction's hash before any node has the transaction, so that a caller can write it
                down and find it again if this process is killed.

        Raises:
            ContractReverted: if the contract refuses it, in the simulation or when it is mined.
            NotSent: if there is no signer, in a dry run, or when it was declined; the error carries the plan.
            InsufficientFunds, NonceTaken, TransactionRejected, NodeUnreachable: nothing was sent, as they say.
            TransactionNotMined, FateUnknown: it is or may be on its way; both carry its hash.
            DoneByOthers, NotDoneYet, LeaseTaken and the others of :meth:`Outbox.send`: with an outbox.
        """
        if self.signer is None and self.address is None:
            raise NoSigner(None, call)
        meaning, done = self._meaning
        outbox = self.outbox if nonce is None and not self._dry_run else None
        if outbox is not None and outbox.has(meaning):
            # Done, or on its way: to simulate it again would be refused.
            return outbox.send(meaning, call, done=done, timeout=self._timeout)
        plan = self.plan(call)
        if self.signer is None:
            raise NoSigner(plan, call)
        if self._dry_run:
            raise DryRun(plan)
        if self._confirm is not None and not self._confirm(plan):
            raise Declined(plan)
        if outbox is not None:
            return outbox.send_planned(meaning, plan, done=done, on_signed=on_signed, timeout=self._timeout)
        transaction_hash, used = self._broadcast(plan, self.signer, nonce, on_signed)
        try:
            return self.wait_for(call, transaction_hash, plan.sender)
        finally:
            nonces_of(self.connection, plan.sender).settle(used)

    @contextmanager
    def meaning(self, key: str, done: Callable[[], bool] | None = None) -> Iterator[None]:
        """Say what the next transaction of this thread is for: with an outbox, the same thing is never done twice.

        >>> with sender.meaning("closeCommits/412346/0x.../7/12/0"):  # doctest: +SKIP
        ...     chain.close_commits(7, 12, 0, root)

        Args:
            key: what it is for, the same whenever the same thing is wanted. Asked for again, it is waited for, or its
                receipt is returned, and nothing more is sent.
            done: says whether it is done on chain already, whoever has done it.
        """
        before = getattr(self._meant, "now", None)
        self._meant.now = (key, done)
        try:
            yield
        finally:
            self._meant.now = before

    @property
    def _meaning(self) -> tuple[str, Callable[[], bool] | None]:
        meant: tuple[str, Callable[[], bool] | None] | None = getattr(self._meant, "now", None)
        # What nobody has named is something new each time.
        return meant if meant is not None else (f"once/{uuid.uuid4().hex}", None)

    def wait_for(self, call: Call, transaction_hash: Hash32, sender: Address) -> Receipt:
        """Wait for a transaction that has been sent, by this process or an earlier one.

        Args:
            call: What it does.
            transaction_hash: Which one it is.
            sender: Whose it is.

        Raises:
            ContractReverted: if it was mined and failed.
            TransactionNotMined: if it was not mined in time.
        """
        receipt = self._wait(call, transaction_hash)
        if receipt["status"] != 1:
            raise self.failure(call, sender, receipt, transaction_hash)
        return self.receipt(receipt, transaction_hash)

    def transfer(self, to: Address, value: Wei) -> Receipt:
        """Send ether."""
        return self.send(Call("transfer", "", to, value=value, arguments={"to": to}))

    def next_nonce(self) -> int:
        """The nonce that the account's next transaction will have, if nobody else sends one before."""
        return nonces_of(self.connection, self.address or ZERO_ADDRESS).next(self.connection)

    def price(self) -> tuple[Wei, Wei | None]:
        """What a transaction would offer for a unit of gas now, at most, and the tip within it."""
        offer = self.market().offer
        return offer.price, offer.tip

    def market(self) -> Market:
        """What the node says that gas costs now."""
        base_fee = self.connection.block().base_fee
        if base_fee is None:
            return Market(None, Wei(int(self.connection.rpc("eth_gasPrice"), 16)))
        try:
            # Not by web3's own method, which replaces every error by a guess.
            tip = int(self.connection.rpc("eth_maxPriorityFeePerGas"), 16)
        except NodeRefused:
            # Some nodes don't know it; their plain gas price has the tip in it.
            tip = max(0, int(self.connection.rpc("eth_gasPrice"), 16) - base_fee)
        return Market(base_fee, Wei(tip))

    def _broadcast(
        self, plan: TransactionPlan, signer: Signer, fixed: int | None, on_signed: Callable[[Hash32], None] | None
    ) -> tuple[Hash32, int]:
        """Sign and send until a node has the transaction; returns its hash and nonce."""
        nonces = nonces_of(self.connection, plan.sender)
        with nonces.lock:
            for attempt in range(_ATTEMPTS):
                nonce = nonces.next(self.connection) if fixed is None else fixed
                raw = signer.sign_transaction(self.transaction(plan, nonce))
                transaction_hash = Hash32(keccak(raw))
                if on_signed is not None:
                    on_signed(transaction_hash)
                try:
                    outcome, reason = self.hand_over(raw, transaction_hash)
                except NodeUnreachable as error:
                    raise FateUnknown(plan.call, transaction_hash) from error
                if outcome is Outcome.ACCEPTED:
                    nonces.sent(nonce)
                    return transaction_hash, nonce
                if outcome is Outcome.REFUSED:
                    raise TransactionRejected(plan.call, reason)
                if fixed is not None:
                    raise NonceTaken(plan.call, nonce)
                # Another process has used the nonce. A node behind a load balancer may need a moment to know it.
                time.sleep(0.05 * attempt)
        raise NonceTaken(plan.call, nonce)

    def hand_over(self, raw: bytes, transaction_hash: Hash32, *, again: bool = False) -> tuple[Outcome, str]:
        """Give signed bytes to the node. The same bytes may be given twice: they can be mined only once.

        Args:
            raw: the bytes.
            transaction_hash: of them.
            again: whether they were handed over before; if not, a node that has mined the same bytes already has mined
                another transaction, which says the same and had the same nonce.
        """
        for last in (False, True):
            try:
                self.connection.web3.eth.send_raw_transaction(raw)
            except NodeUnreachable:
                if last:
                    raise
                continue  # the node may have it or not: the answer was lost, not necessarily the question
            except (web3_errors.Web3RPCError, web3_errors.ContractLogicError) as error:
                reason = message_of(error)
                outcome = outcome_of(reason)
                if outcome is Outcome.NONCE_USED and (last or again) and self.is_known(transaction_hash):
                    return Outcome.ACCEPTED, ""  # our own, from the attempt whose answer was lost
                return outcome, reason
            return Outcome.ACCEPTED, ""
        raise AssertionError("unreachable")

    def is_known(self, transaction_hash: Hash32) -> bool:
        """Whether the node has a transaction, mined or not."""
        try:
            with self.connection.asking():
                self.connection.web3.eth.get_transaction(transaction_hash)  # type: ignore[arg-type]
        except web3_errors.TransactionNotFound:
            return False
        return True

    def transaction(self, plan: TransactionPlan, nonce: int) -> dict[str, Any]:
        """A plan with its nonce, as it is signed."""
        transaction: dict[str, Any] = {
            "chainId": self.connection.chain_id,
            "nonce": nonce,
            "gas": plan.gas,
            "value": plan.call.value,
            "data": plan.call.data,
        }
        if plan.call.to is not None:
            transaction["to"] = plan.call.to
        if plan.priority_fee is None:
            transaction["gasPrice"] = plan.gas_price
        else:
            transaction |= {"maxFeePerGas": plan.gas_price, "maxPriorityFeePerGas": plan.priority_fee, "type": 2}
        return transaction

    def _wait(self, call: Call, transaction_hash: Hash32) -> TxReceipt:
        deadline = time.monotonic() + self._timeout
        pause = 0.002
        while True:
            try:
                return self.connection.web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
            except (web3_errors.Web3RPCError, NodeUnreachable) as error:
                # Not found is an error too. Whatever it is, the transaction is out: a node that is fine again in time
                # still knows what became of it.
                if time.monotonic() > deadline:
                    raise TransactionNotMined(call, transaction_hash, self._timeout) from error
            # A development node answers at once, a real chain after seconds.
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)

    def failure(self, call: Call, sender: Address, receipt: TxReceipt, transaction_hash: Hash32) -> ContractReverted:
        """Why a mined transaction failed: a receipt does not say, so it is played again on its block."""
        transaction: TxParams = {"from": sender, "data": call.data, "value": call.value}  # type: ignore[typeddict-item]
        if call.to is not None:
            transaction["to"] = call.to
        try:
            self.connection.web3.eth.call(transaction, receipt["blockNumber"])
        except web3_errors.ContractLogicError as error:
            return revert_of_error(error, transaction_hash)
        except web3_errors.Web3RPCError:
            pass  # a node that has forgotten that state; that it failed is certain all the same
        return revert_of("", transaction_hash)

    def receipt(self, receipt: TxReceipt, transaction_hash: Hash32) -> Receipt:
        """A node's receipt, with its events by their classes."""
        created = receipt.get("contractAddress")
        return Receipt(
            transaction_hash=transaction_hash,
            block=BlockNumber(int(receipt["blockNumber"])),
            block_hash=Hash32(bytes(receipt["blockHash"])),
            gas_used=int(receipt["gasUsed"]),
            fee=Wei(int(receipt["gasUsed"]) * int(receipt.get("effectiveGasPrice", 0))),
            contract_address=None if created is None else to_checksum_address(created),
            events=self.connection.events.decode(receipt["logs"]),
        )
