"""Two profiles: the same short games in every `make test`, new long ones in `make fuzz`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.contracts.fuzz import tally

SHORT, LONG = "fuzz-short", "fuzz-long"

settings.register_profile(
    SHORT,
    max_examples=20,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# Hypothesis ends many a game early: of 500 games of 100 moves, 50,000, it plays two thirds.
settings.register_profile(
    LONG,
    max_examples=750,
    stateful_step_count=100,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> settings:
    """The short one, unless `--hypothesis-profile` names another."""
    return settings.get_profile(pytestconfig.getoption("--hypothesis-profile") or SHORT)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was done, when somebody asked for a campaign."""
    if config.getoption("--hypothesis-profile") and tally.MADE:
        terminalreporter.section("fuzzing")
        terminalreporter.write_line(tally.report())
