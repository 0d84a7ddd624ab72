"""The story of tests/monitor/story.py, told and indexed once for all tests that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fedblocks.monitor.monitor import Monitor
from fedblocks.monitor.snapshot import IndexSnapshot
from tests.monitor.story import indexed_story, tell
from tests.telling.storyteller import Storyteller


@pytest.fixture(scope="session")
def told() -> Storyteller:
    """Who has told the story: what its model of the contracts holds at the end."""
    return tell()


@pytest.fixture(scope="session")
def story_monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """A monitor that has read the story; not to be written to."""
    with indexed_story(tmp_path_factory.mktemp("story")) as monitor:
        yield monitor


@pytest.fixture
def snapshot(story_monitor: Monitor) -> Iterator[IndexSnapshot]:
    """The end of the story."""
    with story_monitor.snapshot() as snapshot:
        yield snapshot
