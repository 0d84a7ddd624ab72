"""Scores as an index keeps them: as JSON, and back again.

Reading an epoch's scores anew takes its manifest and a hash of every list; an index that has checked them once keeps
what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fedblocks.monitor.views import EpochScores, Measure, SeatScores, Side
from fedblocks.seats import SlashReason
from fedblocks.types import EpochNumber, Hash32, InstanceId, Seat


def scores_to_json(scores: EpochScores) -> dict[str, Any]:
    """The scores in what JSON has."""
    return asdict(scores) | {"header_hash": scores.header_hash.hex()}


def scores_from_json(content: Mapping[str, Any]) -> EpochScores:
    """The inverse of :func:`scores_to_json`, of content that it made."""
    return EpochScores(
        instance_id=InstanceId(content["instance_id"]),
        epoch=EpochNumber(content["epoch"]),
        header_hash=Hash32(bytes.fromhex(content["header_hash"])),
        seats=tuple(_seat(each) for each in content["seats"]),
        absent=tuple(Seat(seat) for seat in content["absent"]),
        faults=tuple(content["faults"]),
    )


def _seat(content: Mapping[str, Any]) -> SeatScores:
    changed = {
        "seat": Seat(content["seat"]),
        "slashed": SlashReason(content["slashed"]),
        "evidence": SlashReason(content["evidence"]),
        "measures": tuple(Measure(**each | {"bad": Side(each["bad"])}) for each in content["measures"]),
    }
    return SeatScores(**{**content, **changed})
