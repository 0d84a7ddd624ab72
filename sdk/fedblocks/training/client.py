"""A data owner in a running job: trains, commits, and only then reveals.

A client that showed its update to anyone before all commitments are on chain could be copied, and would then look like
one of a pair of cheats. So it sends the hash of its update first, and the update itself once the root over all
commitments is on chain.

The salt keeps a commitment from being guessed. It follows from a secret that the client keeps and from what is being
committed to, so that a client that was killed between commit and reveal trains again, finds the same salt and reveals.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.chain.signers import Signer
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import CommitUpdate, Reveal, sign_action
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.state import InstanceContext
from fedblocks.training.update import LocalUpdate, Trainer
from fedblocks.types import Address, EpochNumber, Hash32


class NothingCommitted(FedBlocksError, RuntimeError):
    """A client was asked to reveal an update that it has not committed to."""

    def __init__(self, client: str, epoch: int, attempt: int) -> None:
        super().__init__(f"{client} has committed to nothing in epoch {epoch}, attempt {attempt}; it cannot reveal")
        self.client, self.epoch, self.attempt = client, epoch, attempt


@dataclass(frozen=True, eq=False)
class RoundTask:
    """What a cohort is asked to do in an epoch.

    Attributes:
        context: the instance.
        epoch, attempt: which, and how often commitments were made void.
        base: int32[d], the model to train from.
        base_root: its root; whoever trains checks it against the chain.
        last_delta: int16[d], the last global step, which is public.
    """

    context: InstanceContext
    epoch: EpochNumber
    attempt: int
    base: Int32Array
    base_root: Hash32
    last_delta: Int16Array


@dataclass(frozen=True)
class SignedCommit:
    """A commitment as it is sent to the sequencer; `client` is who sends it, which the signature has to bear out."""

    client: Address
    action: CommitUpdate
    signature: bytes


@dataclass(frozen=True)
class CommitRound:
    """What an engine got when it asked a cohort to commit.

    Attributes:
        commits: in the order of seats.
        absent: by client, why it has sent nothing.
    """

    commits: Sequence[SignedCommit]
    absent: Mapping[Address, str] = field(default_factory=dict)


class FederatedClient:
    """One client: its key, its trainer and what it has committed to.

    Args:
        signer: the client's account; its address has a seat in the cohort.
        trainer: trains the client's data.
        secret: 32 bytes from which the salts follow; drawn anew when not given.
    """

    def __init__(self, signer: Signer, trainer: Trainer, secret: bytes | None = None) -> None:
        self.signer, self.trainer = signer, trainer
        self._secret = secrets.token_bytes(32) if secret is None else secret
        self._committed: dict[tuple[int, int, int], Reveal] = {}

    @property
    def address(self) -> Address:
        return self.signer.address

    def train(self, task: RoundTask) -> LocalUpdate:
        """Train the epoch's base model.

        Raises:
            NonFiniteModel: if training diverged; nothing was committed.
        """
        return self.trainer.train(task.base, task.epoch)

    def commit(self, task: RoundTask, update: Int16Array, samples: int) -> SignedCommit:
        """Sign a commitment to an update and remember what opens it."""
        context = task.context
        reveal = Reveal(seat=context.seat_of(self.address), update=update, samples=samples, salt=self._salt(task))
        action = CommitUpdate(
            instance_id=context.instance_id,
            epoch=task.epoch,
            attempt=task.attempt,
            base_model_root=task.base_root,
            commitment=reveal.commitment(self.address),
        )
        self._committed[context.instance_id, task.epoch, task.attempt] = reveal
        return SignedCommit(self.address, action, sign_action(action, context.domain, self.signer))

    def reveal(self, task: RoundTask) -> Reveal:
        """What opens the commitment of this epoch; to be sent only once all commitments are on chain.

        Raises:
            NothingCommitted: if there is none.
        """
        try:
            return self._committed.pop((task.context.instance_id, task.epoch, task.attempt))
        except KeyError:
            raise NothingCommitted(self.address, task.epoch, task.attempt) from None

    def _salt(self, task: RoundTask) -> Hash32:
        context = task.context
        place = f"{context.chain_id}|{context.settlement}|{context.instance_id}|{task.epoch}|{task.attempt}"
        return keccak256(self._secret + place.encode())
