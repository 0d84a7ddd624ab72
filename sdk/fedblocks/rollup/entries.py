"""The bytes of what every seat leaves in an epoch: commitment, submission, figures, what is carried over.

A contract that checks an epoch reads these bytes; docs/proofs.md has their layout. Integers are big-endian and have a
fixed width. *Offset* ones may be negative: half their range is added, so that they are stored unsigned. A width is
chosen so that no honest value can leave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_canonical_address, to_checksum_address

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.verdicts import Carried, SeatVerdict
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.header import encode_word
from fedblocks.seats import SlashReason
from fedblocks.types import Address, Hash32

OFFSET = True
PLAIN = False

FIGURES: tuple[tuple[str, int, bool], ...] = (
    ("norm", 8, OFFSET),
    ("last_norm", 8, OFFSET),
    ("own_last", 8, OFFSET),
    ("delta", 8, OFFSET),
    ("base", 12, OFFSET),
    ("base_cosine", 8, OFFSET),
    ("krum", 12, OFFSET),
    ("normalised_krum", 8, OFFSET),
    ("nearest", 1, PLAIN),
    ("nearest_distance", 8, OFFSET),
    ("typical_distance", 8, OFFSET),
    ("peer_distance", 8, OFFSET),
    ("related", 1, PLAIN),
    ("earlier_distance", 8, OFFSET),
    ("replayed", 1, PLAIN),
    ("replayed_product", 8, OFFSET),
    ("replayed_norm", 8, OFFSET),
    ("opposed", 1, PLAIN),
    ("opposed_outlying", 1, PLAIN),
    ("response", 16, OFFSET),
)
"""The figures of a client, in order: name, bytes, whether it may be negative."""

COHORT_FIGURES: tuple[tuple[str, int, bool], ...] = (
    ("participants", 1, PLAIN),
    ("median_norm", 8, OFFSET),
    ("median_krum", 12, OFFSET),
    ("median_normalised_krum", 8, OFFSET),
    ("median_base_cosine", 8, OFFSET),
    ("delta_norm", 8, OFFSET),
    ("base_norm", 12, OFFSET),
    ("weight", 8, PLAIN),
    ("step_norm", 24, OFFSET),
    ("unrelated_norm", 24, OFFSET),
    ("monotone", 1, PLAIN),
)

COMMIT_SIZE = 161
SUBMISSION_SIZE = 289
FIGURES_SIZE = sum(width for _, width, _ in FIGURES)
STATS_SIZE = FIGURES_SIZE + 2
COHORT_SIZE = sum(width for _, width, _ in COHORT_FIGURES)

COUNTERS_WIDTH, WEIGHT_WIDTH, PRODUCT_WIDTH = 4, 5, 14
CARRIED_SIZE = COUNTERS_WIDTH + WEIGHT_WIDTH + PRODUCT_WIDTH
"""Of each seat: its counters, its weight, its M."""

SIGNATURE_SIZE = 65


class DoesNotFit(FedBlocksError, ValueError):
    """A figure does not fit the bytes that the protocol gives it; no honest one can do that."""

    def __init__(self, name: str, value: int, width: int) -> None:
        super().__init__(f"{name} is {value}, which does not fit {width} bytes")
        self.name, self.value, self.width = name, value, width


class MalformedEntry(FedBlocksError, ValueError):
    """The bytes are not an entry of a list of seats."""

    def __init__(self, what: str, expected: int, actual: int) -> None:
        super().__init__(f"{what} is {expected} bytes, not {actual}")


class UnknownReason(FedBlocksError, ValueError):
    """A participant's figures name a reason to slash it that the protocol does not know."""

    def __init__(self, value: int) -> None:
        known = ", ".join(f"{int(each)} {each.name}" for each in SlashReason)
        super().__init__(f"evidence {value} is none of {known}")
        self.value = value


@dataclass(frozen=True)
class SubmissionEntry:
    """What the submissions list says of a seat; all zero but seat, client and last update of one that was absent.

    Attributes:
        seat, client: who.
        commitment, signature: what the client signed before anyone revealed.
        update_root: of the update that it revealed.
        last_update_root: of the one that it had revealed before.
        samples, salt: what else was committed to.
    """

    seat: int
    client: Address
    commitment: Hash32
    signature: bytes
    update_root: Hash32
    last_update_root: Hash32
    samples: int
    salt: Hash32

    def encode(self) -> bytes:
        """The 289 bytes that are hashed."""
        return b"".join(
            (
                encode_word(self.seat),
                bytes(12) + to_canonical_address(self.client),
                self.commitment,
                self.signature,
                self.update_root,
                self.last_update_root,
                encode_word(self.samples),
                self.salt,
            )
        )

    @classmethod
    def decode(cls, content: bytes) -> SubmissionEntry:
        """The inverse of :meth:`encode`. Whatever the bytes say is returned; only their number is checked.

        Raises:
            MalformedEntry: if they are not 289.
        """
        if len(content) != SUBMISSION_SIZE:
            raise MalformedEntry("a submission", SUBMISSION_SIZE, len(content))
        words = [content[start : start + 32] for start in (0, 32, 64)]
        rest = [Hash32(content[start : start + 32]) for start in range(96 + SIGNATURE_SIZE, SUBMISSION_SIZE, 32)]
        return cls(
            seat=int.from_bytes(words[0], "big"),
            client=Address(to_checksum_address(words[1][12:])),
            commitment=Hash32(words[2]),
            signature=content[96 : 96 + SIGNATURE_SIZE],
            update_root=rest[0],
            last_update_root=rest[1],
            samples=int.from_bytes(rest[2], "big"),
            salt=rest[3],
        )


