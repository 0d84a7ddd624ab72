from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from fedblocks.rollup.actions import DataProfile
from fedblocks.training import matching
from fedblocks.training.job import DataRequirement
from fedblocks.training.matching import (
    CohortDraw,
    Misfit,
    NotEnoughClients,
    WrongDraw,
    draw_cohort,
    fits,
    match_cohort,
    matching_seed,
    select_clients,
)
from fedblocks.training.profile import InvalidProfile
from fedblocks.types import Address, BlockNumber, Hash32, Timestamp

BLOCK, JOB = Hash32(b"\xaa" * 32), Hash32(b"\xbb" * 32)
LUCK = {"block_number": BlockNumber(17), "block_hash": BLOCK, "job_hash": JOB}
REQUIREMENT = DataRequirement("fashion", "image", (1, 28, 28), (0, 3), 100)


def address(number: int) -> Address:
    # Spread over all leading digits, so that capitals would sort wrongly.
    return Address(to_checksum_address((number * 0x9E3779B97F4A7C15F39CC0605CEDC834).to_bytes(32, "big")[-20:]))


def seed(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


def profile(client: int = 1, **changes: object) -> DataProfile:
    plain = DataProfile(
        client=address(client),
        domain="fashion",
        modality="image",
        input_shape="1x28x28",
        labels="0,1,3",
        samples=100,
        issued_at=Timestamp(5),
    )
    return replace(plain, **changes)


def test_a_client_with_all_that_is_required_fits() -> None:
    assert fits(profile(), REQUIREMENT) == []
    assert fits(profile(labels="7", samples=1), DataRequirement("fashion", "image", (1, 28, 28))) == []


@pytest.mark.parametrize(
    ("change", "misfit"),
    [
        ({"domain": "faces"}, Misfit("domain", "fashion", "faces")),
        ({"modality": "text"}, Misfit("modality", "image", "text")),
        ({"input_shape": "28x28"}, Misfit("input shape", "1x28x28", "28x28")),
        ({"labels": "1,3"}, Misfit("labels", "0", "1,3")),
        ({"samples": 99}, Misfit("samples", "at least 100", "99")),
    ],
)
def test_a_client_that_lacks_something_is_told_what(change: dict[str, object], misfit: Misfit) -> None:
    assert fits(profile(**change), REQUIREMENT) == [misfit]
    assert str(misfit) == f"{misfit.aspect}: wanted {misfit.wanted}, has {misfit.offered}"


def test_a_client_with_classes_that_the_model_does_not_know_does_not_fit() -> None:
    assert fits(profile(), REQUIREMENT, classes=4) == []
    assert fits(profile(), REQUIREMENT, classes=3) == [Misfit("classes", "0 to 2", "3")]
    with pytest.raises(NotEnoughClients, match=r"classes \(1\)"):
        match_cohort([profile()], REQUIREMENT, 1, classes=3, **LUCK)


def test_every_reason_is_given() -> None:
    reasons = fits(profile(domain="faces", labels="1", samples=3), REQUIREMENT)
    assert [reason.aspect for reason in reasons] == ["domain", "labels", "samples"]


def test_a_profile_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidProfile):
        fits(profile(labels="0,,1"), REQUIREMENT)


def test_of_a_clients_profiles_the_newest_counts_in_whatever_order_they_come() -> None:
    old, new = profile(samples=100), profile(samples=3, issued_at=6)
    for profiles in ([old, new], [new, old]):
        selection = select_clients(profiles, REQUIREMENT)
        assert selection.fitting == ()
        assert [misfit.aspect for misfit in selection.refused[address(1)]] == ["samples"]


def test_two_profiles_of_one_second_are_told_apart_in_whatever_order_they_come() -> None:
    one, other = profile(samples=100), profile(samples=101)
    assert select_clients([one, other], REQUIREMENT) == select_clients([other, one], REQUIREMENT)


def test_too_few_clients_are_reported_with_how_many_failed_what() -> None:
    profiles = [profile(1), profile(2, domain="faces"), profile(3, domain="faces", samples=1), profile(4, labels="0")]
    with pytest.raises(NotEnoughClients, match=r"needs 2 clients and 1 fit; the others: domain \(2\), labels") as few:
        match_cohort(profiles, REQUIREMENT, 2, **LUCK)
    assert (few.value.wanted, few.value.fitting) == (2, 1)
    assert few.value.reasons == "domain (2), labels (1), samples (1)"


