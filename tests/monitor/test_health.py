"""A node that is down, one that is behind, and a chain on which nothing happens are three things."""

from __future__ import annotations

from dataclasses import replace

from fedblocks.chain.connection import BlockHeader
from fedblocks.monitor.health import Heard, judge_health
from fedblocks.monitor.views import HealthState
from fedblocks.types import BlockNumber, Hash32, Timestamp


def _head(number: int) -> BlockHeader:
    block_hash = Hash32(number.to_bytes(32, "big"))
    return BlockHeader(BlockNumber(number), block_hash, block_hash, Timestamp(1000 + number), None)


def _healthy() -> Heard:
    return replace(Heard().answered(_head(100), now=10.0), indexed=BlockNumber(100))


def test_nothing_heard_yet_is_loading() -> None:
    health = judge_health(Heard(), 5.0)
    assert (health.state, health.head, health.indexed, health.data_age) == (HealthState.LOADING, None, None, 0.0)


def test_an_index_at_the_newest_block_is_healthy() -> None:
    health = judge_health(_healthy(), 12.0)
    assert (health.state, health.head, health.indexed, health.data_age) == (HealthState.HEALTHY, 100, 100, 2.0)


def test_an_index_that_is_far_behind_or_empty_is_loading() -> None:
    assert judge_health(replace(_healthy(), indexed=BlockNumber(3)), 12.0).state is HealthState.LOADING
    assert judge_health(replace(_healthy(), indexed=None), 12.0).state is HealthState.LOADING


def test_blocks_that_are_left_out_on_purpose_are_no_backlog() -> None:
    heard = replace(_healthy(), indexed=BlockNumber(36), confirmations=64)
    assert judge_health(heard, 12.0).state is HealthState.HEALTHY


def test_a_failure_is_a_disconnection_with_its_reason_and_the_age_of_what_is_shown() -> None:
    health = judge_health(_healthy().failed("no answer from the node"), 75.0)
    assert health.state is HealthState.DISCONNECTED
    assert health.text == "no connection, last heard 1 min ago: no answer from the node"
    assert (health.head, health.data_age) == (100, 65.0)


def test_an_answer_ends_a_disconnection() -> None:
    heard = _healthy().failed("gone").answered(_head(101), now=80.0)
    assert judge_health(heard, 81.0).state is HealthState.HEALTHY


def test_a_quiet_chain_is_idle_as_long_as_the_node_answers() -> None:
    heard = _healthy()
    for now in (30.0, 60.0, 90.0):
        heard = heard.answered(_head(100), now=now)
    health = judge_health(heard, 91.0)
    assert health.state is HealthState.IDLE
    assert health.data_age == 1.0
    assert judge_health(heard.answered(_head(101), now=92.0), 93.0).state is HealthState.HEALTHY


def test_a_node_that_says_so_or_goes_back_or_is_behind_another_is_lagging() -> None:
    assert judge_health(replace(_healthy(), syncing=True), 12.0).state is HealthState.LAGGING
    assert judge_health(replace(_healthy(), behind_itself=True), 12.0).state is HealthState.LAGGING
    behind = judge_health(replace(_healthy(), reference=BlockNumber(110)), 12.0)
    assert behind.state is HealthState.LAGGING
    assert "10 more" in behind.text
    assert judge_health(replace(_healthy(), reference=BlockNumber(101)), 12.0).state is HealthState.HEALTHY
