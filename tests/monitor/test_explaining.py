"""From a transaction's hash to the numbers behind the slash, through a real index and real published data."""

from functools import partial

import pytest

from fedblocks.monitor.explain_text import to_text
from fedblocks.monitor.explaining import ScoreReader, explain
from fedblocks.monitor.published import read_scores
from fedblocks.report.page import gather, render_report
from fedblocks.rollup.blobs import BlobStore
from fedblocks.seats import SlashReason
from fedblocks.types import Wei
from tests.monitor.story import FIRST, indexed_story
from tests.monitor.trained_story import COHORT, ONE, indexed, tell, train

WANTED = {10: SlashReason.REPLAY, 11: SlashReason.RESPONSE, 12: SlashReason.NOISE}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def monitor(run, tmp_path_factory):
    with indexed(tell(run), tmp_path_factory.mktemp("index"), partial(read_scores, run.blobs)) as monitor:
        yield monitor


def test_every_slash_of_a_transaction_is_explained_from_the_index_alone(monitor):
    with monitor.snapshot() as snapshot:
        transaction = snapshot.slashes()[0].slashed.transaction_hash
        slashes = snapshot.slashes_in(transaction)
        told = {each.seat: explain(each, ScoreReader(snapshot)) for each in slashes}
    assert {seat: each.slash.reason for seat, each in told.items()} == WANTED
    for each in told.values():
        assert each.measure.triggered
        assert each.missing is None
        assert each.faults == ()
    assert [each.run for each in told[12].run] == [1, 2, 3]
    assert [each.run for each in told[11].run] == [1, 2, 3]


def test_figures_that_the_index_has_not_read_are_read_where_the_data_are(run, tmp_path):
    with indexed(tell(run), tmp_path) as bare, bare.snapshot() as snapshot:
        slash = next(each for each in snapshot.slashes() if each.seat == 12)
        assert explain(slash, ScoreReader(snapshot)).measure is None
        reader = ScoreReader(snapshot, run.blobs)
        assert explain(slash, reader).measure.triggered
        assert len(reader.all_of(ONE)) == len(run.headers)
        nowhere = ScoreReader(snapshot, BlobStore(f"file://{tmp_path / 'nothing'}"))
        missing = explain(slash, nowhere).missing
    assert "which is not in file://" in missing


def test_the_report_of_an_index_is_whole(run, monitor):
    with monitor.snapshot() as snapshot:
        report = gather(snapshot, ONE)
        page = render_report(snapshot, ONE, chain_id=31337)
        assert page == render_report(snapshot, ONE, chain_id=31337)
    assert len(report.scores) == len(run.headers)
    assert [each.adds_up for each in report.ledgers] == [True, True, True]
    assert {row.seat: row.reason for row in report.seats if row.reason} == WANTED
    for seat in WANTED:
        assert COHORT[seat] in page


def test_a_treasury_that_received_less_is_seen_in_the_slash_and_in_the_report(run, tmp_path):
    with indexed(tell(run, missing=Wei(5)), tmp_path) as monitor, monitor.snapshot() as snapshot:
        assert "a contract lies" in to_text(explain(snapshot.slashes()[0], ScoreReader(snapshot)))
        assert [each.adds_up for each in gather(snapshot, ONE).ledgers] == [True, False, True]


def test_a_story_without_published_data_is_explained_as_far_as_the_chain_goes(tmp_path):
    with indexed_story(tmp_path) as monitor, monitor.snapshot() as snapshot:
        slash = next(each for each in snapshot.slashes() if each.instance_id == FIRST)
        text = to_text(explain(slash, ScoreReader(snapshot)))
        report = gather(snapshot, FIRST)
    assert "(duplicate, as seat 3)" in " ".join(text.split())
    assert "published data were not read" in text
    assert report.unread == (1, 2, 3)
    assert [each.adds_up for each in report.ledgers] == [True, True, True]
    assert [each.overturned_by is not None for each in report.epochs].count(True) == 1
