"""Playing scenes on a chain without sending anything: `eth_call` with state overrides.

A node can be asked to pretend, for one simulated call, that an address has other code, ether or storage. The doctor
puts a small contract, the *prober* (contracts/probes/Prober.vy), at addresses that nobody uses, gives it ether, and
lets it stake, leave and withdraw as if it were a client. Each scene is one `eth_call`: the steps of a scene see what
the earlier ones did, and nothing of it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.exceptions import Web3RPCError

from fedblocks.chain.connection import Connection, NodeRefused, message_of
from fedblocks.chain.reverts import revert_of_data
from fedblocks.contracts import reverts as _reverts  # noqa: F401  (names every refusal of version 2)
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.v1 import reverts as _v1_reverts  # noqa: F401  (and of version 1)
from fedblocks.doctor.report import Evidence
from fedblocks.types import Address
from fedblocks.units import ether, format_ether

_RUN = "run((address,uint256,bytes)[])"
_OUTCOMES = "(bool,bytes)[]"
_POCKET = ether(1_000)
# Returns 42.
_FORTY_TWO = bytes.fromhex("602a60005260206000f3")


def scratch_address(name: str) -> Address:
    """An address that nobody has a key for, and where nothing can lie."""
    return to_checksum_address(keccak(text=f"FedBlocks.Doctor.{name}")[12:])


CLIENT = scratch_address("client")
"""Who acts in a scene, unless a step names another."""


def prober_code() -> bytes:
    """The code that acts."""
    return load_artifact("probes/Prober").runtime


def encode_call(function: str, arguments: Sequence[Any] = ()) -> bytes:
    """A call's data, by the function's signature."""
    types = _argument_types(function)
    return function_signature_to_4byte_selector(function) + encode(types, list(arguments))


@dataclass(frozen=True)
class Step:
    """One call of a scene."""

    target: Address
    function: str
    """Its signature, such as ``stake()``."""
    arguments: tuple[Any, ...] = ()
    value: int = 0
    by: Address | None = None
    """Who calls; CLIENT when left out."""
    role: str = ""
    """What a reader is to call the caller."""

    def __str__(self) -> str:
        name = self.function.partition("(")[0]
        shown = ", ".join(_show(argument) for argument in self.arguments)
        value = f" with {format_ether(self.value)} ETH" if self.value else ""
        return f"{name}({shown}){value}{f' by {self.role}' if self.role else ''}"


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    step: Step
    succeeded: bool
    data: bytes

    @property
    def number(self) -> int | None:
        """The word that it returned; None when it was refused or returned none."""
        return int.from_bytes(self.data[:32], "big") if self.succeeded and len(self.data) >= 32 else None

    @property
    def refusal(self) -> str:
        """Why it was refused."""
        return revert_of_data(self.data).message

    def evidence(self) -> Evidence:
        """The step as a person reads it."""
        if not self.succeeded:
            return Evidence(str(self.step), f"refused: {self.refusal}")
        return Evidence(str(self.step), "accepted" if self.number is None else str(self.number))


@dataclass(frozen=True)
class State:
    """What a node is to pretend."""

    actors: tuple[Address, ...] = (CLIENT,)
    """Addresses that get the prober's code, and ether."""
    funded: tuple[Address, ...] = ()
    """Further addresses that get ether."""
    storage: Mapping[Address, Mapping[int, int]] = field(default_factory=dict)

    def to_rpc(self) -> dict[str, dict[str, Any]]:
        """As `eth_call` takes it."""
        overrides: dict[str, dict[str, Any]] = {}
        for address in {*self.actors, *self.funded, *self.storage}:
            entry: dict[str, Any] = {}
            if address in self.actors or address in self.funded:
                entry["balance"] = hex(_POCKET)
            if address in self.actors:
                entry["code"] = "0x" + prober_code().hex()
            if address in self.storage:
                entry["stateDiff"] = {
                    f"0x{slot:064x}": f"0x{value:064x}" for slot, value in self.storage[address].items()
                }
            overrides[address] = entry
        return overrides


