"""Sending from the command line: shown, confirmed, sent, told.

Every command that sends goes through :func:`connect_to_send`. What it gets behaves like any other deployment object;
only its sender shows each simulated transaction with what it costs at most, asks, waits for gas to fall where that was
wished, and tells what became of it. What was sent is noted in the index, so that it can be found again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from fedblocks.chain.connection import Connection
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import (
    Call,
    DryRun,
    NoSigner,
    Receipt,
    TransactionPlan,
    TransactionSender,
)
from fedblocks.cli.connecting import NobodyToAsk, address_of, connect, connect_v1, open_signer
from fedblocks.cli.options import SendingChoice, Where, default_database, settings_of
from fedblocks.cli.output import eth, pause, plain, print_json, talk
from fedblocks.client import FedBlocks
from fedblocks.deployments import Deployment
from fedblocks.exceptions import FedBlocksError
from fedblocks.explorers import explorer_link
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.sources import NodeSource
from fedblocks.monitor.subject import Subject
from fedblocks.types import Address, Hash32, Wei
from fedblocks.v1 import FedBlocksV1

POLL_SECONDS = 5.0
_LONGEST_ARGUMENT = 100


class FeeTooHigh(FedBlocksError, RuntimeError):
    """Gas costs more than was allowed; nothing was sent."""

    def __init__(self, call: Call, price: Wei, limit: Wei) -> None:
        super().__init__(
            f"{call} was not sent: a unit of gas costs {gwei(price)} gwei and at most {gwei(limit)} were allowed; "
            "wait for it with --wait-for-fee, or raise --max-fee"
        )


Noted = Callable[[TransactionPlan, Hash32], None]
"""Told of each transaction before any node has it."""


class ShowingSender(TransactionSender):
    """A sender that talks to a person about each transaction."""

    def __init__(
        self,
        connection: Connection,
        signer: Signer | None,
        address: Address,
        choice: SendingChoice,
    ) -> None:
        """Make a sender."""
        super().__init__(connection, signer, address=address, confirm=self._ask, dry_run=choice.dry_run)
        self._choice = choice
        self.noted: Noted | None = None
        """Told of what is sent."""
        self._limit = None if choice.max_fee is None else Wei(choice.max_fee)
        self._current: TransactionPlan | None = None
        self.transactions: list[dict[str, Any]] = []
        """What was shown and, unless this is a dry run, sent: as JSON has it."""

    def price(self) -> tuple[Wei, Wei | None]:
        """What is offered for a unit of gas: no more than was allowed."""
        offer, tip = super().price()
        if self._limit is None or offer <= self._limit:
            return offer, tip
        return self._limit, None if tip is None else Wei(min(tip, self._limit))

    def plan(self, call: Call) -> TransactionPlan:
        """Simulate a call and price it, when gas costs no more than was allowed."""
        if self._choice.wait_for_fee:
            self._wait_for_price()
        elif self._limit is not None and (now := self.market().asked) > self._limit:
            raise FeeTooHigh(call, now, self._limit)
        self._current = super().plan(call)
        self._show(self._current)
        return self._current

    def send(
        self, call: Call, *, nonce: int | None = None, on_signed: Callable[[Hash32], None] | None = None
    ) -> Receipt:
        """As the sender that it is made of, and tell what became of the transaction."""

        def signed(transaction_hash: Hash32) -> None:
            if on_signed is not None:
                on_signed(transaction_hash)
            if self.noted is not None and self._current is not None:
                self.noted(self._current, transaction_hash)

        try:
            receipt = super().send(call, nonce=nonce, on_signed=signed)
        except NoSigner as error:
            # An address alone is enough to see what would be sent.
            if self._choice.dry_run and error.plan is not None:
                raise DryRun(error.plan) from None
            raise
        self._tell(receipt)
        return receipt

    def _wait_for_price(self) -> None:
        assert self._limit is not None
        while (now := self.market().asked) > self._limit:
            talk(f"gas costs {gwei(now)} gwei, waiting for {gwei(self._limit)}; nothing is sent yet", mark="yellow")
            pause(POLL_SECONDS)

    def _show(self, plan: TransactionPlan) -> None:
        call = plan.call
        chain = self.connection.chain_id
        lines = [
            f"{call} on chain {chain}",
            f"  contract  {call.to or 'a new one'}",
            f"  from      {plan.sender}",
            *(f"  {name:9} {_short(value)}" for name, value in call.arguments.items()),
            f"  value     {eth(call.value)}",
            f"  gas       {plan.gas:,} at most, {gwei(plan.gas_price)} gwei each at most",
            f"  cost      {eth(plan.cost)} at most (value and gas)",
        ]
        talk("\n".join(lines))
        self.transactions.append(
            {
                "contract": call.contract,
                "function": call.function,
                "to": call.to,
                "from": plan.sender,
                "arguments": plain(call.arguments),
                "value": call.value,
                "gas": plan.gas,
                "gasPrice": plan.gas_price,
                "maximumCost": plan.cost,
                "sent": False,
            }
        )

    def _ask(self, plan: TransactionPlan) -> bool:
        if self._choice.yes:
            return True
        if not sys.stdin.isatty():
            raise NobodyToAsk(f"whether to send {plan.call}", "say --yes to send without being asked, or --dry-run")
        # click's own prompt leaves a blank on stdout, which is for data.
        click.echo("Send it? [y/N] ", err=True, nl=False)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _tell(self, receipt: Receipt) -> None:
        link = explorer_link(self.connection.chain_id, "tx", receipt.transaction_hash)
        digest = "0x" + receipt.transaction_hash.hex()
        talk(f"sent: {digest}, mined in block {receipt.block}", mark="green")
        talk(f"  gas       {receipt.gas_used:,} for {eth(receipt.fee)}")
        if link is not None:
            talk(f"  explorer  {link}")
        self.transactions[-1] |= {
            "sent": True,
            "hash": digest,
            "block": receipt.block,
            "blockHash": "0x" + receipt.block_hash.hex(),
            "gasUsed": receipt.gas_used,
            "fee": receipt.fee,
            "explorer": link,
        }


def gwei(wei: int) -> str:
    """A price of gas for people."""
    return f"{wei / 10**9:.9f}".rstrip("0").rstrip(".")


def _short(value: Any) -> str:
    text = str(plain(value))
    if len(text) <= _LONGEST_ARGUMENT:
        return text
    return f"{text[:_LONGEST_ARGUMENT]}… ({len(text):,} characters)"


class Sending:
    """A command's transactions: what sends them, and what is printed of them at the end."""

    def __init__(self, fedblocks: FedBlocks | FedBlocksV1, sender: ShowingSender) -> None:
        self.any = fedblocks
        """The deployment, of either version."""
        self.sender = sender
        self.result: dict[str, Any] = {}
        """What the command adds to its JSON."""

    @property
    def fedblocks(self) -> FedBlocks:
        """The deployment of version 2."""
        if not isinstance(self.any, FedBlocks):
            raise click.UsageError("version 1 has no such thing: give a deployments file of version 2")
        return self.any

    @property
    def address(self) -> Address:
        """Who sends."""
        assert self.sender.address is not None
        return self.sender.address

    def attempt(self, action: Callable[[], Receipt]) -> Receipt | None:
        """Do one of several things in a dry run, too: None when it was only shown."""
        try:
            return action()
        except DryRun:
            return None


