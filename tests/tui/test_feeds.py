"""The feeds: what they show when a node comes, goes, and comes back; and a recorded run."""

from __future__ import annotations

import pytest

from fedblocks.chain.connection import NodeUnreachable
from fedblocks.monitor.monitor import Monitor, index_database
from fedblocks.monitor.views import ClientState, EpochState, HealthState, InstanceState
from fedblocks_tui.demo import RecordedFeed
from fedblocks_tui.live import LiveFeed, NothingYet
from fedblocks_tui.watching import watcher_state
from tests.monitor.story import story


class Flaky:
    """A source that is there or not."""

    def __init__(self, source):
        self.source, self.there = source, True

    def __getattr__(self, name):
        if not self.there:
            raise NodeUnreachable("http://somewhere", TimeoutError("no answer"))
        return getattr(self.source, name)


@pytest.fixture
def source():
    return Flaky(story())


@pytest.fixture
def feed(tmp_path, source):
    subject = source.subject

    def open_index():
        return Monitor(subject, None, index_database(tmp_path / "index.db", read_only=True))

    def connect():
        source.head()  # whoever connects asks the node something
        return Monitor(subject, source, index_database(tmp_path / "index.db"))

    feed = LiveFeed("story", open_index, connect, interval=0.0)
    yield feed
    feed.close()


def test_without_an_index_the_node_is_read_at_once(feed):
    said = []
    picture = feed.poll(said.append)
    assert picture.totals.slashes == 2
    assert picture.health.state is HealthState.HEALTHY
    assert said, "progress was told"


def test_what_is_indexed_is_shown_before_the_node_is_asked(feed, source, tmp_path):
    feed.poll(lambda health: None)
    source.there = False
    again = LiveFeed("story", feed._open_index, feed._connect, interval=0.0)
    first = again.poll(lambda health: None)
    assert first.totals.slashes == 2
    assert first.health.state is HealthState.LOADING
    assert not first.complete
    whole = again.poll(lambda health: None)
    assert whole.complete
    assert whole.epochs
    then = again.poll(lambda health: None)
    assert then.health.state is HealthState.DISCONNECTED
    assert then.epochs == whole.epochs
    again.close()


def test_a_node_that_goes_away_and_comes_back_is_noticed(feed, source):
    before = feed.poll(lambda health: None)
    source.there = False
    gone = feed.poll(lambda health: None)
    assert gone.health.state is HealthState.DISCONNECTED
    assert gone.slashes == before.slashes
    source.there = True
    assert feed.poll(lambda health: None).health.state is HealthState.HEALTHY


def test_with_neither_index_nor_node_there_is_nothing_and_it_says_why(feed, source):
    source.there = False
    with pytest.raises(NothingYet, match="somewhere"):
        feed.poll(lambda health: None)
    source.there = True
    assert feed.poll(lambda health: None).block is not None


def test_a_picture_is_taken_anew_only_when_something_changed(feed):
    first = feed.poll(lambda health: None)
    assert feed.poll(lambda health: None).clients is first.clients


def test_the_recorded_run_has_everything_that_is_to_be_seen():
    feed = RecordedFeed(seconds=3, interval=1)
    try:
        first = feed.poll(lambda health: None)
        feed.poll(lambda health: None)
        last = feed.poll(lambda health: None)
        assert first.block.number < last.block.number
        assert first.slashes == ()
        assert len(last.slashes) >= 2
        assert {client.state for client in last.clients} >= {ClientState.STAKED, ClientState.SLASHED}
        assert EpochState.OVERTURNED in {epoch.state for epoch in last.epochs}
        assert [instance.state for instance in last.instances] == [InstanceState.SETTLED]
        slash = last.slashes[-1]
        scores = feed.read(lambda snapshot: snapshot.scores(slash.instance_id, slash.epoch, slash.header_hash))
        own = scores.of(slash.client)
        assert own.slashed == slash.reason
        assert any(measure.triggered and measure.slashes for measure in own.measures)
    finally:
        feed.close()


def test_a_watcher_is_known_by_its_journal(tmp_path):
    journal = tmp_path / "watch.jsonl"
    assert watcher_state(None) is None
    assert watcher_state(journal) == "watch.jsonl: nothing sent yet"
    journal.write_text("{}\n{}\n")
    assert watcher_state(journal).startswith("watch.jsonl: 2 sent, the last ")
