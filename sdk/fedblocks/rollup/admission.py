"""Which actions an epoch admits.

The rules are the same for the sequencer, which asks them of what arrives, and for whoever replays, who asks them of
what was stored: an epoch that contains what should have been refused is as wrong as one with a wrong sum.

A commitment is admitted when it is signed by a client of the cohort, for this chain, contract, instance, epoch,
attempt and base model, and the client has not been found guilty. A reveal is admitted when it opens the commitment of
its seat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedblocks.aggregation.fixed_point import WrongVector, check_vector
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import (
    CommitUpdate,
    MalformedSignature,
    Reveal,
    SigningDomain,
    recover_signer,
    update_commitment,
)
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.state import InstanceContext, NotInCohort, RollupState
from fedblocks.rollup.stf import Commit, Submission
from fedblocks.types import Address, Hash32, InstanceId, Seat

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


class NothingUnderWay(ActionRefused):
    """An action came while the instance has no round."""

    def __init__(self, instance_id: int) -> None:
        super().__init__(f"no round of instance {instance_id} is under way; ask again later")
        self.instance_id = instance_id


class SeatLeftOut(ActionRefused):
    """The client had no active stake when commitments were closed."""

    def __init__(self, client: str) -> None:
        super().__init__(f"{client} had no active stake when commitments were closed; stake, and take part in the next")
        self.client = client


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


@dataclass(frozen=True)
class Expected:
    """What a commitment has to be for, and whose.

    Attributes:
        domain, instance_id, epoch, attempt, base_model_root: as they are signed.
        cohort: the clients in the order of their seats.
        barred: the seats that have been found guilty.
    """

    domain: SigningDomain
    instance_id: InstanceId
    cohort: tuple[Address, ...]
    epoch: int
    attempt: int
    base_model_root: Hash32
    barred: Collection[Seat]


def admit_commit(
    context: InstanceContext, state: RollupState, attempt: int, action: CommitUpdate, signature: bytes
) -> Seat:
    """The seat that a commitment to the epoch after `state` is for; raises as :func:`admit_expected`."""
    expected = Expected(
        domain=context.domain,
        instance_id=context.instance_id,
        cohort=context.cohort,
        epoch=state.epoch + 1,
        attempt=attempt,
        base_model_root=state.model_root,
        barred=state.slashable,
    )
    return admit_expected(expected, action, signature)


def admit_expected(expected: Expected, action: CommitUpdate, signature: bytes) -> Seat:
    """The seat that a commitment is for.

    Raises:
        WrongRound: if it is for another instance, epoch, attempt or base model.
        UnsignedAction: if the signature is malformed, or not a cohort client's for this action.
        SeatBarred: if the client has been found guilty.
    """
    for name, due, actual in (
        ("instance", expected.instance_id, action.instance_id),
        ("epoch", expected.epoch, action.epoch),
        ("attempt", expected.attempt, action.attempt),
        ("base model", expected.base_model_root, action.base_model_root),
    ):
        if due != actual:
            raise WrongRound(name, due, actual)
    try:
        client = recover_signer(action, expected.domain, signature)
    except MalformedSignature as error:
        raise UnsignedAction(str(error)) from error
    if client not in expected.cohort:
        # A signature made for anything else recovers to an address that nobody has.
        raise UnsignedAction(str(NotInCohort(client, expected.instance_id)))
    seat = Seat(expected.cohort.index(client))
    if seat in expected.barred:
        raise SeatBarred(client)
    return seat


class Cohort(Protocol):
    """Of an instance, all that a reveal is held against."""

    @property
    def cohort(self) -> tuple[Address, ...]: ...

    @property
    def d(self) -> int: ...


def check_opening(
    cohort: Cohort, commits: Mapping[Seat, Commit], seat: Seat, update_root: Hash32, samples: int, salt: Hash32
) -> Address:
    """Whose commitment is opened by an update with this root; the update itself need not be there yet.

    Raises:
        NotCommitted, UnusableUpdate, DoesNotOpen: as :func:`admit_reveal`.
    """
    client = _committed(cohort, commits, seat)
    _check_samples(client, samples)
    if update_commitment(update_root, samples, salt, client) != commits[seat].commitment:
        raise DoesNotOpen(client)
    return client


def _committed(cohort: Cohort, commits: Mapping[Seat, Commit], seat: Seat) -> Address:
    if seat in commits:
        return cohort.cohort[seat]
    known = 0 <= seat < len(cohort.cohort)
    raise NotCommitted(cohort.cohort[seat] if known else f"seat {seat}")


def _check_samples(client: Address, samples: int) -> None:
    if not 0 < samples < 1 << 256:
        raise UnusableUpdate(client, f"it declares {samples} samples")


def admit_reveal(context: Cohort, commits: Mapping[Seat, Commit], reveal: Reveal) -> Submission:
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
    client = _committed(context, commits, reveal.seat)
    try:
        check_vector(reveal.update, np.int16, context.d, "it")
    except WrongVector as error:
        raise UnusableUpdate(client, str(error)) from error
    _check_samples(client, reveal.samples)
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
