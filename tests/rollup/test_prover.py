"""The prover finds what does not follow, names the case, and leaves what is right alone."""

from dataclasses import replace

import numpy as np
import pytest

from fedblocks.rollup.fraud.answers import answer_for
from fedblocks.rollup.fraud.cases import Challenge, Demand, DemandKind, FraudCase
from fedblocks.rollup.fraud.prover import find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.gram_tree import GramTrace
from tests.rollup.epochs import Epoch, changed, honest_epochs

D = 2 * 4096 + 300


@pytest.fixture(scope="module")
def epochs() -> list[Epoch]:
    return list(honest_epochs(3, d=D, absent={2: [3], 3: [1]}))


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def entry(contents: tuple, seat: int, content: bytes | None) -> tuple:
    return (*contents[:seat], content, *contents[seat + 1 :])


def trace_with(epoch: Epoch, leaf: int, at: int) -> GramTrace:
    leaves = epoch.data.gram.leaves.copy()
    leaves[leaf, at] ^= 1
    return GramTrace(epoch.data.gram.n, leaves)


def test_an_honest_epoch_has_no_fault(epochs):
    assert [epoch.look() for epoch in epochs] == [None] * 3


def lies(epoch: Epoch):
    """Lies of every kind, with the case that each must be found by."""
    data, layout = epoch.data, epoch.data.gram.layout
    here = next(seat for seat in range(5) if epoch.header.participants >> seat & 1)
    submission, stats = data.submissions[here], data.stats[here]
    for at in (31, 63, 64, 100, 160, 170, 200, 256, 270):
        case = FraudCase.LAST_UPDATE if 193 <= at < 225 else FraudCase.SUBMISSION
        yield f"submission byte {at}", case, {"submissions": entry(data.submissions, here, flipped(submission, at))}
    short = entry(data.submissions, here, submission[:-1])
    yield "a short submission", FraudCase.SUBMISSION, {"submissions": short}
    for leaf in range(3):
        column = trace_with(epoch, leaf, 32 * here + 5)
        yield f"column of leaf {leaf}", FraudCase.COLUMN, {"gram": column}
        for row in range(6):
            for at in (3, layout.row_size - 9, layout.row_size - 1):
                changed_row = trace_with(epoch, leaf, layout.row(row).start + at)
                yield f"row {row} of leaf {leaf} byte {at}", FraudCase.PRODUCT, {"gram": changed_row}
    for at in (0, 50, 73, 120, 140):
        yield f"figures byte {at}", FraudCase.FIGURES, {"stats": entry(data.stats, here, flipped(stats, at))}
    for at in (141, 142):
        yield f"verdict byte {at}", FraudCase.VERDICT, {"stats": entry(data.stats, here, flipped(stats, at))}
    yield "no figures", FraudCase.FIGURES, {"stats": entry(data.stats, here, None)}
    yield "long figures", FraudCase.FIGURES, {"stats": entry(data.stats, here, stats + b"\0")}
    for at in (0, 5, 50, 113):
        yield f"cohort byte {at}", FraudCase.COHORT, {"cohort": flipped(data.cohort, at)}
    yield "short cohort", FraudCase.COHORT, {"cohort": data.cohort[:-1]}
    for seat in range(5):
        for at, case in ((3, FraudCase.VERDICT), (8, FraudCase.VERDICT), (22, FraudCase.FIGURES)):
            yield f"carried byte {at} of {seat}", case, {"carried": flipped(data.carried, 23 * seat + at)}
    yield "long carried", FraudCase.FIGURES, {"carried": data.carried + bytes(23)}
    for index in (0, 4096, D - 1):
        yield f"delta {index}", FraudCase.DELTA, {"delta": changed(data.delta, index)}
        yield f"model {index}", FraudCase.NEXT_MODEL, {"next_model": changed(data.next_model, index)}
    other = next(seat for seat in range(5) if epoch.header.participants >> seat & 1 and seat != here)
    yield "an exclusion", FraudCase.VERDICT, {"excluded": epoch.header.excluded ^ (1 << other)}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_lie_is_found_by_its_case(epochs, number):
    for name, case, changes in lies(epochs[number]):
        found = epochs[number].forged(**changes).look()
        assert isinstance(found, Challenge), name
        assert found.case is case, (name, found.found)


