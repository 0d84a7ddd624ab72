"""An epoch's figures are shown as they are under its header, or not at all."""

import json
from dataclasses import replace

import pytest

from fedblocks.aggregation.rules import Rules
from fedblocks.monitor.published import ScoresMissing, ScoresUnusable, posted_before, read_scores
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.entries import cohort_entry, stats_entry
from fedblocks.rollup.epoch_data import carried_root
from fedblocks.rollup.header import rules_hash
from fedblocks.rollup.lists import SeatList, list_root
from fedblocks.seats import SlashReason, seats_of
from fedblocks.types import Hash32
from tests.aggregation import test_verdicts as attacks
from tests.monitor.published_run import PublishedRun, published_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> PublishedRun:
    """Seat 9 sends noise, seat 8 nothing, seat 7 stays away in the second epoch."""
    behaviours = {
        9: attacks.gaussian,
        8: attacks.nothing,
        7: lambda cohort, seat, honest: None if cohort.epoch == 2 else honest,
    }
    return published_run(tmp_path_factory.mktemp("run"), 4, behaviours)


def scores(run: PublishedRun, epoch: int):
    return read_scores(run.blobs, run.view(epoch), run.instance, run.view(epoch - 1) if epoch > 1 else None)


def manifest(run: PublishedRun, epoch: int) -> dict:
    return json.loads(run.blobs.get(run.headers[epoch - 1].data_locator))


def with_manifest(run: PublishedRun, epoch: int, document: dict, **roots: Hash32):
    """The epoch with another manifest in the place of its own."""
    locator = run.blobs.put(json.dumps(document).encode())
    return run.forged(epoch, data_locator=locator, **roots)


def test_scores_are_what_was_judged(run):
    for epoch, judgement in enumerate(run.judgements, start=1):
        shown = scores(run, epoch)
        assert shown.faults == ()
        assert {each.seat for each in shown.seats} == set(judgement.verdicts)
        assert set(shown.absent) == set(range(10)) - set(judgement.verdicts)
        for each in shown.seats:
            verdict = judgement.verdicts[each.seat]
            assert (each.excluded, each.slashed, each.evidence) == (verdict.excluded, verdict.slashed, verdict.evidence)
            assert each.weight == judgement.carried.weights[each.seat]
            assert each.client == run.context.cohort[each.seat]


def test_a_slashed_client_is_slashed_in_one_epoch_and_absent_after_it(run):
    first, last = scores(run, 1), scores(run, 4)
    assert first.of(run.context.cohort[8]).slashed is SlashReason.ZERO
    assert 8 in last.absent
    assert last.of(run.context.cohort[8]) is None
    assert last.of(run.context.cohort[9]).slashed is SlashReason.NOISE


def test_an_epoch_is_judged_after_the_posting_that_it_follows(run):
    views = run.views()
    twin = run.forged(2, metric=1)
    assert posted_before(views[2], [twin, *views]) == views[1]
    assert posted_before(views[0], views) is None
    with pytest.raises(ScoresUnusable, match=r"that it follows .* is not indexed"):
        read_scores(run.blobs, views[2], run.instance, twin)
    with pytest.raises(ScoresUnusable, match="is not indexed"):
        read_scores(run.blobs, views[2], run.instance)


def test_a_manifest_that_is_not_there_is_named_with_the_place_that_was_looked_at(run, tmp_path):
    empty = BlobStore(f"file://{tmp_path}")
    with pytest.raises(ScoresMissing, match=f"0x{run.headers[0].data_locator.hex()}.*{tmp_path}.*--data"):
        read_scores(empty, run.view(1), run.instance)


def test_a_manifest_whose_bytes_were_changed_is_refused(run, tmp_path):
    damaged = BlobStore(f"file://{tmp_path}")
    address = damaged.put(b"something")
    path = tmp_path / run.headers[0].data_locator.hex()[:2] / run.headers[0].data_locator.hex()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(damaged.get(address))
    with pytest.raises(ScoresUnusable, match="should hash to"):
        read_scores(damaged, run.view(1), run.instance)


@pytest.mark.parametrize(
    ("name", "what", "change"),
    [
        ("commits", "commitments", lambda value: [None, *value[1:]]),
        ("submissions", "submissions", lambda value: ["00" * 289, *value[1:]]),
        ("stats", "figures", lambda value: [value[1], value[0], *value[2:]]),
        ("cohort", "figures", lambda value: "00" + value[2:]),
        ("carried", "counters and weights", lambda value: "01" + value[2:]),
        ("rules", "rules", lambda value: [2, *value[1:]]),
        ("rules", "rules", lambda value: [-1, *value[1:]]),
    ],
)
def test_a_piece_that_is_not_the_headers_is_named_and_nothing_is_shown(run, name, what, change):
    document = manifest(run, 1)
    document[name] = change(document[name])
    with pytest.raises(ScoresUnusable, match=f"its published {what} hash to .*, the chain has 0x"):
        read_scores(run.blobs, with_manifest(run, 1, document), run.instance)


