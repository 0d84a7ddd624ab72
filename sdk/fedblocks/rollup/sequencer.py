"""The sequencer: takes signed actions, keeps them in order, executes the epoch.

An epoch passes through three phases. While it is *open*, clients commit. Closing it fixes the root over all
commitments, which goes on chain before anybody reveals. While it is *closed*, clients reveal. Executing it hands the
revealed updates to the pure state transition function and opens the next epoch.

Every accepted action is stored before it is acknowledged, and the acknowledgement is signed: a client that holds one
can prove that its update was received, whatever the header says. An action that is refused changes nothing. The same
action twice gets the same acknowledgement twice, so that a client whose connection broke may simply send again.

There is one writer to an instance. A sequencer that was killed comes back with :meth:`Sequencer.resume`, which replays
what is stored; there is no other way to a state than through the state transition function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.rollup.actions import (
    Acknowledgement,
    CommitUpdate,
    Reveal,
    TypedDataSigner,
    action_hash,
    sign_action,
)
from fedblocks.rollup.admission import (
    AlreadyCommitted,
    WrongPhase,
    admit_commit,
    admit_reveal,
    revealed_hash,
)
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.header import Header
from fedblocks.rollup.publication import publish_epoch
from fedblocks.rollup.records import ActionKind, ActionRecord, EpochRecord, InstanceKey, InstanceRecord
from fedblocks.rollup.replay import Replay
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, Transition, commits_root, execute
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import encode_vector
from fedblocks.types import Address, EpochNumber, Hash32, Seat
from fedblocks.units import PARTS_PER_MILLION

Evaluate = Callable[[Int32Array], int]
"""From int32[d], a global model, to its accuracy in parts per million."""


def instance_key(context: InstanceContext) -> InstanceKey:
    """How the store knows an instance."""
    return InstanceKey(context.chain_id, context.settlement, context.instance_id)


@dataclass(frozen=True)
class SignedAcknowledgement:
    """The sequencer's word that it has stored an action."""

    acknowledgement: Acknowledgement
    signature: bytes


@dataclass(frozen=True, eq=False)
class ExecutedEpoch:
    """An epoch that has been executed and stored, ready to be posted."""

    header: Header
    transition: Transition


