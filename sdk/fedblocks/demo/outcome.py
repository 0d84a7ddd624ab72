"""What a demo came to, as data: the tables, the plot and the JSON are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedblocks.aggregation.verdicts import Judgement
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.seats import SlashReason, seats_of
from fedblocks.types import Address, BlockNumber, Hash32, Seat, Wei


@dataclass(frozen=True)
class Cast:
    """One client of the demo.

    Attributes:
        name: for people.
        address: its account.
        seat: in the cohort.
        attack: the attack's name, None for an honest client.
        expected: what the measurements say of such a client, in words.
        slash_expected: whether they say that it loses its stake.
    """

    name: str
    address: Address
    seat: Seat
    attack: str | None
    expected: str
    slash_expected: bool


@dataclass(frozen=True, eq=False)
class EpochOutcome:
    """One epoch of the demo."""

    epoch: int
    accuracy_ppm: int
    header_hash: Hash32
    transaction: Hash32
    block: BlockNumber
    judgement: Judgement

    @property
    def excluded(self) -> list[Seat]:
        return seats_of(self.judgement.excluded)


@dataclass(frozen=True)
class ClientOutcome:
    """One client at the end.

    Attributes:
        stake: what is still at stake.
        epochs_paid: how many epochs it is paid for.
        epochs_excluded: in how many it was left out.
        reward: what it claimed.
        slashed: for what it lost its stake.
        slashed_in: in which epoch.
        slash_transaction: which transaction took it.
    """

    cast: Cast
    stake: Wei
    epochs_paid: int
    epochs_excluded: int
    reward: Wei
    slashed: SlashReason
    slashed_in: int | None
    slash_transaction: Hash32 | None

    @property
    def as_expected(self) -> bool:
        """Whether the protocol did what was measured: no honest client slashed, every slashable one slashed."""
        return bool(self.slashed) == self.cast.slash_expected


@dataclass(frozen=True)
class LedgerEntry:
    """The money of one account over the demo.

    Attributes:
        holder: who.
        before, after: its balances.
        gas: what it paid for transactions.
    """

    holder: str
    before: Wei
    after: Wei
    gas: Wei

    @property
    def net(self) -> int:
        """What the protocol gave or took, gas aside."""
        return self.after - self.before + self.gas


@dataclass(frozen=True)
class Overturned:
    """An epoch that was deleted for its fault.

    Attributes:
        epoch: which.
        case: the fraud case that was proved.
        found: what was wrong, in words.
        transaction: of the proof.
        gas: what the proof cost.
        bond: what the aggregator lost.
        reward: what the watcher got of it.
    """

    epoch: int
    case: FraudCase
    found: str
    transaction: Hash32
    gas: int
    bond: Wei
    reward: Wei


@dataclass(frozen=True, eq=False)
class Outcome:
    """The demo's result.

    Attributes:
        data: the data set's name.
        target_ppm: the accuracy asked for.
        contracts: addresses by name.
        user_paid, user_refunded: what the user sent and got back.
        dishonesty: how the aggregator lied, None if it did not.
        overturned: the epochs that were deleted.
        watched: how many epochs the watcher worked out again and found right.
    """

    data: str
    target_ppm: int
    instance_id: int
    contracts: Mapping[str, Address]
    epochs: list[EpochOutcome]
    clients: list[ClientOutcome]
    ledger: list[LedgerEntry]
    user_paid: Wei
    user_refunded: Wei
    plot: str
    store: str
    dishonesty: str | None
    overturned: list[Overturned]
    watched: int

    @property
    def accuracy_ppm(self) -> int:
        return self.epochs[-1].accuracy_ppm

    @property
    def target_reached(self) -> bool:
        return self.accuracy_ppm >= self.target_ppm

    @property
    def honest_slashed(self) -> int:
        return sum(1 for client in self.clients if client.slashed and client.cast.attack is None)

    @property
    def conserved(self) -> bool:
        """Whether no ether appeared or vanished: what some lost, gas aside, the others have, to the wei."""
        return sum(entry.net for entry in self.ledger) == 0

    @property
    def as_promised(self) -> bool:
        lies_found = len(self.overturned) == (0 if self.dishonesty is None else 1)
        all_watched = self.watched >= len(self.epochs)
        as_expected = all(client.as_expected for client in self.clients)
        return self.target_reached and self.conserved and as_expected and lies_found and all_watched

    def to_json(self) -> dict[str, Any]:
        """The result for machines: amounts in Wei as decimal strings, hashes in hexadecimal."""
        return {
            "data": self.data,
            "targetAccuracyPpm": self.target_ppm,
            "accuracyPpm": self.accuracy_ppm,
            "targetReached": self.target_reached,
            "honestSlashed": self.honest_slashed,
            "moneyConserved": self.conserved,
            "instanceId": self.instance_id,
            "contracts": dict(self.contracts),
            "epochs": [
                {
                    "epoch": each.epoch,
                    "accuracyPpm": each.accuracy_ppm,
                    "headerHash": _hex(each.header_hash),
                    "transaction": _hex(each.transaction),
                    "block": each.block,
                    "excluded": list(each.excluded),
                    "slashed": {
                        str(seat): verdict.slashed.name
                        for seat, verdict in each.judgement.verdicts.items()
                        if verdict.slashed
                    },
                }
                for each in self.epochs
            ],
            "clients": [
                {
                    "name": each.cast.name,
                    "address": each.cast.address,
                    "seat": each.cast.seat,
                    "attack": each.cast.attack,
                    "expected": each.cast.expected,
                    "asExpected": each.as_expected,
                    "stakeWei": str(each.stake),
                    "epochsPaid": each.epochs_paid,
                    "epochsExcluded": each.epochs_excluded,
                    "rewardWei": str(each.reward),
                    "slashed": each.slashed.name if each.slashed else None,
                    "slashedInEpoch": each.slashed_in,
                    "slashTransaction": _hex(each.slash_transaction) if each.slash_transaction else None,
                }
                for each in self.clients
            ],
            "ledger": [
                {
                    "holder": each.holder,
                    "beforeWei": str(each.before),
                    "afterWei": str(each.after),
                    "gasWei": str(each.gas),
                    "netWei": str(each.net),
                }
                for each in self.ledger
            ],
            "userPaidWei": str(self.user_paid),
            "userRefundedWei": str(self.user_refunded),
            "dishonesty": self.dishonesty,
            "overturned": [
                {
                    "epoch": each.epoch,
                    "case": each.case.name,
                    "found": each.found,
                    "transaction": _hex(each.transaction),
                    "gas": each.gas,
                    "bondWei": str(each.bond),
                    "rewardWei": str(each.reward),
                }
                for each in self.overturned
            ],
            "watchedEpochs": self.watched,
            "plot": self.plot,
            "store": self.store,
        }


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
