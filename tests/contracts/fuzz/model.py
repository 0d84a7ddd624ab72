"""What every call must do, in plain Python: it changes the state, or is refused for a reason and changes nothing.

Written from docs/protocol.md, without looking for speed: shares are divided epoch by epoch, sets are sets. A method
is a contract's function, under its name as Python spells it; who calls, with what and when is in `self.call`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import boa
from eth_abi import encode
from eth_utils import keccak

from tests.contracts.fuzz.state import Epoch, Instance, Order, State, Training
from tests.contracts.fuzz.tally import TALLY
from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    CHALLENGE_WINDOW,
    CHALLENGER_SHARE,
    CLIENTS_FEE,
    FEE_PER_EPOCH,
    FEE_SCALE,
    GENESIS_DOMAIN,
    LIVENESS_PERIOD,
    NO_HASH,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    ZERO,
    Header,
    Protocol,
)

MIN_COHORT, MAX_EPOCHS, MAX_PARAMETERS = 4, 1024, 2**30
LAST_REASON = 6
PAYABLE = {"stake", "newUserInstance", "depositBond", "__default__"}


class Refused(Exception):
    """The call must revert, for this reason."""


class Mood(Enum):
    """How a contract takes ether."""

    KIND = auto()
    REFUSING = auto()
    BURNING = auto()
    CALLING_BACK = auto()

    @property
    def takes_ether(self) -> bool:
        return self in (Mood.KIND, Mood.CALLING_BACK)


@dataclass(frozen=True)
class Call:
    """One call of a contract's function."""

    sender: str
    contract: str
    function: str
    arguments: tuple[Any, ...] = ()
    value: int = 0

    @property
    def name(self) -> str:
        return f"{self.contract}.{self.function}"


@dataclass
class Actor:
    """A contract in some role."""

    mood: Mood = Mood.KIND
    answer: Call | None = None


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise Refused(reason)


def reason_of(word: int, seat: int) -> int:
    """A seat's slash reason."""
    return word >> (4 * seat) & 15


def seats_of(bitmap: int) -> set[int]:
    return {seat for seat in range(bitmap.bit_length()) if bitmap >> seat & 1}


