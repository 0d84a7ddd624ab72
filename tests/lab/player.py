"""Plays a long campaign, to be killed while it does: ``python -m tests.lab.player FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from fedblocks.lab.campaigns import Campaign
from fedblocks.lab.runner import carry_out, plan
from tests.lab.conftest import small

if __name__ == "__main__":
    out = Path(sys.argv[1])
    todo = plan([Campaign("test", "", lambda: iter((small(),)))], list(range(500)), out).todo
    carry_out(todo, out, jobs=1, minutes=None, told=lambda run, line: None)
