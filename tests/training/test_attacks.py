from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.training.attacks import ATTACKS, Knowledge, Outcome, UnknownAttack, find_attack

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
        assert attack.local_steps(60) == (15 if name == "lazy" else 60)
    assert ATTACKS["lazy"].local_steps(2) == 1


@pytest.mark.parametrize("field", ["own_last", "last_delta", "others", "accomplices", "others_last", "base"])
def test_vectors_of_another_size_or_dtype_are_refused(field: str) -> None:
    for wrong in (np.zeros(D - 1, dtype=np.int16), np.zeros(D)):
        value = [wrong] if field in ("others", "accomplices", "others_last") else wrong
        with pytest.raises(WrongVector, match=field):
            replace(knowledge(), **{field: value})
