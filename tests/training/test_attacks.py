from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.training.attacks import ATTACKS, Forecast, Knowledge, Outcome, Phase, UnknownAttack, find_attack

D = 4_096
UPDATES = (np.random.default_rng(0).standard_normal((9, D)) * 100 + 40).astype(np.int16)
INT16 = np.iinfo(np.int16)


def knowledge(seed: int = 1, epoch: int = 3) -> Knowledge:
    return Knowledge(
        own=UPDATES[0],
        rng=np.random.default_rng(seed),
        base=np.zeros(D, dtype=np.int32),
        others=list(UPDATES[1:4]),
        accomplices=[UPDATES[8], UPDATES[0]],
        last_delta=UPDATES[4],
        own_last=UPDATES[5],
        others_last=[UPDATES[6], UPDATES[7]],
        epoch=epoch,
    )


def first_epoch() -> Knowledge:
    return Knowledge(own=UPDATES[0], rng=np.random.default_rng(1))


def norm(update: np.ndarray) -> float:
    return float(np.linalg.norm(update.astype(np.float64)))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.astype(np.float64) @ b.astype(np.float64)) / (norm(a) * norm(b))


MEAN = UPDATES[1:4].astype(np.float64).mean(axis=0)
USUAL = float(np.median([norm(update) for update in UPDATES[1:4]]))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_repeatable_int16_and_leaves_what_it_knows_alone(name: str) -> None:
    known = knowledge()
    before = [update.copy() for update in UPDATES]
    first, again = find_attack(name).update(known), find_attack(name).update(knowledge())
    assert first.dtype == np.int16
    assert first.shape == (D,)
    assert np.array_equal(first, again)
    first[:] = 1
    assert all(np.array_equal(a, b) for a, b in zip(before, UPDATES, strict=True))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_can_begin_in_the_first_epoch_knowing_only_itself(name: str) -> None:
    assert find_attack(name).update(first_epoch()).shape == (D,)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_says_what_it_is_where_it_is_from_and_what_to_expect(name: str) -> None:
    attack = ATTACKS[name]
    assert attack.name == name
    assert attack.description
    assert attack.paper
    assert bool(attack.reasons) == (attack.outcome is Outcome.SLASHED)
    assert attack.expected.split(":")[0] in ("slashed", "excluded only", "harmless")


def test_expectations_are_in_words() -> None:
    assert ATTACKS["free-rider"].expected == "slashed: zero update"
    assert ATTACKS["sign-flip"].expected == "slashed: duplicate or response"
    assert ATTACKS["label-flip"].expected == "excluded only"
    assert ATTACKS["lazy"].expected == "harmless"


def test_byzfls_suite_and_the_free_riders_of_the_papers_are_there() -> None:
    assert {"sign-flip", "ipm", "alie", "mimic", "gaussian", "inf", "label-flip"} <= ATTACKS.keys()
    assert {"free-rider", "tiny-noise", "disguised", "delta-weights", "replay", "replay-other"} <= ATTACKS.keys()


def test_an_unknown_attack_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownAttack, match=r"'nuke'.*sign-flip, "):
        find_attack("nuke")


@pytest.mark.parametrize(("name", "factor"), [("sign-flip", -1.0), ("ipm", -3.0)])
def test_flips_are_multiples_of_the_honest_mean(name: str, factor: float) -> None:
    assert np.array_equal(find_attack(name).update(knowledge()), np.rint(factor * MEAN))


def test_a_little_is_enough_is_the_mean_and_so_many_deviations() -> None:
    deviation = UPDATES[1:4].astype(np.float64).std(axis=0, ddof=1)
    expected = np.rint(MEAN + 1.5 * deviation)
    assert np.array_equal(find_attack("alie").update(knowledge()), expected)
    lone = find_attack("alie").update(replace(knowledge(), others=[UPDATES[1]]))
    assert np.array_equal(lone, UPDATES[1])


