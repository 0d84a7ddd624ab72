"""What every contract's class shares: reading at a block, sending, events.

A contract's class gives each function of the ABI a Python name, typed arguments and a typed result. A read takes an
optional ``block``; several reads that belong together are made of one block, so that they fit together. A method that
changes state simulates first and returns the :class:`~fedblocks.chain.transactions.Receipt` of a transaction that
succeeded, with its events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

from eth_abi.exceptions import DecodingError
from eth_typing import ABIFunction
from eth_utils.abi import abi_to_signature

from fedblocks.chain import web3_errors
from fedblocks.chain.connection import Block, Connection, NoCodeAtAddress
from fedblocks.chain.events import ChainEvent, from_words
from fedblocks.chain.reverts import revert_of_error
from fedblocks.chain.transactions import Call, Receipt, TransactionPlan, TransactionSender
from fedblocks.contracts import reverts as _reverts  # noqa: F401  (gives every revert string its class)
from fedblocks.contracts.artifacts import Artifact, load_artifact
from fedblocks.types import Address, Hash32, Wei

T = TypeVar("T")


class Contract:
    """A contract at an address. Subclasses name it and its events."""

    NAME: ClassVar[str]
    """The contract's name, as the ABI is filed."""
    EVENTS: ClassVar[tuple[type[ChainEvent], ...]] = ()
    """One class for each event of the ABI."""

    def __init__(self, connection: Connection, address: Address, sender: TransactionSender | None = None) -> None:
        """Bind the class to an address.

        Args:
            connection: Where to read.
            address: Where the contract lives.
            sender: Who sends; without one the contract can only be read.
        """
        self.connection = connection
        self.address = address
        self.sender = sender if sender is not None else TransactionSender(connection)
        self._contract = connection.web3.eth.contract(address=address, abi=self.artifact().abi)
        connection.events.register(address, self._contract, self.EVENTS)

    @classmethod
    def artifact(cls) -> Artifact:
        """The contract's ABI and code."""
        return load_artifact(cls.NAME)

    def check_code(self, block: Block = "latest") -> None:
        """Raise NoCodeAtAddress unless there is a contract at the address."""
        if not self.connection.code(self.address, block):
            raise NoCodeAtAddress(self.NAME, self.address, self.connection.chain_id)

    def balance(self, block: Block = "latest") -> Wei:
        """The ether that the contract holds."""
        return self.connection.balance(self.address, block)

    def immutable(self, name: str, block: Block = "latest") -> Any:
        """What was fixed at deployment, by its ABI name; whoever inspects a deployment goes through all of them."""
        return self._read(name, block=block)

    def events(self, from_block: int = 0, to_block: int | str = "latest") -> tuple[ChainEvent, ...]:
        """The contract's events in a range of blocks, both ends included."""
        return self.connection.fetch_events(from_block, to_block, [self.address])

    def plan(self, function: str, *arguments: Any, value: Wei = Wei(0)) -> TransactionPlan:  # noqa: B008
        """Simulate a function by its ABI name, and say what it would cost; nothing is sent."""
        return self.sender.plan(self._call(function, arguments, value))

    def execute(
        self,
        function: str,
        *arguments: Any,
        value: Wei = Wei(0),  # noqa: B008
        on_signed: Callable[[Hash32], None] | None = None,
    ) -> Receipt:
        """Send a function by its ABI name, where its arguments come ready made; else use the method of the class.

        Args:
            function: its ABI name.
            arguments: as the ABI encoder takes them.
            value: ether to send along.
            on_signed: as of :meth:`TransactionSender.send`.
        """
        return self.sender.send(self._call(function, arguments, value), on_signed=on_signed)

    def _read(self, function: str, *arguments: Any, block: Block = "latest") -> Any:
        try:
            bound = self._contract.functions[function](*arguments)
            with self.connection.asking():
                return bound.call(block_identifier=block)  # type: ignore[arg-type]
        except web3_errors.ContractLogicError as error:
            raise revert_of_error(error) from None
        except (web3_errors.BadFunctionCallOutput, DecodingError):
            self.check_code(block)
            raise

    def _read_as(self, cls: type[T], function: str, *arguments: Any, block: Block = "latest") -> T:
        """Read a struct, or several results, as a dataclass with the same fields in the same order."""
        return from_words(cls, self._read(function, *arguments, block=block))

    def _send(self, function: str, *arguments: Any, value: Wei = Wei(0)) -> Receipt:  # noqa: B008
        return self.sender.send(self._call(function, arguments, value))

    def _call(self, function: str, arguments: Sequence[Any], value: Wei) -> Call:
        entry = self._entry(function, len(arguments))
        names = [str(item["name"]) for item in entry["inputs"]]
        # By its whole signature: functions with optional arguments share a name, which web3 cannot always tell apart.
        data = self._contract.encode_abi(abi_to_signature(cast(ABIFunction, entry)), list(arguments))
        return Call(
            contract=self.NAME,
            function=function,
            to=self.address,
            data=bytes.fromhex(data.removeprefix("0x")),
            value=value,
            arguments=dict(zip(names, arguments, strict=True)),
        )

    def _entry(self, function: str, count: int) -> dict[str, Any]:
        for entry in self.artifact().abi:
            if entry["type"] == "function" and entry["name"] == function and len(entry["inputs"]) == count:
                return entry
        raise TypeError(f"{self.NAME}.{function} does not take {count} arguments")

    def __repr__(self) -> str:
        return f"<{self.NAME} {self.address} on chain {self.connection.chain_id}>"
