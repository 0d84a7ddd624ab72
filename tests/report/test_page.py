"""The page holds all it shows, loads nothing, believes nothing that is not checked, and is the same every time."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fedblocks.monitor.explain import Where
from fedblocks.monitor.views import EpochState
from fedblocks.report.page import UnknownInstance, gather, render_report
from fedblocks.types import InstanceId, Wei
from tests.monitor.published_run import published_run
from tests.report.given import GivenSnapshot, given, train

ONE = InstanceId(1)
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """What is on a page: its elements, balanced, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


@pytest.fixture
def snapshot(run) -> GivenSnapshot:
    return given(run)


def page_of(snapshot, **arguments) -> str:
    return render_report(snapshot, ONE, **{"chain_id": 31337, "target_ppm": 800_000} | arguments)


def test_the_page_is_one_file_that_loads_nothing(snapshot):
    text = page_of(snapshot, chain_id=421_614)
    page = Page(text)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "input"}
    for name, attributes in page.elements:
        assert not {"src", "srcset", "data", "background", "action"} & set(attributes)
        assert not any(key.startswith("on") for key in attributes)
        if "href" in attributes:
            assert name == "a"
            assert attributes["href"].startswith("https://sepolia.arbiscan.io/")
    assert "url(" not in text
    assert "@import" not in text
    policies = [each["content"] for name, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]


def test_the_same_snapshot_gives_the_same_bytes(run, snapshot):
    assert page_of(snapshot) == page_of(given(run))


def test_every_figure_is_whole_and_has_words_for_whoever_does_not_see_it(snapshot):
    report = gather(snapshot, ONE, target_ppm=800_000)
    pictures = [report.accuracy, *report.plots, *report.money]
    assert len(pictures) == 1 + 7 + 3
    for picture in pictures:
        root = ET.fromstring(picture.svg)
        assert root.get("role") == "img"
        title, description = root[0], root[1]
        assert title.tag.endswith("title")
        assert title.text
        assert description.tag.endswith("desc")
        assert len(description.text) > 30
        assert not re.search(r"(nan|inf)\b", picture.svg)


def test_every_table_has_headings(snapshot):
    page = Page(page_of(snapshot))
    tables = [name for name, _ in page.elements].count("table")
    assert tables > 10
    assert [name for name, _ in page.elements].count("caption") == tables
    assert all(each.get("scope") in ("col", "row") for name, each in page.elements if name == "th")


def test_clients_fates_are_told_by_signs_and_words_and_not_by_colour_alone(run, snapshot):
    report = gather(snapshot, ONE)
    by_seat = {row.seat: row for row in report.seats}
    for number, judgement in enumerate(run.judgements):
        for seat, row in by_seat.items():
            verdict = judgement.verdicts.get(seat)
            expected = (
                "absent"
                if verdict is None
                else "slashed"
                if verdict.slashed
                else "excluded"
                if verdict.excluded
                else "accepted"
            )
            assert row.fates[number] == expected
    page = Page(page_of(snapshot))
    assert "✕ replay in epoch 2" in page.text
    labels = [each["aria-label"] for _, each in page.elements if "aria-label" in each]
    assert any("epoch 3 absent" in label for label in labels)
    assert "epoch 2: slashed" in {each.get("title") for _, each in page.elements}


def test_every_slash_is_there_with_its_evidence(snapshot):
    text = Page(page_of(snapshot)).text
    for slash in snapshot.the_slashes:
        own = snapshot.the_scores[slash.header_hash].of(slash.client)
        measure = next(each for each in own.measures if each.slashes and each.triggered)
        assert measure.formula in text
        assert measure.sentence in text


def test_an_overturned_posting_stays_on_the_page(snapshot):
    text = Page(page_of(snapshot)).text
    assert "✕ overturned" in text
    assert "verdict, by" in text
    assert "95.00 %" in text
    assert gather(snapshot, ONE).standing[1].state is EpochState.FINAL


