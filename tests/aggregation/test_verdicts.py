"""Who is slashed, who is excluded, and who must not be."""

import numpy as np
import pytest

from fedblocks.aggregation.gram import gram
from fedblocks.aggregation.krum import tolerated
from fedblocks.aggregation.rules import InvalidRules, Rules
from fedblocks.aggregation.suspicion import Suspicion
from fedblocks.aggregation.verdicts import CLIP_SCALE, Carried, clip_weight, judge
from fedblocks.seats import SlashReason, seats_of
from tests.aggregation.cohort import Cohort


def nothing(cohort, seat, honest):
    return np.zeros(cohort.d)


def tiny_noise(cohort, seat, honest):
    return cohort.generator.normal(0, 1, cohort.d)


def gaussian(cohort, seat, honest):
    return cohort.generator.normal(0, np.sqrt(np.mean(honest**2)), cohort.d)


def sign_flip(cohort, seat, honest):
    return -honest


def last_global_delta(cohort, seat, honest):
    return honest if cohort.epoch == 1 else cohort.delta


def noisy_global_delta(cohort, seat, honest):
    """Similar to the global delta (cosine about 0.8), but never the same."""
    if cohort.epoch == 1:
        return honest
    return cohort.delta + cohort.generator.normal(0, 0.7 * np.sqrt(np.mean(cohort.delta.astype(float) ** 2)), cohort.d)


def own_last(cohort, seat, honest):
    return honest if cohort.epoch == 1 else cohort.last[seat]


def last_of_seat_0(cohort, seat, honest):
    return honest if cohort.epoch == 1 else cohort.last[0]


def same_as_seat_8(cohort, seat, honest):
    return cohort.honest[8] + cohort.generator.normal(0, 1, cohort.d)


@pytest.mark.parametrize(
    ("behaviour", "reason", "epoch"),
    [
        (nothing, "ZERO", 1),
        (tiny_noise, "ZERO", 1),
        (last_global_delta, "GLOBAL", 2),
        (own_last, "REPLAY", 2),
        (last_of_seat_0, "REPLAY", 2),
        (gaussian, "NOISE", 4),
        (sign_flip, "RESPONSE", 4),
    ],
)
def test_an_attacker_is_slashed_for_what_it_did_and_nobody_else_is(behaviour, reason, epoch):
    cohort = Cohort(10, {9: behaviour}, skew=0.5, noise=0.5)
    cohort.epochs(epoch - 1)
    assert cohort.slashed == {}, "not before the evidence is there"
    cohort.epochs(1)
    assert cohort.slashed == {9: reason}
    cohort.epochs(6)
    assert cohort.slashed == {9: reason}, "and nobody after it"


def test_two_seats_that_send_one_update_are_both_slashed_but_not_in_the_first_epoch():
    cohort = Cohort(10, {9: same_as_seat_8})
    first = cohort.run_epoch()
    assert cohort.slashed == {}
    assert Suspicion.NEARLY_DUPLICATE not in first.verdicts[9].suspicions
    cohort.run_epoch()
    assert cohort.slashed == {8: "DUPLICATE", 9: "DUPLICATE"}


@pytest.mark.parametrize("n", [4, 8, 13])
@pytest.mark.parametrize("seed", range(4))
def test_honest_clients_are_never_slashed(n, seed):
    cohort = Cohort(n, seed=seed)
    cohort.epochs(12)
    assert cohort.slashed == {}


def test_a_client_with_nothing_to_learn_for_an_epoch_is_left_out_but_not_slashed():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: honest if cohort.epoch != 3 else 0 * honest})
    cohort.epochs(2)
    judgement = cohort.run_epoch()
    assert judgement.verdicts[9].excluded
    assert Suspicion.LITTLE in judgement.verdicts[9].suspicions
    cohort.epochs(3)
    assert cohort.slashed == {}


def test_who_stops_working_is_slashed_in_the_second_epoch_of_it():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: honest if cohort.epoch < 3 else 0 * honest})
    cohort.epochs(3)
    assert cohort.slashed == {}
    cohort.epochs(1)
    assert cohort.slashed == {9: "ZERO"}


