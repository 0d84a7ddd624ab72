"""What was sent from this machine: under way, done, or failed and why."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from fedblocks.monitor.views import OwnTransaction
from fedblocks_tui.actions import Action, for_account
from fedblocks_tui.picture import Picture
from fedblocks_tui.query import Searchable
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import amount, exact, hex_of, moment, short, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.facts import Facts
from fedblocks_tui.widgets.table import RowTable

OWN: tuple[Column[OwnTransaction], ...] = (
    Column(title="Sent (UTC)", width=19, cell=lambda t: moment(t.sent_at), order=lambda t: t.sent_at, descending=True),
    Column(title="State", width=11, cell=lambda t: state(t.state), order=lambda t: t.state),
    Column(title="What", width=22, cell=lambda t: t.what, order=lambda t: t.what, grows=True),
    Column(title="Value", width=9, cell=lambda t: amount(t.value), order=lambda t: t.value, right=True),
    Column(
        title="Fee", width=10, cell=lambda t: "-" if t.fee is None else amount(t.fee), order=lambda t: t.fee, right=True
    ),
    Column(title="Transaction", width=13, cell=lambda t: short(t.transaction_hash), order=lambda t: t.transaction_hash),
)

SEARCHABLE: Searchable[OwnTransaction] = Searchable(
    words=lambda t: f"{t.state} {t.what} {t.sender} {hex_of(t.transaction_hash)} {t.reason}",
    numbers={"block": lambda t: t.block},
    amounts={"value": lambda t: t.value, "fee": lambda t: t.fee},
)


class Transactions(FedScreen):
    """Own transactions, and all of the selected one."""

    NAME = "transactions"

    def body(self) -> Iterable[Widget]:
        """The table over the facts of one."""
        yield RowTable(
            OWN,
            lambda t: hex_of(t.transaction_hash),
            searchable=SEARCHABLE,
            empty="nothing was sent from here",
            id="own",
        )
        yield Facts("transaction", id="facts")

    @property
    def table(self) -> RowTable[OwnTransaction]:
        """The table."""
        return self.query_one("#own", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self.table.show(picture.own)

    def on_row_table_moved(self, event: RowTable.Moved) -> None:
        """Show the facts of the one under the cursor."""
        sent = event.row
        self.query_one("#facts", Facts).show(
            [("none", "what this machine sends is listed here")]
            if sent is None
            else [
                ("state", state(sent.state)),
                ("hash", hex_of(sent.transaction_hash)),
                ("from", sent.sender),
                ("what", f"{sent.what}, value {exact(sent.value)}"),
                ("block", "not mined yet" if sent.block is None else f"{sent.block:,} · fee {exact(sent.fee)}"),
                ("reason", sent.reason or "-"),
            ]
        )

    def subject(self) -> Subject | None:
        """The transaction."""
        sent = self.table.selected
        return None if sent is None else Subject("tx", hex_of(sent.transaction_hash))

    def actions(self, picture: Picture) -> list[Action]:
        """What the account may do with its own stake."""
        own = self.fed.own
        return [] if own is None else for_account(picture, own, self.fed.clock.now())