def _journal(connection: Connection, deployment: Deployment) -> Noted | None:
    """What notes transactions in the index; None, with a warning, where that cannot be: sending goes on without."""
    chosen = settings_of().get("database")
    try:
        database = index_database(default_database() if chosen is None else chosen.value)
        subject = Subject.of(deployment)
        monitor = Monitor(subject, NodeSource(connection, subject.addresses.values()), database)
    except FedBlocksError as error:
        talk(f"what is sent will not be noted in the index: {error}", mark="yellow")
        return None
    journal = monitor.journal

    def noted(plan: TransactionPlan, transaction_hash: Hash32) -> None:
        try:
            journal.note_sent(transaction_hash, plan.sender, str(plan.call), plan.call.value)
        except FedBlocksError as error:
            talk(f"0x{transaction_hash.hex()} could not be noted in the index: {error}", mark="yellow")

    return noted


@contextmanager
def connect_to_send(where: Where, choice: SendingChoice, as_json: bool) -> Iterator[Sending]:
    """Connect as somebody who sends; at the end, print what was sent on stdout.

    A dry run ends here without an error. Without --json the hashes are printed, one a line. It raises what
    :meth:`TransactionSender.send` raises.

    Raises:
        NoAccount: if nobody was named.
    """
    address = address_of(choice.account)
    signer = open_signer(choice.account)

    def sender_of(connection: Connection) -> ShowingSender:
        return ShowingSender(connection, signer, address, choice)

    fedblocks = connect_v1(where, sender_of) if where.is_v1 else connect(where, sender_of)
    assert isinstance(fedblocks.sender, ShowingSender)
    if isinstance(fedblocks, FedBlocks) and not choice.dry_run:
        fedblocks.sender.noted = _journal(fedblocks.connection, fedblocks.deployment)
    sending = Sending(fedblocks, fedblocks.sender)
    try:
        with suppress(DryRun):
            yield sending
    except FedBlocksError as error:
        # What was sent before is said all the same.
        if any(each["sent"] for each in sending.sender.transactions):
            _print(sending, choice, as_json, error)
        raise
    if choice.dry_run:
        talk("dry run: nothing was sent")
    _print(sending, choice, as_json)


def _print(sending: Sending, choice: SendingChoice, as_json: bool, error: FedBlocksError | None = None) -> None:
    transactions = sending.sender.transactions
    if as_json:
        wrong = {} if error is None else {"error": str(error)}
        print_json({"dryRun": choice.dry_run, "transactions": transactions, **sending.result, **wrong})
        return
    for each in transactions:
        if each["sent"]:
            click.echo(each["hash"])