def test_two_clients_with_the_same_data_are_left_out_but_not_slashed():
    def same_data_in_another_order(cohort, seat, honest):
        return cohort.honest[8] + 0.008 * np.sqrt(np.mean(honest**2)) * cohort.generator.normal(0, 1, cohort.d)

    cohort = Cohort(10, {9: same_data_in_another_order})
    cohort.epochs(2)
    judgement = cohort.run_epoch()
    assert Suspicion.NEARLY_DUPLICATE in judgement.verdicts[9].suspicions
    assert judgement.verdicts[9].excluded
    cohort.epochs(5)
    assert cohort.slashed == {}


def test_nearly_anothers_last_update_is_left_out_but_not_slashed():
    def nearly_last_of_seat_0(cohort, seat, honest):
        last = cohort.last[0].astype(float)
        return honest if cohort.epoch == 1 else last + 0.02 * np.std(last) * cohort.generator.normal(0, 1, cohort.d)

    cohort = Cohort(10, {9: nearly_last_of_seat_0})
    cohort.epochs(2)
    judgement = cohort.run_epoch()
    assert Suspicion.NEARLY_REPLAY in judgement.verdicts[9].suspicions
    assert judgement.verdicts[9].excluded
    assert cohort.slashed == {}


def batch_noise(rank):
    """What is left of honest training when the model has converged: noise from the few directions of the data."""
    directions = np.random.default_rng(1).normal(0, 1000, (rank, 4000))

    def behaviour(cohort, seat, honest):
        return cohort.generator.normal(0, 1, rank) @ directions

    return behaviour


@pytest.mark.parametrize("rank", [10, 40, 100])
@pytest.mark.parametrize("seed", range(3))
def test_honest_clients_of_a_converged_model_are_never_slashed(rank, seed):
    cohort = Cohort(10, dict.fromkeys(range(10), batch_noise(rank)), seed=seed)
    cohort.epochs(60)
    assert cohort.slashed == {}


def test_growing_along_a_step_that_is_only_noise_is_left_out_but_not_slashed():
    def along_the_step(cohort, seat, honest):
        sent = batch_noise(100)(cohort, seat, honest)
        return sent if seat else sent + (cohort.epoch % 4) * cohort.delta.astype(float)

    cohort = Cohort(10, dict.fromkeys(range(10), along_the_step))
    responses = [Suspicion.RESPONSE in cohort.run_epoch().verdicts[0].suspicions for _ in range(12)]
    assert any(all(responses[epoch : epoch + 3]) for epoch in range(10)), "three epochs running"
    assert cohort.slashed == {}


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_honest_clients_are_never_slashed_for_moving_in_one_direction(noise, rate):
    # Alike data and few steps: every update is nearly the last global delta, epoch after epoch.
    cohort = Cohort(10, skew=0.0, noise=noise, rate=rate)
    cohort.epochs(6)
    assert cohort.slashed == {}


def test_a_client_that_repeats_itself_honestly_is_not_replaying():
    # Few data, no noise: the update changes from epoch to epoch only as far as the model moves.
    cohort = Cohort(10, skew=3.0, noise=0.0, rate=0.01)
    judgement = None
    for _ in range(4):
        judgement = cohort.run_epoch()
    own = judgement.stats[3]
    assert 1000**2 * own.replayed_product**2 > 999**2 * own.norm * own.replayed_norm, "nearer than .999"
    assert cohort.slashed == {}


@pytest.mark.parametrize("seed", range(4))
def test_a_client_with_everybodys_data_among_one_sided_ones_is_not_slashed_for_moving_like_the_model(seed):
    cohort = Cohort(10, seed=seed, skew=3.0, noise=0.1, rate=0.1)
    cohort.skew[0] = np.mean(cohort.skew, axis=0)
    cosines = []
    for _ in range(8):
        judgement = cohort.run_epoch()
        own, norm = judgement.stats[0], judgement.cohort.delta_norm
        cosines.append(own.delta / max(1, own.norm * norm) ** 0.5)
    assert max(cosines) > 0.9
    assert cohort.slashed == {}