class Sequencer:
    """The one writer of an instance.

    Made with :meth:`create` for a new instance, or :meth:`resume` for one that is stored.
    """

    def __init__(
        self,
        context: InstanceContext,
        state: RollupState,
        store: RollupStore,
        blobs: BlobStore,
        signer: TypedDataSigner,
        genesis_blob: Hash32,
        attempt: int = 0,
    ) -> None:
        self.context, self.state, self.attempt = context, state, attempt
        self._store, self._blobs, self._signer, self._genesis_blob = store, blobs, signer, genesis_blob
        self._key = instance_key(context)
        self._commits: dict[Seat, tuple[Commit, Hash32]] = {}
        self._submissions: dict[Seat, Submission] = {}
        self._update_blobs: dict[Seat, Hash32] = {}
        self._closed = False

    @classmethod
    def create(
        cls,
        context: InstanceContext,
        genesis: Int32Array,
        store: RollupStore,
        blobs: BlobStore,
        signer: TypedDataSigner,
        *,
        user: Address,
        aggregator: Address,
        max_epochs: int,
        document: bytes = b"",
    ) -> Sequencer:
        """Begin a new instance.

        Args:
            context: the instance, as it is on chain.
            genesis: int32[d], the model that training starts from.
            store, blobs: where everything is kept.
            signer: signs acknowledgements.
            user, aggregator: of the instance.
            max_epochs: how many epochs were paid for.
            document: the job's, kept for people.

        Raises:
            WrongGenesisModel: if the model is not the one whose root is on chain.
            StorageError: if the disk refuses; nothing was begun.
        """
        state = RollupState.genesis(context, genesis)
        model = blobs.put(encode_vector(genesis))
        record = InstanceRecord(
            key=instance_key(context),
            user=user,
            aggregator=aggregator,
            cohort=context.cohort,
            d=context.d,
            max_epochs=max_epochs,
            rules=context.rules.words(),
            genesis_hash=context.genesis_hash,
            job_blob=blobs.put(document) if document else None,
            genesis_model_blob=model,
        )
        store.add_instance(record)
        store.acquire_writer(record.key, aggregator)
        return cls(context, state, store, blobs, signer, model)

    @classmethod
    def resume(
        cls, store: RollupStore, blobs: BlobStore, key: InstanceKey, signer: TypedDataSigner, attempt: int | None = None
    ) -> Sequencer:
        """Come back to a stored instance: replay its epochs and take up the one that was under way.

        Whether commitments were closed is on chain, not here: call :meth:`close_commits` again if they were.

        Args:
            store, blobs: where everything is kept.
            key: the instance.
            signer: signs acknowledgements.
            attempt: the instance's attempt on chain; by default that of the last stored epoch.

        Raises:
            ReplayMismatch: if what is stored does not give its headers.
            WriterConflict: if another sequencer writes to the instance.
        """
        replay = Replay(store, blobs, key)
        store.acquire_writer(key, replay.aggregator)
        state, last = replay.genesis_state(), 0
        for epoch in replay.epochs():
            state, last = epoch.after, epoch.header.attempt
        current = last if attempt is None else attempt
        sequencer = cls(replay.context, state, store, blobs, signer, replay.genesis_blob, current)
        under_way = replay.actions(state, sequencer.attempt)
        sequencer._commits = under_way.commits
        sequencer._submissions = under_way.submissions
        sequencer._update_blobs = under_way.blobs
        return sequencer

    @property
    def next_epoch(self) -> EpochNumber:
        """The epoch that is under way."""
        return EpochNumber(self.state.epoch + 1)

    @property
    def commits(self) -> Mapping[Seat, Commit]:
        """The commitments of the epoch that is under way, by seat."""
        return {seat: commit for seat, (commit, _) in self._commits.items()}

    def accept_commit(self, action: CommitUpdate, signature: bytes) -> SignedAcknowledgement:
        """Take a commitment.

        Raises:
            ActionRefused: one of its kinds, if the action is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        seat = admit_commit(self.context, self.state, self.attempt, action, signature)
        client = self.context.cohort[seat]
        digest = action_hash(action, self.context.domain)
        if seat in self._commits:
            if self._commits[seat][1] != digest:
                raise AlreadyCommitted(client)
            return self._acknowledge(digest)
        if self._closed:
            raise WrongPhase("commitment", "closed")
        answer = self._acknowledge(digest)
        commit = Commit(action.commitment, signature)
        self._store.add_action(
            self._key,
            ActionRecord(
                epoch=self.next_epoch,
                attempt=self.attempt,
                seat=seat,
                kind=ActionKind.COMMIT,
                action_hash=digest,
                client=client,
                commitment=action.commitment,
                signature=signature,
                acknowledgement=answer.signature,
            ),
        )
        self._commits[seat] = (commit, digest)
        return answer

    def close_commits(self) -> Hash32:
        """Admit no more commitments to this epoch; the root over those that were made."""
        self._closed = True
        return commits_root(self.context, self.commits)

    def accept_reveal(self, reveal: Reveal) -> SignedAcknowledgement:
        """Take what opens a commitment.

        Raises:
            ActionRefused: one of its kinds, if the reveal is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        if not self._closed:
            raise WrongPhase("reveal", "open")
        submission = admit_reveal(self.context, self.commits, reveal)
        commit, commit_hash = self._commits[submission.seat]
        answer = self._acknowledge(revealed_hash(commit_hash))
        if submission.seat in self._submissions:
            return answer
        blob = self._blobs.put(encode_vector(submission.update))
        self._store.add_action(
            self._key,
            ActionRecord(
                epoch=self.next_epoch,
                attempt=self.attempt,
                seat=submission.seat,
                kind=ActionKind.REVEAL,
                action_hash=commit_hash,
                client=submission.client,
                commitment=commit.commitment,
                update_blob=blob,
                update_root=submission.update_root,
                samples=submission.samples,
                salt=submission.salt,
                acknowledgement=answer.signature,
            ),
        )
        self._submissions[submission.seat] = submission
        self._update_blobs[submission.seat] = blob
        return answer

    def execute(self, evaluate: Evaluate) -> ExecutedEpoch:
        """Execute the epoch with the updates that were revealed, publish its data and open the next epoch.

        Args:
            evaluate: measures the next model, in parts per million.

        Raises:
            WrongPhase: if commitments are still open.
            NothingToAverage: if no update is accepted; the epoch stays as it is.
            StorageError: if the disk refuses; the epoch stays as it is.
        """
        if not self._closed:
            raise WrongPhase("request to execute", "open")
        transition = self._transition(self._submissions)
        metric = evaluate(transition.data.next_model)
        if not 0 <= metric <= PARTS_PER_MILLION:
            raise ValueError(f"the metric is {metric}; it must be from 0 to {PARTS_PER_MILLION} parts per million")
        manifest = self._publish(transition)
        header = transition.seal(self.context, self.state, metric, manifest)
        self._store.put_epoch(self._key, EpochRecord(header, manifest))
        self.state = transition.after(header)
        self._begin_epoch()
        return ExecutedEpoch(header, transition)

    def restart(self, attempt: int) -> None:
        """Begin the epoch anew under another attempt, because its commitments have become void on chain."""
        self.attempt = attempt
        self._begin_epoch()

    def _transition(self, submissions: Mapping[Seat, Submission]) -> Transition:
        """What follows from the updates that were revealed."""
        return execute(self.context, self.state, self.attempt, self.commits, submissions)

    def _publish(self, transition: Transition) -> Hash32:
        """Put an epoch's data where anyone can read them; the manifest's address."""
        return publish_epoch(
            self._blobs,
            self.context,
            transition.epoch,
            self.attempt,
            transition.data,
            self._genesis_blob,
            dict(self._update_blobs),
        )

    def _begin_epoch(self) -> None:
        self._commits, self._submissions, self._update_blobs, self._closed = {}, {}, {}, False

    def _acknowledge(self, digest: Hash32) -> SignedAcknowledgement:
        acknowledgement = Acknowledgement(digest)
        return SignedAcknowledgement(acknowledgement, sign_action(acknowledgement, self.context.domain, self._signer))
