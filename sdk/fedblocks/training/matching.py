"""Who trains a job: the clients whose data fit, and among them a draw that anyone can check.

If the aggregator chose the cohort, it could choose its friends. So the cohort is drawn by lot, and the lot is the hash
of a block that nobody knew when the job was made: the job's hash is published first, a later block's hash is the
luck, and both together seed the draw. Everything here is a pure function; reading the chain (who is staked, who was
slashed, what the block's hash is) is the caller's.

The order of the candidates does not matter, and every cohort is as likely as every other. Random integers are
keccak-256 of seed and counter; those beyond the last full multiple of the range are thrown away, because a remainder
alone would favour small numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eth_utils.crypto import keccak

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import DataProfile
from fedblocks.training.job import DataRequirement
from fedblocks.training.profile import labels_of, shape_of
from fedblocks.types import Address, BlockNumber, Hash32

COHORT_DOMAIN = keccak(b"FedBlocks.Cohort.v2")
_WORD = 2**256


class NotEnoughClients(FedBlocksError, ValueError):
    """Fewer clients fit a job than its cohort has seats."""

    def __init__(self, wanted: int, fitting: int, reasons: str = "") -> None:
        why = f"; the others: {reasons}" if reasons else ""
        super().__init__(f"the cohort needs {wanted} clients and {fitting} fit{why}")
        self.wanted, self.fitting, self.reasons = wanted, fitting, reasons


class WrongDraw(FedBlocksError, ValueError):
    """A published cohort is not the one that its block and its candidates give."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the cohort was not drawn as it must be: {why}")
        self.why = why


@dataclass(frozen=True)
class Misfit:
    """One reason why a client's data do not fit.

    Attributes:
        aspect: which part of the requirement.
        wanted: what it asks for.
        offered: what the client has.
    """

    aspect: str
    wanted: str
    offered: str

    def __str__(self) -> str:
        return f"{self.aspect}: wanted {self.wanted}, has {self.offered}"


@dataclass(frozen=True)
class Selection:
    """Which clients fit a requirement.

    Attributes:
        fitting: their addresses, ascending.
        refused: the others, with the reasons.
    """

    fitting: tuple[Address, ...]
    refused: Mapping[Address, tuple[Misfit, ...]]

    def summary(self) -> str:
        """How many clients failed which part of the requirement, most frequent first."""
        counts = Counter(misfit.aspect for misfits in self.refused.values() for misfit in misfits)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{aspect} ({count})" for aspect, count in ordered)


@dataclass(frozen=True)
class CohortDraw:
    """A draw with all that it takes to repeat it.

    Attributes:
        block_number: of the block whose hash was the luck.
        block_hash: that hash; whoever verifies reads it from the chain too.
        job_hash: :meth:`fedblocks.training.job.JobRequest.hash`.
        candidates: the clients that were staked and fitted, ascending.
        cohort: those drawn; a client's place is its seat.
    """

    block_number: BlockNumber
    block_hash: Hash32
    job_hash: Hash32
    candidates: tuple[Address, ...]
    cohort: tuple[Address, ...]

    def verify(self) -> None:
        """Repeat the draw.

        That the candidates were all there were, and that the block's hash is the block's, only the chain and the
        published profiles can tell.

        Raises:
            WrongDraw: if another cohort comes out.
        """
        if list(self.candidates) != _ascending(self.candidates):
            raise WrongDraw("its candidates do not ascend, each once")
        if not 1 <= len(self.cohort) <= len(self.candidates):
            raise WrongDraw(f"{len(self.cohort)} clients cannot be drawn from {len(self.candidates)}")
        seed = matching_seed(self.block_hash, self.job_hash)
        if list(self.cohort) != draw_cohort(self.candidates, len(self.cohort), seed):
            raise WrongDraw(f"block {self.block_number} draws other clients, or draws them in another order")


def fits(profile: DataProfile, requirement: DataRequirement, classes: int | None = None) -> list[Misfit]:
    """Why a client's data do not fit; nothing means that they do.

    The client must have samples of every class that is required; it may have others.

    Args:
        classes: how many the model tells apart, so that no sample has a class that it does not know.

    Raises:
        InvalidProfile: if the profile's input shape or labels cannot be read.
    """
    misfits = []
    for aspect, wanted, offered in (
        ("domain", requirement.domain, profile.domain),
        ("modality", requirement.modality, profile.modality),
    ):
        if wanted != offered:
            misfits.append(Misfit(aspect, wanted, offered))
    shape = shape_of(profile)
    if shape != requirement.input_shape:
        misfits.append(Misfit("input shape", _by(requirement.input_shape), _by(shape)))
    labels = labels_of(profile)
    if missing := set(requirement.labels) - set(labels):
        misfits.append(Misfit("labels", ",".join(map(str, sorted(missing))), profile.labels))
    if classes is not None and labels[-1] >= classes:
        misfits.append(Misfit("classes", f"0 to {classes - 1}", str(labels[-1])))
    if profile.samples < requirement.minimum_samples:
        misfits.append(Misfit("samples", f"at least {requirement.minimum_samples}", str(profile.samples)))
    return misfits


