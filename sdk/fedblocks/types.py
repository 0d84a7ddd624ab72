"""The words of the protocol as types.

Every public signature of FedBlocks speaks in these names, so that an amount is never mistaken for an epoch and a seat
never for an instance. They cost nothing at run time.
"""

from typing import NewType

from eth_typing import ChecksumAddress
from hexbytes import HexBytes

Address = ChecksumAddress
"""A checksummed address, as web3 returns it."""

Wei = NewType("Wei", int)
"""An amount of ether in its smallest unit; 1 ether is 10**18 Wei."""

InstanceId = NewType("InstanceId", int)
"""A user's training instance, counted from 1 by RewardManager."""

EpochNumber = NewType("EpochNumber", int)
"""An epoch within an instance, counted from 1; epoch 0 stands for the genesis model."""

Seat = NewType("Seat", int)
"""A client's index in the cohort of an instance, 0 to 63."""

Bitmap = NewType("Bitmap", int)
"""A set of seats: bit k is seat k."""

Hash32 = NewType("Hash32", bytes)
"""32 bytes: a keccak-256 digest, a Merkle root or a content address."""

BlockNumber = NewType("BlockNumber", int)
Timestamp = NewType("Timestamp", int)
"""Seconds since 1970, by the chain's clock."""

ZERO_HASH = Hash32(bytes(32))
ZERO_ADDRESS = Address("0x0000000000000000000000000000000000000000")  # type: ignore[arg-type]

MAX_COHORT = 64
"""Seats in a cohort at most: a bitmap of seats fits one word with four bits to a seat."""

MIN_COHORT = 4
"""Seats in a cohort at least: with fewer, no median means anything."""

__all__ = [
    "MAX_COHORT",
    "MIN_COHORT",
    "ZERO_ADDRESS",
    "ZERO_HASH",
    "Address",
    "Bitmap",
    "BlockNumber",
    "EpochNumber",
    "Hash32",
    "HexBytes",
    "InstanceId",
    "Seat",
    "Timestamp",
    "Wei",
]
