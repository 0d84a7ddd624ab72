"""A long life of a deployment as a recording: thousands of clients, instances, epochs, slashes; by seed.

    from benchmarks.protocol_log import synthetic_recording

Everything is told through the contracts' ABI on a scripted chain, in rounds of an hour. Instances train side by side;
some epochs are overturned, some clients slashed, some leave. Ten thousand clients and 200,000 events take half a minute
to make, and are kept under ``.cache``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.telling.scripted import ScriptedChain, address_of, scripted_subject
from tests.telling.storyteller import Storyteller

from fedblocks.monitor.recording import Recording
from fedblocks.seats import SlashReason
from fedblocks.types import Address, InstanceId

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "protocol-log"
HOUR = 3600
SIDE_BY_SIDE = 200
SMALLEST_COHORT, LARGEST_COHORT = 8, 32
MOST_EPOCHS = 16
TRANSACTIONS_IN_A_BLOCK = 4


@dataclass
class _Running:
    """An instance under way: the rounds in which its pending epochs may become final."""

    instance_id: InstanceId
    epochs: int
    next_post: int
    due: deque[int]
    settled_at: int | None = None


class _Life:
    """Plays the rounds."""

    def __init__(self, clients: int, events: int, seed: int) -> None:
        self.random = Random(seed)
        self.chain = ScriptedChain(scripted_subject(), seed=str(seed))
        self.teller = Storyteller(self.chain)
        self.clients = [address_of(f"client {number} of {seed}") for number in range(clients)]
        self.active: list[Address] = []
        self.events = events
        self.window = self.teller.parameters.challenge_window // HOUR + 1
        self.leaving: deque[tuple[int, Address]] = deque()
        self.running: list[_Running] = []
        self.told = 0
        self.round = 0

    def play(self) -> Recording:
        """Tell rounds until there are enough events."""
        for client in self.clients:
            self.teller.stake(client)
            self._told()
        self.active = list(self.clients)
        while len(self.chain.logs) < self.events:
            self._round()
            self.chain.block(HOUR, 300)
            self.round += 1
        recording = self.chain.recording()
        # The last round is cut where the number is reached.
        logs = recording.logs[: self.events]
        return Recording(recording.subject, recording.head, logs)

    def _told(self) -> None:
        self.told += 1
        if self.told % TRANSACTIONS_IN_A_BLOCK == 0:
            self.chain.block()

    def _round(self) -> None:
        if len(self.running) < SIDE_BY_SIDE:
            for _ in range(4):
                self._open()
        for each in list(self.running):
            self._step(each)
        if self.round % 3 == 0:
            self._leave()
        while self.leaving and self.leaving[0][0] <= self.round:
            client = self.leaving.popleft()[1]
            if self.teller.stakes[client].unbonding:
                self.teller.withdraw(client)
                self._told()

    def _open(self) -> None:
        size = self.random.randint(SMALLEST_COHORT, LARGEST_COHORT)
        cohort = self.random.sample(self.active, size)
        epochs = self.random.randint(2, MOST_EPOCHS)
        user = address_of(f"user {self.random.randrange(200)}")
        instance_id = self.teller.open_instance(user, cohort, epochs, address_of(f"aggregator {instance_number(self)}"))
        self._told()
        self.teller.bond(instance_id)
        self._told()
        self.running.append(_Running(instance_id, epochs, self.round + 1, deque()))

    def _step(self, each: _Running) -> None:
        told = self.teller.instances[each.instance_id]
        while each.due and each.due[0] <= self.round:
            each.due.popleft()
            self._finalize(each)
        if told.aggregator not in told.bonds and told.finalized < each.epochs:
            self.teller.name_aggregator(each.instance_id, address_of(f"aggregator {self.random.randrange(100, 150)}"))
            self.teller.bond(each.instance_id)
            self._told()
        elif len(told.epochs) < each.epochs and each.next_post <= self.round:
            self._post(each)
        elif told.finalized == each.epochs and each.settled_at is None:
            self.teller.settle(each.instance_id)
            self._told()
            each.settled_at = self.round
        elif each.settled_at is not None and each.settled_at < self.round:
            self._pay(each)

    def _post(self, each: _Running) -> None:
        told = self.teller.instances[each.instance_id]
        epoch = len(told.epochs) + 1
        before = told.epochs[-1].header.slash_reasons if told.epochs else 0
        free = [seat for seat in range(len(told.cohort)) if not before >> 4 * seat & 0xF]
        excluded = [seat for seat in free if self.random.random() < 0.04]
        verdicts = {}
        if self.random.random() < 0.02 and len(free) > 5:
            verdicts[self.random.choice(free)] = SlashReason(self.random.randint(1, 6))
        if len(excluded) + len(verdicts) >= len(free):
            excluded, verdicts = [], {}
        self.teller.close_commits(each.instance_id)
        self._told()
        metric = int(1e6 * (1 - 0.9 / (1 + 0.35 * epoch)) - self.random.randrange(20_000))
        self.teller.post_epoch(each.instance_id, metric=metric, excluded=excluded, verdicts=verdicts)
        self._told()
        each.next_post = self.round + self.random.randint(3, 9)
        each.due.append(self.round + self.window)
        if self.random.random() < 0.01:
            self.teller.overturn(each.instance_id, epoch, address_of("watcher"), self.random.randint(1, 12))
            self._told()
            each.due.pop()

    def _finalize(self, each: _Running) -> None:
        told = self.teller.instances[each.instance_id]
        before = told.final_reasons
        self.teller.finalize(each.instance_id)
        self._told()
        added = told.final_reasons ^ before
        for seat, client in enumerate(told.cohort):
            stake = self.teller.stakes[client]
            if added >> 4 * seat & 0xF and stake.active + stake.unbonding:
                self.teller.slash(each.instance_id, client)
                self._told()
                if client in self.active:
                    self.active.remove(client)

    def _pay(self, each: _Running) -> None:
        told = self.teller.instances[each.instance_id]
        for client in list(told.rewards):
            if self.teller.stakes[client].slashed:
                self.teller.forfeit(each.instance_id, client)
            elif self.random.random() < 0.8:
                self.teller.claim(each.instance_id, client)
            self._told()
        for aggregator in list(told.bonds):
            self.teller.withdraw_bond(each.instance_id, aggregator)
        if told.refund:
            self.teller.withdraw_refund(each.instance_id)
        self._told()
        self.running.remove(each)

    def _leave(self) -> None:
        client = self.random.choice(self.active)
        self.active.remove(client)
        self.teller.unregister(client)
        self._told()
        self.leaving.append((self.round + self.teller.parameters.staking_period // HOUR + 1, client))


def instance_number(life: _Life) -> int:
    """Which of a hundred aggregators takes the next instance."""
    return len(life.teller.instances) % 100


def synthetic_recording(clients: int = 10_000, events: int = 200_000, seed: int = 1) -> Recording:
    """A recording with so many clients and events, made or taken from the cache.

    Args:
        clients: How many stake.
        events: How many are logged, exactly.
        seed: Another seed gives another life.
    """
    path = CACHE / f"{clients}-{events}-{seed}.jsonl.gz"
    if path.exists():
        return Recording.load(path)
    recording = _Life(clients, events, seed).play()
    path.parent.mkdir(parents=True, exist_ok=True)
    recording.save(path)
    return recording
