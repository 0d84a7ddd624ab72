"""Which actions an epoch admits.

The rules are the same for the sequencer, which asks them of what arrives, and for whoever replays, who asks them of
what was stored: an epoch that contains what should have been refused is as wrong as one with a wrong sum.

A commitment is admitted when it is signed by a client of the cohort, for this chain, contract, instance, epoch,
attempt and base model, and the client has not been found guilty. A reveal is admitted when it opens the commitment of
its seat.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedblocks.aggregation.fixed_point import WrongVector, check_vector
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import CommitUpdate, MalformedSignature, Reveal, recover_signer
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.state import InstanceContext, NotInCohort, RollupState
from fedblocks.rollup.stf import Commit, Submission
from fedblocks.types import Hash32, Seat

REVEALED_TAG = b"\x12"


class ActionRefused(FedBlocksError, ValueError):
    """An action was not accepted; nothing has changed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class WrongRound(ActionRefused):
    """An action is for another instance, epoch, attempt or base model than the one that is under way."""

    def __init__(self, field: str, expected: object, actual: object) -> None:
        super().__init__(
            f"the action is for {field} {_shown(actual)}, but {field} {_shown(expected)} is under way; "
            "fetch the current task and sign anew"
        )
        self.field, self.expected, self.actual = field, expected, actual


class WrongPhase(ActionRefused):
    """A commitment came after the commitments were closed, or a reveal before."""

    def __init__(self, action: str, phase: str) -> None:
        super().__init__(f"a {action} was sent while commitments are {phase}")
        self.action, self.phase = action, phase


class SeatBarred(ActionRefused):
    """The client has been found guilty in this instance."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} has been found guilty in this instance and takes no part in it any more")
        self.client = client


class AlreadyCommitted(ActionRefused):
    """The client has committed to another update in this epoch."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} has committed to another update in this epoch; a commitment cannot be changed")
        self.client = client


class NotCommitted(ActionRefused):
    """A reveal comes from a seat that has committed to nothing in this epoch."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} has committed to nothing in this epoch; it takes part again in the next")
        self.client = client


class DoesNotOpen(ActionRefused):
    """A reveal is not what was committed to."""

    def __init__(self, client: str) -> None:
        super().__init__(f"update, samples and salt of {client} do not open its commitment")
        self.client = client


class UnusableUpdate(ActionRefused):
    """A revealed update has another size or dtype than the model, or declares no samples."""

    def __init__(self, client: str, why: str) -> None:
        super().__init__(f"the update of {client} cannot be used: {why}")
        self.client = client


class UnsignedAction(ActionRefused):
    """An action's signature is malformed, or is not that of a client of the cohort for this very action."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; sign with the key of a seat of this cohort, for this chain and instance")


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def revealed_hash(commit_hash: Hash32) -> Hash32:
    """What the sequencer acknowledges when a commitment has been opened: keccak(12 ‖ the commitment's action hash)."""
    return keccak256(REVEALED_TAG + commit_hash)


def admit_commit(
    context: InstanceContext, state: RollupState, attempt: int, action: CommitUpdate, signature: bytes
) -> Seat:
    """The seat that a commitment is for.

    Raises:
        WrongRound: if it is for another instance, epoch, attempt or base model.
        UnsignedAction: if the signature is malformed, or not a cohort client's for this action.
        SeatBarred: if the client has been found guilty.
    """
    for name, expected, actual in (
        ("instance", context.instance_id, action.instance_id),
        ("epoch", state.epoch + 1, action.epoch),
        ("attempt", attempt, action.attempt),
        ("base model", state.model_root, action.base_model_root),
    ):
        if expected != actual:
            raise WrongRound(name, expected, actual)
    try:
        client = recover_signer(action, context.domain, signature)
        seat = context.seat_of(client)
    except (MalformedSignature, NotInCohort) as error:
        # A signature made for anything else recovers to an address that nobody has.
        raise UnsignedAction(str(error)) from error
    if seat in state.slashable:
        raise SeatBarred(client)
    return seat


def admit_reveal(context: InstanceContext, commits: Mapping[Seat, Commit], reveal: Reveal) -> Submission:
    """The submission that a reveal completes.

    Args:
        context: the instance.
        commits: the closed commitments, by seat.
        reveal: what is to open one of them.

    Raises:
        NotCommitted: if its seat has committed to nothing.
        UnusableUpdate: if the update has another size or dtype, or no samples are declared.
        DoesNotOpen: if it is not what was committed to.
    """
    if reveal.seat not in commits:
        known = 0 <= reveal.seat < len(context.cohort)
        raise NotCommitted(context.cohort[reveal.seat] if known else f"seat {reveal.seat}")
    client = context.cohort[reveal.seat]
    try:
        check_vector(reveal.update, np.int16, context.d, "it")
    except WrongVector as error:
        raise UnusableUpdate(client, str(error)) from error
    if not 0 < reveal.samples < 1 << 256:
        raise UnusableUpdate(client, f"it declares {reveal.samples} samples")
    if reveal.commitment(client) != commits[reveal.seat].commitment:
        raise DoesNotOpen(client)
    return Submission(
        seat=reveal.seat,
        client=client,
        commit=commits[reveal.seat],
        update=reveal.update,
        subtrees=reveal.subtrees,
        samples=reveal.samples,
        salt=reveal.salt,
    )
