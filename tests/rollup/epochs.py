"""Honest epochs of a small cohort, and the same with a lie in them."""

from dataclasses import dataclass, replace

import numpy as np

from fedblocks.rollup.admission import admit_reveal
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.fraud.prover import Finding, PreviousEpoch, find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.header import Header
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import execute
from tests.rollup.cohort import SmallCohort


@dataclass(frozen=True, eq=False)
class Epoch:
    """An epoch with all that a watcher knows when it looks at it."""

    context: InstanceContext
    before: RollupState
    previous: PreviousEpoch | None
    header: Header
    data: EpochData

    def look(self) -> Finding | None:
        published = Published.of(self.context, self.header, self.data)
        return find_fault(self.before, self.previous, self.header, published)

    def forged(self, **changes: object) -> "Epoch":
        """The same with other data, and a header that commits to them; header fields may be changed directly too."""
        of_data = {name: value for name, value in changes.items() if name in EpochData.__dataclass_fields__}
        data = replace(self.data, **of_data)
        of_header = {name: value for name, value in changes.items() if name not in of_data}
        return replace(self, data=data, header=replace(self.header, **(data.roots() | of_header)))


def honest_epochs(count: int, n: int = 5, d: int = 700, seed: int = 0, absent: dict[int, list[int]] | None = None):
    """The first epochs of a cohort; `absent` names by epoch who stays away."""
    for epoch, _ in honest_transitions(count, n, d, seed, absent):
        yield epoch


def honest_transitions(count: int, n: int = 5, d: int = 700, seed: int = 0, absent: dict[int, list[int]] | None = None):
    """The same, each with the transition that it came from."""
    cohort = SmallCohort(n, seed, d)
    state, previous = cohort.genesis, None
    for number in range(1, count + 1):
        gone = (absent or {}).get(number, [])
        here = [seat for seat in range(n) if seat not in gone and seat not in state.slashable]
        commits, reveals = cohort.round(state, here)
        submissions = {seat: admit_reveal(cohort.context, commits, reveal) for seat, reveal in reveals.items()}
        transition = execute(cohort.context, state, 0, commits, submissions)
        header = transition.seal(cohort.context, state, 500_000, bytes(32))
        yield Epoch(cohort.context, state, previous, header, transition.data), transition
        state, previous = transition.after(header), PreviousEpoch.of(header, transition.data)


def changed(values: np.ndarray, index: int, by: int = 1) -> np.ndarray:
    other = values.copy()
    other[index] += by
    return other