def test_a_client_that_is_said_to_be_absent_or_present_is_found(epochs):
    epoch = epochs[1]
    for seat in (0, 3):
        found = epoch.forged(participants=epoch.header.participants ^ (1 << seat)).look()
        assert isinstance(found, Challenge)
        assert found.case is FraudCase.SUBMISSION


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("submissions_root", DemandKind.SUBMISSION),
        ("commits_root", DemandKind.COMMITS),
        ("gram_root", DemandKind.COLUMN),
        ("stats_root", DemandKind.STATS),
        ("carried_root", DemandKind.CARRIED),
        ("delta_root", DemandKind.DELTA),
        ("next_model_root", DemandKind.NEXT_MODEL),
    ],
)
def test_a_root_of_nothing_that_was_published_leads_to_a_demand(epochs, field, kind):
    epoch = epochs[1]
    garbled = replace(epoch, header=replace(epoch.header, **{field: b"\x13" * 32}))
    found = garbled.look()
    assert isinstance(found, Demand)
    assert found.kind is kind


def test_a_withheld_update_is_demanded_from_its_first_leaf(epochs):
    epoch = epochs[1]
    updates = {seat: update for seat, update in epoch.data.updates.items() if seat != 2}
    found = replace(epoch, data=replace(epoch.data, updates=updates)).look()
    assert found == Demand(DemandKind.UPDATE, 2, 0, "the update of seat 2")


def test_what_nobody_needs_may_be_withheld(epochs):
    """Whoever has the updates works everything else out, as long as it is right."""
    epoch = epochs[2]
    nothing = np.zeros(1, dtype=np.int16)
    bare = replace(epoch.data, gram=GramTrace(0, np.zeros((0, 0), np.uint8)), delta=nothing, next_model=nothing)
    assert replace(epoch, data=bare).look() is None


def interrogated(epoch: Epoch, withheld: dict) -> tuple[list[DemandKind], object]:
    """What is found when an aggregator publishes only part of its data, and answers every demand for the rest."""
    published = Published.of(epoch.context, epoch.header, replace(epoch.data, **withheld))
    demanded = []
    while True:
        found = find_fault(epoch.before, epoch.previous, epoch.header, published)
        if not isinstance(found, Demand):
            return demanded, found
        assert found.position not in published.answers, "a position is demanded once"
        demanded.append(found.kind)
        published.learn(found.position, answer_for(found, epoch.data))


NOTHING = np.zeros(1, dtype=np.int16)
NO_TRACE = GramTrace(0, np.zeros((0, 0), np.uint8))


def test_everything_can_be_had_by_demands(epochs):
    epoch = epochs[1]
    withheld = {
        "commits": (b"",) * 5,
        "submissions": (b"",) * 5,
        "updates": {},
        "stats": (b"",) * 5,
        "carried": b"",
        "gram": NO_TRACE,
        "delta": NOTHING,
        "next_model": NOTHING,
    }
    demanded, found = interrogated(epoch, withheld)
    assert found is None
    assert demanded.count(DemandKind.UPDATE) == 4 * 3
    assert set(demanded) == {DemandKind.COMMITS, DemandKind.SUBMISSION, DemandKind.UPDATE}


@pytest.mark.parametrize("leaf", [0, 1, 2])
@pytest.mark.parametrize("kind", ["delta", "next_model"])
def test_a_withheld_vector_that_is_wrong_is_found_by_going_down_its_tree(epochs, kind, leaf):
    epoch = epochs[1]
    lying = epoch.forged(**{kind: changed(getattr(epoch.data, kind), 4096 * leaf + 7)})
    demanded, found = interrogated(lying, {kind: NOTHING})
    assert isinstance(found, Challenge)
    assert found.case is (FraudCase.DELTA if kind == "delta" else FraudCase.NEXT_MODEL)
    assert len(demanded) <= 3


@pytest.mark.parametrize("leaf", [0, 1, 2])
def test_a_withheld_gram_tree_that_is_wrong_is_found_by_going_down(epochs, leaf):
    epoch = epochs[2]
    layout = epoch.data.gram.layout
    for row in (0, 1, 5):
        # A lie that goes on: every later sum is off as well.
        leaves = epoch.data.gram.leaves.copy()
        leaves[leaf:, layout.row(row).start + 7] ^= 1
        lying = epoch.forged(gram=GramTrace(5, leaves))
        demanded, found = interrogated(lying, {"gram": NO_TRACE})
        assert isinstance(found, Challenge)
        assert found.case is FraudCase.PRODUCT
        assert found.arguments[4][0] == leaf
        assert len(demanded) <= 6
    found = interrogated(epoch.forged(gram=trace_with(epoch, leaf, 3)), {"gram": NO_TRACE})[1]
    assert isinstance(found, Challenge)
    assert found.case is FraudCase.COLUMN
