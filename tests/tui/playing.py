"""Driving the app in tests: with fixed clocks, and without waiting for time to pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from fedblocks_tui.app import FedBlocksApp, Options
from fedblocks_tui.clock import ChainClock
from fedblocks_tui.feed import Feed
from fedblocks_tui.widgets.table import RowTable
from tests.tui.sample import NOW, ScriptedFeed

SIZE = (100, 30)


class Scene:
    """An app under test."""

    def __init__(self, app: FedBlocksApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and let everything that follows from them happen."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Let workers other than the feed's end, and messages arrive."""
        for _ in range(3):
            await self.pilot.pause()
            busy = [worker for worker in self.app.workers if worker.group != "feed" and not worker.is_finished]
            if busy:
                await self.app.workers.wait_for_complete(busy)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a thread will do."""
        for _ in range(2_000):
            if condition():
                await self.settle()
                return
            await self.pilot.pause(0.005)
        raise AssertionError("it did not happen")

    async def show(self, **changes: Any) -> None:
        """Have the scripted feed show something else, now."""
        feed = self.app.feed
        assert isinstance(feed, ScriptedFeed)
        for name, value in changes.items():
            setattr(feed, name, value)
        polls = feed.polls
        await self.pilot.press("r")
        await self.until(lambda: feed.polls > polls)
        await self.settle()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join("".join(part.text for part in strip) for strip in self.app.screen._compositor.render_strips())

    @property
    def table(self) -> RowTable[Any]:
        """The table that hears the keys."""
        assert isinstance(self.app.focused, RowTable)
        return self.app.focused

    @property
    def told(self) -> list[str]:
        """Everything that was notified."""
        return [each.message for each in self.app._notifications]


def make_app(feed: Feed | None = None, **options: Any) -> FedBlocksApp:
    """An app with clocks that stand still."""
    quiet = replace(Options(tick=0), **options)
    return FedBlocksApp(feed or ScriptedFeed(), ChainClock(lambda: float(NOW)), quiet)


def play(
    scenario: Callable[[Scene], Awaitable[None]],
    feed: Feed | None = None,
    *,
    size: tuple[int, int] = SIZE,
    app: FedBlocksApp | None = None,
    **options: Any,
) -> FedBlocksApp:
    """Run a scenario in an app that has its first picture."""
    playing = app or make_app(feed, **options)

    async def run() -> None:
        async with playing.run_test(size=size) as pilot:
            scene = Scene(playing, pilot)
            await scene.until(lambda: playing.picture is not None)
            await scenario(scene)

    asyncio.run(run())
    return playing
