"""A short story with everything in it, as recorded logs: slashes, an overturned epoch, payments.

It is told on a scripted chain through the real ABI, needs no node, and is the same every time. `tell` returns the
storyteller too, whose model of the contracts is what the index is held against.

The story, at whose end the chain stands at ``story().last``:

- Nine clients stake. NINA leaves and gets her stake back; OTTO has left and waits.
- Instance 1 (4 epochs, seats 0 to 5): MALLORY posts epochs 1 and 2; WATCHER proves epoch 2 wrong. BOB takes over, posts
  it anew, and condemns seat 3 for a duplicate, which is slashed. Epoch 3 follows, without seat 5. The user stops;
  settled; seats 0 and 1 have claimed, the user has its refund.
- Instance 3 (1 epoch): condemns CLIENTS[5] for a zero update; slashed while unbonding, and its reward of instance 1
  forfeited.
- Instance 2 (5 epochs, seats 0, 1, 2 and 4): epoch 1 final, epoch 2 could be, epoch 3 is open and under a demand.
- Instance 4 is funded and no more.
"""

from __future__ import annotations

from pathlib import Path

from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.recording import RecordedSource
from fedblocks.seats import SlashReason
from fedblocks.types import InstanceId
from fedblocks.units import ether
from tests.telling.scripted import ScriptedChain, address_of, scripted_subject
from tests.telling.storyteller import Storyteller

CLIENTS = tuple(address_of(f"client {number}") for number in range(7))
NINA, OTTO = address_of("Nina"), address_of("Otto")
USER, OTHER_USER = address_of("user"), address_of("other user")
MALLORY, BOB = address_of("Mallory"), address_of("Bob")
WATCHER = address_of("watcher")
VERDICT_CASE = 5

DAY = 24 * 3600
FIRST, RUNNING, SHORT, FUNDED = (InstanceId(number) for number in (1, 2, 3, 4))


def tell(seed: str = "") -> Storyteller:
    """Tell the story on a new chain; another seed gives the same events other hashes."""
    chain = ScriptedChain(scripted_subject(), seed)
    teller = Storyteller(chain)
    window = teller.parameters.challenge_window + 60
    for client in (*CLIENTS, NINA, OTTO):
        teller.stake(client)
        chain.block()
    teller.unregister(NINA)
    teller.open_instance(USER, CLIENTS[:6], 4, MALLORY)
    chain.block()
    teller.bond(FIRST)
    chain.block(600)
    teller.close_commits(FIRST)
    chain.block(600)
    teller.post_epoch(FIRST, metric=412_000)
    chain.block(600)
    teller.close_commits(FIRST)
    chain.block(600)
    teller.post_epoch(FIRST, metric=800_000, excluded=[2])
    chain.block(600)
    teller.overturn(FIRST, 2, WATCHER, VERDICT_CASE)
    chain.block(600)
    teller.name_aggregator(FIRST, BOB)
    chain.block()
    teller.bond(FIRST)
    teller.claim_challenge(WATCHER)
    chain.block(window)

    teller.finalize(FIRST)
    teller.close_commits(FIRST)
    chain.block(600)
    second = teller.post_epoch(FIRST, metric=553_000, verdicts={3: SlashReason.DUPLICATE})
    chain.block(600)
    demand = teller.demand(FIRST, 2, WATCHER, kind=5, seat=3)
    chain.block(600)
    teller.answer(demand, second, BOB)
    chain.block(600)
    teller.withdraw_deposits(BOB)
    chain.block(window)
    teller.finalize(FIRST)
    chain.block(600)
    teller.slash(FIRST, CLIENTS[3])
    chain.block(600)
    teller.close_commits(FIRST)
    chain.block(600)
    teller.post_epoch(FIRST, metric=641_500, excluded=[5])
    teller.stop(FIRST)
    chain.block(window)
    teller.finalize(FIRST)
    chain.block(600)
    teller.settle(FIRST)
    chain.block(600)
    teller.claim(FIRST, CLIENTS[0])
    teller.claim(FIRST, CLIENTS[1])
    teller.withdraw_refund(FIRST)
    teller.withdraw_bond(FIRST, BOB)
    chain.block(2 * DAY)
    teller.withdraw_treasury("SlashTreasury", ether("0.2"))
    teller.withdraw(NINA)
    chain.block(600)

    teller.open_instance(USER, [*CLIENTS[:3], CLIENTS[4]], 5, BOB)
    teller.open_instance(OTHER_USER, [CLIENTS[5], CLIENTS[6], CLIENTS[4], CLIENTS[0]], 1, BOB)
    chain.block()
    teller.bond(RUNNING)
    teller.bond(SHORT)
    chain.block(600)
    for instance_id in (RUNNING, SHORT):
        teller.close_commits(instance_id)
    chain.block(600)
    teller.post_epoch(RUNNING, metric=310_000)
    teller.post_epoch(SHORT, metric=300_000, verdicts={0: SlashReason.ZERO})
    chain.block(600)
    teller.unregister(CLIENTS[5])
    teller.open_instance(OTHER_USER, CLIENTS[:3] + CLIENTS[4:5], 2)
    chain.block(window)
    teller.finalize(RUNNING)
    teller.finalize(SHORT)
    chain.block(600)
    teller.slash(SHORT, CLIENTS[5])
    teller.close_commits(RUNNING)
    chain.block(600)
    teller.post_epoch(RUNNING, metric=455_000, excluded=[3])
    teller.forfeit(FIRST, CLIENTS[5])
    chain.block(window)
    teller.unregister(OTTO)
    teller.close_commits(RUNNING)
    chain.block(600)
    teller.post_epoch(RUNNING, metric=520_000)
    chain.block(600)
    teller.demand(RUNNING, 3, WATCHER, kind=1, seat=2)
    chain.block(600)
    return teller


def story() -> RecordedSource:
    """The story as a source, at its end."""
    return tell().chain.source()


def indexed_story(tmp_path: Path) -> Monitor:
    """A monitor that has read the whole story into a database in `tmp_path`."""
    source = story()
    monitor = Monitor(source.subject, source, index_database(tmp_path / "index.db"))
    monitor.update()
    return monitor