def test_a_match_can_be_verified_by_anyone() -> None:
    profiles = [profile(client) for client in range(1, 9)] + [profile(9, samples=1)]
    draw = match_cohort(profiles, REQUIREMENT, 4, **LUCK)
    draw.verify()
    assert len(set(draw.cohort)) == 4
    assert set(draw.candidates) == {address(client) for client in range(1, 9)}
    assert draw == match_cohort(profiles[::-1], REQUIREMENT, 4, **LUCK)


def test_a_cohort_that_was_not_drawn_is_refused() -> None:
    draw = match_cohort([profile(client) for client in range(1, 9)], REQUIREMENT, 4, **LUCK)
    friend = next(candidate for candidate in draw.candidates if candidate not in draw.cohort)
    for wrong in (
        replace(draw, cohort=(*draw.cohort[:3], friend)),
        replace(draw, cohort=draw.cohort[::-1]),
        replace(draw, cohort=()),
        replace(draw, cohort=draw.candidates * 2),
        replace(draw, candidates=draw.candidates[::-1]),
        replace(draw, candidates=(*draw.candidates, draw.candidates[-1])),
        replace(draw, candidates=()),
        replace(draw, candidates=tuple(sorted((*draw.candidates, Address(draw.candidates[0].lower())), key=str.lower))),
        replace(draw, block_hash=JOB),
        replace(draw, job_hash=BLOCK),
    ):
        with pytest.raises(WrongDraw, match="not drawn as it must be"):
            wrong.verify()


def test_a_longer_cohort_begins_with_the_shorter_one() -> None:
    candidates = [address(number) for number in range(20)]
    assert draw_cohort(candidates, 10, seed(1))[:4] == draw_cohort(candidates, 4, seed(1))


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.integers(1, 10**6), min_size=1, max_size=40), data=st.data())
def test_a_draw_is_a_choice_of_the_candidates_whatever_their_order(numbers: list[int], data: st.DataObject) -> None:
    candidates = [address(number) for number in numbers]
    size = data.draw(st.integers(1, len(set(candidates))))
    number = data.draw(st.integers(0, 2**64))
    cohort = draw_cohort(candidates, size, seed(number))
    assert len(set(cohort)) == len(cohort) == size
    assert set(cohort) <= set(candidates)
    assert draw_cohort(data.draw(st.permutations(candidates)), size, seed(number)) == cohort


def test_every_ordered_cohort_is_as_likely_as_every_other() -> None:
    candidates = [address(number) for number in range(1, 5)]
    draws = 2_400
    counts = dict.fromkeys(permutations(candidates, 2), 0)
    for number in range(draws):
        counts[tuple(draw_cohort(candidates, 2, seed(number)))] += 1
    expected = draws / len(counts)
    statistic = sum((count - expected) ** 2 / expected for count in counts.values())
    assert statistic < chi2.ppf(0.999, df=len(counts) - 1)


def test_words_past_the_last_full_multiple_are_thrown_away() -> None:
    below = 2**256 - 2**256 % 10
    words = iter([2**256 - 1, below, below - 1, 7])
    assert matching._below(10, words) == 9
    assert next(words) == 7


def test_a_draw_is_what_it_was_when_the_protocol_was_written_down() -> None:
    cohort = draw_cohort([address(number) for number in range(1, 9)], 3, matching_seed(BLOCK, JOB))
    assert matching_seed(BLOCK, JOB).hex() == "cfd82411c79e9a3e79d853584c55360625519300e9f7d764e92699d2ffa16801"
    assert cohort == [
        "0x0000000278dDE6E5fd29F057cE73018173B720D0",
        "0x000000031715609f7c746c6dc20Fc1E1d0A4E904",
        "0x000000009e3779b97f4a7c15F39Cc0605CEDC834",
    ]


@pytest.mark.parametrize(("block", "job"), [(BLOCK[:31], JOB), (BLOCK, JOB + b"\0"), (b"", JOB)])
def test_a_hash_of_another_length_is_refused(block: bytes, job: bytes) -> None:
    with pytest.raises(ValueError, match="not 32"):
        matching_seed(Hash32(block), Hash32(job))


def test_more_seats_than_candidates_and_no_seats_are_refused() -> None:
    with pytest.raises(NotEnoughClients, match="needs 3 clients and 1 fit"):
        draw_cohort([address(1), address(1)], 3, seed(0))
    with pytest.raises(ValueError, match="at least one seat"):
        draw_cohort([address(1)], 0, seed(0))


def test_a_draw_is_made_of_plain_values() -> None:
    draw = CohortDraw(BlockNumber(1), BLOCK, JOB, (address(1),), (address(1),))
    draw.verify()
    assert hash(draw) == hash(replace(draw))
