"""Intake: takes signed actions, stores them and says so.

It needs only what the store says of the round under way, not the model and not the state transition function, so that
any number of intakes may run, in processes of their own, beside the one that executes. An accepted action is stored
before it is acknowledged, and the acknowledgement is signed: a client that holds one can prove that its update was
received, whatever the header says. An action that is refused changes nothing. The same action twice gets the same
acknowledgement twice, so that a client whose connection broke may simply send again.

A reveal comes in two parts. Its *claim* names seat, samples, salt and the update's root, and is held against the
commitment first: only who made the commitment knows the salt, so that nobody else can make a node take in megabytes.
Then comes the update, whose root must be the claimed one.

An update that was acknowledged and is no longer in the store, because a disk has lost it, is taken again from whoever
can open its commitment, in its own round or later: it is the same bytes or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fedblocks.rollup.actions import (
    Acknowledgement,
    CommitUpdate,
    Reveal,
    TypedDataSigner,
    action_hash,
    sign_action,
    signing_domain,
)
from fedblocks.rollup.admission import (
    AlreadyCommitted,
    DoesNotOpen,
    Expected,
    NothingUnderWay,
    SeatLeftOut,
    WrongPhase,
    WrongRound,
    admit_expected,
    admit_reveal,
    check_opening,
    revealed_hash,
)
from fedblocks.rollup.arriving import ArrivingVector
from fedblocks.rollup.blobs import BlobMissing, BlobStore
from fedblocks.rollup.conflicts import ActionConflict
from fedblocks.rollup.progress import Phase, RoundRecord
from fedblocks.rollup.records import ActionKind, ActionRecord, InstanceRecord
from fedblocks.rollup.stf import Commit, Submission
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import VectorKind, encode_vector
from fedblocks.types import Address, EpochNumber, Hash32, Seat


@dataclass(frozen=True)
class SignedAcknowledgement:
    """The sequencer's word that it has stored an action."""

    acknowledgement: Acknowledgement
    signature: bytes


@dataclass(frozen=True)
class RevealClaim:
    """What a client says about an update before it sends it.

    Attributes:
        epoch, attempt: the round in which it has committed.
        seat: its own.
        update_root: the update's Merkle root.
        samples, salt: what else was committed to.
    """

    epoch: EpochNumber
    attempt: int
    seat: Seat
    update_root: Hash32
    samples: int
    salt: Hash32


@dataclass(frozen=True)
class CheckedClaim:
    """A claim that opens a stored commitment.

    Attributes:
        commit: the stored commitment.
        already: the acknowledgement, if the update was received before.
        lost: whether it was, and its bytes are gone: they are wanted again.
    """

    claim: RevealClaim
    commit: ActionRecord
    already: SignedAcknowledgement | None
    lost: bool = False


