"""The intake engine: the cohort comes by itself, over the network, and the aggregator waits for it.

Clients send their commitments and updates to nodes (:mod:`fedblocks.service`), which put them into the store. This
engine looks into the same store: an epoch's commitments are closed when everybody who can be waited for has committed,
or when the time is over; with the updates it is the same. Both deadlines are announced in the store, so that clients
are told them and a restarted aggregator keeps to them.

When commitments are closed, what they hash to is published as a blob. Its address is the very root that goes on chain,
so that a client can take the list from anybody and needs to believe nobody before it shows its update.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from fedblocks.rollup.actions import CommitUpdate, Reveal
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.entries import commit_entry
from fedblocks.rollup.lists import SeatList, entries
from fedblocks.rollup.progress import Phase, RoundRecord
from fedblocks.rollup.records import ActionKind, ActionRecord
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.training.client import CommitRound, RoundTask, SignedCommit
from fedblocks.types import Address, Hash32

GRACE_SECONDS = 60.0
"""What an aggregator that was away gives those who could not reach it meanwhile."""


@dataclass(frozen=True)
class Patience:
    """How long an aggregator waits for its clients.

    Attributes:
        commit_seconds: for commitments, that is for training.
        reveal_seconds: for updates.
        minimum_commits: with fewer than these, commitments stay open whatever the time.
    """

    commit_seconds: float = 3600.0
    reveal_seconds: float = 900.0
    minimum_commits: int = 1


def opened_commits(sequencer: Sequencer) -> bytes:
    """The bytes whose keccak is the root over an epoch's closed commitments: the list's tag and its entries' hashes."""
    cohort, commits = sequencer.context.cohort, sequencer.commits
    contents: list[bytes | None] = [None] * len(cohort)
    for seat, commit in commits.items():
        contents[seat] = commit_entry(seat, cohort[seat], commit.commitment, commit.signature)
    return bytes([SeatList.COMMITS.whole]) + entries(contents, SeatList.COMMITS)


def publish_commits(blobs: BlobStore, sequencer: Sequencer) -> Hash32:
    """Put the list of closed commitments where clients find it by the root on chain."""
    return blobs.put(opened_commits(sequencer))


class IntakeEngine:
    """Waits for one instance's cohort.

    Args:
        store: where the nodes put what comes in; the one that is the instance's writer.
        patience: how long to wait.
        is_staked: who is not staked is not waited for.
        rest: called while there is nothing to do, for a moment; what it raises ends the waiting.
    """

    def __init__(
        self,
        store: RollupStore,
        patience: Patience,
        *,
        is_staked: Callable[[Address], bool],
        rest: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._patience, self._is_staked = store, patience, is_staked
        self._rest, self._clock = rest, clock
        self._met: set[tuple[int, int, Phase]] = set()

    def commit(self, task: RoundTask, clients: Sequence[Address]) -> CommitRound:
        """Wait for commitments; those that are in the store, and who is absent."""
        expected = [client for client in clients if self._is_staked(client)]
        while True:
            current = self._current(task)
            commits = self._commits(task)
            if current is None or current.phase is not Phase.OPEN:
                break  # a former self has closed them
            missing = [client for client in expected if client not in commits]
            enough = len(commits) >= self._patience.minimum_commits
            if enough and (not missing or self._is_over(task, current, self._patience.commit_seconds)):
                break
            if not enough:
                self._is_over(task, current, self._patience.commit_seconds)
            self._rest()
        ordered = [commits[client] for client in clients if client in commits]
        absent = {client: "has sent no commitment in time" for client in clients if client not in commits}
        return CommitRound(ordered, absent)

    def reveal(self, task: RoundTask, clients: Sequence[Address]) -> list[Reveal]:
        """Wait for the updates of those who have committed. They are in the store, and so none is returned."""
        while True:
            current = self._current(task)
            if current is None or current.phase is not Phase.CLOSED:
                break
            revealed = {record.client for record in self._actions(task, ActionKind.REVEAL)}
            missing = set(clients) - revealed
            # Without a single update there is no epoch, so that there is nothing to gain by going on.
            if not missing or (self._is_over(task, current, self._patience.reveal_seconds) and revealed):
                break
            self._rest()
        return []

    def _current(self, task: RoundTask) -> RoundRecord | None:
        current = self._store.rounds.current(instance_key(task.context))
        return None if current is None or (current.epoch, current.attempt) != (task.epoch, task.attempt) else current

    def _is_over(self, task: RoundTask, current: RoundRecord, seconds: float) -> bool:
        """Whether the time of a phase is over; its deadline is announced when there is none."""
        now, phase = self._clock(), (task.epoch, task.attempt, current.phase)
        known, first = current.deadline, phase not in self._met
        self._met.add(phase)
        if known is not None and not first:
            return now >= known
        # One that a former self has announced counts, but whoever could not reach it gets a little time.
        deadline = now + seconds if known is None else max(known, now + min(seconds, GRACE_SECONDS))
        if deadline != known:
            self._store.rounds.announce(instance_key(task.context), task.epoch, task.attempt, deadline)
        return False

    def _actions(self, task: RoundTask, kind: ActionKind) -> Collection[ActionRecord]:
        return self._store.actions(instance_key(task.context), task.epoch, task.attempt, kind)

    def _commits(self, task: RoundTask) -> dict[Address, SignedCommit]:
        return {
            record.client: SignedCommit(
                record.client,
                CommitUpdate(task.context.instance_id, task.epoch, task.attempt, task.base_root, record.commitment),
                record.signature or b"",
            )
            for record in self._actions(task, ActionKind.COMMIT)
        }
