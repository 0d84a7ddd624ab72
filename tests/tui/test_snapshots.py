"""How every screen looks, in every state of the data and of the connection."""

from __future__ import annotations

import pytest

from fedblocks.monitor.views import HealthState
from tests.tui.playing import SIZE, make_app
from tests.tui.sample import CALM, NOTHING, SLASHED, ScriptedFeed, health

STILL_LOADING = health(HealthState.LOADING, "reading events: block 1200 of 4200")
BEHIND = health(HealthState.LAGGING, "the node is at block 4200; another node knows 37 more", age=2)
GONE = health(HealthState.DISCONNECTED, "no connection, last heard 1m 35s ago: refused", age=95)
QUIET = health(HealthState.IDLE, "no new block for 2 minutes; the node answers")

PICTURES = {
    "loading": (NOTHING, STILL_LOADING, "1", SIZE),
    "empty": (NOTHING, health(), "2", SIZE),
    "healthy": (CALM, health(), "1", SIZE),
    "idle": (CALM, QUIET, "1", SIZE),
    "lagging": (CALM, BEHIND, "1", SIZE),
    "disconnected": (CALM, GONE, "2", SIZE),
    "slashed": (SLASHED, health(), "3", SIZE),
    "clients": (SLASHED, health(), "2", (120, 30)),
    "client": (SLASHED, health(), "2 enter", SIZE),
    "slash": (SLASHED, health(), "3 enter", SIZE),
    "jobs": (CALM, health(), "4", SIZE),
    "job": (CALM, health(), "4 enter", (120, 30)),
    "rollup": (CALM, health(), "5", SIZE),
    "transactions": (CALM, health(), "6", SIZE),
    "narrow_slash": (SLASHED, health(), "3 enter", (80, 24)),
    "narrow_job": (CALM, health(), "4 enter", (80, 24)),
    "help": (CALM, health(), "2 question_mark", SIZE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_looks_as_it_did(name, snap_compare):
    snapshot, state, keys, size = PICTURES[name]
    app = make_app(ScriptedFeed(snapshot, state))

    async def arrived(pilot) -> None:
        while app.picture is None:
            await pilot.pause(0.01)
        for key in keys.split():
            await pilot.press(key)
            busy = [worker for worker in app.workers if worker.group != "feed"]
            if busy:
                await app.workers.wait_for_complete(busy)
            await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=arrived)
