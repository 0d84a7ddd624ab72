"""Sums, tables, pictures, and the commands that show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.lab.lines import RESULTS, Line
from fedblocks.lab.plots import draw
from fedblocks.lab.sums import accuracy, gap, gap_of, limit_of, upper_bound
from fedblocks.lab.tables import exceptions, gaps, page, tables, within_limits
from tests.cli.conftest import Home, home
from tests.lab.conftest import SMALL

__all__ = ["home"]

OPTIONS = [each for name, value in SMALL.items() for each in (f"--{name}", value)]


def made(rules: float, honest_only: float, *, clients: int = 10, attackers: int = 2, **more: Any) -> Line:
    """A line whose accuracies are the same in every epoch."""
    setting = {
        "data": "digits",
        "model": "mlp",
        "partition": more.pop("partition", "0.5"),
        "clients": clients,
        "training": "60x0.1",
        "epochs": 4,
        "attack": more.pop("attack", "inf") if attackers else "none",
        "attackers": attackers,
        "rules": {},
    }
    seat = {"attack": "inf", "taken": 2, "excluded": [1], "slashed": [2, "replay"], "due": [2, "replay"]}
    other = "honest_only" if attackers else "fedavg"
    return {
        "key": json.dumps([setting, more.get("seed", 1)]),
        "campaign": "test",
        "setting": setting,
        "seed": 1,
        "accuracy": {"rules": [rules] * 4, "fedavg": [honest_only] * 4, other: [honest_only] * 4},
        "attackers": {str(k): seat for k in range(attackers)},
        "honest": {
            "clients": clients - attackers,
            "client_epochs": 4 * (clients - attackers),
            "excluded": {"9": [1, 3]},
            "slashed": {},
            "due": {},
            "suspicions": {"central": 2},
        },
        "margins": {"zero": 0.25},
        "failed": "",
        **more,
    }


def test_an_accuracy_is_the_mean_of_the_last_three_epochs_and_none_of_a_run_that_failed() -> None:
    line = made(0.5, 0.5)
    line["accuracy"]["rules"] = [0.1, 0.6, 0.7, 0.8]
    assert accuracy(line, "rules") == pytest.approx(0.7)
    assert gap(line) == pytest.approx(20)
    line["accuracy"]["rules"] = [0.1, 0.6, 0.7]
    assert accuracy(line, "rules") is None
    assert gap(line) is None
    assert accuracy(line, "undefended") is None


def test_the_limits_are_one_point_up_to_a_fifth_two_up_to_three_tenths_and_one_without_attackers() -> None:
    assert [limit_of(10, f) for f in range(5)] == [1, 1, 1, 2, None]
    assert [limit_of(64, f) for f in (12, 13, 19, 20)] == [1, 2, 2, None]


def test_a_bound_is_the_rule_of_three_without_a_failure_and_wilsons_with_one() -> None:
    assert upper_bound(0, 10_000) == pytest.approx(0.0003)
    assert upper_bound(0, 0) is None
    assert upper_bound(5, 100) == pytest.approx(0.0992, abs=1e-4)
    assert upper_bound(100, 100) == 1


def test_a_gap_is_marked_beyond_its_limit_and_not_at_it() -> None:
    near, far = [made(0.795, 0.80), made(0.793, 0.80)], [made(0.78, 0.80), made(0.79, 0.80)]
    assert gap_of(near) is not None
    assert not gap_of(near).too_large  # type: ignore[union-attr]
    found = gap_of(far)
    assert found is not None
    assert (found.runs, round(found.mean, 3), round(found.worst, 3), found.too_large) == (2, -1.5, -2, True)
    lines = [*near, *(line | {"setting": line["setting"] | {"attack": "alie"}} for line in far)]
    table = gaps(lines, "here")
    assert [row[0] for row in table.rows] == ["alie", "inf"]
    assert table.rows[0][1].endswith("!")
    assert not table.rows[1][1].endswith("!")
    assert within_limits(near)
    assert not within_limits(far)
    beyond = exceptions(lines, "somebody attacks")
    assert [(row[0], row[3], row[5], row[6]) for row in beyond.rows] == [("alie", "2", "-2.0", "-1")]
    assert beyond.note.startswith("1 of 2 ")


def test_one_honest_client_slashed_is_beyond_every_limit() -> None:
    line = made(0.8, 0.8)
    line["honest"]["slashed"] = {"7": [3, "response"]}
    assert not within_limits([line])
    safety = next(iter(tables([line])))
    assert safety.rows[0][:4] == ("all", "1", "8", "1")


def test_tables_count_attackers_and_honest_clients() -> None:
    found = {table.title.partition(";")[0]: table for table in tables([made(0.8, 0.8), made(0.7, 0.72, attackers=0)])}
    assert list(found) == [
        "honest clients",
        "no attackers",
        "beyond the limits, nobody attacks",
        "accuracy minus honest clients only",
        "beyond the limits, somebody attacks",
        "attackers",
        "honest clients' largest ratio to a hard rule's threshold",
    ]
    assert [row[0] for row in found["beyond the limits, nobody attacks"].rows] == ["none"]
    row = dict(zip(found["attackers"].headings, found["attackers"].rows[0], strict=True))
    assert (row["slashed"], row["for"], row["in epoch"], row["excluded while there"]) == (
        "2/2",
        "replay",
        "2-2",
        "50.0 %",
    )
    assert (row["honest slashed"], row["honest excluded"]) == ("0/8", "6.2 %")
    clean = dict(zip(found["no attackers"].headings, found["no attackers"].rows[0], strict=True))
    assert (clean["95 % bound"], clean["rules - FedAvg"]) == ("30.000 %", "-2.0 !")
    assert found["beyond the limits, somebody attacks"].rows == []
    assert "| inf | +0.0 |" in found["accuracy minus honest clients only"].markdown()


def test_a_page_has_every_table_below_a_heading() -> None:
    text = page([made(0.8, 0.8), made(0.7, 0.72, attackers=0)])
    assert text.startswith("# Every table of test\n")
    assert text.count("\n\n## ") == 7
    assert "\n\n\n" not in text
    assert text.endswith("|\n")


def test_pictures_are_drawn_of_attacks_and_of_honest_cohorts(tmp_path: Path) -> None:
    lines = [made(0.8, 0.8), made(0.7, 0.8, attack="alie"), made(0.7, 0.72, attackers=0)]
    written = draw(lines, tmp_path / "plots")
    assert [path.name.partition("-")[0] for path in written] == ["gap", "accuracy", "timeline", "honest"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_cohort_is_played_shown_and_drawn_from_the_command_line(home: Home) -> None:
    out = home.folder / "out"
    ran = home.run(
        "lab", "run", *OPTIONS, "--attack", "inf", "--attackers", 3, "--seeds", "1-2", "--jobs", 1, "--out", out
    )
    assert ran.code == 0
    assert "2 runs to do, 0 done before" in ran.stderr
    assert "inf digits logistic 0.5 3 of 10 20x0.03 seed 2: 0." in ran.stderr
    again = home.run(
        "lab", "run", *OPTIONS, "--attack", "inf", "--attackers", 3, "--seeds", "1-2", "--out", out, "--json"
    )
    assert again.json == {"out": str(out), "before": 2, "played": 0, "left": 0}
    shown = home.run("lab", "tables", "--out", out, "--json")
    assert shown.json[0]["rows"][0][:4] == ["all", "2", "14", "0"]
    assert "| inf |" in home.run("lab", "tables", "--out", out, "--markdown").stdout
    assert "95 % bound" in home.run("lab", "tables", "--out", out, "--seeds", 2).stdout
    drawn = home.run("lab", "plot", "--out", out, "--to", home.folder / "pictures", "--json")
    assert all(Path(path).is_file() for path in drawn.json)
    assert len(drawn.json) == 3


def test_a_line_beyond_its_limit_ends_the_tables_with_a_mismatch(home: Home) -> None:
    out = home.folder / "out"
    home.run("lab", "run", *OPTIONS, "--seeds", "1", "--jobs", 1, "--out", out, "--quiet")
    line = json.loads((out / RESULTS).read_text())
    line["honest"]["slashed"] = {"0": [2, "noise"]}
    (out / RESULTS).write_text(json.dumps(line) + "\n")
    assert home.run("lab", "tables", "--out", out).code == ExitCode.MISMATCH


def test_rules_can_be_given_in_a_file_and_are_looked_at_by_what_they_are(home: Home) -> None:
    out, file = home.folder / "out", home.folder / "rules.toml"
    file.write_text("strikes = 3\nrun = 2\n")
    ran = home.run("lab", "run", *OPTIONS, "--rules", file, "--jobs", 1, "--out", out, "-q")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")
    assert json.loads((out / RESULTS).read_text())["setting"]["rules"] == {"strikes": 3, "run": 2}
    assert home.run("lab", "tables", "--out", out).code == ExitCode.MISSING
    assert "honest clients" in home.run("lab", "tables", "--out", out, "--rules", "run=2,strikes=3").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "nope"], ExitCode.USAGE, "no campaign 'nope'; there are honest-core"),
        (["run", "attacks", "--data", "digits"], ExitCode.USAGE, "a campaign says --data by itself"),
        (["run", "--seeds", "3-1"], ExitCode.USAGE, "give ranges that ascend, like 1000-1009,1020"),
        (["run", "--rules", "nowhere.toml"], ExitCode.USAGE, "neither NAME=VALUE,... nor a file"),
        (["run", "--rules", "strikes=x"], ExitCode.USAGE, "rule strikes is 'x', not an integer"),
        (["run", "--rules", "strike=1"], ExitCode.USAGE, "rule 'strike': there is none of that name"),
        (["run", "--rules", "run=9"], ExitCode.USAGE, "rule run is 9"),
        (["run", "--attack", "flip", "--attackers", "1"], ExitCode.USAGE, "there is no attack 'flip'"),
        (["run", "--attackers", "1"], ExitCode.USAGE, "attackers 1: with the attack 'none'"),
        (["tables"], ExitCode.MISSING, "`fedblocks lab run` makes some"),
        (["plot"], ExitCode.MISSING, "`fedblocks lab run` makes some"),
    ],
)
def test_what_cannot_be_done_is_said_with_an_exit_code(
    home: Home, arguments: list[str], code: ExitCode, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.folder)
    ended = home.run("lab", *arguments)
    assert ended.code == code
    assert says in " ".join(ended.stderr.split())


def test_what_there_is_is_listed(home: Home) -> None:
    listed = home.run("lab", "list", "--json").json
    assert {"honest-core", "honest-stress", "attacks"} <= listed["campaign"].keys()
    assert {"letters", "digits"} <= listed["data"].keys()
    assert "runs a seed" in listed["campaign"]["attacks"]
    assert "sign-flip-adaptive" in home.run("lab", "list").stdout
