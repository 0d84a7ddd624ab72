"""The feed of slashes: whose stake was taken, for what, how much; the newest on top."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from fedblocks.monitor.views import SlashView
from fedblocks_tui.picture import Picture
from fedblocks_tui.query import Searchable
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import Cell, Tone, amount, hex_of, moment, reason, short
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.table import RowTable


def slash_key(slash: SlashView) -> str:
    """What makes a slash the same slash: one log of one transaction."""
    return f"{slash.slashed.transaction_hash.hex()}/{slash.client}"


SLASHES: tuple[Column[SlashView], ...] = (
    Column(
        title="Time (UTC)",
        width=14,
        cell=lambda s: moment(s.slashed.timestamp)[5:],
        order=lambda s: (s.slashed.block, s.slashed.log_index),
        descending=True,
    ),
    Column(title="Client", width=13, cell=lambda s: short(s.client), order=lambda s: s.client.lower()),
    Column(
        title="Reason",
        width=13,
        cell=lambda s: Cell(f"✗ {reason(s.reason)}", Tone.BAD),
        order=lambda s: reason(s.reason),
        grows=True,
    ),
    Column(title="Job", width=4, cell=lambda s: _or_dash(s.instance_id), order=lambda s: s.instance_id, right=True),
    Column(title="Epoch", width=5, cell=lambda s: _or_dash(s.epoch), order=lambda s: s.epoch, right=True),
    Column(
        title="Amount",
        width=9,
        cell=lambda s: amount(s.amount),
        order=lambda s: s.amount,
        right=True,
        descending=True,
    ),
    Column(title="Treasury", width=8, cell=lambda s: _received(s), order=lambda s: s.received, right=True),
    Column(title="Transaction", width=13, cell=lambda s: short(s.slashed.transaction_hash), order=slash_key),
)

SEARCHABLE: Searchable[SlashView] = Searchable(
    words=lambda s: f"{s.client} {reason(s.reason)} {hex_of(s.slashed.transaction_hash)}",
    numbers={
        "job": lambda s: s.instance_id,
        "epoch": lambda s: s.epoch,
        "block": lambda s: int(s.slashed.block),
    },
    amounts={"amount": lambda s: s.amount},
)


class Slashes(FedScreen):
    """The table of slashes."""

    NAME = "slashes"

    def body(self) -> Iterable[Widget]:
        """The table."""
        yield RowTable(SLASHES, slash_key, searchable=SEARCHABLE, sort=0, empty="nobody has been slashed", id="slashes")

    @property
    def table(self) -> RowTable[SlashView]:
        """The table."""
        return self.query_one("#slashes", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self.table.show(picture.slashes)

    def subject(self) -> Subject | None:
        """The transaction that took the stake."""
        slash = self.table.selected
        return None if slash is None else Subject("tx", hex_of(slash.slashed.transaction_hash))

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Show a slash with its evidence."""
        self.fed.go_to_slash(event.row)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _received(slash: SlashView) -> str | Cell:
    if slash.received is None:
        return "?"
    if slash.received != slash.amount:
        return Cell(f"≠ {amount(slash.received)}", Tone.BAD)
    return "= same"