def test_accomplices_do_not_hide_one_another_from_the_likeness_to_the_global_delta():
    cohort = Cohort(10, dict.fromkeys((7, 8, 9), last_global_delta))
    cohort.epochs(2)
    assert cohort.slashed == {7: "GLOBAL", 8: "GLOBAL", 9: "GLOBAL"}


def test_a_global_delta_with_noise_is_left_out_but_not_slashed_as_a_copy():
    # The noise could be a client's own: this costs the pay, and proves nothing.
    cohort = Cohort(10, {8: noisy_global_delta})
    cohort.epochs(3)
    judgement = cohort.run_epoch()
    assert Suspicion.LIKE_GLOBAL in judgement.verdicts[8].suspicions
    assert judgement.verdicts[8].excluded
    assert judgement.carried.weights[8] == 0
    cohort.epochs(4)
    assert "GLOBAL" not in cohort.slashed.values()


def test_evidence_against_more_than_a_third_slashes_nobody_but_leaves_out_a_third():
    cohort = Cohort(10, dict.fromkeys(range(6, 10), nothing))
    judgement = cohort.run_epoch()
    assert cohort.slashed == {}
    assert seats_of(judgement.excluded) == [6, 7, 8]
    assert Suspicion.EVIDENCE in judgement.verdicts[9].suspicions
    assert judgement.verdicts[9].evidence == SlashReason.ZERO


def test_a_client_whose_last_update_is_copied_keeps_its_stake():
    cohort = Cohort(10, {9: last_of_seat_0, 8: last_of_seat_0})
    cohort.epochs(5)
    assert cohort.slashed == {8: "REPLAY", 9: "REPLAY"}


def test_counters_hold_while_a_client_is_absent():
    def noise_every_other_epoch(cohort, seat, honest):
        return gaussian(cohort, seat, honest) if cohort.epoch % 2 else None

    cohort = Cohort(10, {9: noise_every_other_epoch})
    cohort.epochs(6)
    assert cohort.carried.counters[9].noise == 2
    cohort.epochs(1)
    assert cohort.slashed == {9: "NOISE"}


def test_a_client_that_was_absent_is_not_tested_for_its_response():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: None if cohort.epoch == 2 else -honest})
    cohort.epochs(2)
    judgement = cohort.run_epoch()
    assert Suspicion.RESPONSE not in judgement.verdicts[9].suspicions
    assert cohort.carried.counters[9].response == 0


def test_a_client_that_grows_along_the_step_is_left_out_from_the_second_time_on_however_long_its_update_is():
    # So long that the response test says nothing of it, and against nobody in particular.
    cohort = Cohort(10, {9: lambda cohort, seat, honest: -20 * honest})
    cohort.epochs(4)
    for _ in range(4):
        judgement = cohort.run_epoch()
        assert Suspicion.RESPONSE not in judgement.verdicts[9].suspicions
        assert Suspicion.GROWING in judgement.verdicts[9].suspicions
        assert judgement.verdicts[9].excluded
    assert cohort.slashed == {}


@pytest.mark.parametrize("skew", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_no_honest_client_is_left_out_for_growing(skew, rate):
    cohort = Cohort(10, skew=skew, rate=rate)
    for _ in range(12):
        judgement = cohort.run_epoch()
        assert all(Suspicion.GROWING not in verdict.suspicions for verdict in judgement.verdicts.values())


def test_who_was_absent_keeps_its_strikes_for_growing():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: None if cohort.epoch in (6, 8) else -20 * honest})
    strikes = []
    for _ in range(8):
        cohort.run_epoch()
        strikes.append(cohort.carried.counters[9].growing)
    assert strikes == [0, 0, 1, 2, 3, 3, 3, 3], "its first update moved the model, so that in epoch 2 all others grew"


