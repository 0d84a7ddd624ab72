"""The state as the contracts stored it, read slot by slot: no view is called, so none can hide anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import Any

import boa
from eth_utils import keccak, to_checksum_address

from tests.contracts.fuzz.state import Client, Epoch, Instance, Order, State, Training, Treasury
from tests.contracts.world import Protocol, balance


@cache
def entry(slot: int, key: int) -> int:
    """The slot of a mapping's entry."""
    return int.from_bytes(keccak(slot.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")


class Storage:
    """One contract's storage."""

    def __init__(self, contract: Any) -> None:
        self._address = contract.address.canonical_address
        self._written = boa.env.sstore_trace.setdefault(contract.address, set())
        self._layout = contract.compiler_data.storage_layout["storage_layout"]

    def slot(self, variable: str, *keys: Any) -> int:
        """Where a variable begins, or an entry of a mapping (of mappings)."""
        layout = self._layout
        for part in variable.split("."):
            layout = layout[part]
        slot = layout["slot"]
        for key in keys:
            slot = entry(slot, int(key, 16) if isinstance(key, str) else key)
        return slot

    def word(self, slot: int) -> int:
        # What was never written is zero; looking for it in an empty trie is what takes time.
        return boa.env.evm.vm.state.get_storage(self._address, slot) if slot in self._written else 0

    def read(self, variable: str, *keys: Any) -> int:
        return self.word(self.slot(variable, *keys))

    def address(self, variable: str) -> str:
        return to_address(self.read(variable))

    def struct(self, kind: type, slot: int) -> Any:
        """A dataclass whose fields are stored one after the other, a word each."""
        words = {}
        for offset, field in enumerate(fields(kind)):
            word = self.word(slot + offset)
            words[field.name] = CONVERSIONS[str(field.type)](word)
        return kind(**words)


@cache
def to_address(word: int) -> str:
    return str(to_checksum_address(word.to_bytes(20, "big")))


CONVERSIONS = {
    "int": int,
    "bool": bool,
    "str": to_address,
    "bytes": lambda word: word.to_bytes(32, "big"),
    # A list is stored as its length, and its members after it: `read_order` reads those.
    "list[str]": lambda length: [""] * length,
}


class Reader:
    """Reads the whole protocol, of the addresses that could be in it."""

    def __init__(self, protocol: Protocol, addresses: Iterable[str]) -> None:
        self._registry, self._rewards, self._chain = map(Storage, (protocol.registry, protocol.rewards, protocol.chain))
        self._treasuries = {
            str(treasury.address): Storage(treasury) for treasury in (protocol.slash_treasury, protocol.reward_treasury)
        }
        self._addresses = list(addresses)

    def state(self, forced: dict[str, int]) -> State:
        """The state; `forced` is the ether that came into each contract unasked."""
        instances = range(1, self._rewards.read("nonce") + 1)
        return State(
            clients={address: client for address in self._addresses if (client := self._client(address)) != Client()},
            instances={number: self._instance(number) for number in instances},
            treasuries={
                address: Treasury(
                    admin=storage.address("treasury.ADMIN_ADDRESS"),
                    pending_admin=storage.address("treasury.pendingAdmin"),
                    balance=balance(address) - forced.get(address, 0),
                )
                for address, storage in self._treasuries.items()
            },
            challengers={
                address: amount
                for address in self._addresses
                if (amount := self._chain.read("challengeRewards", address))
            },
        )

    def _client(self, address: str) -> Client:
        registry = self._registry
        return Client(
            stake=registry.read("clientStakes", address),
            unbonding=registry.read("unbondingStakes", address),
            timelock=registry.read("withdrawlTimelock", address),
            staked=bool(registry.read("isStaked", address)),
            slashed=bool(registry.read("isSlashed", address)),
        )

    def _instance(self, number: int) -> Instance:
        rewards, chain = self._rewards, self._chain
        order = self._order(number)
        training = chain.struct(Training, chain.slot("_instances", number))
        epochs = {
            epoch: record
            for epoch in range(order.number_of_epochs + 2)
            if (record := self._epoch(number, epoch, training)) != Epoch()
        }
        return Instance(
            order=order,
            training=training,
            epochs=epochs,
            rewards=self._amounts(rewards, "rewards", number),
            refund=rewards.read("refunds", number),
            bonds=self._amounts(chain, "bonds", number),
            last_posted=self._amounts(chain, "_last_posted", number),
            verdicts={
                client: (verdict // 16, verdict % 16)
                for client, verdict in self._amounts(chain, "_verdicts", number).items()
            },
        )

    def _epoch(self, number: int, epoch: int, training: Training) -> Epoch:
        """What counts of an epoch's record: what was overturned is left where it was."""
        record: Epoch = self._chain.struct(Epoch, self._chain.slot("_epochs", number, epoch))
        attempt, record.commits_closed_at = divmod(record.commits_closed_at, 2**64)
        if epoch <= training.posted:
            return record
        if attempt != training.attempt or record.commits_closed_at == 0:
            return Epoch()
        return Epoch(commits_root=record.commits_root, commits_closed_at=record.commits_closed_at)

    def _order(self, number: int) -> Order:
        slot = self._rewards.slot("idToUserInstance", number)
        order: Order = self._rewards.struct(Order, slot)
        first = slot + len(fields(Order))
        order.clients = [to_address(self._rewards.word(first + seat)) for seat in range(len(order.clients))]
        return order

    def _amounts(self, storage: Storage, variable: str, number: int) -> dict[str, int]:
        amounts = {address: storage.read(variable, number, address) for address in self._addresses}
        return {address: amount for address, amount in amounts.items() if amount}
