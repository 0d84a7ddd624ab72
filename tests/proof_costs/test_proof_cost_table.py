"""The committed table keeps its limits, and a proof that grows is noticed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.proof_costs.__main__ import JSON, MOST_BYTES, MOST_GAS, PAGE, excesses, page, regressions
from tests.proof_costs.measure import calldata_gas

WHERE = "n = 64, d = 1,000,000,000"


@pytest.fixture
def table() -> Any:
    return json.loads(JSON.read_text(encoding="utf-8"))


def test_the_page_says_what_the_file_beside_it_says(table: Any) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(table)


def test_no_proof_exceeds_its_limits(table: Any) -> None:
    assert excesses(table) == []


@pytest.mark.parametrize(("what", "limit"), [("bytes", MOST_BYTES), ("execution", MOST_GAS)])
def test_a_proof_that_exceeds_a_limit_is_named(table: Any, what: str, limit: int) -> None:
    table["F5 delta"][WHERE][what] = limit + 1
    assert [line.split(":")[0] for line in excesses(table)] == [f"F5 delta, {WHERE}"]


@pytest.mark.parametrize("what", ["bytes", "execution"])
def test_two_percent_more_is_let_pass_and_more_is_not(table: Any, what: str) -> None:
    after = json.loads(json.dumps(table))
    was = table["F5 delta"][WHERE][what]
    after["F5 delta"][WHERE][what] = was * 102 // 100
    assert regressions(table, after) == []
    after["F5 delta"][WHERE][what] = was * 103 // 100
    assert [line.split(":")[0] for line in regressions(table, after)] == [f"F5 delta, {WHERE}"]


def test_a_case_that_is_missing_on_either_side_is_named(table: Any) -> None:
    after = json.loads(json.dumps(table))
    after["novelty"] = after.pop("F5 delta")
    assert regressions(table, after) == [
        "novelty is measured, but not in the table",
        "F5 delta is in the table, but not measured",
    ]


def test_calldata_costs_sixteen_gas_a_byte_and_four_for_zeros() -> None:
    assert calldata_gas(b"\x00\x01\xff\x00\x00") == 3 * 4 + 2 * 16