def test_excluded_clients_are_at_most_a_third_and_have_no_weight():
    cohort = Cohort(10, dict.fromkeys(range(5, 10), sign_flip))
    for _ in range(8):
        judgement = cohort.run_epoch()
        assert len(seats_of(judgement.excluded)) <= tolerated(10)
        for seat in seats_of(judgement.excluded):
            assert judgement.carried.weights[seat] == 0


def test_the_response_slashes_nobody_when_more_fail_it_than_attackers_are_assumed():
    cohort = Cohort(10, dict.fromkeys(range(5, 10), sign_flip))
    cohort.epochs(8)
    assert "RESPONSE" not in cohort.slashed.values()


def test_suspicion_alone_costs_the_epoch_but_not_the_stake():
    cohort = Cohort(10, {9: lambda cohort, seat, honest: -honest if cohort.epoch == 2 else honest})
    cohort.epochs(2)
    judgement = cohort.run_epoch()
    assert judgement.verdicts[9].excluded
    assert judgement.verdicts[9].badness > 0
    cohort.epochs(6)
    assert cohort.slashed == {}


def test_a_long_update_is_scaled_down_to_one_and_a_half_times_the_median_length():
    rules = Rules()
    assert clip_weight(900, 100, 5, rules) == CLIP_SCALE // 2, "three times as long as the median, and twice the limit"
    assert clip_weight(225, 100, 5, rules) == clip_weight(1, 100, 5, rules) == CLIP_SCALE
    assert clip_weight(226, 100, 5, rules) < CLIP_SCALE
    assert clip_weight(10**12, 1, 5, rules) == 0
    assert clip_weight(900, 100, 5, Rules(sample_cap=3)) == 3 * CLIP_SCALE // 2


def test_verdicts_do_not_depend_on_the_seats_order():
    generator = np.random.default_rng(5)
    updates = (generator.normal(0, 500, 300) + generator.normal(0, 500, (9, 300))).astype(np.int16)
    updates[4] //= 50
    zeros, base = np.zeros_like(updates), np.zeros(300, dtype=np.int32)
    order = generator.permutation(9)
    plain = judge(gram(updates, zeros, zeros[0], base), dict.fromkeys(range(9), 7), Carried.genesis(9), Rules())
    moved = judge(gram(updates[order], zeros, zeros[0], base), dict.fromkeys(range(9), 7), Carried.genesis(9), Rules())
    assert plain.excluded == 1 << 4
    for new, old in enumerate(order):
        assert moved.verdicts[new] == plain.verdicts[int(old)]
        assert moved.carried.weights[new] == plain.carried.weights[int(old)]


def test_with_fewer_than_four_participants_nobody_is_compared():
    updates = np.array([[1000, 0], [0, 1000], [0, 0]], dtype=np.int16)
    judgement = judge(
        gram(updates, np.zeros_like(updates), np.zeros(2, dtype=np.int16), np.zeros(2, dtype=np.int32)),
        dict.fromkeys(range(3), 1),
        Carried.genesis(3),
        Rules(),
    )
    assert judgement.excluded == 0


@pytest.mark.parametrize("samples", [{9: 0}, {10: 5}, {-1: 5}])
def test_a_seat_that_cannot_take_part_is_refused(samples):
    cohort = Cohort(10)
    updates = np.zeros((10, 3), dtype=np.int16)
    with pytest.raises(ValueError, match="cannot take part in a cohort of 10"):
        judge(gram(updates, updates, updates[0], np.zeros(3, dtype=np.int32)), samples, cohort.carried, cohort.rules)


@pytest.mark.parametrize(("name", "value"), [("run", 4), ("zero_permille", 0), ("sample_cap", 1.5), ("strikes", 7)])
def test_rules_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(InvalidRules, match=name):
        Rules(**{name: value})


def test_rules_survive_their_words():
    rules = Rules(sample_cap=1000, run=2)
    assert Rules.from_words(rules.words()) == rules
    with pytest.raises(InvalidRules, match="in number"):
        Rules.from_words(rules.words()[1:])
