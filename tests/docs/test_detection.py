"""The numbers of docs/detection.md are those of the tables in docs/detection/."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.markdown import records

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "detection.md").read_text()
TABLES = (DOCS / "detection" / "tables.md").read_text()
WIDE = (DOCS / "detection" / "wide.md").read_text()

Row = dict[str, str]


def rows(text: str, title: str) -> list[Row]:
    """The table below the first heading that begins with `title`, or the first table that has a column of that name."""
    start = text.find(f"\n## {title}")
    return records(text[start if start >= 0 else text.index(f"\n| {title} |") :])


def test_nobody_honest_was_slashed_and_the_counts_are_those_of_the_tables() -> None:
    found = {row["campaign"]: row for row in rows(TABLES, "honest clients;")}
    found |= {row["campaign"]: row for row in rows(WIDE, "honest clients;")}
    for campaign in ("honest-core", "attacks", "attacks-wide"):
        row = found[campaign]
        assert row["slashed"] == row["due, cap aside"] == "0"
        assert f"{row['honest client-runs']} client-runs" in TEXT
        assert f"{int(row['runs']):,} runs" in TEXT
    assert f"95 % bound {found['honest-core']['95 % bound']}" in TEXT


def test_what_honest_cohorts_lose_is_what_the_table_says() -> None:
    measured = {row["cohorts"]: row for row in rows(TABLES, "no attackers;")}
    beyond = rows(TABLES, "beyond the limits, nobody attacks")
    shown = rows(TEXT, "partition")
    assert [row["partition"] for row in shown] == ["iid", "0.5", "0.1", "single-class", "mixed-1", "mixed-2"]
    for row in shown:
        of = measured[row["partition"]]
        assert (row["client-runs"], row["slashed"], row["left out"]) == (
            of["client-runs"],
            of["slashed"],
            of["excluded"],
        )
        assert (row["points against FedAvg"], row["worst run"]) == (
            of["rules - FedAvg"].removesuffix(" !"),
            of["worst run"],
        )
        kinds = [each for each in beyond if each["cohort"].startswith(f"{row['partition']}, ")]
        assert row["kinds beyond 1 point"] == str(len(kinds))


def test_what_attacks_cost_is_what_the_table_says() -> None:
    beyond = rows(TABLES, "beyond the limits, somebody attacks")
    shown = rows(TEXT, "skew")
    assert [row["skew"] for row in shown] == ["iid", "0.5", "0.1", "single-class"]
    for row in shown:
        for attackers, limit in ((2, 1), (3, 2)):
            kinds = [each for each in beyond if each["cohort"] == f"{row['skew']}, {attackers} of 10"]
            assert row[f"{attackers} of 10, beyond {limit}"] == str(len(kinds))
    losses = {row["attack"]: row["beyond the limits, points"] for row in rows(TEXT, "attack")}
    assert set(losses) == {each["attack"] for each in beyond}
    for attack, text in losses.items():
        measured = [each["difference"].split()[0] for each in beyond if each["attack"] == attack]
        assert sorted(re.findall(r"[-+]\d+\.\d", text)) == sorted(measured)


def test_what_attacks_cost_other_models_data_and_sizes_is_what_the_table_says() -> None:
    beyond = rows(WIDE, "beyond the limits, somebody attacks")
    shown = rows(TEXT, "cohort")
    assert len(shown) == 4
    for row in shown:
        model, attacked = row["cohort"].split(", ")[1], row["cohort"].split(", ")[2]
        for skew in ("iid", "0.5", "0.1"):
            kinds = [
                each
                for each in beyond
                if each["cohort"] == f"{skew}, {attacked}" and each["training"] == f"digits, {model}, 60x0.1"
            ]
            assert int(row[f"{skew}, beyond"]) == len(kinds)
    assert sum(int(row[f"{skew}, beyond"]) for row in shown for skew in ("iid", "0.5", "0.1")) == len(beyond)


def test_the_note_counts_what_is_beyond() -> None:
    for text, which in ((TABLES, "nobody"), (TABLES, "somebody"), (WIDE, "somebody")):
        listed = len(rows(text, f"beyond the limits, {which} attacks"))
        said = re.search(rf"## beyond the limits, {which} attacks.*?\n\n(\d+) of (\d+) kinds", text, re.S)
        assert said is not None
        assert int(said[1]) == listed
        assert f"{said[1]} of {said[2]} kinds" in TEXT
