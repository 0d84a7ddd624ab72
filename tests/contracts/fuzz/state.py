"""What is known of the protocol at a moment, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.contracts.world import NO_HASH, ZERO


@dataclass
class Client:
    """An address in StakingRegistry."""

    stake: int = 0
    unbonding: int = 0
    timelock: int = 0
    staked: bool = False
    slashed: bool = False


@dataclass
class Epoch:
    """A record in ModelParameterChain that counts, field by field in the order in which it is stored."""

    header_hash: bytes = NO_HASH
    aggregator: str = ZERO
    posted_at: int = 0
    participants: int = 0
    excluded: int = 0
    slash_reasons: int = 0
    next_model_root: bytes = NO_HASH
    commits_root: bytes = NO_HASH
    commits_closed_at: int = 0

    @property
    def accepted(self) -> int:
        """The bitmap of the seats that share the fee."""
        return self.participants & ~self.excluded


@dataclass
class Training:
    """An instance in ModelParameterChain, field by field in the order in which it is stored."""

    user: str = ZERO
    aggregator: str = ZERO
    cohort_size: int = 0
    number_of_epochs: int = 0
    d: int = 0
    attempt: int = 0
    posted: int = 0
    finalized: int = 0
    last_activity: int = 0
    last_progress: int = 0
    stopped_at: int = 0
    cohort_hash: bytes = NO_HASH
    genesis_model_root: bytes = NO_HASH
    rules_hash: bytes = NO_HASH
    last_header_hash: bytes = NO_HASH
    last_model_root: bytes = NO_HASH
    slash_reasons: int = 0
    final_slash_reasons: int = 0


@dataclass
class Order:
    """An instance in RewardManager, field by field in the order in which it is stored."""

    user: str = ZERO
    number_of_epochs: int = 0
    escrow: int = 0
    settled: bool = False
    clients: list[str] = field(default_factory=list)


@dataclass
class Instance:
    """All that both contracts keep of one instance. Amounts of nothing are left out of the dictionaries."""

    order: Order = field(default_factory=Order)
    training: Training = field(default_factory=Training)
    epochs: dict[int, Epoch] = field(default_factory=dict)
    rewards: dict[str, int] = field(default_factory=dict)
    refund: int = 0
    bonds: dict[str, int] = field(default_factory=dict)
    last_posted: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def epoch(self, number: int) -> Epoch:
        """The record of an epoch; an empty one where nothing is stored."""
        return self.epochs.get(number) or Epoch()


@dataclass
class Treasury:
    """What came in by a call, less what was withdrawn: ether that was forced in is not counted."""

    admin: str = ZERO
    pending_admin: str = ZERO
    balance: int = 0


@dataclass
class State:
    """The whole protocol."""

    clients: dict[str, Client] = field(default_factory=dict)
    instances: dict[int, Instance] = field(default_factory=dict)
    treasuries: dict[str, Treasury] = field(default_factory=dict)
    # What is credited to those who have shown faults.
    challengers: dict[str, int] = field(default_factory=dict)

    def client(self, address: str) -> Client:
        """An address's stakes, which begin with nothing."""
        return self.clients.setdefault(address, Client())

    @property
    def staked(self) -> int:
        """What StakingRegistry owes."""
        return sum(client.stake for client in self.clients.values())

    @property
    def escrowed(self) -> int:
        """What RewardManager owes."""
        return sum(
            instance.order.escrow + instance.refund + sum(instance.rewards.values())
            for instance in self.instances.values()
        )

    @property
    def bonded(self) -> int:
        """What ModelParameterChain owes."""
        bonds = sum(sum(instance.bonds.values()) for instance in self.instances.values())
        return bonds + sum(self.challengers.values())
