from __future__ import annotations

from pathlib import Path

import pytest

from fedblocks.lab.lines import Line
from fedblocks.lab.runs import Run, play
from fedblocks.lab.settings import Setting

SMALL = {"data": "digits", "model": "logistic", "training": "20x0.03", "epochs": 5}
"""A cohort that plays in a fraction of a second."""


def small(**changes: object) -> Setting:
    return Setting(**{**SMALL, **changes})  # type: ignore[arg-type]


def attacked(attack: str, **changes: object) -> Setting:
    return small(attack=attack, **{"attackers": 3, **changes})


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of baselines that tests share."""
    return tmp_path_factory.mktemp("lab")


def line_of(setting: Setting, out: Path, seed: int = 1, undefended: bool = False) -> Line:
    return play(Run("test", setting, seed, undefended), out)
