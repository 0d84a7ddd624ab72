"""The watcher: whoever runs one trusts nobody.

It follows the chain, works every posted epoch out again from the published data, and sends the one transaction that
proves what does not follow. What is withheld it demands on chain. It can be killed at any instant: everything that it
knows follows from the chain and the data, and what it has sent is in its journal. Without an account it only says what
it finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import Any

from web3.exceptions import TransactionNotFound

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.chain.events import ChainEvent, LogsIncomplete
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.transactions import NotSent, Receipt
from fedblocks.contracts.base import Contract
from fedblocks.contracts.data_demands import DataDemanded, DataDemands, DemandAnswered
from fedblocks.contracts.model_parameter_chain import (
    EpochFinalized,
    EpochOverturned,
    EpochSubmitted,
    InstanceOpened,
    ModelParameterChain,
)
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.verifiers import Verifier
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.fraud.cases import Answer, Challenge, Demand, DemandKind, FraudCase
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import COLUMN_TAG, SeatList
from fedblocks.rollup.watch_journal import WatchJournal
from fedblocks.rollup.watched import Demanded, Followed, WatchedInstance
from fedblocks.types import BlockNumber, EpochNumber, Hash32, InstanceId, Wei

BLOCKS_AT_ONCE = 2_000
"""Blocks whose events are asked for in one call; public nodes refuse much more."""


class Happening(StrEnum):
    """What a watcher reports."""

    RIGHT = "right"
    """An epoch was worked out again, and is as it should be."""
    FAULT = "fault"
    """An epoch is wrong."""
    CHALLENGED = "challenged"
    """The fault was proved on chain, by this watcher."""
    OVERTURNED = "overturned"
    """An epoch was deleted, whoever challenged it."""
    MISSING = "missing"
    """Data that are needed are not to be had."""
    DEMANDED = "demanded"
    """They were demanded on chain, by this watcher."""
    ANSWERED = "answered"
    FINAL = "final"
    """An epoch became final."""
    TOO_LATE = "too late"
    """A fault in an epoch that is final."""
    REFUSED = "refused"
    """The chain refused what the watcher sent."""
    COLLECTED = "collected"
    """A reward or a deposit was paid out to this watcher."""


@dataclass(frozen=True)
class Report:
    """Something that a watcher has seen or done.

    Attributes:
        what: which kind of thing.
        instance_id, epoch: where.
        text: in words.
        transaction: by which transaction, if there is one.
    """

    what: Happening
    instance_id: InstanceId
    epoch: EpochNumber
    text: str
    transaction: Hash32 | None = None


@dataclass(frozen=True)
class WatchedContracts:
    """What a watcher reads and writes.

    Attributes:
        chain, rewards, demands: the contracts of these names.
        verifiers: the others that take challenges, by their names.
    """

    chain: ModelParameterChain
    rewards: RewardManager
    demands: DataDemands
    verifiers: Mapping[str, Verifier]


class Watcher:
    """Follows all instances of a deployment.

    Args:
        contracts: of the deployment, with an account that signs, or without one.
        blobs: where the epochs' data are published.
        first_block: the deployment's first block.
        journal: what it has sent.
        report: told of everything that happens.
        report_from: the first block from which on posted epochs are reported; earlier ones are only worked out.
        genesis: the models that instances started from, where they are at hand.
        max_demands: how many demands may be open at once, since each binds a deposit.
        confirmations: how many blocks to stay behind the newest one.
        patience: seconds for which data may be missing before they are demanded: an aggregator that has lost a blob
            publishes it again, and a demand costs its deposit.
        clock: in seconds, for that patience.
    """

    def __init__(
        self,
        contracts: WatchedContracts,
        blobs: BlobStore,
        first_block: int,
        journal: WatchJournal | None = None,
        report: Callable[[Report], None] = lambda _: None,
        *,
        report_from: int = 0,
        genesis: Mapping[InstanceId, Int32Array] | None = None,
        max_demands: int = 256,
        confirmations: int = 0,
        patience: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contracts, self._blobs, self._journal = contracts, blobs, journal or WatchJournal()
        self._report, self._report_from = report, report_from
        self._genesis = genesis or {}
        self._first_block, self._confirmations, self._max_demands = first_block, confirmations, max_demands
        self._patience, self._clock = patience, clock
        self._connection = contracts.chain.connection
        self._signs = contracts.chain.sender.signer is not None
        self._forget()

    def _forget(self) -> None:
        """Begin again at the first block."""
        self._instances: dict[InstanceId, WatchedInstance] = {}
        self._by_hash: dict[Hash32, tuple[InstanceId, Followed]] = {}
        self._positions: dict[int, tuple[Hash32, tuple[DemandKind, int, int]]] = {}
        self._next_block = self._first_block
        self._last_hash: Hash32 | None = None

    @property
    def instances(self) -> Mapping[InstanceId, WatchedInstance]:
        """What is followed."""
        return self._instances

    def poll(self) -> None:
        """Take in what is new on the chain, check what can be checked, and act on what is found.

        Raises:
            NodeUnreachable, NodeRefused, UnknownBlock: if the node does not answer, or is behind another one; the next
                poll goes on from there.
            LogsIncomplete: if it left events out; the next poll begins again.
            JournalUnusable: if nothing can be written down; nothing is sent then.
        """
        self._follow()
        for instance in list(self._instances.values()):
            while (found := instance.check_next(self._followed)) is not None:
                followed, checked = found
                if checked.finding is None:
                    self._say(Happening.RIGHT, instance, followed, "worked out again: all the same")
                    continue
                if isinstance(checked.finding, Challenge):
                    self._on_fault(instance, followed, checked.finding)
                else:
                    self._on_missing(instance, followed, checked.finding)
                instance.look_again(followed)
                break
            if instance.waiting and instance.epochs:
                self._say(Happening.MISSING, instance, instance.epochs[0], instance.waiting, key="genesis")
        if self._signs:
            self._collect()

    # What the chain says

    def _follow(self) -> None:
        head = BlockNumber(self._connection.block_number() - self._confirmations)
        if self._last_hash is not None and self._followed > head:
            return  # a node that is behind what was seen already; it proves nothing
        if not self._is_same_chain():
            self._forget()
        addresses = [self._contracts.chain.address, self._contracts.demands.address]
        followed = self._next_block
        while self._next_block <= head:
            stop = BlockNumber(min(head, self._next_block + BLOCKS_AT_ONCE - 1))
            before = self._connection.block(stop).hash
            events = self._connection.fetch_events(self._next_block, stop, addresses)
            if self._connection.block(stop).hash != before or not self._is_same_chain():
                return  # reorganised while it was read: the next poll sees to it
            for event in events:
                self._take_in_order(event)
            self._next_block, self._last_hash = stop + 1, before
        if self._next_block > followed:
            self._see_that_all_is_there(head)

    def _is_same_chain(self) -> bool:
        """Whether the last block that was followed is still one of the chain's."""
        if self._last_hash is None:
            return True
        return self._connection.block(self._followed).hash == self._last_hash

    @property
    def _followed(self) -> BlockNumber:
        """The last block that was followed. What goes by the events is read there."""
        return BlockNumber(self._next_block - 1)

    def _take_in_order(self, event: ChainEvent) -> None:
        try:
            self._take(event)
        except LookupError as error:
            # An instance, an epoch or a demand that nothing was said of.
            self._forget()
            raise LogsIncomplete(f"{type(event).__name__} in block {event.block} follows from nothing") from error

    def _see_that_all_is_there(self, head: BlockNumber) -> None:
        """Hold what was followed against the contracts' state in one block.

        Behind one address there may be several nodes. One that is behind gives what it has of a range of logs, and
        does not say that it has not all of it; a state that it does not have it refuses.
        """
        chain, count = self._contracts.chain, self._contracts.rewards.instance_count(head)
        if count != len(self._instances):
            self._forget()
            raise LogsIncomplete(f"{count} instances were opened, it shows fewer")
        for instance in self._instances.values():
            if instance.is_complete:
                continue
            found = chain.instance(instance.instance_id, head)
            if missing := instance.missing(found):
                self._forget()
                raise LogsIncomplete(f"instance {instance.instance_id} {missing}")
            instance.is_complete = found.finalized_epochs == found.number_of_epochs

    def _take(self, event: ChainEvent) -> None:
        if isinstance(event, InstanceOpened):
            self._instances[event.instance_id] = WatchedInstance(
                self._contracts.chain,
                self._contracts.rewards,
                self._blobs,
                event.instance_id,
                self._genesis.get(event.instance_id),
            )
        elif isinstance(event, EpochSubmitted):
            header = Header.from_tuple(astuple(event.header))
            instance = self._instances[event.instance_id]
            instance.posted(header)
            followed = instance.epochs[-1]
            if event.block < self._report_from:
                followed.reported.add(Happening.RIGHT)
            self._by_hash[event.header_hash] = (event.instance_id, followed)
        elif isinstance(event, EpochOverturned):
            instance = self._instances[event.instance_id]
            followed = instance.epochs[event.epoch - 1]
            text = f"{FraudCase(event.fraud_case).name} proved by {event.challenger}"
            self._say(Happening.OVERTURNED, instance, followed, text, event.transaction_hash)
            instance.overturned(event.epoch)
        elif isinstance(event, EpochFinalized):
            instance = self._instances[event.instance_id]
            instance.finalized(event.epoch)
            followed = instance.epochs[event.epoch - 1]
            self._say(Happening.FINAL, instance, followed, "final", event.transaction_hash)
        elif isinstance(event, DataDemanded):
            _, followed = self._by_hash[event.header_hash]
            position = (DemandKind(event.kind), event.seat, event.index)
            followed.demanded[position] = Demanded(event.demand_id, event.deadline)
            self._positions[event.demand_id] = (event.header_hash, position)
        elif isinstance(event, DemandAnswered):
            self._learn(event)

    def _learn(self, event: DemandAnswered) -> None:
        header_hash, position = self._positions[event.demand_id]
        instance_id, followed = self._by_hash[header_hash]
        kind = position[0]
        column_root, rows_root = event.opening.column_root, event.opening.rows_root
        # The one that was opened is worked out: the contract has not looked at what it was said to be.
        if kind is DemandKind.COLUMN:
            column_root = keccak256(bytes([COLUMN_TAG]) + event.content)
        elif kind is DemandKind.ROW:
            rows_root = keccak256(bytes([SeatList.ROWS.whole]) + event.list)
        followed.answers[position] = Answer(
            entries=event.list,
            submission=event.submission,
            column_root=column_root,
            rows_root=rows_root,
            leaf_proof=tuple(event.opening.proof),
            content=event.content,
            proof=tuple(event.proof),
        )
        followed.demanded.pop(position, None)
        instance = self._instances[instance_id]
        self._say(Happening.ANSWERED, instance, followed, _named(position), event.transaction_hash, key=str(position))

    # What is done about it

    def _is_pending(self, followed: Followed) -> bool:
        # In the last block that was followed: the next node to be asked may not even have heard that it was posted.
        header = followed.header
        dispute = self._contracts.chain.get_dispute(header.instance_id, header.epoch, self._followed)
        return dispute.header_hash == header.hash()

    def _on_fault(self, instance: WatchedInstance, followed: Followed, fault: Challenge) -> None:
        self._say(Happening.FAULT, instance, followed, f"{fault.case.name}: {fault.found}")
        if not self._is_pending(followed):
            self._say(Happening.TOO_LATE, instance, followed, "the epoch is final, nothing can be done any more")
            instance.stuck = f"epoch {followed.header.epoch} is final and wrong: {fault.found}"
            return
        if not self._signs:
            return
        contract = self._contracts.verifiers[fault.contract]
        purpose = f"challenge {followed.header.hash().hex()}"
        self._send(
            Happening.CHALLENGED,
            instance,
            followed,
            f"{fault.function}: {fault.found}",
            purpose,
            contract,
            fault.function,
            fault.arguments,
        )

    def _on_missing(self, instance: WatchedInstance, followed: Followed, first: Demand) -> None:
        lost = followed.published.lost if followed.published is not None else []
        places = f" (blob {', '.join('0x' + address.hex() for address in lost)})" if lost else ""
        self._say(Happening.MISSING, instance, followed, first.missing + places, key=places)
        if followed.missing_since is None:
            followed.missing_since = self._clock()
        if not self._signs or not self._is_pending(followed):
            return
        now = self._connection.block().timestamp
        header, digest = followed.header, followed.header.hash().hex()
        demands = self._contracts.demands
        for position, demanded in followed.demanded.items():
            if now > demanded.deadline:
                # One that was not answered is enough.
                purpose = f"fail {demanded.demand_id:x}"
                text = f"{_named(position)} was not opened in time"
                self._send(
                    Happening.CHALLENGED,
                    instance,
                    followed,
                    text,
                    purpose,
                    demands,
                    "failDemand",
                    (demanded.demand_id,),
                )
                return
        begun = followed.demanded or followed.answers
        if not begun and self._clock() - followed.missing_since < self._patience:
            return
        for demand in self._worth_demanding(followed, first):
            if demand.position in followed.demanded:
                continue
            self._send(
                Happening.DEMANDED,
                instance,
                followed,
                demand.missing,
                f"demand {digest} {demand.position}",
                demands,
                "demand",
                (header.as_tuple(), int(demand.kind), demand.seat, demand.index),
                value=demands.demand_deposit(),
            )

    def _worth_demanding(self, followed: Followed, first: Demand) -> list[Demand]:
        """What to demand at once: one position while nobody has answered anything, then as many as help."""
        published = followed.published
        if published is None or not followed.answers:
            return [first]
        room = max(1, self._max_demands - len(followed.demanded))
        if first.kind in (DemandKind.UPDATE, DemandKind.SUBMISSION, DemandKind.COMMITS):
            wanted = _all_inputs(followed.header, published)
        else:
            # Spread over what is searched: each opening says in which part of it to go on.
            step = max(1, first.span // room)
            wanted = [replace(first, index=first.index + at) for at in range(0, first.span, step)]
        asked = followed.demanded.keys() | followed.answers.keys()
        return [demand for demand in wanted if demand.position not in asked][:room]

    def _collect(self) -> None:
        """Have what is owed to this watcher paid out."""
        sender = self._contracts.chain.sender.address
        assert sender is not None
        for contract, owed, function in (
            (self._contracts.chain, self._contracts.chain.challenge_rewards(sender), "claimChallengeReward"),
            (self._contracts.demands, self._contracts.demands.credits(sender), "withdraw"),
        ):
            if owed:
                receipt = self._try(contract, function, (), f"{function} {sender}")
                if receipt is not None:
                    self._tell(
                        Report(
                            Happening.COLLECTED,
                            InstanceId(0),
                            EpochNumber(0),
                            f"{owed} wei from {contract.NAME}",
                            receipt.transaction_hash,
                        )
                    )

    def _send(
        self,
        what: Happening,
        instance: WatchedInstance,
        followed: Followed,
        text: str,
        purpose: str,
        contract: Contract,
        function: str,
        arguments: tuple[Any, ...],
        value: Wei = Wei(0),  # noqa: B008
    ) -> None:
        if self._under_way(purpose):
            return
        try:
            receipt = self._try(contract, function, arguments, purpose, value)
        except ContractReverted as error:
            self._say(Happening.REFUSED, instance, followed, f"{function}: {error}", key=f"{purpose} {error}")
            return
        if receipt is not None:
            self._say(what, instance, followed, text, receipt.transaction_hash, key=purpose)

    def _try(
        self,
        contract: Contract,
        function: str,
        arguments: tuple[Any, ...],
        purpose: str,
        value: Wei = Wei(0),  # noqa: B008
    ) -> Receipt | None:
        """Send a transaction after writing it down; None when it was declined."""
        try:
            return contract.execute(
                function, *arguments, value=value, on_signed=lambda digest: self._journal.sending(purpose, digest)
            )
        except NotSent:
            return None

    def _under_way(self, purpose: str) -> bool:
        """Whether a transaction for this purpose is mined already, or on its way."""
        digest = self._journal.sent(purpose)
        if digest is None:
            return False
        eth = self._connection.web3.eth
        try:
            return eth.get_transaction_receipt(digest)["status"] == 1  # type: ignore[arg-type]
        except TransactionNotFound:
            pass
        try:
            eth.get_transaction(digest)  # type: ignore[arg-type]
        except TransactionNotFound:
            return False
        return True

    # What is said

    def _say(
        self,
        what: Happening,
        instance: WatchedInstance,
        followed: Followed,
        text: str,
        transaction: Hash32 | None = None,
        *,
        key: str = "",
    ) -> None:
        """Report something of an epoch, once."""
        said = f"{what} {key}" if key else str(what)
        if said not in followed.reported:
            followed.reported.add(said)
            self._tell(Report(what, instance.instance_id, followed.header.epoch, text, transaction))

    def _tell(self, report: Report) -> None:
        self._report(report)


def _all_inputs(header: Header, published: Published) -> list[Demand]:
    """Everything that an epoch follows from and that is not known: what opens an update opens its submission too."""
    wanted = [] if published.commits is not None else [Demand(DemandKind.COMMITS, 0, 0, "the commitments")]
    for seat in range(published.n):
        if header.participants >> seat & 1:
            if seat not in published.updates:
                what = f"the update of seat {seat}"
                wanted += [Demand(DemandKind.UPDATE, seat, leaf, what) for leaf in range(published.leaves)]
        elif seat not in published.submission_contents:
            wanted.append(Demand(DemandKind.SUBMISSION, seat, 0, f"the submission of seat {seat}"))
    return wanted


def _named(position: tuple[DemandKind, int, int]) -> str:
    kind, seat, index = position
    return f"{kind.name.lower().replace('_', ' ')} {seat}, leaf {index}"
