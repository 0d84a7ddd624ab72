"""The committed table is the one that is compared with, and a call that grows is noticed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gas.__main__ import JSON, PAGE, page, regressions


@pytest.fixture
def table() -> Any:
    return json.loads(JSON.read_text(encoding="utf-8"))


def test_the_page_says_what_the_file_beside_it_says(table: Any) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(table)


@pytest.mark.parametrize("function", ["submitEpoch", "closeCommits", "finalizeEpoch"])
def test_an_epoch_costs_the_same_for_any_cohort_and_any_model(table: Any, function: str) -> None:
    figures = {
        used
        for name, row in table["version 2"].items()
        if ", d = " in name
        for used in row.values()
        if function in name
    }
    assert len(figures) == 1


def test_two_percent_more_is_let_pass_and_more_is_not(table: Any) -> None:
    after = json.loads(json.dumps(table))
    was = table["version 2"]["stake"]["4"]
    after["version 2"]["stake"]["4"] = was * 102 // 100
    assert regressions(table, after) == []
    after["version 2"]["stake"]["4"] = was * 103 // 100
    assert [line.split(":")[1].strip() for line in regressions(table, after)] == ["stake, n = 4"]


def test_a_function_that_is_missing_on_either_side_is_named(table: Any) -> None:
    after = json.loads(json.dumps(table))
    after["version 2"]["novelty"] = after["version 2"].pop("stake")
    assert regressions(table, after) == [
        "version 2: novelty is measured, but not in the table",
        "version 2: stake is in the table, but not measured",
    ]
