"""One client in one instance: the steps of an epoch, each of which may be the last one before a kill.

The order is what makes it safe. The update is on disk before the commitment leaves; the commitment's acknowledgement is
on disk before anything is revealed; and nothing is revealed before the *chain* shows commitments closed under a root,
and the list behind that very root holds this client's commitment. Who starts again finds its page and goes on: it
never commits to a second update in one attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from eth_utils.address import to_checksum_address

from fedblocks.chain.connection import Block
from fedblocks.client import FedBlocks
from fedblocks.engines.client_chain import ClientChain, NotOnChain, NotYetOnChain
from fedblocks.engines.notebook import Notebook, Page
from fedblocks.operating.joining import Joined
from fedblocks.operating.records import EpochEvidence, Records
from fedblocks.operating.talking import Talk
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList
from fedblocks.rollup.progress import Phase
from fedblocks.rollup.vectors import encode_vector, vector_root
from fedblocks.service.client import MpsClient, NodeProblem
from fedblocks.service.schemas import Round, from_hex
from fedblocks.training.client import RoundTask
from fedblocks.training.quantise import NonFiniteModel
from fedblocks.types import ZERO_ADDRESS, ZERO_HASH, Address, EpochNumber, Hash32


class TakingPart:
    """A client's part in one instance.

    Args:
        joined: the instance.
        service: the aggregator's node.
        fedblocks: the deployment, as this client's own node shows it.
        chain: the checks against it.
        notebook, records: the client's state on disk.
        talk: told of what happens.
        block: which block to read.
    """

    def __init__(
        self,
        joined: Joined,
        service: MpsClient,
        fedblocks: FedBlocks,
        chain: ClientChain,
        notebook: Notebook,
        records: Records,
        talk: Talk,
        block: Callable[[], Block],
    ) -> None:
        self.context, self.federated, self._name = joined.context, joined.federated, joined.name
        self._service, self._fedblocks, self._chain = service, fedblocks, chain
        self._notebook, self._records, self._block = notebook, records, block
        self._talk = partial(talk, instance=self.context.instance_id)
        self._once = partial(talk.once, instance=self.context.instance_id)
        self._given_up: set[tuple[int, int]] = set()
        self._places: dict[tuple[int, int], tuple[Hash32, int]] = {}
        """By epoch and attempt: the address of the own update as a blob, and its size."""
        self._seat = self.context.seat_of(self.federated.address)

    def step(self) -> bool:
        """Do what the round under way asks for; whether anything was done.

        Raises:
            NotYetOnChain: if the chain does not show yet what the service says; ask again.
            NotOnChain, WrongBlob, WrongSigner: if the service says something else than the chain; nothing was sent.
            NodeProblem, NodeAway, NodeUnreachable: if service or node refuse, or are away.
            NotebookDamaged, RecordDamaged: if the state on disk is damaged.
        """
        current = self._service.round(self._name)
        if current is None or (current.epoch, current.attempt) in self._given_up:
            return False
        epoch, attempt = EpochNumber(current.epoch), current.attempt
        page = self._notebook.read(self.context, epoch, attempt)
        evidence = self._records.get(self.context, epoch, attempt)
        if current.phase is Phase.OPEN and evidence is None:
            page = page or self._train(current)
            if page is None:
                return False
            self._commit(page)
            return True
        if current.phase is Phase.CLOSED and page is not None and current.commits_root is not None:
            if self._seat in current.left_out:
                self._given_up.add((current.epoch, current.attempt))
                self._talk("left out", "error", epoch=epoch, attempt=attempt, why="the aggregator saw no active stake")
                return False
            if evidence is None:
                evidence = self._commit_again(page)
            if evidence is not None and not evidence.reveal_acknowledgement:
                return self._reveal(page, evidence)
        return False

    def _train(self, current: Round) -> Page | None:
        epoch = EpochNumber(current.epoch)
        where: dict[str, Any] = {"epoch": current.epoch, "attempt": current.attempt}
        if self._seat in current.barred:
            self._once(f"barred {self.context.instance_id}", "barred", why="found guilty in this instance")
            return None
        if not self._fedblocks.staking.is_staked(self.federated.address, self._block()):
            self._once(f"stake {self.context.instance_id}", "no stake", why="stake to take part", **where)
            return None
        base_root = Hash32(from_hex(current.base_model_root))
        self._check_task(current, base_root)
        base = self._service.model(Hash32(from_hex(current.base_model_blob)), self.context.d)
        if vector_root(base) != base_root:
            raise NotOnChain("a base model with the root", vector_root(base), base_root)
        # What the last step was matters to attackers only; it is not fetched.
        task = RoundTask(
            self.context, epoch, current.attempt, base, base_root, self._service.delta(None, self.context.d)
        )
        try:
            trained = self.federated.train(task)
        except NonFiniteModel as error:
            self._given_up.add((current.epoch, current.attempt))
            self._talk("diverged", "error", why=error, **where)
            return None
        commit = self.federated.commit(task, trained.update, trained.samples)
        page = Page(commit, self.federated.reveal(task), {"loss": trained.loss, "steps": trained.steps})
        self._talk("trained", loss=round(trained.loss, 4), samples=trained.samples, **where)
        return self._notebook.write(self.context, page)

    def _check_task(self, current: Round, base_root: Hash32) -> None:
        try:
            self._chain.check_task(self.context, EpochNumber(current.epoch), current.attempt, base_root)
        except NotOnChain as error:
            # Between two questions to two machines, everybody may have gone on to the next epoch.
            again = self._service.round(self._name)
            if again is None or (again.epoch, again.attempt, again.phase) != (
                current.epoch,
                current.attempt,
                current.phase,
            ):
                raise NotYetOnChain("what the service says", 0) from error
            raise

    def _commit(self, page: Page) -> EpochEvidence:
        action, aggregator = page.commit.action, self._aggregator()
        answer = self._service.commit(self.context.domain, action, page.commit.signature, aggregator)
        evidence = self._records.begin(self.context, page.commit, aggregator, answer)
        self._talk("committed", epoch=action.epoch, attempt=action.attempt, commitment=action.commitment)
        return evidence

    def _commit_again(self, page: Page) -> EpochEvidence | None:
        """The acknowledgement of a commitment whose answer was lost; None if it never arrived."""
        action = page.commit.action
        try:
            return self._commit(page)
        except NodeProblem as problem:
            if problem.status != 409:
                raise
            self._given_up.add((action.epoch, action.attempt))
            self._talk("too late", "warning", epoch=action.epoch, attempt=action.attempt, why=problem.detail)
            return None

    def _reveal(self, page: Page, evidence: EpochEvidence) -> bool:
        action, number = page.commit.action, self.context.instance_id
        root = self._fedblocks.chain.epoch(number, action.epoch, self._block()).commits_root
        if root == ZERO_HASH:
            return False
        # Whoever serves it: what hashes to the root on chain is the list that was closed.
        opened = self._service.blob(root)
        if opened[:1] != bytes([SeatList.COMMITS.whole]):
            raise NotOnChain("a list of commitments", opened[:1], bytes([SeatList.COMMITS.whole]))
        self._chain.check_closed(self.context, page.commit, opened[1:])
        aggregator = self._aggregator()
        answer = self._service.reveal(self.context.domain, action, page.reveal, aggregator)
        evidence = replace(evidence, aggregator=aggregator, reveal_acknowledgement=answer.signature.hex())
        self._records.put(self.context, evidence)
        self._talk("revealed", epoch=action.epoch, attempt=action.attempt)
        return True

    def bring_again(self) -> bool:
        """Send updates again that were acknowledged and that the service has lost, while they are still at hand;
        whether there were any.

        The service takes what hashes to what it had, and nothing else: this helps, and gives nothing away.
        """
        brought = False
        for epoch, attempt in self._notebook.kept(self.context):
            if self._is_there(epoch, attempt):
                continue
            page = self._notebook.read(self.context, epoch, attempt)
            if page is not None:
                self._service.reveal(self.context.domain, page.commit.action, page.reveal, self._aggregator_of(page))
                self._talk("update sent again", "warning", epoch=epoch, attempt=attempt, why="the service has lost it")
                brought = True
        return brought

    def _is_there(self, epoch: EpochNumber, attempt: int) -> bool:
        """Whether the service still has an update that it has acknowledged; one that it has not is no matter here."""
        evidence = self._records.get(self.context, epoch, attempt)
        if evidence is None or not evidence.reveal_acknowledgement:
            return True
        if (epoch, attempt) not in self._places:
            page = self._notebook.read(self.context, epoch, attempt)
            if page is None:
                return True
            content = encode_vector(page.reveal.update)
            self._places[epoch, attempt] = (keccak256(content), len(content))
        address, size = self._places[epoch, attempt]
        return self._service.blob_size(address) == size

    def _aggregator_of(self, page: Page) -> Address:
        """Who acknowledged an update: the acknowledgement that comes back is the same one."""
        action = page.commit.action
        evidence = self._records.get(self.context, action.epoch, action.attempt)
        return to_checksum_address(evidence.aggregator) if evidence is not None else self._aggregator()

    def follow(self) -> bool:
        """Look at what became of the epochs that this client took part in; whether something new was learned."""
        learned = False
        for evidence in list(self._records.unsettled(self.context)):
            after = self._outcome(evidence)
            if after != evidence:
                learned = True
                self._records.put(self.context, after)
                level = "error" if after.outcome == "omitted" or after.reason else "info"
                self._talk(
                    f"epoch {after.outcome}",
                    level,
                    epoch=after.epoch,
                    attempt=after.attempt,
                    excluded=after.excluded or None,
                    slashable_for=after.reason or None,
                    evidence=self._records.path_of(self.context, after) if after.outcome == "omitted" else None,
                )
        return learned

    def _outcome(self, evidence: EpochEvidence) -> EpochEvidence:
        number, block = self.context.instance_id, self._block()
        instance = self._fedblocks.chain.instance(number, block)
        posted = self._fedblocks.chain.epoch(number, EpochNumber(evidence.epoch), block)
        if not posted.is_posted:
            # Of a closed instance no further epoch is posted: its user has stopped it while clients were committing.
            is_void = instance.attempt > evidence.attempt or self._fedblocks.chain.is_closed(number, block)
            return replace(evidence, outcome="void") if is_void else evidence
        if evidence.header_hash != posted.header_hash.hex():
            proof = self._service.proof(self._name, evidence.epoch, evidence.seat)
            if proof.header.hash() != posted.header_hash:
                raise NotOnChain("a header with the hash", proof.header.hash(), posted.header_hash)
            if proof.header.attempt != evidence.attempt:
                return replace(evidence, outcome="void")
            if not proof.took_part:
                missing = bool(evidence.reveal_acknowledgement)
                return replace(evidence, outcome="omitted" if missing else "void")
            reason = instance.slashable.get(proof.seat)
            evidence = replace(
                evidence,
                outcome="posted",
                header_hash=posted.header_hash.hex(),
                excluded=proof.is_excluded,
                reason="" if reason is None else reason.name.lower(),
            )
        return replace(evidence, outcome="final") if evidence.epoch <= instance.finalized_epochs else evidence

    def _aggregator(self) -> Address:
        named = self._fedblocks.chain.instance(self.context.instance_id, self._block()).aggregator
        if named == ZERO_ADDRESS:
            raise NotYetOnChain("the instance's aggregator", 0)
        return named
