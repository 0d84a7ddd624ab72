"""What an epoch says of one seat, checked against the header's hash by whoever the seat belongs to.

A client that holds an acknowledgement and a checked proof in which it is missing has caught its aggregator.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList, entry_hash
from fedblocks.service.schemas import Opening, Proof, from_hex
from fedblocks.types import Hash32, Seat


class WrongProof(FedBlocksError, ValueError):
    """A proof is not of what its header commits to."""

    def __init__(self, epoch: int, seat: int, why: str) -> None:
        super().__init__(f"the proof of seat {seat} in epoch {epoch} is wrong: {why}")
        self.epoch, self.seat, self.why = epoch, seat, why


@dataclass(frozen=True)
class CheckedProof:
    """What a header commits to for one seat.

    Attributes:
        header: hold its hash against the chain.
        seat: whose.
        commit, submission, stats: the entries of the lists, None where there is none; :mod:`fedblocks.rollup.entries`
            reads them.
    """

    header: Header
    seat: Seat
    commit: bytes | None
    submission: bytes | None
    stats: bytes | None

    @property
    def took_part(self) -> bool:
        """Whether the seat committed and revealed."""
        return bool(self.header.participants >> self.seat & 1)

    @property
    def is_excluded(self) -> bool:
        """Whether it was left out of the mean and of the pay."""
        return bool(self.header.excluded >> self.seat & 1)


def check_proof(proof: Proof) -> CheckedProof:
    """Check a proof.

    Raises:
        WrongProof: if an entry is not what the header commits to.
        WrongHeader, WrongHeaderSize: if there is no header in it.
    """
    header = Header.decode(from_hex(proof.header))
    if header.epoch != proof.epoch:
        raise WrongProof(proof.epoch, proof.seat, f"the header is of epoch {header.epoch}")

    def opened(opening: Opening, which: SeatList, root: Hash32) -> bytes | None:
        hashes = from_hex(opening.hashes)
        entry = None if opening.entry is None else from_hex(opening.entry)
        if keccak256(bytes([which.whole]) + hashes) != root:
            raise WrongProof(proof.epoch, proof.seat, f"the {which.name.lower()} do not hash to the header's root")
        if hashes[32 * proof.seat : 32 * (proof.seat + 1)] != entry_hash(entry, which):
            raise WrongProof(proof.epoch, proof.seat, f"its entry is not the one in the {which.name.lower()}")
        return entry

    return CheckedProof(
        header=header,
        seat=Seat(proof.seat),
        commit=opened(proof.commits, SeatList.COMMITS, header.commits_root),
        submission=opened(proof.submissions, SeatList.SUBMISSIONS, header.submissions_root),
        stats=opened(proof.stats, SeatList.STATS, header.stats_root),
    )
