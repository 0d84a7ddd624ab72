"""Reverts: a contract's refusal, as an exception of its own class.

A contract refuses with a string, ``"StakingRegistry: client already staked"``, or, as version 1's do, with a custom
error, ``ClientAlreadyStaked()``, of which only four bytes of hash reach the caller. Each subclass of
:class:`ContractReverted` names the string or the error that it stands for, and :func:`revert_of` finds the class;
what has no class is a plain :class:`ContractReverted`, so that nothing is ever hidden.
"""

from __future__ import annotations

from typing import Any, ClassVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from fedblocks.chain import web3_errors
from fedblocks.exceptions import FedBlocksError

_ERROR = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")

_CLASSES: dict[str, type[ContractReverted]] = {}
_ERRORS: dict[bytes, type[ContractReverted]] = {}


class ContractReverted(FedBlocksError):
    """A contract refused what was asked of it."""

    reason: ClassVar[str | tuple[str, ...]] = ()
    """The contract's string that a subclass stands for; several, where contracts share the code that refuses."""
    error: ClassVar[str] = ""
    """The custom error that a subclass stands for, by its signature."""

    def __init__(self, message: str = "", transaction_hash: bytes | None = None) -> None:
        self.message = message or "the contract gave no reason"
        self.transaction_hash = transaction_hash
        """The transaction that was mined and failed; None when a simulation failed and nothing was sent."""
        where = "" if transaction_hash is None else f" (transaction 0x{transaction_hash.hex()})"
        super().__init__(f"{self.message}{where}")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reason = cls.__dict__.get("reason", ())
        for text in (reason,) if isinstance(reason, str) else reason:
            if text in _CLASSES:
                raise TypeError(f"{text!r} already has the class {_CLASSES[text].__name__}")
            _CLASSES[text] = cls
        if error := cls.__dict__.get("error", ""):
            _ERRORS[keccak(text=error)[:4]] = cls


def known_reasons() -> dict[str, type[ContractReverted]]:
    """Every revert string that has a class."""
    return dict(_CLASSES)


def revert_of(reason: str, transaction_hash: bytes | None = None) -> ContractReverted:
    """The exception for a revert string."""
    return _CLASSES.get(reason, ContractReverted)(reason, transaction_hash)


def revert_of_data(data: bytes, transaction_hash: bytes | None = None) -> ContractReverted:
    """The exception for the bytes that a contract reverted with."""
    if cls := _ERRORS.get(data[:4]):
        return cls(cls.error, transaction_hash)
    return revert_of(_reason(data), transaction_hash)


def revert_of_error(error: web3_errors.ContractLogicError, transaction_hash: bytes | None = None) -> ContractReverted:
    """The exception for what web3 raised; nodes differ in whether they give the data, the text or both."""
    data = error.data if isinstance(error.data, str) else ""
    raw = bytes.fromhex(data[2:]) if data.startswith("0x") else b""
    return revert_of_data(raw, transaction_hash) if raw else revert_of(_text(error), transaction_hash)


def _reason(data: bytes) -> str:
    try:
        if data[:4] == _ERROR:
            return str(decode(["string"], data[4:])[0])
        if data[:4] == _PANIC:
            return f"panic {decode(['uint256'], data[4:])[0]:#x}"
    except DecodingError:
        pass
    return f"error data 0x{data.hex()}" if data else ""


def _text(error: web3_errors.ContractLogicError) -> str:
    text = error.message or ""
    for prefix in ("execution reverted", "revert"):
        text = text.removeprefix(prefix)
    return text.strip(" :")
