"""Figures, verdicts and selections are refuted where a bit of them is wrong, and nowhere else.

The rules in Python are the reference: what they make of an epoch no challenge can shake.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any, ClassVar

import boa
import numpy as np
import pytest

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.suspicion import Suspicion
from fedblocks.seats import SlashReason, seats_of, unpack_reasons
from tests.contracts.verdicts.court import FAULT, NO_FAULT, Court
from tests.contracts.verdicts.epochs import (
    CARRIED_LAYOUT,
    CARRIED_SIZE,
    CLIENT_LAYOUT,
    COHORT_LAYOUT,
    VERDICT_LAYOUT,
    Cohort,
    Epoch,
    entries_of,
    flipped,
    positions,
    stored,
)
from tests.contracts.world import deployer_of, mock

FIGURES, VERDICT, COHORT = 4, 5, 6
CODE_LIMIT = 24_576

# Rules that no user would fix, but could: with them every sign shows often.
ODD_RULES = Rules(
    zero_permille=900,
    little_percent=95,
    duplicate_permille=800,
    duplicate_near_percent=100,
    copy_millionths=900_000,
    global_near_percent=100,
    global_related_percent=90,
    global_now_percent=30,
    global_run_percent=10,
    noise_percent=90,
    response_percent=1,
    response_cosine_percent=1,
    response_cap_times=1000,
    response_slash_cosine_percent=1,
    response_signal_times=1,
    run=1,
    outlying_krum_percent=100,
    central_krum_percent=100,
    strikes=1,
    strikes_max=7,
    sample_cap=1 << 29,
)


@pytest.fixture(scope="module")
def court() -> Court:
    chain = mock("DisputedChain")
    return Court(chain, deployer_of("VerdictVerifier").deploy(chain.address))


@cache
def mixed(n: int, seed: int, count: int = 4, rules: Rules | None = None) -> Cohort:
    """A cohort most of whose updates are odd, after some epochs."""
    cohort = Cohort(n, seed, rules=rules)
    for _ in range(count):
        cohort.run(cohort.mixed())
    return cohort


@cache
def trained(attack: str, count: int, attackers: int = 1) -> Cohort:
    """Ten clients, of which the last ones attack in one way."""
    cohort = Cohort(10, 5, d=4000)
    for _ in range(count):
        cohort.run(cohort.trained(dict.fromkeys(range(10 - attackers, 10), attack)))
    return cohort


@cache
def large() -> Cohort:
    """A whole cohort, whose vectors have so many values that the Gram tree has five leaves."""
    cohort = Cohort(64, 9, chain_d=5 * 4096)
    cohort.run(cohort.honest())
    cohort.run(cohort.mixed())
    cohort.run(cohort.mixed())
    return cohort


@pytest.fixture
def epoch() -> Epoch:
    """The third epoch of four clients: seat 3 is absent, seats 0 to 2 took part in all."""
    cohort = Cohort(4, 1)
    cohort.run(cohort.honest())
    cohort.run(cohort.honest())
    return cohort.run({seat: update for seat, update in cohort.honest().items() if seat != 3})


@pytest.fixture
def full() -> Epoch:
    """The third epoch of five clients, all of which took part: so they are compared."""
    cohort = Cohort(5, 1)
    for _ in range(3):
        cohort.run(cohort.honest())
    return cohort.epochs[-1]


class TestHonest:
    """What the rules say is not refuted."""

    @pytest.mark.parametrize(("n", "seed"), [(4, 0), (5, 2), (7, 4), (10, 5)])
    @pytest.mark.parametrize("rules", [Rules(), ODD_RULES], ids=["usual rules", "odd rules"])
    def test_no_challenge_of_a_mixed_epoch_succeeds(self, court: Court, n: int, seed: int, rules: Rules) -> None:
        for each in mixed(n, seed, rules=rules).epochs:
            assert court.all_outcomes(each, list(range(n))) == {NO_FAULT}

    @pytest.mark.parametrize(
        ("attack", "epochs", "reason"),
        [
            ("nothing", 1, SlashReason.ZERO),
            ("another's", 2, SlashReason.DUPLICATE),
            ("again", 2, SlashReason.REPLAY),
            ("the last step", 2, SlashReason.GLOBAL),
            ("noise", 4, SlashReason.NOISE),
            ("the opposite", 4, SlashReason.RESPONSE),
        ],
    )
    def test_a_slashed_attacker_stays_slashed(
        self, court: Court, attack: str, epochs: int, reason: SlashReason
    ) -> None:
        cohort = trained(attack, epochs)
        assert unpack_reasons(cohort.epochs[-1].slash_reasons)[9] is reason
        for each in cohort.epochs:
            assert court.all_outcomes(each, [0, 8, 9]) == {NO_FAULT}

    @pytest.mark.parametrize(
        ("attack", "epochs", "suspicion"),
        [
            ("nearly another's", 2, Suspicion.NEARLY_DUPLICATE),
            ("nearly the last of seat 0", 2, Suspicion.NEARLY_REPLAY),
            ("nearly the last step", 2, Suspicion.LIKE_GLOBAL),
            ("hardly anything", 2, Suspicion.LITTLE),
            ("the opposite", 2, Suspicion.RESPONSE),
            ("the opposite", 3, Suspicion.OUTLYING),
            ("the opposite", 3, Suspicion.GROWING),
            ("the last step undone", 2, Suspicion.AGAINST_GLOBAL),
            ("everybody's mean", 2, Suspicion.CENTRAL),
        ],
    )
    def test_a_suspect_stays_a_suspect(self, court: Court, attack: str, epochs: int, suspicion: Suspicion) -> None:
        cohort = trained(attack, epochs)
        assert suspicion in cohort.judgements[-1].verdicts[9].suspicions
        assert court.all_outcomes(cohort.epochs[-1], [0, 9]) == {NO_FAULT}

    def test_an_outlier_that_does_not_shrink_the_model_is_heard_again(self, court: Court) -> None:
        cohort = trained("the opposite, across the model", 5)
        assert [judged.carried.counters[9].outlying for judged in cohort.judgements] == [1, 2, 0, 1, 2]
        for each in cohort.epochs:
            assert court.all_outcomes(each, [0, 9]) == {NO_FAULT}

    def test_who_is_far_out_and_a_little_against_the_others_is_not_outlying(self, court: Court) -> None:
        """Updates nearly at right angles to one another: the longest goes neither astray nor away from the model."""
        cohort = Cohort(10, 5)
        cohort.model = np.zeros(cohort.d, dtype=np.int32)
        sent = {seat: 1_000 * np.eye(cohort.d)[seat] + 100 * np.eye(cohort.d)[10] for seat in range(9)}
        sent[9] = 1_500 * np.eye(cohort.d)[9] - 150 * np.eye(cohort.d)[10]
        epoch = cohort.run(sent)
        judged = cohort.judgements[0]
        own = judged.stats[9]
        assert 100 * own.krum > 110 * judged.cohort.median_krum
        assert (own.opposed, own.opposed_outlying, own.base) == (9, 0, 0)
        assert judged.cohort.median_base_cosine == 0, "nobody builds on a model of zeros"
        assert judged.carried.counters[9].outlying == 0
        assert court.all_outcomes(epoch, [0, 9]) == {NO_FAULT}

    def test_who_was_left_out_as_central_is_heard_again(self, court: Court) -> None:
        cohort = trained("everybody's mean", 4)
        assert [judged.carried.counters[9].central for judged in cohort.judgements] == [1, 2, 0, 1]
        for each in cohort.epochs:
            assert court.all_outcomes(each, [0, 9]) == {NO_FAULT}

    def test_where_more_grow_than_can_be_malicious_nobodys_response_counts(self, court: Court) -> None:
        cohort = trained("the opposite", 4, attackers=4)
        assert [judged.cohort.monotone for judged in cohort.judgements] == [1, 1, 0, 0]
        last = cohort.epochs[-1]
        assert unpack_reasons(last.slash_reasons) == {}
        assert {Counters.unpack(int.from_bytes(last.carried[23 * seat :][:4])).response for seat in range(10)} == {0}
        assert court.all_outcomes(last, [0, 6, 9]) == {NO_FAULT}
        whole = last.entry(last.n)
        assert court.cohort(last.with_stats(last.n, whole[:-1] + b"\1")) == FAULT

    def test_where_no_more_grow_it_is_a_fault_to_say_so(self, court: Court) -> None:
        last = trained("the opposite", 3, attackers=3).epochs[-1]
        whole = last.entry(last.n)
        assert whole[-1] == 1
        assert court.cohort(last) == NO_FAULT
        for other in (0, 2):
            assert court.cohort(last.with_stats(last.n, whole[:-1] + bytes([other]))) == FAULT

    def test_evidence_against_too_many_is_suspicion_and_nobody_is_slashed(self, court: Court) -> None:
        cohort = trained("again", 2, attackers=5)
        assert unpack_reasons(cohort.epochs[-1].slash_reasons) == {}
        assert Suspicion.EVIDENCE in cohort.judgements[-1].verdicts[9].suspicions
        assert seats_of(cohort.epochs[-1].excluded) == [5, 6, 7], "the first of equals, as many as there is room for"
        assert court.all_outcomes(cohort.epochs[-1], list(range(10))) == {NO_FAULT}

    def test_no_challenge_of_a_whole_cohort_succeeds(self, court: Court) -> None:
        for each in large().epochs:
            assert court.all_outcomes(each, [0, 1, 31, 63]) == {NO_FAULT}

    @pytest.mark.parametrize("participants", [1, 2, 3])
    def test_hardly_anybody_need_take_part(self, court: Court, participants: int) -> None:
        cohort = Cohort(4, 3)
        cohort.run(cohort.honest())
        few = cohort.run({seat: update for seat, update in cohort.honest().items() if seat < participants})
        assert court.all_outcomes(few, [0, 1, 2, 3]) == {NO_FAULT}

    def test_the_largest_products_are_judged_too(self, court: Court) -> None:
        """Of 2^30 values, each the least there is; no test could hold such vectors, but their products."""
        most = 1 << 60
        cohort = Cohort(4, 0)
        cohort.run({seat: np.ones(24) for seat in range(4)})
        whole = replace(cohort.epochs[0], d=1 << 30, siblings=tuple(bytes([level]) * 32 for level in range(18)))
        row = b"".join(stored(most, 8, True) for _ in range(4)) + bytes([128, *[0] * 7]) * 5 + stored(0, 12, True)
        common = b"".join(stored(value, 8, True) for value in [most] * 4 + [0] * 9) + stored(1 << 91, 12, True)
        figures = dict.fromkeys((name for name, _, _ in CLIENT_LAYOUT), 0)
        figures |= {"norm": most, "earlier_distance": most, "replayed": 64}
        entries = []
        for seat in range(4):
            own = figures | {"nearest": 1 if seat == 0 else 0}
            entries.append(b"".join(stored(own[name], width, offset) for name, width, offset in CLIENT_LAYOUT))
        weight = 1 << 39
        left = b"".join(
            stored(0, 4, False) + stored(weight, 5, False) + stored(4 * weight * most, 14, True) for _ in range(4)
        )
        whole = replace(
            whole,
            rows=(row, row, row, row, common),
            stats=(*(entry + bytes(2) for entry in entries), whole.stats[4]),
            carried=left,
        )
        assert court.figures(whole, 2) == NO_FAULT
        assert court.figures(replace(whole, carried=flipped(left, -1)), 3) == FAULT


class TestFigures:
    """Case F4a."""

    @pytest.mark.parametrize("name", positions(CLIENT_LAYOUT))
    def test_a_wrong_figure_is_found(self, court: Court, full: Epoch, name: str) -> None:
        for position in positions(CLIENT_LAYOUT)[name]:
            bit = position % 8
            assert court.figures(full.with_stats(2, flipped(full.entry(2), position, bit)), 2) == FAULT

    def test_a_wrong_figure_of_a_whole_cohort_is_found(self, court: Court) -> None:
        last = large().epochs[-1]
        seat = last.seats[-1]
        for name in ("krum", "nearest", "typical_distance", "related", "replayed_norm", "opposed", "response"):
            wrong = last.with_stats(seat, flipped(last.entry(seat), positions(CLIENT_LAYOUT)[name][-1]))
            assert court.figures(wrong, seat) == FAULT, name
        assert court.figures(last, seat) == NO_FAULT

    @pytest.mark.parametrize("name", ["nearest", "replayed"])
    def test_another_seat_is_not_the_nearest_though_its_distance_be_right(self, court: Court, name: str) -> None:
        cohort = Cohort(5, 1)
        cohort.run(cohort.honest())
        twins = cohort.honest()
        twins[4] = twins[3] = cohort.last[1].astype(float)
        cohort.last[2] = cohort.last[1]
        tied = cohort.run(twins)
        seat = positions(CLIENT_LAYOUT)[name][0]
        assert court.figures(tied, 0) == court.figures(tied, 3) == NO_FAULT
        own = tied.entry(3)
        assert {"nearest": 4, "replayed": 1}[name] == own[seat]
        other = own[:seat] + bytes([{"nearest": 3, "replayed": 2}[name]]) + own[seat + 1 :]
        assert court.figures(tied.with_stats(3, other), 3) == FAULT

    def test_a_verdict_is_not_a_figure(self, court: Court, full: Epoch) -> None:
        for position in (141, 142):
            assert court.figures(full.with_stats(2, flipped(full.entry(2), position)), 2) == NO_FAULT

    @pytest.mark.parametrize("seat", [1, 3])
    def test_a_wrong_product_is_found_whether_the_seat_took_part_or_not(
        self, court: Court, epoch: Epoch, seat: int
    ) -> None:
        for position in positions(CARRIED_LAYOUT, CARRIED_SIZE * seat)["product"]:
            wrong = replace(epoch, carried=flipped(epoch.carried, position))
            assert court.figures(wrong, seat) == FAULT
            assert court.figures(wrong, 0) == NO_FAULT

    def test_counters_are_not_figures(self, court: Court, epoch: Epoch) -> None:
        position = positions(CARRIED_LAYOUT, CARRIED_SIZE)["counters"][3]
        assert court.figures(replace(epoch, carried=flipped(epoch.carried, position)), 1) == NO_FAULT

    def test_an_absent_seat_with_an_entry_is_found(self, court: Court, epoch: Epoch) -> None:
        assert court.figures(epoch, 3) == NO_FAULT
        assert court.figures(epoch.with_stats(3, epoch.entry(0)), 3) == FAULT

    def test_a_participant_without_an_entry_is_found(self, court: Court, epoch: Epoch) -> None:
        assert court.figures(epoch.with_stats(1, None), 1) == FAULT

    @pytest.mark.parametrize("length", [0, 1, 142, 144, 192])
    def test_an_entry_of_another_length_is_found(self, court: Court, epoch: Epoch, length: int) -> None:
        assert court.figures(epoch.with_stats(1, epoch.entry(1).ljust(length, b"\0")[:length]), 1) == FAULT

    @pytest.mark.parametrize("length", [0, 1, 31, 91, 93, 1536])
    def test_carried_of_another_length_is_found(self, court: Court, epoch: Epoch, length: int) -> None:
        assert court.figures(replace(epoch, carried=epoch.carried.ljust(length, b"\0")[:length]), 1) == FAULT

    @pytest.mark.parametrize("name", ["rows", "stats"])
    @pytest.mark.parametrize("length", [0, 1, 159, 161, 192, 2112])
    def test_a_list_of_another_length_is_found(self, court: Court, epoch: Epoch, name: str, length: int) -> None:
        entries = {"rows": epoch.rows_list, "stats": epoch.stats_list}[name]
        assert court.figures(replace(epoch, lists={name: entries.ljust(length, b"\0")[:length]}), 1) == FAULT

    @pytest.mark.parametrize("row", [1, 4])
    @pytest.mark.parametrize("change", [-1, 1, 8, None])
    def test_a_row_of_another_length_is_found(self, court: Court, epoch: Epoch, row: int, change: int | None) -> None:
        length = 0 if change is None else len(epoch.rows[row]) + change
        wrong = epoch.with_row(row, epoch.rows[row].ljust(length, b"\0")[:length])
        assert court.figures(wrong, 1) == FAULT
        none = {"rows": entries_of(0x0B, [None if i == row else each for i, each in enumerate(epoch.rows)])}
        assert court.figures(replace(epoch.with_row(row, b""), lists=none), 1) == FAULT

    def test_what_is_malformed_in_the_epoch_before_is_no_fault_of_this_one(self, court: Court, epoch: Epoch) -> None:
        assert epoch.previous is not None
        shorter = epoch.with_previous(carried=epoch.previous.carried[:-1])
        assert court.all_outcomes(shorter, [0, 1, 2, 3]) == {NO_FAULT}

    def test_what_the_epoch_before_has_left_is_what_the_response_follows_from(self, court: Court, epoch: Epoch) -> None:
        assert epoch.previous is not None
        for name in ("weight", "product"):
            position = positions(CARRIED_LAYOUT, CARRIED_SIZE)[name][-1]
            other = epoch.with_previous(carried=flipped(epoch.previous.carried, position))
            assert court.figures(other, 1) == FAULT

    @pytest.mark.parametrize("hint", [-2, -1])
    @pytest.mark.parametrize("difference", [-1, 1, -(1 << 255), (1 << 255) - 1])
    def test_a_wrong_bound_reverts(self, court: Court, full: Epoch, hint: int, difference: int) -> None:
        arguments = full.figures_arguments(1)
        bound = arguments[hint] + difference if abs(difference) == 1 else difference  # type: ignore[operator]
        arguments[hint] = bound
        court.hold(full)
        assert (
            court.call("challengeFigures", arguments).outcome
            == "VerdictVerifier: bound is not the largest distance that is added up"
        )

    def test_where_nothing_is_added_up_the_bounds_are_not_looked_at(self, court: Court) -> None:
        cohort = Cohort(4, 3)
        two = cohort.run({seat: update for seat, update in cohort.honest().items() if seat < 2})
        court.hold(two)
        arguments = [*two.figures_arguments(0)[:-2], -(1 << 255), (1 << 255) - 1]
        assert court.call("challengeFigures", arguments).outcome == NO_FAULT


class TestVerdict:
    """Case F4b."""

    @pytest.mark.parametrize("name", positions(VERDICT_LAYOUT))
    def test_a_wrong_verdict_is_found(self, court: Court, full: Epoch, name: str) -> None:
        position = positions(VERDICT_LAYOUT, 141)[name][0]
        for bit in range(8):
            assert court.verdict(full.with_stats(2, flipped(full.entry(2), position, bit)), 2) == FAULT

    @pytest.mark.parametrize("seat", [1, 3])
    @pytest.mark.parametrize("name", ["counters", "weight"])
    def test_a_wrong_counter_or_weight_is_found_whether_the_seat_took_part_or_not(
        self, court: Court, epoch: Epoch, seat: int, name: str
    ) -> None:
        for position in positions(CARRIED_LAYOUT, CARRIED_SIZE * seat)[name]:
            for bit in range(8):
                wrong = replace(epoch, carried=flipped(epoch.carried, position, bit))
                assert court.verdict(wrong, seat) == FAULT

    def test_a_product_is_not_a_verdict(self, court: Court, epoch: Epoch) -> None:
        for position in positions(CARRIED_LAYOUT, CARRIED_SIZE)["product"]:
            assert court.verdict(replace(epoch, carried=flipped(epoch.carried, position)), 1) == NO_FAULT

    def test_a_wrong_verdict_in_a_whole_cohort_is_found(self, court: Court) -> None:
        last = large().epochs[-1]
        seat = last.seats[-1]
        for position in (141, 142):
            assert court.verdict(last.with_stats(seat, flipped(last.entry(seat), position)), seat) == FAULT
        for position in (CARRIED_SIZE * seat + 3, CARRIED_SIZE * seat + 8):
            assert court.verdict(replace(last, carried=flipped(last.carried, position)), seat) == FAULT

    @pytest.mark.parametrize("attack", ["another's", "again", "the last step", "nearly the last step", "the opposite"])
    def test_an_attacker_that_is_spared_is_found(self, court: Court, attack: str) -> None:
        cohort = trained(attack, 4 if attack == "the opposite" else 2)
        last = cohort.epochs[-1]
        own = last.entry(9)
        assert own[141:] != bytes(2)
        assert court.verdict(last.with_stats(9, own[:141] + bytes(2)), 9) == FAULT

    def test_who_is_excluded_has_no_weight_and_who_is_not_has(self, court: Court, full: Epoch) -> None:
        assert full.excluded == 0
        out = replace(full, excluded=0b10)
        assert court.verdict(out, 1) == FAULT
        weight = positions(CARRIED_LAYOUT, CARRIED_SIZE)["weight"]
        none = full.carried[: weight[0]] + bytes(5) + full.carried[weight[-1] + 1 :]
        assert court.verdict(replace(out, carried=none), 1) == NO_FAULT
        assert court.verdict(replace(full, carried=none), 1) == FAULT

    def test_samples_above_the_cap_count_as_it(self, court: Court) -> None:
        cohort = Cohort(4, 1, rules=Rules(sample_cap=5))
        few = cohort.run(cohort.honest(), samples=3)
        content = few.submissions[0]
        assert content is not None

        def declaring(seat: int, samples: int) -> Epoch:
            return few.with_submission(seat, content[:225] + samples.to_bytes(32, "big") + content[257:])

        for samples in (6, 1 << 29, (1 << 256) - 1):
            assert court.verdict(declaring(3, samples), 3) == NO_FAULT, "it declared six, one above the cap"
            assert court.verdict(declaring(0, samples), 0) == FAULT, "it declared three"

    @pytest.mark.parametrize("seat", [0, 3, 64, 255])
    def test_nearest_must_be_another_participant(self, court: Court, seat: int) -> None:
        cohort = Cohort(7, 4)
        cohort.run(cohort.honest())
        present = {other: update for other, update in cohort.honest().items() if other != 3}
        compared = cohort.run(present)
        own = compared.entry(0)
        assert court.verdict(compared, 0) == NO_FAULT
        named = compared.with_stats(0, own[:72] + bytes([seat]) + own[73:])
        # With nobody nearest, nothing is compared; that this is wrong is a figure's fault.
        assert court.verdict(named, 0) == (NO_FAULT if seat == 64 else FAULT)
        assert court.figures(named, 0) == FAULT

    @pytest.mark.parametrize("whose", ["own", "nearest", "cohort"])
    @pytest.mark.parametrize("length", [0, 1, 113, 115, 142, 144, 192])
    def test_an_entry_of_another_length_is_found(self, court: Court, full: Epoch, whose: str, length: int) -> None:
        seat = {"own": 1, "nearest": full.entry(1)[72], "cohort": full.n}[whose]
        wrong = full.with_stats(seat, full.entry(seat).ljust(length, b"\0")[:length])
        assert court.verdict(wrong, 1) == FAULT
        assert court.verdict(full.with_stats(seat, None), 1) == FAULT

    @pytest.mark.parametrize("length", [0, 1, 288, 290, 320])
    def test_a_submission_of_another_length_is_found(self, court: Court, full: Epoch, length: int) -> None:
        content = full.submissions[1]
        assert content is not None
        assert court.verdict(full.with_submission(1, content.ljust(length, b"\0")[:length]), 1) == FAULT
        assert court.verdict(full.with_submission(1, None), 1) == FAULT

    @pytest.mark.parametrize("name", ["submissions", "stats"])
    @pytest.mark.parametrize("length", [0, 1, 128, 191, 2112])
    def test_a_list_of_another_length_is_found(self, court: Court, full: Epoch, name: str, length: int) -> None:
        entries = {"submissions": full.submissions_list, "stats": full.stats_list}[name]
        assert court.verdict(replace(full, lists={name: entries.ljust(length, b"\0")[:length]}), 1) == FAULT

    @pytest.mark.parametrize("length", [0, 1, 31, 114, 116, 1536])
    def test_carried_of_another_length_is_found(self, court: Court, full: Epoch, length: int) -> None:
        assert court.verdict(replace(full, carried=full.carried.ljust(length, b"\0")[:length]), 1) == FAULT


class TestCohort:
    """Case F4c."""

    @pytest.mark.parametrize("name", positions(COHORT_LAYOUT))
    def test_a_wrong_figure_of_the_cohort_is_found(self, court: Court, full: Epoch, name: str) -> None:
        for position in positions(COHORT_LAYOUT)[name][::2]:
            wrong = full.with_stats(full.n, flipped(full.entry(full.n), position, position % 8))
            assert court.cohort(wrong) == FAULT

    @pytest.mark.parametrize("name", positions(COHORT_LAYOUT))
    def test_a_wrong_figure_of_a_whole_cohort_is_found(self, court: Court, name: str) -> None:
        last = large().epochs[-1]
        position = positions(COHORT_LAYOUT)[name][-1]
        assert court.cohort(last.with_stats(64, flipped(last.entry(64), position))) == FAULT

    @pytest.mark.parametrize(("attack", "epochs", "attackers"), [("again", 2, 5), ("again", 2, 2), ("noise", 3, 4)])
    def test_anybody_too_many_or_too_few_left_out_is_found(
        self, court: Court, attack: str, epochs: int, attackers: int
    ) -> None:
        last = trained(attack, epochs, attackers).epochs[-1]
        assert court.cohort(last) == NO_FAULT
        for seat in (*range(10), 10, 63, 255):
            assert court.cohort(replace(last, excluded=last.excluded ^ 1 << seat)) == FAULT

    def test_another_one_of_equals_must_not_be_left_out(self, court: Court) -> None:
        last = trained("again", 2, attackers=5).epochs[-1]
        assert seats_of(last.excluded) == [5, 6, 7]
        assert court.cohort(replace(last, excluded=0b1011100000 & ~0b10000000 | 0b100000000)) == FAULT

    @pytest.mark.parametrize("attackers", [2, 5])
    def test_a_wrong_slash_reason_is_found(self, court: Court, attackers: int) -> None:
        last = trained("again", 2, attackers).epochs[-1]
        assert bool(last.slash_reasons) == (attackers == 2)
        for bit in (0, 4 * 5, 4 * 8 + 1, 4 * 9, 4 * 9 + 3, 255):
            assert court.cohort(replace(last, slash_reasons=last.slash_reasons ^ 1 << bit)) == FAULT

    def test_the_reasons_before_stay(self, court: Court) -> None:
        cohort = trained("again", 3)
        last = cohort.epochs[-1]
        assert last.slash_reasons == cohort.epochs[-2].slash_reasons != 0
        assert court.cohort(last) == NO_FAULT
        assert court.cohort(replace(last, slash_reasons=0)) == FAULT

    @pytest.mark.parametrize("length", [0, 1, 113, 115, 143, 192])
    def test_a_cohorts_entry_of_another_length_is_found(self, court: Court, full: Epoch, length: int) -> None:
        wrong = full.with_stats(full.n, full.entry(full.n).ljust(length, b"\0")[:length])
        assert court.cohort(wrong) == FAULT
        assert court.cohort(full.with_stats(full.n, None)) == FAULT

    @pytest.mark.parametrize("name", ["rows", "stats"])
    @pytest.mark.parametrize("length", [0, 1, 191, 193, 2112])
    def test_a_list_of_another_length_is_found(self, court: Court, full: Epoch, name: str, length: int) -> None:
        entries = {"rows": full.rows_list, "stats": full.stats_list}[name]
        assert court.cohort(replace(full, lists={name: entries.ljust(length, b"\0")[:length]})) == FAULT

    @pytest.mark.parametrize("change", [-8, -1, 1, 8])
    def test_a_common_row_of_another_length_is_found(self, court: Court, full: Epoch, change: int) -> None:
        length = len(full.rows[full.n]) + change
        assert court.cohort(full.with_row(full.n, full.rows[full.n].ljust(length, b"\0")[:length])) == FAULT

    @pytest.mark.parametrize("content", [b"", b"\0", bytes(142), bytes(144)])
    def test_a_clients_malformed_entry_is_left_to_its_own_case(self, court: Court, full: Epoch, content: bytes) -> None:
        wrong = full.with_stats(2, content)
        assert court.cohort(wrong) == "VerdictVerifier: list of entries does not open"
        assert court.figures(wrong, 2) == FAULT


class TestOpenings:
    """What the challenger brings must lead to what was committed to."""

    ARGUMENTS: ClassVar = {
        "challengeFigures": {
            4: "last Gram leaf does not open",
            5: "entry does not open",
            6: "entry does not open",
            7: "list of stats does not open",
            8: "entry does not open",
            9: "what is carried does not open",
            10: "what is carried does not open",
        },
        "challengeVerdict": {
            3: "list of stats does not open",
            4: "entry does not open",
            5: "entry does not open",
            6: "entry does not open",
            7: "what is carried does not open",
            8: "what is carried does not open",
            10: "list of submissions does not open",
            11: "entry does not open",
        },
        "challengeCohort": {
            2: "list of stats does not open",
            3: "list of entries does not open",
            4: "entry does not open",
            6: "last Gram leaf does not open",
            7: "entry does not open",
            8: "what is carried does not open",
        },
    }

    @staticmethod
    def arguments(epoch: Epoch, function: str) -> list[Any]:
        if function == "challengeFigures":
            return epoch.figures_arguments(1)
        return epoch.verdict_arguments(1) if function == "challengeVerdict" else epoch.cohort_arguments()

    @pytest.mark.parametrize(
        ("function", "index", "what"),
        [(function, index, what) for function, each in ARGUMENTS.items() for index, what in each.items()],
    )
    @pytest.mark.parametrize(
        "change", [lambda content: flipped(content, -1), lambda content: content[:-1], lambda _: b""]
    )
    def test_bytes_that_nobody_committed_to_do_not_open(
        self, court: Court, full: Epoch, function: str, index: int, what: str, change: Any
    ) -> None:
        arguments = self.arguments(full, function)
        arguments[index] = change(arguments[index])
        court.hold(full)
        assert court.call(function, arguments).outcome == f"VerdictVerifier: {what}"

    @pytest.mark.parametrize("function", ["challengeFigures", "challengeVerdict"])
    @pytest.mark.parametrize("seat", [5, 64, (1 << 256) - 1])
    def test_a_seat_beyond_the_cohort_does_not_open(self, court: Court, full: Epoch, function: str, seat: int) -> None:
        arguments = self.arguments(full, function)
        arguments[2] = seat
        court.hold(full)
        assert court.call(function, arguments).outcome == "VerdictVerifier: seat does not open"

    @pytest.mark.parametrize("function", ARGUMENTS)
    def test_rules_that_are_not_the_instances_do_not_open(self, court: Court, full: Epoch, function: str) -> None:
        arguments = self.arguments(full, function)
        court.hold(full, rulesHash=bytes(32))
        assert court.call(function, arguments).outcome == "VerdictVerifier: hash of the rules does not open"

    @pytest.mark.parametrize("function", ARGUMENTS)
    def test_a_header_that_is_not_pending_is_not_disputed(self, court: Court, full: Epoch, function: str) -> None:
        court.hold(full, headerHash=bytes(32))
        outcome = court.call(function, self.arguments(full, function)).outcome
        assert outcome == "VerdictVerifier: header is not a pending epoch's"

    @pytest.mark.parametrize("function", ARGUMENTS)
    def test_a_header_that_is_not_the_one_before_is_refused(self, court: Court, full: Epoch, function: str) -> None:
        arguments = self.arguments(full, function)
        arguments[1] = full.header
        court.hold(full)
        outcome = court.call(function, arguments).outcome
        assert outcome == "VerdictVerifier: previous header is not the one before"

    @pytest.mark.parametrize("function", ["challengeFigures", "challengeCohort"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda index, column, rows, proof: (index - 1, column, rows, proof),
            lambda index, column, rows, proof: (index + 8, column, rows, proof),
            lambda index, column, rows, proof: ((1 << 256) - 1, column, rows, proof),
            lambda index, column, rows, proof: (index, rows, rows, proof),
            lambda index, column, rows, proof: (index, column, rows, proof[:-1]),
            lambda index, column, rows, proof: (index, column, rows, [*proof, rows]),
            lambda index, column, rows, proof: (index, column, rows, proof[::-1]),
        ],
    )
    def test_a_leaf_that_is_not_the_last_does_not_open(self, court: Court, function: str, change: Any) -> None:
        last = large().epochs[0]
        arguments = self.arguments(last, function)
        position = 3 if function == "challengeFigures" else 5
        arguments[position] = change(*arguments[position])
        court.hold(last)
        assert court.call(function, arguments).outcome == "VerdictVerifier: last Gram leaf does not open"

    def test_a_leaf_before_the_last_does_not_open_though_it_is_one(self, court: Court) -> None:
        """Its sums are not whole yet: honest figures do not follow from them."""
        first = mixed(4, 0).epochs[0]
        half = first.with_row(1, flipped(first.rows[1], 7)).with_row(4, flipped(first.rows[4], 7))
        whole = replace(first, d=8192, siblings=(half.gram_root,))
        leaf_before = (0, half.column_root, bytes(32), [first.gram_root])
        court.hold(whole)
        figures, cohort = whole.figures_arguments(1), whole.cohort_arguments()
        figures[3:7] = [leaf_before, half.rows_list, half.rows[1], half.rows[4]]
        cohort[5:8] = [leaf_before, half.rows_list, half.rows[4]]
        for function, arguments in (("challengeFigures", figures), ("challengeCohort", cohort)):
            assert court.call(function, arguments).outcome == "VerdictVerifier: last Gram leaf does not open"

    def test_a_leaf_of_a_deeper_tree_does_not_open_though_it_leads_to_the_root(self, court: Court) -> None:
        deeper = replace(mixed(4, 0).epochs[0], siblings=(b"\x01" * 32,))
        court.hold(deeper)
        for function in ("challengeFigures", "challengeCohort"):
            outcome = court.call(function, self.arguments(deeper, function)).outcome
            assert outcome == "VerdictVerifier: last Gram leaf does not open"

    def test_an_entry_that_is_brought_twice_does_not_open(self, court: Court, full: Epoch) -> None:
        arguments = full.cohort_arguments()
        for surplus in (full.entry(4), b"\0"):
            arguments[3] = b"".join(full.entry(seat) for seat in range(5)) + surplus
            court.hold(full)
            outcome = court.call("challengeCohort", arguments).outcome
            assert outcome == "VerdictVerifier: list of entries does not open"

    def test_in_the_first_epoch_there_is_nothing_before(self, court: Court) -> None:
        first = mixed(4, 0).epochs[0]
        court.hold(first)
        for function in self.ARGUMENTS:
            arguments = self.arguments(first, function)
            arguments[1] = (9, 9, 9, *[b"\x01" * 32] * 8, 9, 9, 9, b"\x01" * 32, 9, b"\x01" * 32)
            arguments[{"challengeFigures": 10}.get(function, 8)] = b"nobody's"
            assert court.call(function, arguments).outcome == NO_FAULT


class TestOverturning:
    @pytest.mark.parametrize(
        ("function", "case"),
        [("challengeFigures", FIGURES), ("challengeVerdict", VERDICT), ("challengeCohort", COHORT)],
    )
    def test_a_fault_overturns_the_epoch_by_its_case(
        self, court: Court, full: Epoch, function: str, case: int, stranger: Any
    ) -> None:
        position = {FIGURES: 0, VERDICT: 142, COHORT: 0}[case]
        seat = full.n if case == COHORT else 1
        wrong = full.with_stats(seat, flipped(full.entry(seat), position))
        court.hold(wrong)
        with boa.env.prank(stranger):
            getattr(court.verifier, function)(*TestOpenings.arguments(wrong, function))
        assert court.chain.overturned() == case
        assert court.chain.challenger() == stranger

    def test_the_verifier_serves_one_chain(self, court: Court) -> None:
        assert court.verifier.MODEL_PARAMETER_CHAIN() == court.chain.address

    def test_it_fits_a_contract(self, court: Court) -> None:
        assert len(boa.env.get_code(court.verifier.address)) <= CODE_LIMIT


def allowed(outcome: str) -> bool:
    """Whether a challenge came to a verdict, or fell for what the challenger brought."""
    return outcome in (FAULT, NO_FAULT) or outcome.endswith("does not open") or " is not the " in outcome


class TestTotality:
    """Whatever is committed to, there is a verdict."""

    @staticmethod
    def garbage(generator: np.random.Generator, content: bytes) -> bytes:
        """Bytes of the same length: random ones, the least, the highest, or a few changed."""
        kind = int(generator.integers(0, 5))
        if kind == 0:
            return generator.bytes(len(content))
        if kind == 1:
            return bytes(len(content))
        if kind == 2:
            return b"\xff" * len(content)
        if kind == 3:
            return b"".join(
                bytes([0 if generator.random() < 0.5 else 255]) * len(content[start : start + 8])
                for start in range(0, len(content), 8)
            )
        changed = bytearray(content)
        for position in generator.integers(0, max(1, len(content)), 3):
            changed[position] ^= int(generator.integers(0, 256))
        return bytes(changed)

    @pytest.mark.parametrize("seed", range(30))
    def test_garbage_under_valid_hashes_makes_nothing_revert(self, court: Court, seed: int) -> None:
        generator = np.random.default_rng(seed)
        each = mixed(4 + seed % 3 * 3, 6).epochs[seed % 4]
        garbled = replace(
            each,
            rows=tuple(self.garbage(generator, row) for row in each.rows),
            stats=tuple(None if entry is None else self.garbage(generator, entry) for entry in each.stats),
            carried=self.garbage(generator, each.carried),
            submissions=tuple(self.garbage(generator, content or b"") for content in each.submissions),
            excluded=int.from_bytes(generator.bytes(8), "big"),
            slash_reasons=int.from_bytes(generator.bytes(32), "big"),
        )
        if each.previous is not None:
            garbled = garbled.with_previous(
                carried=self.garbage(generator, each.previous.carried),
                slash_reasons=int.from_bytes(generator.bytes(32), "big"),
                participants=int.from_bytes(generator.bytes(32), "big"),
            )
        outcomes = court.all_outcomes(garbled, [0, 1, each.n - 1])
        assert all(map(allowed, outcomes)), outcomes

    @pytest.mark.parametrize("seed", range(12))
    def test_garbage_in_one_place_makes_nothing_revert(self, court: Court, seed: int) -> None:
        """With the figures right, that which comes after them is looked at."""
        generator = np.random.default_rng(seed)
        each = mixed(7, 4).epochs[-1]
        seat = each.seats[seed % len(each.seats)]
        own = self.garbage(generator, each.entry(seat))
        outcomes = court.all_outcomes(each.with_stats(seat, own), [seat])
        outcomes |= court.all_outcomes(each.with_stats(each.n, self.garbage(generator, each.entry(each.n))), [seat])
        outcomes |= court.all_outcomes(each.with_row(seat, self.garbage(generator, each.rows[seat])), [seat])
        outcomes |= court.all_outcomes(each.with_row(each.n, self.garbage(generator, each.rows[each.n])), [seat])
        assert all(map(allowed, outcomes)), outcomes

    @pytest.mark.parametrize("of_the_model", [False, True])
    def test_a_squared_length_below_zero_is_a_fault(self, court: Court, full: Epoch, of_the_model: bool) -> None:
        """All that is compared before it is right, so that it is calculated with."""
        common, arguments = full.rows[full.n], full.figures_arguments(1)
        if of_the_model:
            negative = common[:-12] + stored(-(1 << 94), 12, True)
        else:
            negative = stored(-(1 << 62), 8, True) + common[8:]
        wrong = full.with_row(full.n, negative)
        court.hold(wrong)
        arguments[0], arguments[3], arguments[4] = wrong.header, wrong.opening, wrong.rows_list
        arguments[6] = negative
        assert court.call("challengeFigures", arguments).outcome == FAULT

    @pytest.mark.parametrize("word", [0, 1, 101, (1 << 29) + 1, 1 << 128, (1 << 256) - 1])
    def test_rules_that_mean_nothing_make_nothing_revert(self, court: Court, word: int) -> None:
        each = mixed(7, 4).epochs[-1]
        outcomes = court.all_outcomes(replace(each, rules=(word,) * len(fields(Rules))), list(range(7)))
        assert all(map(allowed, outcomes)), outcomes
        worst = replace(
            each,
            rules=(word,) * len(fields(Rules)),
            rows=tuple(bytes(len(row)) for row in each.rows),
            stats=tuple(None if entry is None else bytes(len(entry)) for entry in each.stats),
            carried=b"\xff" * len(each.carried),
        )
        outcomes = court.all_outcomes(worst, list(range(7)))
        assert all(map(allowed, outcomes)), outcomes
