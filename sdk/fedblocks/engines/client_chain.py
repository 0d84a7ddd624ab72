"""What a client looks up on chain before it trains, and again before it reveals.

A client believes nothing that an aggregator says of the chain: which instance, which rules, which model an epoch
starts from, and above all whether the commitments are closed. Showing an update earlier would let others copy it, and
the copied one would look like a cheat's accomplice.

The client's node may be a few blocks behind the aggregator's. What is not there *yet* is waited for; what is there and
is something else is refused at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.connection import Block, Connection
from fedblocks.contracts.model_parameter_chain import Instance, ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.deployments import Deployment
from fedblocks.engines.flower.settings import ClientSettings
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.entries import commit_entry
from fedblocks.rollup.header import rules_hash
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList, entry_hash
from fedblocks.rollup.state import InstanceContext
from fedblocks.training.client import SignedCommit
from fedblocks.types import ZERO_HASH, EpochNumber, Hash32, InstanceId

_POLL_SECONDS = 0.5


class NotOnChain(FedBlocksError, ValueError):
    """What an aggregator asks for is not what is on chain; the client does nothing."""

    def __init__(self, what: str, claimed: object, actual: object) -> None:
        super().__init__(f"the aggregator names {what} {_shown(claimed)}, but on chain it is {_shown(actual)}")
        self.what, self.claimed, self.actual = what, claimed, actual


class NotYetOnChain(FedBlocksError, TimeoutError):
    """What an aggregator says is on chain did not appear there in time; the client does nothing."""

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(f"{what} is not on chain after {seconds} seconds; is the node of this client behind?")
        self.what, self.seconds = what, seconds


class ClientChain:
    """A client's view of the chain; it only reads.

    Args:
        connection: to the client's own node.
        deployment: of the protocol.
        confirmations: how many blocks deep something must lie.
        patience: seconds to wait for what is not there yet.
    """

    def __init__(self, connection: Connection, deployment: Deployment, confirmations: int = 0, patience: int = 60):
        self._connection, self._confirmations, self._patience = connection, confirmations, patience
        self._chain = ModelParameterChain(connection, deployment.address("ModelParameterChain"))
        self._rewards = RewardManager(connection, deployment.address("RewardManager"))

    @classmethod
    def open(cls, settings: ClientSettings) -> ClientChain:
        """Connect as a client's settings say.

        Raises:
            NodeUnreachable, WrongChain: if the node does not answer, or serves another chain.
        """
        deployment = Deployment.load(settings.deployment)
        connection = Connection.open(settings.rpc, chain_id=deployment.chain_id)
        return cls(connection, deployment, settings.confirmations, settings.patience)

    @property
    def chain_id(self) -> int:
        return self._connection.chain_id

    @property
    def settlement(self) -> str:
        """The address of ModelParameterChain."""
        return self._chain.address

    def check_place(self, chain_id: int, settlement: str) -> None:
        """Make sure that a request is meant for this deployment.

        Raises:
            NotOnChain: if it is not.
        """
        if chain_id != self.chain_id:
            raise NotOnChain("the chain", chain_id, self.chain_id)
        if settlement != self.settlement:
            raise NotOnChain("ModelParameterChain", settlement, self.settlement)

    def context(self, instance_id: InstanceId, rules: Rules) -> InstanceContext:
        """What is fixed on chain of an instance.

        Args:
            instance_id: which.
            rules: what the aggregator says that they are; the chain has their hash.

        Raises:
            NotOnChain: if the rules are others.
        """
        block = self._block()
        instance = self._chain.instance(instance_id, block)
        claimed = rules_hash(rules.words())
        if claimed != instance.rules_hash:
            raise NotOnChain("rules with the hash", claimed, instance.rules_hash)
        return self._context(instance_id, instance, rules, block)

    def place(self, instance_id: InstanceId) -> InstanceContext:
        """The instance for whoever needs no rules: to find a page of the notebook."""
        block = self._block()
        return self._context(instance_id, self._chain.instance(instance_id, block), Rules(), block)

    def check_task(self, context: InstanceContext, epoch: EpochNumber, attempt: int, base_root: Hash32) -> None:
        """Make sure that an epoch is the one under way, and that it starts from this model.

        Raises:
            NotOnChain: if another epoch, attempt or model is.
            NotYetOnChain: if the epoch before does not appear.
        """

        def reached() -> bool:
            state = self._chain.instance(context.instance_id, self._block())
            return state.posted_epochs >= epoch - 1 and state.attempt >= attempt

        self._wait(reached, f"epoch {epoch - 1} of instance {context.instance_id}, attempt {attempt},")
        state = self._chain.instance(context.instance_id, self._block())
        if state.posted_epochs != epoch - 1:
            raise NotOnChain("the epoch", epoch, state.posted_epochs + 1)
        if state.attempt != attempt:
            raise NotOnChain("the attempt", attempt, state.attempt)
        actual = state.last_model_root if state.posted_epochs else state.genesis_model_root
        if base_root != actual:
            raise NotOnChain("a base model with the root", base_root, actual)

    def check_closed(self, context: InstanceContext, commit: SignedCommit, entries: bytes) -> None:
        """Make sure that the commitments of an epoch are closed, with this one among them.

        Args:
            context: the instance.
            commit: the client's own.
            entries: the hashes of all entries of the commits list.

        Raises:
            NotOnChain: if the list is not the one that was closed, or the commitment is not in it.
            NotYetOnChain: if the closing does not appear.
        """
        action, number = commit.action, context.instance_id
        seat = context.seat_of(commit.client)
        own = entry_hash(commit_entry(seat, commit.client, action.commitment, commit.signature), SeatList.COMMITS)
        listed = entries[32 * seat : 32 * seat + 32]
        if len(entries) != 32 * len(context.cohort) or listed != own:
            raise NotOnChain(f"at seat {seat} of the commitments", listed, own)

        def closed() -> bool:
            block = self._block()
            there = self._chain.epoch(number, action.epoch, block).commits_root != ZERO_HASH
            return there and self._chain.instance(number, block).attempt >= action.attempt

        self._wait(closed, f"the closing of epoch {action.epoch} of instance {number}")
        block = self._block()
        attempt = self._chain.instance(number, block).attempt
        if attempt != action.attempt:
            raise NotOnChain("the attempt", action.attempt, attempt)
        claimed = keccak256(bytes([SeatList.COMMITS.whole]) + entries)
        actual = self._chain.epoch(number, action.epoch, block).commits_root
        if claimed != actual:
            raise NotOnChain("commitments with the root", claimed, actual)

    def _context(self, number: InstanceId, instance: Instance, rules: Rules, block: Block) -> InstanceContext:
        return InstanceContext(
            chain_id=self.chain_id,
            settlement=self._chain.address,
            instance_id=number,
            cohort=tuple(self._rewards.cohort(number, block)),
            d=instance.d,
            genesis_root=instance.genesis_model_root,
            rules=rules,
        )

    def _block(self) -> Block:
        # A number, never "latest": two reads of it may come from two nodes, of which one is behind.
        return max(0, self._connection.block_number() - self._confirmations)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._patience
        while not condition():
            if time.monotonic() > deadline:
                raise NotYetOnChain(what, self._patience)
            time.sleep(_POLL_SECONDS)


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
