"""The in-process engine: a whole cohort on one machine, for demos, tests and research.

Honest clients train one after the other. Simulated attackers train too, then replace their update by what their attack
makes of everything it could know in the best case: its own honest update, what the honest clients and its accomplices
sent, the model and what was revealed before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array
from fedblocks.rollup.actions import Reveal
from fedblocks.training.attacks import Attack, Knowledge, Phase
from fedblocks.training.client import CommitRound, FederatedClient, RoundTask
from fedblocks.training.quantise import NonFiniteModel
from fedblocks.training.update import LocalUpdate
from fedblocks.types import Address

Progress = Callable[[Address], None]
"""Called with each client that has trained."""


@dataclass(frozen=True)
class Member:
    """A client of the engine, honest when it has no attack."""

    client: FederatedClient
    attack: Attack | None = None


class LocalEngine:
    """Runs the rounds of a cohort in this process.

    Args:
        members: the clients that can take part; those without a seat in an instance are not asked.
        seed: of what attackers draw.
        progress: told of each client that has trained.
    """

    def __init__(self, members: Sequence[Member], seed: int = 0, progress: Progress | None = None) -> None:
        self._members: Mapping[Address, Member] = {member.client.address: member for member in members}
        self._seed, self._progress = seed, progress
        self._revealed: dict[Address, Int16Array] = {}

    def commit(self, task: RoundTask, clients: Sequence[Address]) -> CommitRound:
        """Let clients train and commit; the updates stay with them. Whose training diverges is absent.

        Args:
            task: the round.
            clients: who is asked, in the order of their seats.
        """
        trained: dict[Address, LocalUpdate] = {}
        absent: dict[Address, str] = {}
        for address in clients:
            if address not in self._members:
                absent[address] = "is not in this process"
                continue
            attack = self._members[address].attack
            if attack is not None and attack.phase(task.epoch) is Phase.STAY_AWAY:
                absent[address] = "stays away"
                continue
            try:
                trained[address] = self._members[address].client.train(task)
            except NonFiniteModel as error:
                absent[address] = str(error)
            if self._progress:
                self._progress(address)
        commits = [
            self._members[address].client.commit(task, self._sent(task, address, trained), update.samples)
            for address, update in trained.items()
        ]
        return CommitRound(commits, absent)

    def reveal(self, task: RoundTask, clients: Sequence[Address]) -> list[Reveal]:
        """What opens the commitments of these clients."""
        reveals = []
        for address in clients:
            reveal = self._members[address].client.reveal(task)
            self._revealed[address] = reveal.update
            reveals.append(reveal)
        return reveals

    def _sent(self, task: RoundTask, address: Address, trained: Mapping[Address, LocalUpdate]) -> Int16Array:
        """What a client sends: what it trained, or what its attack makes of it."""
        attack = self._members[address].attack
        if attack is None:
            return trained[address].update
        honest = [update.update for each, update in trained.items() if self._members[each].attack is None]
        accomplices = [each for each in trained if self._members[each].attack is attack]
        knowledge = Knowledge(
            own=trained[address].update,
            rng=np.random.default_rng([self._seed, task.epoch, int(address, 16) % (1 << 63)]),
            base=task.base,
            others=honest,
            accomplices=[trained[each].update for each in accomplices],
            last_delta=task.last_delta if task.epoch > 1 else None,
            own_last=self._revealed.get(address),
            others_last=[last for each, last in self._revealed.items() if each != address],
            epoch=task.epoch,
            position=accomplices.index(address),
        )
        return attack.update(knowledge)
