"""What an epoch's header commits to, byte by byte as docs/proofs.md has it, written down a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import boa
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from fedblocks.rollup.actions import CommitUpdate, SigningDomain, action_hash, signing_domain, update_commitment
from tests.contracts.world import NO_HASH, RULES_HASH, Header

COMMIT_SIZE = 161
FIELDS = {
    "seat": (0, 32),
    "client": (32, 64),
    "commitment": (64, 96),
    "signature": (96, 161),
    "update root": (161, 193),
    "last update root": (193, 225),
    "samples": (225, 257),
    "salt": (257, 289),
}


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def entry(tag: int, content: bytes) -> bytes:
    """What stands for a content in a list; 32 zero bytes for none."""
    return keccak(bytes([tag]) + content) if content else NO_HASH


def root(tag: int, entries: bytes) -> bytes:
    return keccak(bytes([tag]) + entries)


def perfect_tree(nodes: Sequence[bytes], tag: int, depth: int, filling: bytes) -> list[list[bytes]]:
    """All levels of a tree of 2^depth nodes, lowest first."""
    levels = [[*nodes, *[filling] * (2**depth - len(nodes))]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([keccak(bytes([tag]) + a + b) for a, b in zip(below[::2], below[1::2], strict=True)])
    return levels


def siblings(levels: list[list[bytes]], index: int) -> list[bytes]:
    return [level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1])]


@cache
def account(name: str) -> LocalAccount:
    """Somebody with a key of its own."""
    holder: LocalAccount = Account.from_key(keccak(text=name))
    return holder


def client(seat: int) -> LocalAccount:
    return account(f"client {seat}")


@cache
def signed(holder: LocalAccount, digest: bytes) -> bytes:
    return bytes(holder.unsafe_sign_hash(digest).signature)


def changed(content: bytes, name: str, value: bytes) -> bytes:
    """A submission with another value in one of its fields."""
    start, end = FIELDS[name]
    return content[:start] + value + content[end:]


def field_of(content: bytes, name: str) -> bytes:
    start, end = FIELDS[name]
    return content[start:end]


@dataclass
class Epoch:
    """An epoch of which an honest aggregator would post the header, unless a test changes something in it."""

    chain: Any
    """The DisputedChain that holds it."""
    n: int = 5
    number: int = 1
    d: int = 7_850
    participants: int = 0b11011
    previous: Epoch | None = None
    contents: list[bytes] = field(init=False)
    commits: list[bytes] = field(init=False)
    submission_entries: bytes | None = None
    """Overrides the entries that follow from the contents."""
    commit_entries: bytes | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the header's fields."""

    def __post_init__(self) -> None:
        self.contents = [self.submission(seat) for seat in range(self.n)]
        self.commits = [content[:COMMIT_SIZE] if self.took_part(seat) else b"" for seat, content in self.numbered]

    @property
    def aggregator(self) -> LocalAccount:
        return account("aggregator")

    @property
    def numbered(self) -> list[tuple[int, bytes]]:
        return list(enumerate(self.contents))

    @property
    def domain(self) -> SigningDomain:
        return signing_domain(boa.env.evm.patch.chain_id, self.chain.address)

    @property
    def clients(self) -> list[str]:
        return [client(seat).address for seat in range(self.n)]

    @property
    def base(self) -> bytes:
        return keccak(text=f"model {self.number - 1}")

    @property
    def present(self) -> int:
        return next(seat for seat in range(self.n) if self.took_part(seat))

    @property
    def absent(self) -> int:
        return next(seat for seat in range(self.n) if not self.took_part(seat))

    def took_part(self, seat: int) -> bool:
        return bool(self.participants >> seat & 1)

    def last_update_root(self, seat: int) -> bytes:
        if self.previous is None:
            return keccak(text=f"what seat {seat} revealed earlier")
        name = "update root" if self.previous.took_part(seat) else "last update root"
        return field_of(self.previous.contents[seat], name)

    def commit(self, commitment: bytes, /, **changes: Any) -> CommitUpdate:
        """What a client of this epoch signs; `changes` make it another one."""
        action = CommitUpdate(1, self.number, 2, self.base, commitment)  # type: ignore[arg-type]
        return replace(action, **changes)

    def submission(self, seat: int, samples: int = 100) -> bytes:
        """What a seat hands in, its signature being valid for it."""
        start = word(seat) + address_word(client(seat).address)
        last = self.last_update_root(seat)
        if not self.took_part(seat):
            return start + bytes(129) + last + bytes(64)
        update, salt = keccak(text=f"update {seat} of {self.number}"), keccak(text=f"salt {seat}")
        commitment = update_commitment(update, samples, salt, client(seat).address)  # type: ignore[arg-type]
        signature = signed(client(seat), action_hash(self.commit(commitment), self.domain))
        return start + commitment + signature + update + last + word(samples) + salt

    @property
    def submissions(self) -> bytes:
        """The entries of the submissions list, joined."""
        if self.submission_entries is not None:
            return self.submission_entries
        return b"".join(entry(0x07, content) for content in self.contents)

    @property
    def committed(self) -> bytes:
        """The entries of the commits list, joined."""
        if self.commit_entries is not None:
            return self.commit_entries
        return b"".join(entry(0x05, content) for content in self.commits)

    @property
    def header(self) -> Header:
        header = Header(
            instance_id=1,
            epoch=self.number,
            attempt=2,
            previous_header_hash=self.previous.header.hash if self.previous else keccak(text="genesis"),
            commits_root=root(0x06, self.committed),
            submissions_root=root(0x08, self.submissions),
            gram_root=keccak(text="gram"),
            stats_root=keccak(text="stats"),
            base_model_root=self.base,
            delta_root=keccak(text="delta"),
            next_model_root=keccak(text=f"model {self.number}"),
            participants=self.participants,
            excluded=0,
            slash_reasons=0,
            carried_root=keccak(text="carried"),
            metric=0,
            data_locator=NO_HASH,
        )
        return replace(header, **self.changes)

    def hold(self) -> None:
        """Make the epoch the pending one."""
        dispute = (self.header.hash, self.aggregator.address, self.n, self.d, RULES_HASH)
        self.chain.hold(dispute, self.clients)
