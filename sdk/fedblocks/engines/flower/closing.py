"""What remains to be done when nothing is left to train: epochs become final, the job is settled, the bond comes back.

Between the last epoch and the settlement lies a challenge window, in which the aggregator still has to answer whoever
demands data: its bond hangs on it. So this waits, for days if need be, and what time heals (a node or a database that
is away) is tried again. The app may be ended meanwhile: run again, it trains nothing any more and goes on here.
"""

from __future__ import annotations

import time
from logging import ERROR, INFO, WARNING
from typing import Any

from flwr.common.logger import log

from fedblocks.engines.flower.aggregator import Aggregator
from fedblocks.rollup.duties import HEALED_BY_TIME

_LEVELS = {"info": INFO, "warning": WARNING, "error": ERROR}


class Logged:
    """Says what is done in Flower's log."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def __call__(self, what: str, level: str = "info", /, **details: Any) -> None:
        """Something has happened."""
        log(_LEVELS[level], "FedBlocks: %s", _line(what, details))

    def once(self, about: str, what: str, level: str = "warning", /, **details: Any) -> None:
        """Something stays as it is."""
        line = _line(what, details)
        if self._said.get(about) != line:
            self._said[about] = line
            log(_LEVELS[level], "FedBlocks: %s", line)


def close_instance(aggregator: Aggregator, told: Logged, seconds: float) -> None:
    """Wait until nothing can be added to an instance, settle it, and take the bond back.

    Args:
        aggregator: of the instance; it has nothing to train any more.
        told: hears what is done.
        seconds: between two looks at the chain.
    """
    while True:
        try:
            if _closed(aggregator, told):
                return
        except HEALED_BY_TIME as error:
            told.once("closing", "waiting", kind=type(error).__name__, why=error)
        time.sleep(seconds)


def _closed(aggregator: Aggregator, told: Logged) -> bool:
    duties = aggregator.duties
    if not duties.is_closed:
        aggregator.stay()
        aggregator.responder.poll()
        duties.finalize(aggregator.submitter)
    duties.slash()
    if duties.is_closed:
        duties.settle()
        duties.withdraw_bond()
        told("finished")
        return True
    duties.stop_when_silent()
    told.once("closed", "trained; waiting until every epoch is final and the instance is stopped or used up", "info")
    return False


def _line(what: str, details: dict[str, Any]) -> str:
    shown = {name: f"0x{value.hex()}" if isinstance(value, bytes) else value for name, value in details.items()}
    return " ".join([what, *(f"{name}={value}" for name, value in shown.items() if value is not None)])
