"""The campaign itself: `make fuzz` plays 500 games of 100 moves and prints what was called."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contracts.fuzz.machine import Life

# The machine has a chain of its own.
pytestmark = pytest.mark.ignore_isolation


def test_whatever_anybody_does_in_any_order_the_books_agree_and_everybody_can_leave(profile: settings) -> None:
    run_state_machine_as_test(Life, settings=profile)
