"""Everybody in a process of its own, and each of them killed once: it ends as if all had been in one, undisturbed."""

from __future__ import annotations

import os
import random

import pytest

from tests.operating.network import PASSPHRASE, Network, Process

SEED = int(os.environ.get("FEDBLOCKS_KILL_SEED", "6"))
"""Which moments are chosen to kill; every seed has to end alike."""


class Killer:
    """Kills each kind of process once, at a moment drawn at random, and starts it again a little later."""

    def __init__(self, network: Network, seed: int) -> None:
        self._network, self._random = network, random.Random(seed)
        victims = [network.node, network.aggregator, self._random.choice(network.clients)]
        # Ticks are counted from when the job is under way: a process that loads its libraries has nothing to lose.
        self._when = {victim.name: self._random.randrange(1, 60) for victim in victims}
        self._victims = {victim.name: victim for victim in victims}
        self._back: dict[str, int] = {}
        self._tick = 0
        self.killed: list[str] = []

    def __call__(self) -> None:
        if not self._network.clients[0].said("joined"):
            return
        self._tick += 1
        for name, victim in self._victims.items():
            if self._back.get(name) == self._tick:
                victim.start()
            elif name not in self.killed and self._tick >= self._when[name]:
                self._kill(victim)
        if not any(victim.is_running for victim in self._victims.values()):
            self._revive()

    def _kill(self, victim: Process) -> None:
        if victim.is_running:
            victim.kill()
            self.killed.append(victim.name)
            self._back[victim.name] = self._tick + self._random.randrange(2, 10)

    def _revive(self) -> None:
        for name in self.killed:
            if not self._victims[name].is_running and self._back[name] > self._tick:
                self._back[name] = self._tick + 1


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with Network(tmp_path_factory.mktemp("network"), epochs=2) as network:
        yield network


def test_whoever_is_killed_the_end_is_that_of_one_undisturbed_process(network, tmp_path):
    expected = network.play_locally(tmp_path)
    killer = Killer(network, SEED)
    network.start()
    network.run_to_the_end(each=killer)
    assert len(killer.killed) == 3, "each kind of process"
    assert [process.starts for process in network.processes].count(2) == 3
    ended = network.played()
    assert ended.headers == expected.headers
    assert ended.balances == expected.balances
    assert ended.sent == expected.sent, "nothing is sent twice, and nothing is left out"


def test_no_log_holds_a_secret(network):
    logs = "".join(process.log.read_text() for process in network.processes)
    keys = [signer._account.key.hex() for signer in [network.anvil.signer(2), *network.signers]]
    for secret in (PASSPHRASE, *keys, *(network.secret(number).hex() for number in range(network.count))):
        assert secret not in logs
    assert "committed" in logs


def test_what_clients_were_promised_is_on_their_disks(network):
    for number, signer in enumerate(network.signers):
        folder = network.folder / f"client-{number}" / signer.address.lower() / "records"
        records = sorted(folder.glob("*/*.json"))
        assert len(records) == network.epochs
        assert all('"outcome": "final"' in record.read_text() for record in records)
