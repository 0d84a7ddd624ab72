"""The money of the demo: every account that held ether before it, and after it, to the wei."""

from __future__ import annotations

from collections.abc import Sequence

from fedblocks.demo.network import Player, Stage, account_of
from fedblocks.demo.outcome import LedgerEntry
from fedblocks.types import Address, BlockNumber, Wei


class Ledger:
    """Remembers every balance when it is made, and compares when it is closed.

    What a transaction costs is taken from the chain's receipts, for every transaction in every block between the two,
    whoever sent it. Gas aside, the changes of all balances must then add up to nothing.
    """

    def __init__(self, stage: Stage, players: Sequence[Player]) -> None:
        self._connection = stage.node.connection
        self._holders: dict[Address, str] = {
            account_of(stage.user): "user",
            account_of(stage.aggregator): "aggregator",
            account_of(stage.admin): "admin",
            account_of(stage.watcher): "watcher",
            account_of(stage.successor): "successor",
            **{player.address: player.name for player in players},
            **{contract.address: type(contract).__name__ for contract in stage.user.contracts},
        }
        self._first = BlockNumber(self._connection.block_number() + 1)
        self._before = self._balances()

    def close(self) -> list[LedgerEntry]:
        """The entries of all holders."""
        gas = self._gas()
        after = self._balances()
        return [
            LedgerEntry(name, self._before[holder], after[holder], Wei(gas.get(holder, 0)))
            for holder, name in self._holders.items()
        ]

    def _balances(self) -> dict[Address, Wei]:
        return {holder: self._connection.balance(holder) for holder in self._holders}

    def _gas(self) -> dict[Address, int]:
        paid: dict[Address, int] = {}
        for number in range(self._first, self._connection.block_number() + 1):
            for receipt in self._connection.rpc("eth_getBlockReceipts", hex(number)):
                sender = self._connection.web3.to_checksum_address(receipt["from"])
                cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
                paid[sender] = paid.get(sender, 0) + cost
        return paid
