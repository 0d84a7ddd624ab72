"""The sequencer: keeps the actions of an instance in order and executes its epochs.

An epoch passes through phases (:class:`~fedblocks.rollup.progress.Phase`). While it is *open*, clients commit. Closing
it fixes the root over all commitments, which goes on chain before anybody reveals. While it is *closed*, clients
reveal. Executing it hands the revealed updates to the pure state transition function and opens the next epoch.

The phase is in the store, and so are the actions: they may come in through this sequencer's own :class:`Intake` or
through any other on the same store. What others have stored is held against the rules again before it counts.

There is one writer to an instance. A sequencer that was killed comes back with :meth:`Sequencer.resume`, which replays
what is stored; there is no other way to a state than through the state transition function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import CommitUpdate, Reveal, TypedDataSigner
from fedblocks.rollup.admission import NothingUnderWay, WrongPhase
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.header import Header
from fedblocks.rollup.intake import Intake, SignedAcknowledgement
from fedblocks.rollup.progress import Phase, RoundRecord
from fedblocks.rollup.publication import publish_epoch
from fedblocks.rollup.recorded import EpochActions, RecordedActions
from fedblocks.rollup.records import ActionKind, EpochRecord, InstanceKey, InstanceRecord
from fedblocks.rollup.replay import Replay
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Submission, Transition, commits_root, execute
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import encode_vector
from fedblocks.types import Address, EpochNumber, Hash32, Seat
from fedblocks.units import PARTS_PER_MILLION

__all__ = ["Evaluate", "ExecutedEpoch", "Sequencer", "SignedAcknowledgement", "instance_key"]

Evaluate = Callable[[Int32Array], int]
"""From int32[d], a global model, to its accuracy in parts per million."""


def instance_key(context: InstanceContext) -> InstanceKey:
    """How the store knows an instance."""
    return InstanceKey(context.chain_id, context.settlement, context.instance_id)


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
        record: InstanceRecord,
        attempt: int = 0,
    ) -> None:
        assert record.genesis_model_blob is not None, "an instance that is sequenced has its genesis model"
        self.context, self.state, self.attempt = context, state, attempt
        self.intake = Intake(store, blobs, signer, record, as_writer=True)
        self._store, self._blobs, self._genesis_blob = store, blobs, record.genesis_model_blob
        self._key, self._maximum = record.key, record.max_epochs
        self._recorded = RecordedActions(store, blobs, record.key, context)
        self._parts = EpochActions.none()
        if not self._was_finished():
            self._begin_round(state)

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
        return cls(context, state, store, blobs, signer, record)

    @classmethod
    def resume(
        cls, store: RollupStore, blobs: BlobStore, key: InstanceKey, signer: TypedDataSigner, attempt: int | None = None
    ) -> Sequencer:
        """Come back to a stored instance: replay its epochs and take up the one that was under way. What was published
        and is gone or damaged is published again; updates cannot be, they came from others.

        Its round goes on in the phase that it had; one that was being executed is closed again. After :meth:`finish`
        there is none, and there is none now.

        Args:
            store, blobs: where everything is kept.
            key: the instance.
            signer: signs acknowledgements.
            attempt: the instance's attempt on chain; by default that of the last stored epoch.

        Raises:
            ReplayMismatch: if what is stored does not give its headers.
            DataLost: if an update or the genesis model is gone or damaged.
            WriterConflict: if another sequencer writes to the instance.
        """
        replay = Replay(store, blobs, key, mend=True)
        store.acquire_writer(key, replay.aggregator)
        state, last = replay.genesis_state(), 0
        for epoch in replay.epochs():
            state, last = epoch.after, epoch.header.attempt
        record = store.get_instance(key)
        assert record is not None, "it was replayed"
        return cls(replay.context, state, store, blobs, signer, record, last if attempt is None else attempt)

    @property
    def next_epoch(self) -> EpochNumber:
        """The epoch that is under way."""
        return EpochNumber(self.state.epoch + 1)

    @property
    def phase(self) -> Phase:
        """What the epoch under way admits; void when no round is under way, because the instance is done."""
        current = self._round()
        return Phase.VOID if current is None else current.phase

    @property
    def commits(self) -> Mapping[Seat, Commit]:
        """The commitments of the epoch that is under way, by seat.

        Raises:
            ReplayMismatch: if one that another intake has stored would not have been admitted.
        """
        return self._recorded.read(self.state, self.attempt, self._parts, ActionKind.COMMIT).commitments

    def accept_commit(self, action: CommitUpdate, signature: bytes) -> SignedAcknowledgement:
        """Take a commitment.

        Raises:
            ActionRefused: one of its kinds, if the action is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        answer = self.intake.accept_commit(action, signature)
        digest = answer.acknowledgement.action_hash
        stored = self._store.find_actions(digest)[0]
        # The signature that came first counts: a wallet may sign one action in many ways.
        self._parts.commits[stored.seat] = (Commit(stored.commitment, stored.signature or b""), digest)
        return answer

    def announce(self, deadline: float | None) -> None:
        """Tell clients when the phase is meant to end, in seconds since 1970."""
        self._store.rounds.announce(self._key, self.next_epoch, self.attempt, deadline)

    def close_commits(self, is_staked: Callable[[Address], bool] | None = None) -> Hash32:
        """Admit no more commitments to this epoch; the root over those that count. Again, it is the same root.

        Args:
            is_staked: asked of everyone who has committed, after the last commitment; whose answer is no is left out.
        """
        if self.phase is Phase.OPEN:
            self._store.rounds.move(self._key, self.next_epoch, self.attempt, Phase.CLOSED)
        current = self._round()
        if current is None:
            raise NothingUnderWay(self.context.instance_id)
        if current.commits_root is not None:
            return current.commits_root
        commits = self.commits
        unstaked = [seat for seat in commits if is_staked is not None and not is_staked(self.context.cohort[seat])]
        root = commits_root(self.context, {seat: own for seat, own in commits.items() if seat not in unstaked})
        self._store.rounds.fix_commits(self._key, self.next_epoch, self.attempt, root, unstaked)
        return root

    def accept_reveal(self, reveal: Reveal) -> SignedAcknowledgement:
        """Take what opens a commitment.

        Raises:
            ActionRefused: one of its kinds, if the reveal is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        answer, submission, blob = self.intake.accept_reveal(reveal)
        self._parts.submissions[submission.seat] = submission
        self._parts.blobs[submission.seat] = blob
        return answer

    def execute(self, evaluate: Evaluate) -> ExecutedEpoch:
        """Execute the epoch with the updates that were revealed, publish its data and open the next epoch.

        Args:
            evaluate: measures the next model, in parts per million.

        Raises:
            WrongPhase: if commitments are still open.
            NothingToAverage: if no update is accepted; the epoch stays as it is.
            ReplayMismatch: if an action that another intake has stored would not have been admitted.
            StorageError: if the disk refuses; the epoch stays as it is.
        """
        current = self._round()
        if current is None or current.commits_root is None:
            raise WrongPhase("request to execute", "void" if current is None else current.phase.value)
        # From here on no update comes in that would be acknowledged and not counted.
        self._move(Phase.EXECUTING)
        try:
            executed, after = self._execute(evaluate)
            with self._store.transaction():
                self._store.put_epoch(self._key, EpochRecord(executed.header, executed.header.data_locator))
                self._move(Phase.EXECUTED)
                self._begin_round(after)
        except BaseException:
            with suppress(FedBlocksError):
                self._move(Phase.CLOSED)
            raise
        self.state, self._parts = after, EpochActions.none()
        return executed

    def restart(self, attempt: int) -> None:
        """Begin the epoch anew under another attempt, because its commitments have become void on chain."""
        self.attempt, self._parts = attempt, EpochActions.none()
        self._begin_round(self.state)

    def finish(self) -> None:
        """Admit nothing more: the instance is done before its epochs are used up."""
        self._store.rounds.end(self._key)

    def _execute(self, evaluate: Evaluate) -> tuple[ExecutedEpoch, RollupState]:
        self._recorded.read(self.state, self.attempt, self._parts)
        transition = self._transition(self._parts.submissions)
        metric = evaluate(transition.data.next_model)
        if not 0 <= metric <= PARTS_PER_MILLION:
            raise ValueError(f"the metric is {metric}; it must be from 0 to {PARTS_PER_MILLION} parts per million")
        header = transition.seal(self.context, self.state, metric, self._publish(transition))
        return ExecutedEpoch(header, transition), transition.after(header)

    def _transition(self, submissions: Mapping[Seat, Submission]) -> Transition:
        """What follows from the updates that were revealed."""
        return execute(self.context, self.state, self.attempt, self._parts.commitments, submissions)

    def _publish(self, transition: Transition) -> Hash32:
        """Put an epoch's data where anyone can read them; the manifest's address."""
        return publish_epoch(
            self._blobs,
            self.context,
            transition.epoch,
            self.attempt,
            transition.data,
            self._genesis_blob,
            dict(self._parts.blobs),
        )

    def _round(self) -> RoundRecord | None:
        """The round under way, if it is this sequencer's."""
        current = self._store.rounds.current(self._key)
        if current is None or (current.epoch, current.attempt) != (self.next_epoch, self.attempt):
            return None
        return current

    def _was_finished(self) -> bool:
        """Whether the round that would be under way was ended, and no other one was begun in its place."""
        rounds = self._store.rounds
        ended = rounds.get(self._key, self.next_epoch, self.attempt)
        return ended is not None and ended.phase is Phase.VOID and rounds.current(self._key) is None

    def _move(self, phase: Phase) -> None:
        self._store.rounds.move(self._key, self.next_epoch, self.attempt, phase)

    def _begin_round(self, state: RollupState) -> None:
        """Open the round after a state, or take it up."""
        if state.epoch >= self._maximum:
            self._store.rounds.end(self._key)
            return
        record = RoundRecord(
            epoch=EpochNumber(state.epoch + 1),
            attempt=self.attempt,
            base_model_root=state.model_root,
            base_model_blob=self._blobs.put(encode_vector(state.model)),
            last_delta_blob=self._blobs.put(encode_vector(state.last_delta)) if state.epoch else None,
            barred=tuple(sorted(state.slashable)),
        )
        begun = self._store.rounds.begin(self._key, record)
        if begun.phase is Phase.EXECUTING:
            self._store.rounds.move(self._key, record.epoch, record.attempt, Phase.CLOSED)
