from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedblocks.lab.campaigns import CAMPAIGNS, Campaign, UnknownCampaign, find_campaign
from fedblocks.lab.casting import cast_of
from fedblocks.lab.lines import RESULTS, Line, NoResults, ResultsNotWritten, adding, read
from fedblocks.lab.results import select
from fedblocks.lab.runner import carry_out, plan
from fedblocks.lab.runs import Run
from fedblocks.lab.settings import Setting
from fedblocks.training.attacks import ATTACKS
from tests.lab.conftest import attacked, small


def of(*settings: Setting) -> list[Campaign]:
    return [Campaign("test", "", lambda: iter(settings))]


def played(out: Path, campaigns: list[Campaign], seeds: list[int], **options: object) -> list[Line]:
    lines: list[Line] = []
    work = plan(campaigns, seeds, out)
    carry_out(work.todo, out, jobs=1, minutes=None, told=lambda run, line: lines.append(line), **options)  # type: ignore[arg-type]
    return lines


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_every_setting_of_every_campaign_can_be_and_is_there_once(name: str) -> None:
    settings = list(find_campaign(name).settings())
    assert settings
    assert all(cast_of(setting).keys() == set(range(setting.attackers)) for setting in settings)
    keys = [setting.key(0) for setting in settings]
    assert len(keys) == len(set(keys))


def test_the_attacks_are_played_at_every_skew_with_a_fifth_and_three_tenths() -> None:
    settings = list(find_campaign("attacks").settings())
    for attack in ATTACKS:
        places = {(each.partition, each.attackers) for each in settings if each.attack == attack}
        if places:
            assert places == {(p, f) for p in ("iid", "0.5", "0.1", "single-class") for f in (2, 3)}
    assert {"sign-flip", "ipm", "alie", "mimic", "gaussian", "inf", "label-flip"} <= {each.attack for each in settings}


def test_honest_cohorts_have_three_models_all_skews_and_8_to_64_clients() -> None:
    settings = list(find_campaign("honest-core").settings())
    assert {each.attack for each in settings} == {"none"}
    assert {"mlp", "logistic", "cnn"} <= {each.model for each in settings}
    assert {"0.1", "0.5", "iid", "single-class"} <= {each.partition for each in settings}
    assert {8, 10, 16, 32, 64} <= {each.clients for each in settings}


def test_an_unknown_campaign_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownCampaign, match=r"no campaign 'nope'; there are honest-core"):
        find_campaign("nope")


def test_runs_that_are_there_are_not_played_again(tmp_path: Path) -> None:
    first = played(tmp_path, of(small(), attacked("inf")), [1, 2])
    assert len(first) == 4
    assert played(tmp_path, of(small(), attacked("inf")), [1, 2]) == []
    assert len(played(tmp_path, of(small(), attacked("inf")), [1, 2, 3])) == 2
    assert len(select(tmp_path)) == 6


def test_the_order_is_shuffled_and_always_the_same(tmp_path: Path) -> None:
    settings = [small(partition=partition, clients=n) for partition in ("iid", "0.5") for n in (8, 9, 10)]
    forth, back = plan(of(*settings), [1, 2], tmp_path), plan(of(*reversed(settings)), [2, 1], tmp_path)
    assert forth == back
    assert [run.seed for run in forth.todo] != sorted(run.seed for run in forth.todo)


def test_lines_of_other_code_do_not_count(tmp_path: Path) -> None:
    (line,) = played(tmp_path, of(small()), [1])
    (tmp_path / RESULTS).write_text(json.dumps(line | {"code": "0" * 12}) + "\n")
    assert len(plan(of(small()), [1], tmp_path).todo) == 1
    with pytest.raises(NoResults, match=r"1 of other code.*fedblocks lab run"):
        select(tmp_path)


def test_a_line_cut_off_by_a_kill_is_played_again_and_harms_no_other(tmp_path: Path) -> None:
    lines = played(tmp_path, of(small()), [1, 2])
    path = tmp_path / RESULTS
    path.write_bytes(path.read_bytes()[:-40])
    assert plan(of(small()), [1, 2], tmp_path).done == 1
    again = played(tmp_path, of(small()), [1, 2])
    assert [line | {"seconds": 0} for line in again] == [lines[1] | {"seconds": 0}]
    assert len(list(read(path))) == 2


def test_a_run_with_fedavg_under_attack_is_played_where_it_lacks(tmp_path: Path) -> None:
    played(tmp_path, of(attacked("inf"), small()), [1])
    todo = plan(of(attacked("inf"), small()), [1], tmp_path, undefended=True).todo
    assert [run.setting.attack for run in todo] == ["inf"]


def test_other_rules_are_other_runs(tmp_path: Path) -> None:
    played(tmp_path, of(small()), [1])
    (run,) = plan(of(small()), [1], tmp_path, rules={"strikes": 3}).todo
    assert run.setting.rules == {"strikes": 3}


def test_only_takes_what_has_the_text_in_its_key(tmp_path: Path) -> None:
    todo = plan(of(small(), attacked("inf"), attacked("lazy")), [1], tmp_path, only='"lazy"').todo
    assert [run.setting.attack for run in todo] == ["lazy"]


def test_no_run_begins_after_its_time(tmp_path: Path) -> None:
    work = plan(of(small()), [1, 2], tmp_path)
    assert carry_out(work.todo, tmp_path, jobs=1, minutes=0, told=lambda run, line: None) == 0
    assert plan(of(small()), [1, 2], tmp_path) == work


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsNotWritten, match="give another --out"), adding(tmp_path / "file" / RESULTS):
        pass


def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    one = {line["key"]: line | {"seconds": 0} for line in played(tmp_path / "one", of(small(), attacked("inf")), [1])}
    told: list[Run] = []
    work = plan(of(small(), attacked("inf")), [1], tmp_path / "two")
    before = dict(os.environ)
    carry_out(work.todo, tmp_path / "two", jobs=2, minutes=None, told=lambda run, line: told.append(run))
    assert {line["key"]: line | {"seconds": 0} for line in select(tmp_path / "two")} == json.loads(json.dumps(one))
    assert len(told) == 2
    assert dict(os.environ) == before


def test_a_campaign_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.lab.player", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path, deadline = tmp_path / RESULTS, time.monotonic() + 120
    try:
        while not (path.exists() and path.read_bytes().count(b"\n") >= 2):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = path.read_bytes().count(b"\n")
    work = plan(of(small()), list(range(500)), tmp_path)
    assert work.done == kept >= 2
    carry_out(work.todo[:1], tmp_path, jobs=1, minutes=None, told=lambda run, line: None)
    assert plan(of(small()), list(range(500)), tmp_path).done == kept + 1
