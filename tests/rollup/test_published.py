"""What counts as published: what hashes to the header's roots, and a challenge could bring along."""

from dataclasses import replace

import pytest

from fedblocks.rollup.fraud.cases import Challenge, Demand, DemandKind, FraudCase
from tests.rollup.epochs import Epoch, honest_epochs


@pytest.fixture(scope="module")
def epoch() -> Epoch:
    return next(iter(honest_epochs(1)))


def longer(contents: tuple, seat: int, size: int) -> tuple:
    return (*contents[:seat], contents[seat].ljust(size, b"\0"), *contents[seat + 1 :])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("commits", DemandKind.COMMITS), ("submissions", DemandKind.SUBMISSION), ("stats", DemandKind.STATS)],
)
def test_a_list_with_an_entry_too_many_is_demanded(epoch, name, kind):
    """All the entries are right but the last: no case compares it with anything."""
    contents = getattr(epoch.data, name)
    # The cohort's figures are the last entry of their list.
    extra = {"stats": (*contents, epoch.data.cohort)} if name == "stats" else {name: (*contents, contents[0])}
    found = epoch.forged(**extra).look()
    assert isinstance(found, Demand)
    assert found.position == (kind, 0, 0)


@pytest.mark.parametrize(
    ("name", "kind", "size", "case"),
    [
        ("submissions", DemandKind.SUBMISSION, 320, FraudCase.SUBMISSION),
        ("stats", DemandKind.STATS, 192, FraudCase.FIGURES),
    ],
)
def test_an_entry_is_challenged_as_long_as_it_fits_a_call_and_demanded_beyond(epoch, name, kind, size, case):
    contents = getattr(epoch.data, name)
    found = epoch.forged(**{name: longer(contents, 2, size)}).look()
    assert isinstance(found, Challenge)
    assert found.case is case
    beyond = epoch.forged(**{name: longer(contents, 2, size + 1)}).look()
    assert isinstance(beyond, Demand)
    assert beyond.position == (kind, 2, 0)


def test_what_is_carried_is_challenged_as_long_as_it_fits_a_call_and_demanded_beyond(epoch):
    found = epoch.forged(carried=epoch.data.carried.ljust(1536, b"\0")).look()
    assert isinstance(found, Challenge)
    assert found.case is FraudCase.FIGURES
    beyond = epoch.forged(carried=epoch.data.carried.ljust(1537, b"\0")).look()
    assert isinstance(beyond, Demand)
    assert beyond.kind is DemandKind.CARRIED


def test_garbage_in_the_place_of_data_counts_as_nothing(epoch):
    garbled = replace(epoch, data=replace(epoch.data, submissions=(b"",) * 5))
    found = garbled.look()
    assert isinstance(found, Demand)
    assert found.kind is DemandKind.SUBMISSION