def test_a_header_that_does_not_hash_to_what_is_on_chain_is_refused(run):
    view = replace(run.view(1), header_hash=run.headers[1].hash())
    with pytest.raises(ScoresUnusable, match="not the one on chain"):
        read_scores(run.blobs, view, run.instance)


def test_garbage_in_the_place_of_a_manifest_is_refused(run):
    view = run.forged(1, data_locator=run.blobs.put(b"garbage"))
    with pytest.raises(ScoresUnusable, match="no manifest of an epoch"):
        read_scores(run.blobs, view, run.instance)


def committed(run: PublishedRun, epoch: int, **lists):
    """The epoch with other contents under roots that commit to them: an aggregator that lies consistently."""
    document = manifest(run, epoch) | lists
    contents = [None if each is None else bytes.fromhex(each) for each in [*document["stats"], document["cohort"]]]
    return with_manifest(
        run,
        epoch,
        document,
        stats_root=list_root(contents, SeatList.STATS),
        carried_root=carried_root(bytes.fromhex(document["carried"])),
    )


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ({"stats": lambda stats: ["00", *stats[1:]]}, "143 bytes, not 1"),
        ({"stats": lambda stats: ["", *stats[1:]]}, "143 bytes, not 0"),
        ({"stats": lambda stats: [stats[0][:-4] + "0900", *stats[1:]]}, "evidence 9 is none of"),
        ({"cohort": lambda cohort: cohort + "00"}, "114 bytes, not 115"),
        ({"carried": lambda carried: carried[:-2]}, "230 bytes, not 229"),
        ({"carried": lambda carried: "ff" * 4 + carried[8:]}, "does not stand for the counters"),
        ({"stats": lambda stats: [None, *stats[1:]]}, "10 are said to have taken part, but figures are of 9"),
    ],
)
def test_figures_that_cannot_be_read_are_refused_though_they_are_the_headers(run, lists, why):
    document = manifest(run, 1)
    view = committed(run, 1, **{name: change(document[name]) for name, change in lists.items()})
    with pytest.raises(ScoresUnusable, match=why):
        read_scores(run.blobs, view, run.instance)


def test_figures_that_name_an_absent_seat_as_nearest_are_refused(run):
    judgement = run.judgements[0]
    lie = stats_entry(replace(judgement.stats[0], nearest=63), judgement.verdicts[0]).hex()
    view = committed(run, 1, stats=[lie, *manifest(run, 1)["stats"][1:]])
    with pytest.raises(ScoresUnusable, match="seat 0 name seat 63 as nearest"):
        read_scores(run.blobs, view, run.instance)


def test_a_verdict_that_does_not_follow_from_its_figures_is_told(run):
    judgement = run.judgements[0]
    lie = stats_entry(
        judgement.stats[3], replace(judgement.verdicts[3], evidence=SlashReason.ZERO, own_badness=9)
    ).hex()
    stats = manifest(run, 1)["stats"]
    view = committed(run, 1, stats=[*stats[:3], lie, *stats[4:]])
    faults = " ".join(read_scores(run.blobs, view, run.instance).faults)
    assert "evidence against seat 3 is ZERO, by its figures it is NONE" in faults
    assert "seat 3 is said to be bad by 9" in faults


def test_a_header_that_leaves_out_or_slashes_another_is_told(run):
    header = run.headers[0]
    faults = " ".join(read_scores(run.blobs, run.forged(1, excluded=header.excluded | 1), run.instance).faults)
    assert "seat 0 is left out" in faults
    faults = " ".join(read_scores(run.blobs, run.forged(1, slash_reasons=0), run.instance).faults)
    assert "seat 8 is slashed for NONE, by its figures it is for ZERO" in faults
    faults = " ".join(read_scores(run.blobs, run.forged(1, participants=header.participants & ~2), run.instance).faults)
    assert str([seat for seat in seats_of(header.participants) if seat != 1]) in faults


def test_figures_are_measured_by_the_rules_of_the_instance(run):
    rules = replace(Rules(), zero_permille=2)
    document = manifest(run, 1) | {"rules": list(rules.words())}
    view = with_manifest(run, 1, document)
    instance = replace(run.instance, rules_hash=rules_hash(rules.words()))
    shown = read_scores(run.blobs, view, instance)
    assert {each.measure("zero").threshold for each in shown.seats} == {0.2}


def test_the_cohorts_figures_are_those_that_were_committed(run):
    assert manifest(run, 1)["cohort"] == cohort_entry(run.judgements[0].cohort).hex()