class Simulation:
    """A chain at one block, on which scenes are played."""

    def __init__(self, connection: Connection, block: int | None = None) -> None:
        """Choose the block; the newest when left out."""
        self.connection = connection
        header = connection.block("latest" if block is None else block)
        self.block = header.number
        self.timestamp = header.timestamp

    def why_unable(self) -> str | None:
        """Why this node cannot pretend; None when it can."""
        address = scratch_address("capability")
        try:
            answer = self._eth_call({"to": address, "data": "0x"}, {address: {"code": "0x" + _FORTY_TWO.hex()}})
        except _Refused as error:
            return f"the node does not take state overrides: {error.message}"
        if int.from_bytes(answer, "big") != 42:
            return "the node ignores state overrides: it takes them, and answers as if there were none"
        return None

    def play(self, steps: Sequence[Step], state: State | None = None) -> list[Outcome]:
        """Play a scene: every step is taken, whatever became of those before it."""
        pretended = state or State()
        actors = {CLIENT, *pretended.actors, *(step.by for step in steps if step.by is not None)}
        pretended = State(tuple(sorted(actors)), pretended.funded, pretended.storage)
        data = encode_call(_RUN, [[_encode_step(step) for step in steps]])
        call = {"from": CLIENT, "to": CLIENT, "data": "0x" + data.hex()}
        try:
            (outcomes,) = decode([_OUTCOMES], self._eth_call(call, pretended.to_rpc()))
        except (DecodingError, _Refused) as error:
            raise NodeRefused(self.connection.url, f"a simulated call was not carried out ({error})") from error
        return [_outcome(step, succeeded, answer) for step, (succeeded, answer) in zip(steps, outcomes, strict=True)]

    def call_as(self, sender: Address, step: Step, state: State) -> Outcome:
        """Take one step as an address that keeps its own code."""
        call = {
            "from": sender,
            "to": step.target,
            "value": hex(step.value),
            "data": "0x" + encode_call(step.function, step.arguments).hex(),
        }
        try:
            return Outcome(step, True, self._eth_call(call, state.to_rpc()))
        except _Refused as error:
            if error.data or "revert" in error.message:
                return Outcome(step, False, error.data)
            raise NodeRefused(self.connection.url, error.message) from error

    def read(self, target: Address, function: str, *arguments: Any) -> int | None:
        """A getter's word, as the chain really is; None when there is no such getter."""
        call = {"to": target, "data": "0x" + encode_call(function, arguments).hex()}
        try:
            answer = self._eth_call(call, None)
        except _Refused:
            return None
        return int.from_bytes(answer[:32], "big") if len(answer) >= 32 else None

    def read_address(self, target: Address, function: str) -> Address | None:
        """A getter's address; None when there is no such getter, or it gives none."""
        word = self.read(target, function)
        return to_checksum_address(word.to_bytes(20, "big")) if word and word < 2**160 else None

    def has_code(self, address: Address) -> bool:
        """Whether there is a contract."""
        return bool(self.connection.code(address, self.block))

    def _eth_call(self, call: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> bytes:
        parameters: list[Any] = [dict(call), hex(self.block)]
        if overrides is not None:
            parameters.append(dict(overrides))
        try:
            return bytes.fromhex(str(self.connection.rpc("eth_call", *parameters)).removeprefix("0x"))
        except NodeRefused as error:
            raise _refused(error) from error


class _Refused(Exception):
    """The node answered a simulated call with an error: the contract's, or its own."""

    def __init__(self, message: str, data: bytes) -> None:
        self.message, self.data = message, data
        super().__init__(message)


def _refused(error: NodeRefused) -> _Refused:
    cause = error.__cause__
    data = ""
    if isinstance(cause, Web3RPCError):
        response: Mapping[str, Any] = cause.rpc_response or {}
        content = response.get("error")
        data = content.get("data") or "" if isinstance(content, Mapping) else ""
        return _Refused(message_of(cause), _bytes_of(data))
    return _Refused(error.message, b"")


def _bytes_of(data: Any) -> bytes:
    try:
        return bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else b""
    except ValueError:
        return b""


def _encode_step(step: Step) -> tuple[Address, int, bytes]:
    data = encode_call(step.function, step.arguments)
    if step.by is None or step.by == CLIENT:
        return step.target, step.value, data
    # The other one is asked to do it; both have the prober's code.
    return step.by, 0, encode_call(_RUN, [[(step.target, step.value, data)]])


def _outcome(step: Step, succeeded: bool, answer: bytes) -> Outcome:
    if step.by is not None and step.by != CLIENT and succeeded:
        (((succeeded, answer),),) = decode([_OUTCOMES], answer)
    return Outcome(step, succeeded, answer)


def _argument_types(function: str) -> list[str]:
    inside = function[function.index("(") + 1 : -1]
    types, depth, start = [], 0, 0
    for index, sign in enumerate(inside + ","):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            types.append(inside[start:index])
            start = index + 1
    return [each for each in types if each]


def _show(argument: Any) -> str:
    if isinstance(argument, (list, tuple)):
        return f"[{', '.join(_show(each) for each in argument)}]"
    if isinstance(argument, int) and argument > 2**64 and argument.bit_count() == 1:
        return f"2^{argument.bit_length() - 1}"
    text = str(argument)
    return f"{text[:8]}…" if text.startswith("0x") and len(text) == 42 else text
