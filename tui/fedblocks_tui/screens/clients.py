"""All clients: what they have at stake, what is unbonding, how they behave, what they earn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fedblocks.monitor.views import ClientState, ClientView
from fedblocks_tui.actions import Action, for_account
from fedblocks_tui.picture import Picture
from fedblocks_tui.query import Searchable
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import Cell, Tone, amount, countdown, short, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.table import RowTable

_LIFE = {each: index for index, each in enumerate(ClientState)}

SEARCHABLE: Searchable[ClientView] = Searchable(
    words=lambda c: f"{c.address} {c.state}",
    numbers={
        "strikes": lambda c: c.strikes,
        "instances": lambda c: c.instances,
        "running": lambda c: c.running,
        "accepted": lambda c: c.accepted,
        "excluded": lambda c: c.excluded,
    },
    amounts={
        "stake": lambda c: c.active,
        "unbonding": lambda c: c.unbonding,
        "claimable": lambda c: c.claimable,
        "pending": lambda c: c.pending,
        "slashed": lambda c: c.slashed,
    },
)


class Clients(FedScreen):
    """The table of clients."""

    NAME = "clients"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mine", "My own client", show=False),
    ]

    def columns(self) -> tuple[Column[ClientView], ...]:
        """The columns; the countdowns read the app's clock."""
        return (
            Column(title="Client", width=13, cell=lambda c: short(c.address), order=lambda c: c.address.lower()),
            Column(title="State", width=11, cell=lambda c: state(c.state), order=lambda c: _LIFE[c.state]),
            _money("Stake", lambda c: c.active),
            _money("Unbonding", lambda c: c.unbonding),
            Column(
                title="Withdraw",
                width=10,
                cell=self._withdrawable,
                order=lambda c: c.withdrawable_at if c.unbonding else None,
                right=True,
            ),
            Column(
                title="Strikes",
                width=7,
                cell=_strikes,
                order=lambda c: c.strikes,
                right=True,
                descending=True,
            ),
            _money("Pending", lambda c: c.pending),
            _money("Claimable", lambda c: c.claimable),
            _money("Claimed", lambda c: c.claimed),
            Column(
                title="Acc/excl",
                width=9,
                cell=lambda c: f"{c.accepted}/{c.excluded}",
                order=lambda c: c.excluded,
                right=True,
                descending=True,
            ),
            Column(
                title="Jobs",
                width=6,
                cell=lambda c: f"{c.running}/{c.instances}",
                order=lambda c: c.instances,
                right=True,
                descending=True,
            ),
        )

    def _withdrawable(self, client: ClientView) -> str | Cell:
        if not client.unbonding:
            return "-"
        left = countdown(client.withdrawable_at, self.fed.clock.now())
        return Cell(left, Tone.GOOD if left == "due" else Tone.WARN)

    def body(self) -> Iterable[Widget]:
        """The table."""
        yield RowTable(
            self.columns(),
            lambda client: client.address,
            searchable=SEARCHABLE,
            empty="nobody has staked yet",
            id="clients",
        )

    @property
    def table(self) -> RowTable[ClientView]:
        """The table."""
        return self.query_one("#clients", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self.table.show(picture.clients)

    def tick(self) -> None:
        """Countdowns go on."""
        self.table.refresh()

    def subject(self) -> Subject | None:
        """The client's address."""
        client = self.table.selected
        return None if client is None else Subject("address", client.address)

    def actions(self, picture: Picture) -> list[Action]:
        """What one may do with one's own stake, whichever row is selected."""
        own = self.fed.own
        return [] if own is None else for_account(picture, own, self.fed.clock.now())

    def action_mine(self) -> None:
        """Go to the account's own row."""
        own = self.fed.own
        if own is None:
            self.notify("read-only: no account was given", timeout=3)
        elif not self.table.select(own):
            self.notify(f"{own} is not in this list", timeout=3)

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Show a client's detail."""
        self.fed.go_to_client(event.row.address)


def _money(title: str, of: Callable[[ClientView], int]) -> Column[ClientView]:
    return Column(
        title=title, width=9, cell=lambda c: amount(of(c)) if of(c) else "0", order=of, right=True, descending=True
    )


def _strikes(client: ClientView) -> str | Cell:
    if client.strikes is None:
        return "?"
    return Cell(f"{'!' * min(client.strikes, 3)} {client.strikes}", Tone.WARN) if client.strikes else "0"