def test_all_mimics_send_what_the_first_accomplice_trained() -> None:
    assert np.array_equal(find_attack("mimic").update(knowledge()), UPDATES[8])
    assert np.array_equal(find_attack("mimic").update(knowledge(), model=1), UPDATES[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own-flip", -UPDATES[0]),
        ("own-flip-large", -4 * UPDATES[0]),
        ("free-rider", np.zeros(D)),
        ("delta-weights", UPDATES[4]),
        ("replay", UPDATES[5]),
        ("replay-other", UPDATES[6]),
        ("label-flip", UPDATES[0]),
        ("lazy", UPDATES[0]),
        ("inf", np.full(D, INT16.max)),
    ],
)
def test_attacks_without_noise_send_exactly_what_they_say(name: str, expected: np.ndarray) -> None:
    assert np.array_equal(find_attack(name).update(knowledge()), expected)


def test_who_has_nothing_to_repeat_yet_is_honest() -> None:
    for name in ("replay", "replay-other"):
        assert np.array_equal(find_attack(name).update(first_epoch()), UPDATES[0])


@pytest.mark.parametrize("name", ["sign-flip", "ipm", "alie", "mimic"])
def test_jitter_is_noise_of_each_colluders_own_in_lengths_of_an_honest_update(name: str) -> None:
    attack = find_attack(name)
    plain = attack.update(knowledge(), jitter=0.0).astype(np.float64)
    one, other = (attack.update(knowledge(seed), jitter=0.3) for seed in (1, 2))
    assert norm(one - plain) == pytest.approx(0.3 * USUAL, rel=0.01)
    assert abs(cosine(one - plain, other - plain)) < 0.1


@pytest.mark.parametrize(
    ("name", "size"), [("matched-noise", 1.0), ("tiny-noise", 0.01), ("disguised", 1 / 3), ("gaussian", None)]
)
def test_noise_points_nowhere_and_is_as_long_as_it_says(name: str, size: float | None) -> None:
    update = find_attack(name).update(knowledge(epoch=3))
    assert abs(cosine(update, UPDATES[1])) < 0.1
    if size is not None:
        assert norm(update) == pytest.approx(size * USUAL, rel=0.05)


def test_a_disguise_dies_away() -> None:
    lengths = [norm(find_attack("disguised").update(knowledge(epoch=epoch))) for epoch in (1, 2, 4)]
    assert lengths == pytest.approx([USUAL, USUAL / 2, USUAL / 4], rel=0.02)


def test_noise_on_the_last_delta_leaves_it_recognisable() -> None:
    assert cosine(find_attack("delta-weights-noise").update(knowledge()), UPDATES[4]) > 0.99


def test_what_does_not_fit_int16_saturates() -> None:
    loud = replace(knowledge(), own=np.full(D, 20_000, dtype=np.int16))
    assert set(find_attack("own-flip-large").update(loud).tolist()) == {INT16.min}
    lowest = replace(knowledge(), own=np.full(D, INT16.min, dtype=np.int16))
    assert set(find_attack("own-flip").update(lowest).tolist()) == {INT16.max}


def test_only_label_flipping_poisons_and_only_the_lazy_work_less() -> None:
    labels = np.array([0, 3, 9])
    for name, attack in ATTACKS.items():
        assert attack.poison(labels, 10).tolist() == ([9, 6, 0] if name == "label-flip" else [0, 3, 9])
        assert attack.local_steps(60) == {"lazy": 15, "lazy-once": 1}.get(name, 60)
    assert ATTACKS["lazy"].local_steps(2) == 1


@pytest.mark.parametrize("field", ["own_last", "last_delta", "others", "accomplices", "others_last", "base"])
def test_vectors_of_another_size_or_dtype_are_refused(field: str) -> None:
    for wrong in (np.zeros(D - 1, dtype=np.int16), np.zeros(D)):
        value = [wrong] if field in ("others", "accomplices", "others_last") else wrong
        with pytest.raises(WrongVector, match=field):
            replace(knowledge(), **{field: value})


def test_who_begins_late_behaves_before() -> None:
    attack = ATTACKS["sign-flip-jitter-late"]
    assert np.array_equal(attack.update(knowledge(epoch=5)), UPDATES[0])
    assert cosine(attack.update(knowledge(epoch=6)), MEAN) < -0.8


