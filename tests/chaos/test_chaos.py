"""The short profile: a network of real processes, each run harmed once, ends as one that was left alone."""

from __future__ import annotations

import os
from pathlib import Path

from tests.chaos.__main__ import play_all
from tests.chaos.harm import KINDS

RUNS = int(os.environ.get("CHAOS_RUNS", "0"))
"""How many seeds, from 0 on; a few of distinct kinds when it is not given."""

SHORT = {"kill node": 26, "kill aggregator": 27, "reorg": 15, "corrupt blob": 46, "kill watcher": 25}
"""Seeds by the kind of fault that they mean."""


def seeds() -> list[int]:
    return list(range(RUNS)) if RUNS else list(SHORT.values())


def test_seeds_mean_what_they_are_chosen_for():
    assert [KINDS[seed % len(KINDS)].name for seed in SHORT.values()] == list(SHORT)


def test_whatever_happens_a_run_ends_as_an_undisturbed_one(tmp_path: Path):
    outcomes = play_all(seeds(), tmp_path, lanes=2)
    assert [each.seed for each in outcomes] == sorted(seeds())
    assert {each.seed: (each.kind, each.wrong) for each in outcomes if not each.is_good} == {}
    assert any(each.done for each in outcomes), "harm was done"