def test_what_was_wrong_with_an_overturned_posting_is_told_beside_it(snapshot):
    overturned = snapshot.the_epochs[1]
    assert "say against its header" not in page_of(snapshot)
    lie = replace(snapshot.the_scores[snapshot.the_epochs[2].header_hash], faults=("seat 1 is slashed for ZERO",))
    snapshot.the_scores[overturned.header_hash] = lie
    text = page_of(snapshot)
    assert "the overturned epoch 2, attempt 0, say against its header" in text
    assert "✕ seat 1 is slashed for ZERO" in text
    assert 'role="alert"' not in text, "it does not stand any more"


def test_money_that_does_not_add_up_is_said_on_top_and_below(snapshot):
    assert "✕ does not add up" not in page_of(snapshot)
    snapshot.the_instance = replace(snapshot.the_instance, refund=Wei(snapshot.the_instance.refund - 7))
    text = Page(page_of(snapshot)).text
    assert "✕ does not add up" in text
    assert "7 wei are not accounted for" in text


def test_an_epoch_whose_data_were_not_read_is_named_and_nothing_of_it_is_shown(snapshot):
    missing = snapshot.the_epochs[-1]
    del snapshot.the_scores[missing.header_hash]
    text = Page(page_of(snapshot)).text
    assert f"The published data of epoch {missing.epoch} were not read; nothing is shown of it." in text
    assert f"Epoch {missing.epoch}: what was held against whom" not in text
    assert f"Epoch {missing.epoch - 1}: what was held against whom" in text


def test_without_any_published_data_there_are_no_scores_but_all_else(snapshot):
    snapshot.the_scores = {}
    report = gather(snapshot, ONE)
    assert report.plots == ()
    text = Page(page_of(snapshot)).text
    assert "published data were not read" in text
    assert "lost its stake of 0.1 ETH" in text


def test_scores_that_are_handed_over_stand_for_those_of_the_index(snapshot):
    scores, snapshot.the_scores = snapshot.the_scores, {}
    assert len(gather(snapshot, ONE, scores=scores).scores) == 8


def test_an_aggregator_that_lied_is_an_alarm_on_the_page(snapshot):
    hash_ = snapshot.the_epochs[0].header_hash
    snapshot.the_scores[hash_] = replace(snapshot.the_scores[hash_], faults=("seat <b>0</b> is left out",))
    text = page_of(snapshot)
    assert 'role="alert"' in text
    assert "seat &lt;b&gt;0&lt;/b&gt; is left out" in text


def test_what_somebody_else_chose_is_escaped(snapshot):
    evil = '"><script>alert(1)</script>'
    text = page_of(snapshot, where=Where(data=evil, network=evil, deployment=evil))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_links_lead_to_the_explorer_where_the_chain_has_one(snapshot):
    own = page_of(snapshot)
    public = page_of(snapshot, chain_id=42161)
    assert "<a " not in own
    transaction = snapshot.the_epochs[0].posted.transaction_hash.hex()
    assert f'href="https://arbiscan.io/tx/0x{transaction}"' in public
    assert f'title="0x{transaction}"' in own


def test_an_instance_without_an_epoch_has_a_page(tmp_path, snapshot):
    run = published_run(tmp_path, 0, n=4, d=300)
    empty = GivenSnapshot(run.instance, (), {})
    text = Page(page_of(empty)).text
    assert "No epoch was posted yet." in text
    assert "No stake was taken in this instance." in text
    bare = replace(run.instance, d=None, genesis_model_root=None, rules_hash=None, aggregator=None)
    assert "not configured" in page_of(GivenSnapshot(bare, (), {}))


def test_an_unknown_instance_is_named_with_those_there_are(snapshot):
    with pytest.raises(UnknownInstance, match="no instance 7 in the index; it has 1"):
        render_report(snapshot, InstanceId(7), chain_id=1)