@dataclass
class Model:
    """The protocol, and everybody's purse."""

    protocol: Protocol
    state: State
    purses: dict[str, int]
    actors: dict[str, Actor]
    # Accounts that take no ether: the contracts without a payable function, and one that answers with 64 KB.
    closed: set[str]
    now: int = 0
    calls: list[Call] = field(default_factory=list)

    def attempt(self, call: Call, now: int) -> str | None:
        """Make a call; the reason if it must be refused."""
        self.now = now
        try:
            self._make(call)
        except Refused as refusal:
            return str(refusal)
        return None

    @property
    def call(self) -> Call:
        """The call that is being made."""
        return self.calls[-1]

    @property
    def sender(self) -> str:
        return self.call.sender

    @property
    def value(self) -> int:
        return self.call.value

    def _make(self, call: Call) -> None:
        require(call.value == 0 or call.function in PAYABLE, "")
        self.calls.append(call)
        try:
            name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", call.function).lower().strip("_")
            if call.contract.endswith("Treasury"):
                name = f"treasury_{name}"
            method: Callable[..., None] = getattr(self, name)
            method(*call.arguments)
        finally:
            self.calls.pop()

    def _take(self) -> None:
        """Take the call's value out of the caller's purse. Nothing may be refused after that."""
        self.purses[self.sender] -= self.value

    def _can_pay(self, contract: str, receiver: str) -> None:
        actor = self.actors.get(receiver)
        takes = receiver not in self.closed if actor is None else actor.mood.takes_ether
        require(takes, f"{contract}: receiver refused the payment")

    def _pay(self, receiver: str, amount: int) -> None:
        """Pay somebody who takes it, and who may call back: once, and from then on kindly."""
        if receiver in self.state.treasuries:
            self.state.treasuries[receiver].balance += amount
            return
        self.purses[receiver] = self.purses.get(receiver, 0) + amount
        actor = self.actors.get(receiver)
        if actor is not None and actor.mood is Mood.CALLING_BACK and actor.answer is not None:
            answer, actor.answer = actor.answer, None
            TALLY["calls back"] += 1
            try:
                self._make(answer)
            except Refused:
                return
            TALLY["calls back that were taken"] += 1

    def _pay_rewards_treasury(self, amount: int) -> None:
        self._pay(str(self.protocol.reward_treasury.address), amount)

    # The treasuries

    def treasury_default(self) -> None:
        treasury = str(getattr(self.protocol, TREASURIES[self.call.contract]).address)
        self._take()
        self._pay(treasury, self.value)

    def _only_admin(self) -> Any:
        address = str(getattr(self.protocol, TREASURIES[self.call.contract]).address)
        treasury = self.state.treasuries[address]
        require(self.sender == treasury.admin, f"{self.call.contract}: caller is not the admin")
        return address, treasury

    def treasury_withdraw(self, amount: int) -> None:
        address, treasury = self._only_admin()
        # What was forced in is there to be withdrawn too.
        require(amount <= boa.env.get_balance(address), f"{self.call.contract}: not enough balance")
        actor = self.actors.get(self.sender)
        require(actor is None or actor.mood.takes_ether, f"{self.call.contract}: admin refused the payment")
        treasury.balance -= amount
        self._pay(self.sender, amount)

    def treasury_transfer_admin(self, new_admin: str) -> None:
        _, treasury = self._only_admin()
        treasury.pending_admin = new_admin

    def treasury_accept_admin(self) -> None:
        address = str(getattr(self.protocol, TREASURIES[self.call.contract]).address)
        treasury = self.state.treasuries[address]
        require(self.sender == treasury.pending_admin, f"{self.call.contract}: caller is not the pending admin")
        treasury.admin, treasury.pending_admin = self.sender, ZERO

    # StakingRegistry

    def stake(self) -> None:
        client = self.state.client(self.sender)
        require(self.value == STAKE_AMOUNT, "StakingRegistry: incorrect stake amount")
        require(not client.slashed, "StakingRegistry: client has been slashed")
        require(not client.staked, "StakingRegistry: client is already staked")
        self._take()
        client.staked = True
        client.stake += STAKE_AMOUNT

    def un_register(self) -> None:
        client = self.state.client(self.sender)
        require(client.staked, "StakingRegistry: client is not staked")
        client.staked, client.unbonding, client.timelock = False, client.stake, self.now + STAKING_PERIOD

    def withdraw_stake(self, receiver: str | None = None) -> None:
        receiver = self.sender if receiver is None else receiver
        client = self.state.client(self.sender)
        require(receiver != ZERO, "StakingRegistry: receiver is the zero address")
        require(client.unbonding > 0, "StakingRegistry: nothing is unbonding")
        require(self.now >= client.timelock, "StakingRegistry: staking period has not passed")
        self._can_pay("StakingRegistry", receiver)
        amount, client.unbonding, client.timelock = client.unbonding, 0, 0
        client.stake -= amount
        self._pay(receiver, amount)

    def slash_stake(self, client: str) -> None:
        require(self.sender == self.protocol.slashing.address, "StakingRegistry: caller is not the slashing manager")
        raise AssertionError("the slashing manager calls only from within `slash`")

    # SlashingManager

    def slash(self, clients: list[str], number: int, registry: str) -> None:
        require(registry == self.protocol.registry.address, "SlashingManager: not the registry of this deployment")
        verdicts = self.state.instances.get(number, Instance()).verdicts
        for client in clients:
            require(client in verdicts, "SlashingManager: client is not finally slashable")
        guilty = [client for client in dict.fromkeys(clients) if self.state.client(client).stake]
        require(bool(guilty), "SlashingManager: nothing is left to slash")
        for address in guilty:
            client = self.state.client(address)
            self._pay(str(self.protocol.slash_treasury.address), client.stake)
            client.stake, client.unbonding, client.timelock, client.staked, client.slashed = 0, 0, 0, False, True

    # RewardManager

    def new_user_instance(self, clients: list[str], epochs: int, *configuration: Any) -> None:
        require(epochs != 0, "RewardManager: number of epochs is zero")
        require(epochs <= MAX_EPOCHS, "RewardManager: too many epochs")
        require(self.value == BASE_FEE + epochs * FEE_PER_EPOCH, "RewardManager: incorrect value")
        require(len(clients) >= MIN_COHORT, "RewardManager: cohort is too small")
        for seat, client in enumerate(clients):
            require(client not in clients[:seat], "RewardManager: client has two seats")
            require(self.state.client(client).staked, "RewardManager: client is not staked")
        number = len(self.state.instances) + 1
        long = any(word not in (ZERO, NO_HASH, 0) for word in configuration)
        instance = Instance(
            order=Order(self.sender, epochs, epochs * FEE_PER_EPOCH, False, list(clients)),
            training=Training(
                user=self.sender,
                cohort_size=len(clients),
                number_of_epochs=epochs,
                cohort_hash=keccak(encode(["address[]"], [clients])),
                last_activity=self.now,
                last_progress=self.now,
            ),
        )
        if long:
            self._configure(number, instance, *configuration)
        self._take()
        self.state.instances[number] = instance
        self._pay_rewards_treasury(BASE_FEE)

    def collect_training_fees(self, number: int) -> None:
        instance = self.state.instances.get(number)
        require(instance is not None, "RewardManager: no such instance")
        assert instance is not None
        order, training = instance.order, instance.training
        require(not order.settled, "RewardManager: instance is settled already")
        require(self.is_closed(instance), "RewardManager: instance is not closed")
        shares = dict.fromkeys(order.clients, 0)
        for number in range(1, training.finalized + 1):
            paid = seats_of(instance.epochs[number].accepted)
            for seat in paid:
                shares[order.clients[seat]] += CLIENTS_FEE // len(paid)
        instance.rewards = {
            client: share for client, share in shares.items() if share and client not in instance.verdicts
        }
        billed = training.finalized * FEE_PER_EPOCH
        instance.refund = order.escrow - billed
        order.escrow, order.settled = 0, True
        self._pay_rewards_treasury(billed - sum(instance.rewards.values()))

    def claim_reward(self, number: int, receiver: str | None = None) -> None:
        receiver = self.sender if receiver is None else receiver
        require(receiver != ZERO, "RewardManager: receiver is the zero address")
        require(not self.state.client(self.sender).slashed, "RewardManager: client has been slashed")
        rewards = self.state.instances.get(number, Instance()).rewards
        require(self.sender in rewards, "RewardManager: no reward to claim")
        self._can_pay("RewardManager", receiver)
        self._pay(receiver, rewards.pop(self.sender))

    def forfeit_reward(self, number: int, client: str) -> None:
        require(self.state.client(client).slashed, "RewardManager: client has not been slashed")
        rewards = self.state.instances.get(number, Instance()).rewards
        require(client in rewards, "RewardManager: no reward to forfeit")
        self._pay_rewards_treasury(rewards.pop(client))

    def withdraw_refund(self, number: int, receiver: str | None = None) -> None:
        receiver = self.sender if receiver is None else receiver
        instance = self.state.instances.get(number, Instance())
        require(receiver != ZERO, "RewardManager: receiver is the zero address")
        require(self.sender == instance.order.user, "RewardManager: caller is not the user")
        require(instance.refund > 0, "RewardManager: no refund to withdraw")
        self._can_pay("RewardManager", receiver)
        amount, instance.refund = instance.refund, 0
        self._pay(receiver, amount)

    # ModelParameterChain

    def open_instance(self, number: int, user: str, cohort: list[str], epochs: int) -> None:
        require(self.sender == self.protocol.rewards.address, "ModelParameterChain: caller is not the reward manager")
        raise AssertionError("the reward manager calls only from within `newUserInstance`")

    def configure_instance(self, number: int, aggregator: str, root: bytes, d: int, rules: bytes) -> None:
        instance = self._existing(number)
        require(self.sender == instance.training.user, "ModelParameterChain: caller is not the user")
        require(instance.training.stopped_at == 0, "ModelParameterChain: instance is stopped")
        require(instance.training.genesis_model_root == NO_HASH, "ModelParameterChain: instance is configured already")
        self._configure(number, instance, aggregator, root, d, rules)

    def _configure(self, number: int, instance: Instance, aggregator: str, root: bytes, d: int, rules: bytes) -> None:
        require(aggregator != ZERO, "ModelParameterChain: aggregator is missing")
        require(root != NO_HASH, "ModelParameterChain: genesis model root is missing")
        require(d != 0, "ModelParameterChain: number of parameters is missing")
        require(d <= MAX_PARAMETERS, "ModelParameterChain: too many parameters")
        require(rules != NO_HASH, "ModelParameterChain: rules hash is missing")
        training = instance.training
        training.aggregator, training.genesis_model_root, training.d = aggregator, root, d
        training.rules_hash, training.last_model_root = rules, root
        training.last_header_hash = self._genesis_hash(number, training)
        training.last_activity = training.last_progress = self.now

    def _genesis_hash(self, number: int, training: Training) -> bytes:
        types = ["uint256", "address", "uint256", "bytes32", "uint256", "bytes32", "bytes32"]
        place = [boa.env.evm.patch.chain_id, str(self.protocol.chain.address), number]
        trained = [training.genesis_model_root, training.d, training.rules_hash, training.cohort_hash]
        return keccak(GENESIS_DOMAIN + encode(types, [*place, *trained]))

    def name_aggregator(self, number: int, aggregator: str) -> None:
        instance = self._existing(number)
        training = instance.training
        require(self.sender == training.user, "ModelParameterChain: caller is not the user")
        require(training.aggregator != ZERO, "ModelParameterChain: instance is not configured")
        require(training.stopped_at == 0, "ModelParameterChain: instance is stopped")
        require(training.posted < training.number_of_epochs, "ModelParameterChain: every epoch has been posted")
        require(aggregator != ZERO, "ModelParameterChain: aggregator is missing")
        require(aggregator != training.aggregator, "ModelParameterChain: aggregator is named already")
        silent = self.now > training.last_activity + LIVENESS_PERIOD
        require(silent or training.aggregator not in instance.bonds, "ModelParameterChain: aggregator is at work")
        training.aggregator, training.last_activity = aggregator, self.now
        training.attempt += 1
        instance.epochs.pop(training.posted + 1, None)

    def deposit_bond(self, number: int) -> None:
        instance = self._by_aggregator(number)
        require(instance.training.stopped_at == 0, "ModelParameterChain: instance is stopped")
        require(self.value == AGGREGATOR_BOND, "ModelParameterChain: incorrect bond")
        require(self.sender not in instance.bonds, "ModelParameterChain: bond is deposited already")
        require(not self.is_closed(instance), "ModelParameterChain: instance is closed")
        self._take()
        instance.bonds[self.sender] = self.value
        instance.training.last_activity = self.now

    def withdraw_bond(self, number: int, receiver: str | None = None) -> None:
        receiver = self.sender if receiver is None else receiver
        instance = self.state.instances.get(number, Instance())
        require(receiver != ZERO, "ModelParameterChain: receiver is the zero address")
        require(self.sender in instance.bonds, "ModelParameterChain: no bond to withdraw")
        if not self.is_closed(instance):
            require(self.sender != instance.training.aggregator, "ModelParameterChain: caller is the aggregator")
            own = [number for number, epoch in instance.epochs.items() if epoch.aggregator == self.sender]
            posted = min(instance.last_posted.get(self.sender, 0), instance.training.posted)
            assert all(epoch <= posted for epoch in own), "an epoch would escape its aggregator's bond"
            require(posted <= instance.training.finalized, "ModelParameterChain: an epoch of the caller's is not final")
        self._can_pay("ModelParameterChain", receiver)
        self._pay(receiver, instance.bonds.pop(self.sender))

    def close_commits(self, number: int, epoch: int, attempt: int, root: bytes) -> None:
        instance = self._by_bonded_aggregator(number)
        training = instance.training
        require(training.stopped_at == 0, "ModelParameterChain: instance is stopped")
        require(epoch == training.posted + 1, "ModelParameterChain: epoch is not the next one")
        require(epoch <= training.number_of_epochs, "ModelParameterChain: every epoch has been posted")
        require(root != NO_HASH, "ModelParameterChain: commits root is missing")
        again = epoch in instance.epochs
        require(not again or not self._awaited(instance), "ModelParameterChain: commits are closed already")
        require(attempt == training.attempt + again, "ModelParameterChain: attempt is not the current one")
        instance.epochs[epoch] = Epoch(commits_root=root, commits_closed_at=self.now)
        training.attempt, training.last_activity = attempt, self.now

    def submit_epoch(self, words: tuple[Any, ...]) -> None:
        header = Header(*words)
        instance = self._by_bonded_aggregator(header.instance_id)
        training = instance.training
        require(header.epoch == training.posted + 1, "ModelParameterChain: epoch is not the next one")
        require(header.epoch in instance.epochs, "ModelParameterChain: commits are not closed")
        require(self._awaited(instance), "ModelParameterChain: epoch is late")
        record = instance.epochs[header.epoch]
        require(header.attempt == training.attempt, "ModelParameterChain: attempt is not the current one")
        require(
            header.previous_header_hash == training.last_header_hash,
            "ModelParameterChain: header does not follow the last one",
        )
        require(header.commits_root == record.commits_root, "ModelParameterChain: commits root is not the closed one")
        require(
            header.base_model_root == training.last_model_root, "ModelParameterChain: base model is not the last one"
        )
        self._check_seats(header, training)
        record.header_hash, record.aggregator, record.posted_at = header.hash, self.sender, self.now
        record.participants, record.excluded = header.participants, header.excluded
        record.slash_reasons, record.next_model_root = header.slash_reasons, header.next_model_root
        training.posted, training.last_header_hash = header.epoch, header.hash
        training.last_model_root, training.slash_reasons = header.next_model_root, header.slash_reasons
        training.last_activity = training.last_progress = self.now
        instance.last_posted[self.sender] = header.epoch

    @staticmethod
    def _check_seats(header: Header, training: Training) -> None:
        participants, excluded = seats_of(header.participants), seats_of(header.excluded)
        before = {seat: reason_of(training.slash_reasons, seat) for seat in range(64)}
        after = {seat: reason_of(header.slash_reasons, seat) for seat in range(64)}
        found = {seat for seat in range(64) if before[seat]}
        added = {seat for seat in range(64) if after[seat] and not before[seat]}
        require(
            all(seat < training.cohort_size for seat in participants),
            "ModelParameterChain: participant outside the cohort",
        )
        require(excluded <= participants, "ModelParameterChain: excluded seat took no part")
        require(excluded != participants, "ModelParameterChain: no seat is accepted")
        require(not found & participants, "ModelParameterChain: slashable seat takes part")
        require(all(after[seat] == before[seat] for seat in found), "ModelParameterChain: slash reason is changed")
        require(all(after[seat] <= LAST_REASON for seat in added), "ModelParameterChain: slash reason is unknown")
        require(added <= excluded, "ModelParameterChain: slashed seat is not excluded")

    def finalize_epoch(self, number: int, epoch: int) -> None:
        instance = self.state.instances.get(number, Instance())
        training = instance.training
        require(epoch == training.finalized + 1, "ModelParameterChain: epoch is not the next one to finalize")
        require(epoch <= training.posted, "ModelParameterChain: epoch is not posted")
        record = instance.epochs[epoch]
        require(self.now > record.posted_at + CHALLENGE_WINDOW, "ModelParameterChain: challenge window is open")
        training.finalized, training.final_slash_reasons = epoch, record.slash_reasons
        for seat, client in enumerate(instance.order.clients):
            reason = reason_of(record.slash_reasons, seat)
            if reason:
                instance.verdicts.setdefault(client, (epoch, reason))

    def overturn_epoch(self, number: int, epoch: int, challenger: str, fraud_case: int) -> None:
        instance = self.state.instances.get(number, Instance())
        training = instance.training
        verifiers = [verifier.address for verifier in self.protocol.verifiers]
        require(self.sender in verifiers, "ModelParameterChain: caller is not a verifier")
        require(training.finalized < epoch <= training.posted, "ModelParameterChain: epoch is not pending")
        aggregator = instance.epochs[epoch].aggregator
        for gone in [each for each in instance.epochs if each >= epoch]:
            del instance.epochs[gone]
        training.posted, training.last_activity = epoch - 1, self.now
        training.attempt += 1
        last = instance.epoch(epoch - 1)
        first = epoch == 1
        training.last_header_hash = self._genesis_hash(number, training) if first else last.header_hash
        training.last_model_root = training.genesis_model_root if first else last.next_model_root
        training.slash_reasons = last.slash_reasons
        bond = instance.bonds.pop(aggregator, 0)
        if bond:
            reward = bond * CHALLENGER_SHARE // FEE_SCALE
            self.state.challengers[challenger] = self.state.challengers.get(challenger, 0) + reward
            self._pay(str(self.protocol.slash_treasury.address), bond - reward)

    def claim_challenge_reward(self, receiver: str | None = None) -> None:
        receiver = self.sender if receiver is None else receiver
        require(receiver != ZERO, "ModelParameterChain: receiver is the zero address")
        require(self.sender in self.state.challengers, "ModelParameterChain: no reward to claim")
        self._can_pay("ModelParameterChain", receiver)
        self._pay(receiver, self.state.challengers.pop(self.sender))

    def stop_instance(self, number: int) -> None:
        instance = self._existing(number)
        training = instance.training
        require(training.stopped_at == 0, "ModelParameterChain: instance is stopped")
        require(not self.is_closed(instance), "ModelParameterChain: instance is closed")
        require(
            self.sender == training.user
            or self.now > training.last_activity + 2 * LIVENESS_PERIOD
            or self.now > training.last_progress + 4 * LIVENESS_PERIOD,
            "ModelParameterChain: only the user may stop it yet",
        )
        training.stopped_at = self.now

    def _existing(self, number: int) -> Instance:
        require(number in self.state.instances, "ModelParameterChain: no such instance")
        return self.state.instances[number]

    def _by_aggregator(self, number: int) -> Instance:
        instance = self.state.instances.get(number, Instance())
        require(self.sender == instance.training.aggregator, "ModelParameterChain: caller is not the aggregator")
        return instance

    def _by_bonded_aggregator(self, number: int) -> Instance:
        instance = self._by_aggregator(number)
        require(self.sender in instance.bonds, "ModelParameterChain: bond is missing")
        return instance

    def _awaited(self, instance: Instance) -> bool:
        record = instance.epoch(instance.training.posted + 1)
        return record.commits_closed_at != 0 and self.now <= record.commits_closed_at + LIVENESS_PERIOD

    def is_closed(self, instance: Instance) -> bool:
        """Whether nothing can be added to an instance any more."""
        training = instance.training
        if training.number_of_epochs == 0:
            return False
        complete = training.finalized == training.number_of_epochs
        idle = training.finalized == training.posted and not self._awaited(instance)
        return complete or (training.stopped_at != 0 and idle)


TREASURIES = {"SlashTreasury": "slash_treasury", "RewardTreasury": "reward_treasury"}