def select_clients(
    profiles: Iterable[DataProfile], requirement: DataRequirement, classes: int | None = None
) -> Selection:
    """Sort clients into those that fit and those that do not; of a client's profiles the newest counts."""
    newest: dict[Address, DataProfile] = {}
    for profile in profiles:
        known = newest.get(profile.client)
        if known is None or _age_key(profile) > _age_key(known):
            newest[profile.client] = profile
    refused = {
        client: tuple(misfits) for client, profile in newest.items() if (misfits := fits(profile, requirement, classes))
    }
    return Selection(tuple(_ascending(newest.keys() - refused.keys())), refused)


def matching_seed(block_hash: Hash32, job_hash: Hash32) -> Hash32:
    """The seed of a job's draw: ``keccak(COHORT_DOMAIN ‖ block hash ‖ job hash)``."""
    for name, value in (("block hash", block_hash), ("job hash", job_hash)):
        if len(value) != 32:
            raise ValueError(f"the {name} has {len(value)} bytes, not 32")
    return Hash32(keccak(COHORT_DOMAIN + bytes(block_hash) + bytes(job_hash)))


def draw_cohort(candidates: Sequence[Address], size: int, seed: Hash32) -> list[Address]:
    """Draw `size` of the candidates, without regard to their order; a candidate that is listed twice counts once.

    The candidates are sorted by address; then, for every seat k, the k-th of the list changes places with one drawn
    from k to the end (Fisher and Yates' shuffle, as far as it is needed).

    Args:
        seed: :func:`matching_seed`.

    Returns:
        the cohort in the order of its seats.

    Raises:
        NotEnoughClients: if there are fewer candidates.
    """
    order = _ascending(candidates)
    if size < 1:
        raise ValueError(f"a cohort has at least one seat, not {size}")
    if len(order) < size:
        raise NotEnoughClients(size, len(order))
    words = _words(seed)
    for seat in range(size):
        chosen = seat + _below(len(order) - seat, words)
        order[seat], order[chosen] = order[chosen], order[seat]
    return order[:size]


def match_cohort(
    profiles: Iterable[DataProfile],
    requirement: DataRequirement,
    size: int,
    *,
    block_number: BlockNumber,
    block_hash: Hash32,
    job_hash: Hash32,
    classes: int | None = None,
) -> CohortDraw:
    """Draw a cohort among the clients whose profiles fit, and keep what it takes to check the draw.

    Args:
        profiles: verified ones, of staked and unslashed clients.
        classes: how many the model tells apart; see :func:`fits`.

    Raises:
        NotEnoughClients: if too few fit; it says why the others do not.
    """
    selection = select_clients(profiles, requirement, classes)
    if len(selection.fitting) < size:
        raise NotEnoughClients(size, len(selection.fitting), selection.summary())
    cohort = draw_cohort(selection.fitting, size, matching_seed(block_hash, job_hash))
    return CohortDraw(block_number, block_hash, job_hash, selection.fitting, tuple(cohort))


def _ascending(addresses: Iterable[Address]) -> list[Address]:
    # By value: as text a checksummed address sorts by its capitals, and in other capitals it is another one.
    by_value = {int(address, 16): address for address in sorted(addresses)}
    return [by_value[value] for value in sorted(by_value)]


def _words(seed: Hash32) -> Iterator[int]:
    counter = 0
    while True:
        yield int.from_bytes(keccak(bytes(seed) + counter.to_bytes(32, "big")), "big")
        counter += 1


def _below(bound: int, words: Iterator[int]) -> int:
    limit = _WORD - _WORD % bound
    return next(word for word in words if word < limit) % bound


def _age_key(profile: DataProfile) -> tuple[int, str, str, str, str, int]:
    # Two profiles of one second are told apart by their content, so that everybody takes the same one.
    return (
        profile.issued_at,
        profile.domain,
        profile.modality,
        profile.input_shape,
        profile.labels,
        profile.samples,
    )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
