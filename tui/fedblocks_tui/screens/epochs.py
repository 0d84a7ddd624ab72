"""How posted epochs are shown: by how far they are confirmed, with the time that is left to challenge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedblocks.monitor.views import EpochState, EpochView
from fedblocks_tui.text import Cell, Tone, countdown, percent, short, state
from fedblocks_tui.widgets.columns import Column

if TYPE_CHECKING:
    from fedblocks_tui.screens.base import FedScreen

_LIFE = {each: index for index, each in enumerate(EpochState)}


def epoch_key(epoch: EpochView) -> str:
    """What makes a posting the same posting."""
    return f"{epoch.instance_id}/{epoch.epoch}/{epoch.attempt}/{epoch.header_hash.hex()}"


def epoch_columns(screen: FedScreen) -> tuple[Column[EpochView], ...]:
    """The columns; the countdown reads the app's clock."""

    def left(epoch: EpochView) -> str | Cell:
        if epoch.state is not EpochState.POSTED:
            return "-"
        text = countdown(epoch.finalizable_at, screen.fed.clock.now())
        return Cell(text, Tone.WARN)

    return (
        Column(title="Job", width=4, cell=lambda e: str(e.instance_id), order=lambda e: e.instance_id, right=True),
        Column(
            title="Epoch", width=5, cell=lambda e: str(e.epoch), order=lambda e: (e.instance_id, e.epoch), right=True
        ),
        Column(title="Level", width=13, cell=lambda e: state(e.state), order=lambda e: _LIFE[e.state]),
        Column(title="Challenge", width=10, cell=left, order=lambda e: e.finalizable_at, right=True),
        Column(
            title="Accuracy",
            width=8,
            cell=lambda e: percent(e.accuracy_ppm),
            order=lambda e: e.accuracy_ppm,
            right=True,
        ),
        Column(
            title="Took part",
            width=9,
            cell=lambda e: f"{e.participants.bit_count()}-{e.excluded.bit_count()}",
            order=lambda e: e.participants.bit_count(),
            right=True,
        ),
        Column(
            title="Verdicts",
            width=8,
            cell=lambda e: Cell(f"✗ {len(e.new_slash_reasons)}", Tone.BAD) if e.new_slash_reasons else "0",
            order=lambda e: len(e.new_slash_reasons),
            right=True,
        ),
        Column(title="Aggregator", width=13, cell=lambda e: short(e.aggregator), order=lambda e: e.aggregator.lower()),
        Column(
            title="Header", width=13, cell=lambda e: short(e.header_hash), order=lambda e: e.header_hash, grows=True
        ),
    )
