"""The header of an epoch, and the hashes that chain an instance together.

An epoch's outcome, who took part, who was left out of the pay, which model comes next, is summed up in 17 words of 32
bytes. That *header* is all the chain sees of an epoch; everything else is found under its roots. Each header names the
hash of the one before it, the first one the instance's *genesis hash*, which binds the chain, the contract, the cohort,
the model's size and first values, and the rules by which verdicts are made.

The words are in the ABI's order, so that ``keccak(HEADER_DOMAIN ‖ header.encode())`` is what the contract computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from eth_abi.abi import encode as abi_encode

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.keccak import keccak256
from fedblocks.seats import SlashReason
from fedblocks.types import MAX_COHORT, Address, Bitmap, EpochNumber, Hash32, InstanceId

WORD_SIZE = 32
HEADER_WORDS = 17
HEADER_SIZE = HEADER_WORDS * WORD_SIZE

NUMBERS = frozenset({"instance_id", "epoch", "attempt", "participants", "excluded", "slash_reasons", "metric"})
"""The fields that are unsigned integers; all others are 32 bytes."""

HEADER_DOMAIN = keccak256(b"FedBlocks.Header.v2")
GENESIS_DOMAIN = keccak256(b"FedBlocks.Genesis.v2")
RULES_DOMAIN = keccak256(b"FedBlocks.Rules.v2")


class WrongHeader(FedBlocksError, ValueError):
    """A field of a header has a value that the protocol does not allow."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"header's {field} {value!r}: {reason}")
        self.field, self.value, self.reason = field, value, reason


class WrongHeaderSize(FedBlocksError, ValueError):
    """The bytes of a header are not 17 words."""

    def __init__(self, actual: int) -> None:
        super().__init__(f"a header is {HEADER_SIZE} bytes ({HEADER_WORDS} words), got {actual}")
        self.actual = actual


@dataclass(frozen=True)
class Header:
    """What an aggregator says of an epoch; fields in the ABI's order.

    Raises:
        WrongHeader: where no contract would take it: a number beyond 256 bits, a hash that is not 32 bytes, a bitmap
            beyond 64 seats, a seat excluded that did not take part, an unknown slash reason.
    """

    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    """Raised whenever commitments become void: only commitments to this attempt are in commits_root."""
    previous_header_hash: Hash32
    commits_root: Hash32
    submissions_root: Hash32
    gram_root: Hash32
    stats_root: Hash32
    base_model_root: Hash32
    delta_root: Hash32
    next_model_root: Hash32
    participants: Bitmap
    """Seats that committed and revealed."""
    excluded: Bitmap
    """Participants that are neither aggregated nor paid."""
    slash_reasons: int
    """Four bits a seat, see :mod:`fedblocks.seats`; carried from header to header."""
    carried_root: Hash32
    metric: int
    """The model's metric in parts per million, as the aggregator reports it."""
    data_locator: Hash32
    """Content address of the epoch's manifest."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in NUMBERS:
                if not isinstance(value, int) or not 0 <= value < 1 << 256:
                    raise WrongHeader(field.name, value, "must be an integer in 0..2^256 - 1")
            elif not isinstance(value, bytes) or len(value) != WORD_SIZE:
                raise WrongHeader(field.name, value, "must be 32 bytes")
        for name in ("participants", "excluded"):
            if (bitmap := getattr(self, name)) >> MAX_COHORT:
                raise WrongHeader(name, hex(bitmap), f"has seats beyond {MAX_COHORT - 1}")
        if outside := self.excluded & ~self.participants:
            raise WrongHeader("excluded", hex(self.excluded), f"seats {hex(outside)} did not take part")
        for seat in range(MAX_COHORT):
            if (reason := self.slash_reasons >> 4 * seat & 0xF) > max(SlashReason):
                raise WrongHeader("slash_reasons", hex(self.slash_reasons), f"seat {seat} has no reason {reason}")

    def as_tuple(self) -> tuple[int | bytes, ...]:
        """The 17 values, as web3's ABI encoder takes them."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def from_tuple(cls, values: Sequence[Any]) -> Header:
        """The header from its 17 values, as an event or :meth:`as_tuple` gives them.

        Raises:
            WrongHeader: if a value is not allowed.
        """
        if len(values) != HEADER_WORDS:
            raise WrongHeaderSize(len(values) * WORD_SIZE)
        return cls(*values)

    def encode(self) -> bytes:
        """The 544 bytes that are hashed: 17 words, big-endian."""
        return b"".join(value if isinstance(value, bytes) else encode_word(value) for value in self.as_tuple())

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """The inverse of :meth:`encode`.

        Raises:
            WrongHeaderSize: if the bytes are not 17 words.
            WrongHeader: if a value is not allowed.
        """
        if len(data) != HEADER_SIZE:
            raise WrongHeaderSize(len(data))
        words = (bytes(data[start : start + WORD_SIZE]) for start in range(0, HEADER_SIZE, WORD_SIZE))
        return cls(
            *(
                int.from_bytes(word, "big") if field.name in NUMBERS else word  # type: ignore[arg-type]
                for field, word in zip(fields(cls), words, strict=True)
            )
        )

    def hash(self) -> Hash32:
        """The hash by which the epoch is known: keccak(HEADER_DOMAIN ‖ header)."""
        return keccak256(HEADER_DOMAIN + self.encode())


def encode_word(value: int) -> bytes:
    """An unsigned integer as the ABI writes it, 32 bytes, big-endian.

    Raises:
        ValueError: if it is negative or has more than 256 bits.
    """
    if not 0 <= value < 1 << 256:
        raise ValueError(f"{value} is not in 0..2^256 - 1")
    return value.to_bytes(WORD_SIZE, "big")


def cohort_hash(clients: Sequence[Address]) -> Hash32:
    """keccak(abi_encode(address[] clients)), the clients in the order of their seats."""
    return keccak256(abi_encode(["address[]"], [list(clients)]))


def rules_hash(words: Sequence[int]) -> Hash32:
    """keccak(RULES_DOMAIN ‖ words), the words of an instance's rules, each 0 to 2^256 - 1."""
    return keccak256(RULES_DOMAIN + b"".join(map(encode_word, words)))


def genesis_hash(
    chain_id: int,
    model_parameter_chain: Address,
    instance_id: InstanceId,
    genesis_model_root: Hash32,
    d: int,
    rules_hash: Hash32,
    cohort_hash: Hash32,
) -> Hash32:
    """What the first header of an instance follows; equal to the contract's lastHeaderHash before the first epoch.

    keccak(GENESIS_DOMAIN ‖ abi_encode(chain id, contract, instance, genesis model root, d, rules hash, cohort hash))
    """
    return keccak256(
        GENESIS_DOMAIN
        + abi_encode(
            ["uint256", "address", "uint256", "bytes32", "uint256", "bytes32", "bytes32"],
            [chain_id, model_parameter_chain, instance_id, genesis_model_root, d, rules_hash, cohort_hash],
        )
    )