class Intake:
    """Takes the actions of one instance.

    Args:
        store, blobs: where everything is kept.
        signer: signs acknowledgements; the aggregator's key.
        record: the instance.
        as_writer: whether this is the executor's own, which stops when another one has taken over.
    """

    def __init__(
        self,
        store: RollupStore,
        blobs: BlobStore,
        signer: TypedDataSigner,
        record: InstanceRecord,
        *,
        as_writer: bool = False,
    ) -> None:
        self.record = record
        self.domain = signing_domain(record.key.chain_id, record.key.contract)
        self._store, self._blobs, self._signer, self._as_writer = store, blobs, signer, as_writer

    def current(self) -> RoundRecord:
        """The round under way.

        Raises:
            NothingUnderWay: if there is none.
        """
        current = self._store.rounds.current(self.record.key)
        if current is None:
            raise NothingUnderWay(self.record.key.instance_id)
        return current

    def accept_commit(
        self, action: CommitUpdate, signature: bytes, known: Callable[[Address], None] | None = None
    ) -> SignedAcknowledgement:
        """Take a commitment.

        Args:
            action, signature: as the client sent them.
            known: told who has signed, before anything is done about it; what it raises comes out.

        Raises:
            ActionRefused: one of its kinds, if the action is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        current = self.current()
        expected = Expected(
            domain=self.domain,
            instance_id=self.record.key.instance_id,
            cohort=self.record.cohort,
            epoch=current.epoch,
            attempt=current.attempt,
            base_model_root=current.base_model_root,
            barred=current.barred,
        )
        seat = admit_expected(expected, action, signature)
        client = self.record.cohort[seat]
        if known is not None:
            known(client)
        digest = action_hash(action, self.domain)
        record = ActionRecord(
            epoch=current.epoch,
            attempt=current.attempt,
            seat=seat,
            kind=ActionKind.COMMIT,
            action_hash=digest,
            client=client,
            commitment=action.commitment,
            signature=signature,
            acknowledgement=self._sign(digest),
        )
        try:
            return _answer(digest, self._admit(record))
        except ActionConflict as error:
            raise AlreadyCommitted(client) from error

    def check_claim(self, claim: RevealClaim) -> CheckedClaim:
        """Hold a claim against the commitment that it is to open, before the update is there.

        Raises:
            ActionRefused: one of its kinds, if the update would not be admitted.
        """
        records = self._store.actions(self.record.key, claim.epoch, claim.attempt)
        commits = {record.seat: record for record in records if record.kind is ActionKind.COMMIT}
        opened = {seat: _commit(record) for seat, record in commits.items()}
        known = [record for record in records if record.kind is ActionKind.REVEAL and record.seat == claim.seat]
        if known and self._is_lost(known[0]):
            check_opening(self.record, opened, claim.seat, claim.update_root, claim.samples, claim.salt)
            commit = commits[claim.seat]
            return CheckedClaim(claim, commit, _answer(revealed_hash(commit.action_hash), known[0]), lost=True)
        current = self.current()
        for name, expected, actual in (
            ("epoch", current.epoch, claim.epoch),
            ("attempt", current.attempt, claim.attempt),
        ):
            if expected != actual:
                raise WrongRound(name, expected, actual)
        if current.phase is Phase.OPEN:
            raise WrongPhase("reveal", current.phase.value)
        check_opening(self.record, opened, claim.seat, claim.update_root, claim.samples, claim.salt)
        commit = commits[claim.seat]
        if known:
            return CheckedClaim(claim, commit, _answer(revealed_hash(commit.action_hash), known[0]))
        if current.phase is not Phase.CLOSED:
            raise WrongPhase("reveal", current.phase.value)
        if current.commits_root is None:
            raise WrongPhase("reveal", "being closed")
        if claim.seat in current.left_out:
            raise SeatLeftOut(commit.client)
        return CheckedClaim(claim, commit, None)

    def accept_update(self, checked: CheckedClaim, update_root: Hash32, blob: Hash32) -> SignedAcknowledgement:
        """Take an update that has arrived: its bytes are a stored blob of the right size.

        Args:
            checked: its claim.
            update_root: the root of what has arrived.
            blob: where it lies.

        Raises:
            DoesNotOpen: if it is not the claimed update.
            ActionRefused: another of its kinds, if the round has gone on meanwhile.
            StorageError: if it cannot be stored; nothing has changed.
        """
        claim, commit = checked.claim, checked.commit
        if update_root != claim.update_root:
            raise DoesNotOpen(commit.client)
        digest = revealed_hash(commit.action_hash)
        record = ActionRecord(
            epoch=claim.epoch,
            attempt=claim.attempt,
            seat=claim.seat,
            kind=ActionKind.REVEAL,
            action_hash=commit.action_hash,
            client=commit.client,
            commitment=commit.commitment,
            update_blob=blob,
            update_root=update_root,
            samples=claim.samples,
            salt=claim.salt,
            acknowledgement=self._sign(digest),
        )
        return _answer(digest, self._admit(record))

    def accept_arrived(self, checked: CheckedClaim, arrived: ArrivingVector) -> SignedAcknowledgement:
        """Take an update that has arrived piece by piece, if it is the claimed one; else nothing is kept of it.

        Raises:
            WrongVectorSize: if it is not whole.
            DoesNotOpen, ActionRefused, StorageError: as :meth:`accept_update`.
        """
        if arrived.finish() != checked.claim.update_root:
            raise DoesNotOpen(checked.commit.client)
        blob = arrived.keep()
        if checked.already is not None:
            # One root, one vector, one encoding: it lies where the lost one did.
            return checked.already
        return self.accept_update(checked, checked.claim.update_root, blob)

    def accept_reveal(self, reveal: Reveal) -> tuple[SignedAcknowledgement, Submission, Hash32]:
        """Take a reveal whose update is at hand; what it completes, and where its update lies.

        Raises:
            ActionRefused: one of its kinds, if the reveal is not admitted; nothing has changed.
            StorageError: if it cannot be stored; nothing has changed.
        """
        current = self.current()
        if current.phase is Phase.OPEN:
            raise WrongPhase("reveal", current.phase.value)
        submission = admit_reveal(self.record, self._commits(current), reveal)
        claim = RevealClaim(
            current.epoch, current.attempt, reveal.seat, reveal.update_root, reveal.samples, reveal.salt
        )
        checked = self.check_claim(claim)
        blob = self._blobs.put(encode_vector(reveal.update))
        if checked.already is not None:
            return checked.already, submission, blob
        return self.accept_update(checked, reveal.update_root, blob), submission, blob

    def _is_lost(self, revealed: ActionRecord) -> bool:
        """Whether an update that was received is gone, or cut off; what its bytes hash to is for its reader to see."""
        assert revealed.update_blob is not None, "a reveal is stored with its update's address"
        try:
            return self._blobs.size(revealed.update_blob) != self.record.d * VectorKind.UPDATE.value_bytes
        except BlobMissing:
            return True

    def _commits(self, current: RoundRecord) -> Mapping[Seat, Commit]:
        records = self._store.actions(self.record.key, current.epoch, current.attempt, ActionKind.COMMIT)
        return {record.seat: _commit(record) for record in records}

    def _admit(self, record: ActionRecord) -> ActionRecord:
        return self._store.rounds.admit(self.record.key, record, as_writer=self._as_writer)

    def _sign(self, digest: Hash32) -> bytes:
        return sign_action(Acknowledgement(digest), self.domain, self._signer)


def _answer(digest: Hash32, stored: ActionRecord) -> SignedAcknowledgement:
    assert stored.acknowledgement is not None, "nothing is stored without one"
    return SignedAcknowledgement(Acknowledgement(digest), stored.acknowledgement)


def _commit(record: ActionRecord) -> Commit:
    return Commit(record.commitment, record.signature or b"")
