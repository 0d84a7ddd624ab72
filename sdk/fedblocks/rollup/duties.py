"""What an aggregator owes the chain besides epochs: finality, verdicts carried out, settlement, and its own bond.

Anybody may do all of it but the last, and whoever comes first does. So each is asked of the chain first, and has a
meaning under which the outbox does it once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

from fedblocks.aggregation.mean import NothingToAverage
from fedblocks.chain.connection import NodeRefused, NodeUnreachable, UnknownBlock
from fedblocks.chain.events import LogsIncomplete
from fedblocks.chain.head import Head
from fedblocks.chain.outbox_records import DoneByOthers, NotDoneYet
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.transactions import (
    FateUnknown,
    InsufficientFunds,
    Receipt,
    TransactionNotMined,
    TransactionRejected,
)
from fedblocks.contracts.model_parameter_chain import EpochFinalized, ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.blobs import BlobCorrupt, BlobMissing
from fedblocks.rollup.recorded import DataLost
from fedblocks.rollup.submitter import Submitter
from fedblocks.storage.errors import StorageError
from fedblocks.types import Address, InstanceId


class NotOpenYet(FedBlocksError, LookupError):
    """The node shows nothing of an instance, or not what its user has configured; nothing follows from that."""

    def __init__(self, instance_id: int, block: int) -> None:
        super().__init__(
            f"in block {block}, the newest that the node names, instance {instance_id} is not opened and configured; "
            "the node may be behind, or the number wrong; it is looked for again"
        )


LOST = (DataLost, BlobMissing, BlobCorrupt)
"""What somebody has to bring back from a copy; then it goes on."""

HEALED_BY_TIME = (
    *LOST,
    NodeUnreachable,
    NodeRefused,
    UnknownBlock,
    LogsIncomplete,
    NotOpenYet,
    NotDoneYet,
    FateUnknown,
    TransactionNotMined,
    TransactionRejected,
    InsufficientFunds,
    ContractReverted,
    NothingToAverage,
    StorageError,
)
"""What an aggregator tries again. (A contract refuses what has changed since one looked: look again.)"""


class Told(Protocol):
    """Whoever hears what is done: a process's log, or an engine's."""

    def __call__(self, what: str, level: str = "info", /, **details: Any) -> None:
        """Something has happened; `what` is always the same for the same thing."""
        ...

    def once(self, about: str, what: str, level: str = "warning", /, **details: Any) -> None:
        """Something stays as it is; it need not be said again until it changes."""
        ...


class ChainDuties:
    """The duties in one instance.

    Args:
        chain, rewards, staking, slashing: connected with the aggregator's account.
        aggregator: that account.
        number: the instance.
        talk: told of what is done.
    """

    def __init__(
        self,
        chain: ModelParameterChain,
        rewards: RewardManager,
        staking: StakingRegistry,
        slashing: SlashingManager,
        aggregator: Address,
        number: InstanceId,
        talk: Told,
    ) -> None:
        self._chain, self._rewards, self._staking, self._slashing = chain, rewards, staking, slashing
        self._aggregator, self._number, self._talk = aggregator, number, talk
        self._tried: set[Address] = set()
        self.head = Head(chain.connection)
        """The newest block. What decides something is read there, never of "latest", which is every node's own."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be added to the instance any more."""
        return self._chain.is_closed(self._number)

    @property
    def is_stopped(self) -> bool:
        """Whether no further epoch may be started."""
        return self._chain.instance(self._number).stopped_at != 0

    @property
    def is_held_to_an_epoch(self) -> bool:
        """Whether commitments are closed for an epoch that is not posted: it still has to be."""
        chain = self._chain
        instance = chain.instance(self._number)
        return chain.epoch(self._number, instance.posted_epochs + 1).commits_closed_at != 0  # type: ignore[arg-type]

    def is_staked(self, client: Address) -> bool:
        """Whether a client of the cohort has an active stake.

        Whoever has a seat was staked when the instance was opened, so that a block without the cohort says nothing
        against anybody: behind one address there may be several nodes, and one that is behind knows of no stake either.

        Raises:
            NotOpenYet: if the client has none in a block that does not have the instance yet.
        """
        block = self.head()
        if self._staking.is_staked(client, block):
            return True
        if client not in self._rewards.cohort(self._number, block):
            raise NotOpenYet(self._number, block)
        return False

    def finalize(self, submitter: Submitter) -> None:
        """Make due epochs final."""
        try:
            receipts = submitter.finalize_ready()
        except ContractReverted as error:
            # An open demand holds an epoch; it is asked again.
            self._talk.once(f"final {self._number}", "not final", instance=self._number, why=error)
            return
        for receipt in receipts:
            for event in receipt.all(EpochFinalized):
                self._talk("final", instance=self._number, epoch=event.epoch, transaction=receipt.transaction_hash)

    def slash(self) -> None:
        """Carry out final verdicts on clients that still have a stake."""
        chain, staking = self._chain, self._staking
        guilty = chain.instance(self._number).finally_slashable
        cohort = self._rewards.cohort(self._number) if guilty else ()
        for seat, reason in guilty.items():
            client = cohort[seat]
            if client in self._tried or staking.is_slashed(client) or not staking.client_stake(client):
                continue
            self._tried.add(client)
            try:
                receipt = self._once(
                    f"slash/{client}",
                    lambda client=client: staking.is_slashed(client),  # type: ignore[misc]
                    lambda client=client: self._slashing.slash(  # type: ignore[misc]
                        [client], self._number, staking.address
                    ),
                )
            except ContractReverted as error:
                self._talk("not slashed", "warning", instance=self._number, client=client, why=error)
                continue
            if receipt is not None:
                self._talk(
                    "slashed",
                    instance=self._number,
                    client=client,
                    reason=reason.name.lower(),
                    transaction=receipt.transaction_hash,
                )

    def stop_when_silent(self) -> None:
        """End an instance that its user has left alone for so long that anybody may."""
        chain = self._chain
        if not self.is_stopped:
            with suppress(ContractReverted):  # not yet: that is the user's to decide
                receipt = self._once("stopInstance", lambda: self.is_stopped, lambda: chain.stop_instance(self._number))
                if receipt is not None:
                    self._talk("stopped", instance=self._number, transaction=receipt.transaction_hash)

    def settle(self) -> None:
        """Settle the closed instance, so that clients and user can be paid."""
        rewards = self._rewards
        if rewards.user_instance(self._number).settled:
            return
        receipt = self._once(
            "settle",
            lambda: rewards.user_instance(self._number).settled,
            lambda: rewards.collect_training_fees(self._number),
        )
        if receipt is not None:
            self._talk("settled", instance=self._number, transaction=receipt.transaction_hash)

    def withdraw_bond(self) -> None:
        """Take the bond back."""
        chain, block = self._chain, self.head()
        # That there is none is believed of a block that has the instance's end: a node may be behind.
        if chain.is_closed(self._number, block) and not chain.bond(self._number, self._aggregator, block):
            return
        receipt = self._once(
            f"withdrawBond/{self._aggregator}",
            lambda: not chain.bond(self._number, self._aggregator),
            lambda: chain.withdraw_bond(self._number),
        )
        if receipt is not None:
            self._talk("bond withdrawn", instance=self._number, transaction=receipt.transaction_hash)

    def _once(self, what: str, done: Callable[[], bool], send: Callable[[], Receipt]) -> Receipt | None:
        with suppress(DoneByOthers), self._meaning(what, done):
            return send()
        return None

    def _meaning(self, what: str, done: Callable[[], bool]) -> AbstractContextManager[None]:
        chain = self._chain
        place = f"{chain.connection.chain_id}/{chain.address}/{self._number}"
        return chain.sender.meaning(f"{what}/{place}", done)