def test_rhythms_go_over_and_over() -> None:
    def phases(name: str) -> str:
        return "".join(ATTACKS[name].phase(epoch).value for epoch in range(1, 8))

    assert phases("sign-flip-jitter") == "AAAAAAA"
    assert phases("sign-flip-jitter-alternating") == "AHAHAHA"
    assert phases("sign-flip-jitter-bursts") == "AAHAAHA"
    assert phases("sign-flip-jitter-skipping") == "AASAASA"
    assert phases("sign-flip-jitter-late") == "HHHHHAA"
    assert ATTACKS["sign-flip-jitter-skipping"].phase(3) is Phase.STAY_AWAY


def reckoning(limit: float, asked: list[int]) -> Knowledge:
    """Someone for whom accomplices are flagged as soon as one is farther than this from what it trained."""
    own = [UPDATES[8], UPDATES[0]]

    def forecast(candidates: list[np.ndarray]) -> Forecast:
        asked.append(len(candidates))
        far = max(norm(sent.astype(float) - honest) for sent, honest in zip(candidates, own, strict=True))
        mean = np.mean([*UPDATES[1:4], *candidates], axis=0)
        return Forecast(far > limit, mean.astype(np.int16))

    return replace(knowledge(), accomplices=own, position=1, forecast=forecast)


@pytest.mark.parametrize("name", ["sign-flip-adaptive", "alie-adaptive"])
def test_who_adapts_goes_as_far_as_nobody_is_flagged_and_hardly_less(name: str) -> None:
    asked: list[int] = []
    limit = 0.5 * USUAL
    sent = ATTACKS[name].update(reckoning(limit, asked)).astype(float)
    assert 0.8 * limit < norm(sent - UPDATES[0]) <= limit
    assert set(asked) == {2}
    whole = ATTACKS[name].update(reckoning(1e9, [])).astype(float)
    assert norm(whole - UPDATES[0]) > limit


def test_who_is_flagged_whatever_it_does_sends_what_it_trained() -> None:
    assert np.array_equal(ATTACKS["sign-flip-adaptive"].update(reckoning(-1, [])), UPDATES[0])


@pytest.mark.parametrize("name", ["ipm-optimal", "alie-optimal"])
def test_the_optimal_attacks_take_what_harms_a_plain_mean_most_which_is_all(name: str) -> None:
    known = reckoning(0, [])
    sent = ATTACKS[name].update(known).astype(float)
    half = ATTACKS[name].update(replace(known, forecast=None)).astype(float)
    assert norm(sent - MEAN) > 1.5 * norm(half - MEAN)


def test_accomplices_that_reckon_alike_send_different_noise() -> None:
    known = reckoning(0, [])
    one, two = (ATTACKS["ipm-optimal"].update(replace(known, position=k)) for k in (0, 1))
    assert 0.3 * USUAL < norm(one.astype(float) - two) < 0.6 * USUAL


def test_framing_is_near_beyond_or_against_the_victim_or_its_last_update() -> None:
    victim = UPDATES[1]
    assert np.array_equal(ATTACKS["frame-copy"].update(knowledge()), victim)
    assert not ATTACKS["frame-copy"].possible
    assert 0.09 * USUAL < norm(ATTACKS["frame-mimic"].update(knowledge()).astype(float) - victim) < 0.11 * USUAL
    assert cosine(ATTACKS["frame-oppose"].update(knowledge()), victim) < -0.95
    assert cosine(ATTACKS["frame-repeat"].update(knowledge()), UPDATES[7]) > 0.95
    beyond = ATTACKS["frame-extrapolate"].update(knowledge()).astype(float)
    assert norm(beyond - MEAN) > 1.3 * norm(victim - MEAN)
    assert norm(ATTACKS["shrink-median"].update(knowledge())) == pytest.approx(0.15 * norm(UPDATES[0]), rel=0.01)


def test_jitter_is_measured_in_honest_lengths() -> None:
    for name in ("sign-flip", "ipm", "alie", "mimic"):
        for jitter in (0.6, 1.0):
            plain, with_noise = (ATTACKS[each].update(knowledge()) for each in (name, f"{name}-jitter-{jitter}"))
            assert norm(with_noise.astype(float) - plain) == pytest.approx(jitter * USUAL, rel=0.02)
