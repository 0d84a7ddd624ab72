"""The whole network once, at its smallest: everybody a process, one epoch, and the last payment."""

from dataclasses import replace

import pytest

from tests.flower.scene import PASSPHRASE
from tests.network.cast import Cast
from tests.network.checks import checks, play_in_one_process
from tests.network.missing import missing
from tests.network.stage import Stage
from tests.network.table import table

pytestmark = pytest.mark.skipif(bool(missing()), reason="; ".join(missing()))

CLIENTS, EPOCHS, TARGET = 4, 1, 1_000_000


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    cast = Cast.deal(CLIENTS, 1)
    return play_in_one_process(tmp_path_factory.mktemp("local"), cast, EPOCHS, TARGET)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    with Stage(folder, Cast.deal(CLIENTS, 1), epochs=EPOCHS, target_ppm=TARGET, seconds=300) as stage:
        stage.play(lambda text: None)
        yield stage


def failed(stage, expected):
    return {check.what: check.found for check in checks(stage, expected) if not check.holds}


def test_everything_is_as_in_one_process_and_every_wei_is_where_it_belongs(played, expected):
    assert failed(played, expected) == {}


def test_everybody_had_something_to_do_and_its_cost_is_known(played):
    usages = played.meter.usages
    assert {"anvil", "PostgreSQL", "node", "aggregator", "watcher", "SuperLink", "SuperNode 3"} < usages.keys()
    assert len({usage.pid for usage in usages.values()}) == len(usages)
    assert all(usage.peak_bytes > 0 for usage in usages.values())
    told = table(played)
    assert "1 epochs executed, 6 transactions" in told
    assert told.count("1 commitments, 1 updates revealed") == CLIENTS


def test_what_would_be_wrong_is_said(played, expected):
    other = replace(expected, headers=[bytes(32)], gains={**expected.gains, "client 0": 0})
    with played.node.log.open("a") as log:
        log.write(PASSPHRASE)
    found = failed(played, other)
    assert len(found) == 3
    assert "in node.log" in found.values()
