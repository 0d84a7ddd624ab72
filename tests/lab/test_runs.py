from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedblocks.aggregation.mean import weighted_delta
from fedblocks.aggregation.rules import InvalidRules, Rules
from fedblocks.lab import baselines
from fedblocks.lab.casting import cast_of
from fedblocks.lab.loop import Forecasts, Loop
from fedblocks.lab.settings import InvalidSetting, Setting
from fedblocks.training.attacks import UnknownAttack
from fedblocks.training.datasets import UnknownDataset
from fedblocks.training.models import UnknownArchitecture
from tests.lab.conftest import attacked, line_of, small


def test_the_same_seed_gives_the_same_line_and_another_one_another(shared: Path) -> None:
    setting = attacked("alie-jitter")
    first, again, other = (line_of(setting, shared, seed) for seed in (1, 1, 2))
    assert first | {"seconds": 0} == again | {"seconds": 0}
    assert first["accuracy"]["rules"] != other["accuracy"]["rules"]


def test_free_riders_are_slashed_in_the_first_epoch_and_the_honest_ones_train_on_as_if_alone(shared: Path) -> None:
    line = line_of(attacked("free-rider"), shared, undefended=True)
    assert {seat: each["slashed"] for seat, each in line["attackers"].items()} == {
        str(seat): (1, "zero") for seat in range(3)
    }
    assert all(each["taken"] == 1 for each in line["attackers"].values())
    assert line["honest"]["clients"] == 7
    assert line["honest"]["client_epochs"] == 35
    assert not line["honest"]["slashed"]
    assert len(line["accuracy"]["rules"]) == 5
    # Clipping and flooring aside, it is the run without them; with them and without rules it is another.
    assert line["accuracy"]["rules"][-1] == pytest.approx(line["accuracy"]["honest_only"][-1], abs=0.03)
    assert line["accuracy"]["undefended"] != line["accuracy"]["honest_only"]


def test_several_attacks_are_taken_in_turn(shared: Path) -> None:
    line = line_of(attacked("free-rider+inf", epochs=2), shared)
    assert [each["attack"] for each in line["attackers"].values()] == ["free-rider", "inf", "free-rider"]


def test_an_honest_cohort_has_no_attackers_and_is_held_against_fedavg(shared: Path) -> None:
    line = line_of(small(), shared)
    assert line["attackers"] == {}
    assert line["accuracy"].keys() == {"rules", "fedavg"}
    assert line["honest"]["client_epochs"] == 50
    assert line["margins"]["zero"] < 1


def test_other_rules_show_in_what_they_do_and_in_the_line(shared: Path) -> None:
    usual = line_of(attacked("sign-flip-jitter"), shared)
    loose = line_of(attacked("sign-flip-jitter", rules={"response_slash_cosine_percent": 100}), shared)
    assert any(each["slashed"] for each in usual["attackers"].values())
    assert not any(each["slashed"] for each in loose["attackers"].values())
    assert loose["setting"]["rules"] == {"response_slash_cosine_percent": 100}
    assert usual["key"] != loose["key"]


def test_nobody_leaves_an_honest_cohort_however_hard_the_rules(shared: Path) -> None:
    # Everything that is not quite the median's length is "nothing" then: many are due, and stay.
    line = line_of(small(rules={"zero_permille": 1000}), shared)
    assert line["honest"]["due"]
    assert line["honest"]["client_epochs"] == 50


def test_baselines_are_played_once_and_shared_by_attacks_and_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = line_of(attacked("free-rider"), tmp_path)
    played: list[bool] = []

    class Counting(Loop):
        def __init__(self, *args: object, **options: object) -> None:
            played.append(True)
            super().__init__(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(baselines, "Loop", Counting)
    other = line_of(attacked("inf", rules={"strikes": 3}), tmp_path)
    assert not played
    assert other["accuracy"]["honest_only"] == first["accuracy"]["honest_only"]
    line_of(attacked("inf", attackers=2), tmp_path)
    assert len(played) == 1  # without two seats is another cohort than without three; with all it is the same


def test_a_damaged_baseline_is_played_again(tmp_path: Path) -> None:
    first = line_of(small(), tmp_path)
    (file,) = (tmp_path / baselines.FOLDER).iterdir()
    file.write_text("{")
    assert line_of(small(), tmp_path)["accuracy"] == first["accuracy"]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"data": "cifar"}, UnknownDataset, "no data set"),
        ({"model": "resnet"}, UnknownArchitecture, "no architecture"),
        ({"training": "1x1"}, InvalidSetting, "training '1x1': there are 60x0.1"),
        ({"partition": "0"}, InvalidSetting, "partition '0': must be an alpha above 0"),
        ({"partition": "nan"}, InvalidSetting, "partition 'nan'"),
        ({"partition": "mixed-10"}, InvalidSetting, "partition 'mixed-10'"),
        ({"epochs": 0}, InvalidSetting, "epochs 0"),
        ({"clients": 3}, InvalidSetting, "clients 3"),
        ({"clients": 65}, InvalidSetting, "clients 65"),
        ({"attackers": 1}, InvalidSetting, "attackers 1: with the attack 'none'"),
        ({"attack": "inf"}, InvalidSetting, "attackers 0: with the attack 'inf'"),
        ({"attack": "inf", "attackers": 4}, InvalidSetting, "10 clients bear at most 3"),
        ({"rules": {"runs": 3}}, InvalidSetting, "rule 'runs': there is none of that name"),
        ({"rules": {"run": 4}}, InvalidRules, "rule run is 4"),
    ],
)
def test_a_run_that_cannot_be_is_refused_with_the_reason(
    changes: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        small(**changes)


def test_an_attack_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownAttack, match="'flip'"):
        cast_of(attacked("sign-flip+flip"))


def test_a_settings_rules_are_the_measured_ones_but_for_what_it_says() -> None:
    setting = Setting(rules={"strikes": 3})
    assert setting.judged_by() == replace(Rules(), strikes=3)
    assert setting.peaceful().judged_by() == Rules()


def test_who_stays_away_takes_no_part_in_the_epoch(shared: Path) -> None:
    line = line_of(attacked("sign-flip-jitter-skipping", rules={"response_slash_cosine_percent": 100}), shared)
    assert [each["taken"] for each in line["attackers"].values()] == [4, 4, 4]
    assert not any(3 in each["excluded"] for each in line["attackers"].values())


def test_who_adapts_to_the_rules_keeps_its_stake_where_the_same_aim_without_reckoning_costs_it(shared: Path) -> None:
    blunt, adapted = (line_of(attacked(name), shared) for name in ("sign-flip-jitter", "sign-flip-adaptive"))
    assert any(each["slashed"] for each in blunt["attackers"].values())
    assert not any(each["due"] for each in adapted["attackers"].values())


def test_forecasts_are_what_then_happens(shared: Path) -> None:
    setting = attacked("sign-flip", epochs=2)
    loop = Loop(setting, 1, cast_of(setting))
    own = loop.trainer.train(loop.base, 1, range(10))
    forecast = Forecasts(loop, own, range(10)).of([np.zeros_like(own[0])] * 3)
    assert forecast.flagged
    updates = own.copy()
    updates[:3] = 0
    weights = loop.verdicts(updates, range(10))[1].carried.weights
    assert weights[:3] == (0, 0, 0)
    assert np.array_equal(forecast.delta, weighted_delta(updates, weights))
