"""How a history of events is shown, on whatever screen."""

from __future__ import annotations

from fedblocks.monitor.views import HistoryEntry
from fedblocks_tui.query import Searchable
from fedblocks_tui.text import moment
from fedblocks_tui.widgets.columns import Column

HISTORY: tuple[Column[HistoryEntry], ...] = (
    Column(
        title="Time (UTC)",
        width=19,
        cell=lambda e: moment(e.place.timestamp),
        order=lambda e: (e.place.block, e.place.log_index),
        descending=True,
    ),
    Column(title="Event", width=16, cell=lambda e: e.event, order=lambda e: e.event),
    Column(title="What happened", width=38, cell=lambda e: e.text, order=lambda e: e.text, grows=True),
)

history_words: Searchable[HistoryEntry] = Searchable(
    words=lambda e: f"{e.event} {e.contract} {e.text} 0x{e.place.transaction_hash.hex()}",
    numbers={"block": lambda e: int(e.place.block)},
    amounts={"amount": lambda e: e.amount},
)


def history_key(entry: HistoryEntry) -> str:
    """What makes an event the same event."""
    return f"{entry.place.block}/{entry.place.log_index}"