def commit_entry(seat: int, client: Address, commitment: Hash32, signature: bytes) -> bytes:
    """What the commits list says of a seat: 161 bytes."""
    return encode_word(seat) + bytes(12) + to_canonical_address(client) + commitment + signature


def _packed(name: str, value: int, width: int, offset: bool) -> bytes:
    stored = value + (1 << (8 * width - 1)) if offset else value
    if not 0 <= stored < 1 << 8 * width:
        raise DoesNotFit(name, value, width)
    return stored.to_bytes(width, "big")


def stats_entry(own: ClientStats, verdict: SeatVerdict) -> bytes:
    """What the stats list says of a participant: its figures, the evidence against it, and its badness."""
    figures = b"".join(_packed(name, getattr(own, name), width, offset) for name, width, offset in FIGURES)
    return figures + bytes([verdict.evidence, verdict.own_badness])


@dataclass(frozen=True)
class StatsEntry:
    """What the stats list says of a participant.

    Attributes:
        figures: what was measured of it.
        evidence: the hard evidence against it.
        own_badness: how bad it is by its own figures.
    """

    figures: ClientStats
    evidence: SlashReason
    own_badness: int


def _unpacked(content: bytes, layout: Sequence[tuple[str, int, bool]]) -> dict[str, int]:
    values, start = {}, 0
    for name, width, offset in layout:
        stored = int.from_bytes(content[start : start + width], "big")
        values[name] = stored - (1 << (8 * width - 1)) if offset else stored
        start += width
    return values


def read_stats_entry(content: bytes) -> StatsEntry:
    """The inverse of :func:`stats_entry`.

    Raises:
        MalformedEntry: if they are not 143 bytes.
        UnknownReason: if the evidence is of no kind that is known.
    """
    if len(content) != STATS_SIZE:
        raise MalformedEntry("a participant's figures", STATS_SIZE, len(content))
    evidence, own_badness = content[FIGURES_SIZE:]
    if evidence not in SlashReason.__members__.values():
        raise UnknownReason(evidence)
    return StatsEntry(ClientStats(**_unpacked(content, FIGURES)), SlashReason(evidence), own_badness)


def cohort_entry(cohort: CohortStats) -> bytes:
    """What the stats list says of the cohort, in its last entry."""
    return b"".join(_packed(name, getattr(cohort, name), width, offset) for name, width, offset in COHORT_FIGURES)


def read_cohort_entry(content: bytes) -> CohortStats:
    """The inverse of :func:`cohort_entry`.

    Raises:
        MalformedEntry: if they are not 114 bytes.
    """
    if len(content) != COHORT_SIZE:
        raise MalformedEntry("the cohort's figures", COHORT_SIZE, len(content))
    return CohortStats(**_unpacked(content, COHORT_FIGURES))


@dataclass(frozen=True)
class CarriedEntry:
    """What is carried over of a seat: its counters, its weight omega, its M."""

    counters: Counters
    weight: int
    product: int


def read_carried(content: bytes, n: int) -> tuple[CarriedEntry, ...]:
    """The inverse of :func:`carried_bytes`, of a cohort with n seats.

    Raises:
        MalformedEntry: if they are not 23 bytes a seat.
        InvalidCounters: if bits are set that belong to no counter.
    """
    if len(content) != n * CARRIED_SIZE:
        raise MalformedEntry(f"what {n} seats carry over", n * CARRIED_SIZE, len(content))
    layout = (("counters", COUNTERS_WIDTH, PLAIN), ("weight", WEIGHT_WIDTH, PLAIN), ("product", PRODUCT_WIDTH, OFFSET))
    seats = [_unpacked(content[start : start + CARRIED_SIZE], layout) for start in range(0, len(content), CARRIED_SIZE)]
    return tuple(CarriedEntry(Counters.unpack(each["counters"]), each["weight"], each["product"]) for each in seats)


def carried_bytes(carried: Carried) -> bytes:
    """What an epoch leaves to the next one, 23 bytes for each seat."""
    seats: Sequence[tuple[int, int, int]] = [
        (counters.pack(), weight, product)
        for counters, weight, product in zip(carried.counters, carried.weights, carried.products, strict=True)
    ]
    return b"".join(
        _packed("counters", counters, COUNTERS_WIDTH, PLAIN)
        + _packed("weight", weight, WEIGHT_WIDTH, PLAIN)
        + _packed("M", product, PRODUCT_WIDTH, OFFSET)
        for counters, weight, product in seats
    )
