"""The state as the event log tells it: what an indexer that trusts nothing but events would know."""

from __future__ import annotations

import re
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from tests.contracts.fuzz.state import Epoch, Instance, State, Treasury
from tests.contracts.world import NO_HASH, ZERO, Header

COHORT = ["address[]"]


class Replay:
    """Adds up the log, one event after the other, with the time of the block that each is in."""

    def __init__(self) -> None:
        self.state = State()
        self.genesis_hashes: dict[int, bytes] = {}

    def apply(self, event: Any, timestamp: int) -> None:
        """Add an event."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        getattr(self, f"_{name}")(event, timestamp)

    def _instance(self, event: Any) -> Instance:
        return self.state.instances[event.instanceId]

    # The treasuries

    def _admin_transferred(self, event: Any, timestamp: int) -> None:
        treasury = self.state.treasuries.setdefault(str(event.address), Treasury())
        assert event.previousAdmin == treasury.admin
        treasury.admin, treasury.pending_admin = event.newAdmin, ZERO

    def _admin_transfer_started(self, event: Any, timestamp: int) -> None:
        treasury = self.state.treasuries[event.address]
        assert event.admin == treasury.admin
        treasury.pending_admin = event.pendingAdmin

    def _recieved(self, event: Any, timestamp: int) -> None:
        self.state.treasuries[event.address].balance += event.amount

    def _withdraw(self, event: Any, timestamp: int) -> None:
        self.state.treasuries[event.address].balance -= event.amount

    # StakingRegistry

    def _stake(self, event: Any, timestamp: int) -> None:
        self.state.client(event.client).staked = True

    def _stake_locked(self, event: Any, timestamp: int) -> None:
        self.state.client(event.client).stake += event.amount

    def _unregister(self, event: Any, timestamp: int) -> None:
        self.state.client(event.client).staked = False

    def _unbonding_started(self, event: Any, timestamp: int) -> None:
        client = self.state.client(event.client)
        client.unbonding, client.timelock = event.amount, event.withdrawableAt

    def _withdraw_stake(self, event: Any, timestamp: int) -> None:
        self.state.client(event.client).timelock = 0

    def _stake_returned(self, event: Any, timestamp: int) -> None:
        client = self.state.client(event.client)
        client.stake -= event.amount
        client.unbonding -= event.amount

    def _slash_stake(self, event: Any, timestamp: int) -> None:
        client = self.state.client(event.client)
        client.slashed, client.staked, client.unbonding, client.timelock = True, False, 0, 0

    def _stake_slashed(self, event: Any, timestamp: int) -> None:
        self.state.client(event.client).stake -= event.amount

    # SlashingManager says who was slashed for what; who lost how much is the registry's.

    def _client_slashed(self, event: Any, timestamp: int) -> None:
        assert self._instance(event).verdicts[event.client] == (event.epoch, event.reason)

    def _slash_clients(self, event: Any, timestamp: int) -> None:
        assert event.instanceId in self.state.instances

    # RewardManager

    def _new_user_instance(self, event: Any, timestamp: int) -> None:
        assert event.instanceId == len(self.state.instances) + 1
        instance = self.state.instances[event.instanceId] = Instance()
        instance.order.number_of_epochs = event.numberOfEpochs

    def _instance_funded(self, event: Any, timestamp: int) -> None:
        order = self._instance(event).order
        order.user, order.escrow, order.clients = event.user, event.escrow, list(event.clients)

    def _collect_training_fees(self, event: Any, timestamp: int) -> None:
        assert event.numberOfEpochs == self._instance(event).training.finalized

    def _fees_settled(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        assert instance.order.escrow == event.clientsTotal + event.protocolTotal + event.refund
        assert sum(instance.rewards.values()) == event.clientsTotal
        instance.order.escrow, instance.order.settled, instance.refund = 0, True, event.refund

    def _reward_credited(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        assert event.client not in instance.rewards
        if event.amount:
            instance.rewards[event.client] = event.amount

    def _reward_claimed(self, event: Any, timestamp: int) -> None:
        assert self._instance(event).rewards.pop(event.client) == event.amount

    def _reward_forfeited(self, event: Any, timestamp: int) -> None:
        assert self._instance(event).rewards.pop(event.client) == event.amount

    def _refund_withdrawn(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        assert event.amount == instance.refund
        instance.refund = 0

    # ModelParameterChain

    def _instance_opened(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        training = instance.training
        training.user, training.cohort_size = event.user, event.cohortSize
        training.number_of_epochs = event.numberOfEpochs
        training.cohort_hash = keccak(encode(COHORT, [instance.order.clients]))
        training.last_activity = training.last_progress = timestamp

    def _instance_configured(self, event: Any, timestamp: int) -> None:
        training = self._instance(event).training
        training.genesis_model_root = training.last_model_root = event.genesisModelRoot
        training.d, training.rules_hash = event.d, event.rulesHash
        training.last_header_hash = self.genesis_hashes[event.instanceId] = event.genesisHash
        training.last_activity = training.last_progress = timestamp

    def _aggregator_named(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        training = instance.training
        assert event.previousAggregator == training.aggregator
        training.aggregator, training.attempt, training.last_activity = event.aggregator, event.attempt, timestamp
        instance.epochs.pop(training.posted + 1, None)

    def _bond_deposited(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        assert event.aggregator not in instance.bonds
        instance.bonds[event.aggregator] = event.amount
        instance.training.last_activity = timestamp

    def _bond_withdrawn(self, event: Any, timestamp: int) -> None:
        assert self._instance(event).bonds.pop(event.aggregator) == event.amount

    def _commits_closed(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        instance.epochs[event.epoch] = Epoch(commits_root=event.commitsRoot, commits_closed_at=timestamp)
        instance.training.attempt, instance.training.last_activity = event.attempt, timestamp

    def _epoch_submitted(self, event: Any, timestamp: int) -> None:
        instance, header = self._instance(event), Header(*event.header)
        assert header.hash == event.headerHash != NO_HASH
        training, epoch = instance.training, instance.epochs[event.epoch]
        epoch.header_hash, epoch.aggregator, epoch.posted_at = event.headerHash, event.aggregator, timestamp
        epoch.participants, epoch.excluded = header.participants, header.excluded
        epoch.slash_reasons, epoch.next_model_root = header.slash_reasons, header.next_model_root
        training.posted, training.last_header_hash = event.epoch, event.headerHash
        training.last_model_root, training.slash_reasons = header.next_model_root, header.slash_reasons
        training.last_activity = training.last_progress = timestamp
        instance.last_posted[event.aggregator] = event.epoch

    def _epoch_finalized(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        epoch = instance.epochs[event.epoch]
        assert event.headerHash == epoch.header_hash
        instance.training.finalized = event.epoch
        instance.training.final_slash_reasons = epoch.slash_reasons

    def _client_slashable(self, event: Any, timestamp: int) -> None:
        verdicts = self._instance(event).verdicts
        assert event.client not in verdicts
        verdicts[event.client] = (event.epoch, event.reason)

    def _epoch_overturned(self, event: Any, timestamp: int) -> None:
        instance = self._instance(event)
        training = instance.training
        overturned = instance.epochs[event.epoch]
        assert (event.headerHash, event.aggregator) == (overturned.header_hash, overturned.aggregator)
        assert event.attempt == training.attempt + 1
        instance.epochs = {number: record for number, record in instance.epochs.items() if number < event.epoch}
        last = instance.epochs.get(event.epoch - 1)
        training.posted, training.attempt, training.last_activity = event.epoch - 1, event.attempt, timestamp
        training.last_header_hash = last.header_hash if last else self.genesis_hashes[event.instanceId]
        training.last_model_root = last.next_model_root if last else training.genesis_model_root
        training.slash_reasons = last.slash_reasons if last else 0

    def _bond_slashed(self, event: Any, timestamp: int) -> None:
        assert self._instance(event).bonds.pop(event.aggregator) == event.amount
        credited = self.state.challengers
        credited[event.challenger] = credited.get(event.challenger, 0) + event.reward

    def _challenge_reward_claimed(self, event: Any, timestamp: int) -> None:
        assert self.state.challengers.pop(event.challenger) == event.amount

    def _instance_stopped(self, event: Any, timestamp: int) -> None:
        self._instance(event).training.stopped_at = timestamp
