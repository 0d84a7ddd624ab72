"""What an epoch is made of: everything that its header commits to.

The aggregator publishes it, clients and watchers check it. Each piece lies under one of the header's roots; which bytes
are hashed, and how, is in docs/proofs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import CARRIED_TAG, SeatList, list_root
from fedblocks.rollup.vectors import vector_root
from fedblocks.types import Hash32


def carried_root(carried: bytes) -> Hash32:
    """keccak(11 ‖ carried)."""
    return keccak256(bytes([CARRIED_TAG]) + carried)


@dataclass(frozen=True, eq=False)
class EpochData:
    """The contents under a header's roots.

    Attributes:
        commits: by seat, the entry of the commits list; None for who did not commit.
        submissions: by seat, the entry of the submissions list.
        updates: int16[d] of every participant, by seat.
        gram: columns and rows of the Gram tree.
        stats: by seat, the entry of the stats list; None for who did not take part.
        cohort: that list's last entry.
        carried: what is left to the next epoch.
        delta: int16[d], the global step.
        next_model: int32[d].
    """

    commits: tuple[bytes | None, ...]
    submissions: tuple[bytes, ...]
    updates: Mapping[int, Int16Array]
    gram: GramTrace
    stats: tuple[bytes | None, ...]
    cohort: bytes
    carried: bytes
    delta: Int16Array
    next_model: Int32Array

    def roots(self) -> dict[str, Hash32]:
        """The roots, by the names of the header's fields, of all contents but the base model."""
        return {
            "commits_root": list_root(self.commits, SeatList.COMMITS),
            "submissions_root": list_root(self.submissions, SeatList.SUBMISSIONS),
            "gram_root": self.gram.tree().root(),
            "stats_root": list_root([*self.stats, self.cohort], SeatList.STATS),
            "delta_root": vector_root(self.delta),
            "next_model_root": vector_root(self.next_model),
            "carried_root": carried_root(self.carried),
        }
