"""Two profiles: a short one in every run of the tests, and the whole campaign in `make adversary`."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from fedblocks.rollup.fraud import prover
from tests.adversary.campaign import Profile, full, short
from tests.adversary.stage import Stage
from tests.adversary.tally import TALLY

CAMPAIGN, ONLY, REPORT = "ADVERSARY", "ADVERSARY_ONLY", "ADVERSARY_REPORT"


@pytest.fixture(scope="session")
def profile() -> Profile:
    return full() if os.environ.get(CAMPAIGN) == "full" else short()


@pytest.fixture(scope="session")
def only() -> str | None:
    """What to repeat: a lie, a base and a seed."""
    return os.environ.get(ONLY)


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage.build()


@pytest.fixture(autouse=True)
def _signatures_are_recovered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "recover_signer", _recovered)


_recovered = lru_cache(maxsize=None)(prover.recover_signer)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was done, when somebody asked for a campaign."""
    if os.environ.get(CAMPAIGN) and TALLY.lies:
        terminalreporter.section("adversary")
        terminalreporter.write_line(TALLY.report())
    if report := os.environ.get(REPORT):
        TALLY.write(Path(report))
