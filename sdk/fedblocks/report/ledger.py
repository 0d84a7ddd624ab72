"""Where an instance's money came from and where it went, and whether that adds up.

Three kinds of money meet in an instance and never mix: what the user paid, the stakes that were taken in it, and the
aggregators' bonds. Each flow is what the contracts' events say; each *balance* holds two ways of saying the same sum
against one another. What does not add up is shown and never hidden in a remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedblocks.monitor.views import BondView, ChallengeView, InstanceState, InstanceView, RewardView, SlashView
from fedblocks.types import Wei


@dataclass(frozen=True)
class Flow:
    """An amount that went, or waits to go, from one place to another."""

    source: str
    target: str
    amount: Wei


@dataclass(frozen=True)
class Balance:
    """Two sums that must be one."""

    what: str
    into: Wei
    out: Wei

    @property
    def adds_up(self) -> bool:
        """Whether they are."""
        return self.into == self.out


@dataclass(frozen=True)
class Ledger:
    """One kind of money.

    Attributes:
        title: which.
        flows: without those of nothing.
        balances: what was held against what.
    """

    title: str
    flows: tuple[Flow, ...]
    balances: tuple[Balance, ...]

    @property
    def adds_up(self) -> bool:
        """Whether every balance does."""
        return all(each.adds_up for each in self.balances)


def ledgers_of(
    instance: InstanceView,
    rewards: Sequence[RewardView],
    slashes: Sequence[SlashView],
    bonds: Sequence[BondView],
    challenges: Sequence[ChallengeView],
) -> tuple[Ledger, ...]:
    """The money of an instance, all arguments being of it alone; a kind that did not occur is left out."""
    kinds = (_fees(instance, rewards), _stakes(slashes), _bonds(bonds, challenges))
    return tuple(each for each in kinds if each.flows)


def _fees(instance: InstanceView, rewards: Sequence[RewardView]) -> Ledger:
    flows = [
        Flow("user", "escrow", instance.escrow),
        Flow("user", "base fee", instance.base_fee),
    ]
    base_fee = Flow("base fee", "RewardTreasury", instance.base_fee)
    credited, claimed, forfeited = (
        Wei(sum(getattr(each, name) for each in rewards)) for name in ("credited", "claimed", "forfeited")
    )
    if instance.state is not InstanceState.SETTLED:
        flows += [Flow("escrow", "held until it is settled", instance.escrow), base_fee]
        early = Wei(credited + instance.refunded)
        return _ledger("What the user paid", flows, [Balance("nothing is paid out before settling", Wei(0), early)])
    clients, protocol, refund = (
        Wei(amount or 0) for amount in (instance.clients_total, instance.protocol_total, instance.refund)
    )
    flows += [
        Flow("escrow", "clients' rewards", clients),
        Flow("escrow", "refund", refund),
        Flow("clients' rewards", "clients, claimed", claimed),
        Flow("clients' rewards", "clients, to be claimed", Wei(credited - claimed - forfeited)),
        Flow("refund", "user, withdrawn", instance.refunded),
        Flow("refund", "user, to be withdrawn", Wei(refund - instance.refunded)),
        Flow("clients' rewards", "RewardTreasury", forfeited),
        Flow("escrow", "RewardTreasury", protocol),
        base_fee,
    ]
    balances = [
        Balance("escrow = rewards + protocol + refund", instance.escrow, Wei(clients + protocol + refund)),
        Balance("rewards = sum of what clients were credited", clients, credited),
    ]
    return _ledger("What the user paid", flows, balances)


def _stakes(slashes: Sequence[SlashView]) -> Ledger:
    taken = Wei(sum(each.amount for each in slashes))
    received = Wei(sum(each.received or 0 for each in slashes))
    flows = [Flow(f"stake of seat {each.seat}", "SlashTreasury", each.amount) for each in slashes]
    return _ledger(
        "Stakes that were taken", flows, [Balance("taken from stakes = received by SlashTreasury", taken, received)]
    )


def _bonds(bonds: Sequence[BondView], challenges: Sequence[ChallengeView]) -> Ledger:
    deposited, withdrawn, slashed, held = (
        Wei(sum(getattr(each, name) for each in bonds)) for name in ("deposited", "withdrawn", "slashed", "held")
    )
    reward = Wei(sum(each.reward for each in challenges))
    treasury = Wei(sum(each.treasury for each in challenges))
    flows = [
        Flow("aggregators", "bonds", deposited),
        Flow("bonds", "aggregators, returned", withdrawn),
        Flow("bonds", "held", held),
        Flow("bonds", "challengers", reward),
        Flow("bonds", "SlashTreasury", treasury),
    ]
    balances = [
        Balance("deposited = returned + held + slashed", deposited, Wei(withdrawn + held + slashed)),
        Balance("slashed = to challengers + to SlashTreasury", slashed, Wei(reward + treasury)),
    ]
    return _ledger("Aggregators' bonds", flows, balances)


def _ledger(title: str, flows: list[Flow], balances: list[Balance]) -> Ledger:
    return Ledger(title, tuple(flow for flow in flows if flow.amount), tuple(balances))
