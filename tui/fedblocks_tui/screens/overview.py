"""The first screen: is all well, how much is there, what should somebody look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.widget import Widget

from fedblocks.monitor.views import Alert, ClientState, EpochState, InstanceState, Severity
from fedblocks_tui.picture import Picture
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import amount, moment, short, span, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.facts import Fact, Facts
from fedblocks_tui.widgets.table import RowTable

if TYPE_CHECKING:
    from fedblocks.monitor.views import TreasuryView

_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}

ALERTS: tuple[Column[Alert], ...] = (
    Column(title="Alert", width=10, cell=lambda a: state(a.severity), order=lambda a: _RANK[a.severity]),
    Column(title="What", width=38, cell=lambda a: a.text, order=lambda a: a.text, grows=True),
    Column(title="What to do", width=26, cell=lambda a: a.what_to_do, order=lambda a: a.what_to_do),
)


class Overview(FedScreen):
    """Health, totals, treasuries, alerts."""

    NAME = "overview"

    def body(self) -> Iterable[Widget]:
        """Three lists of facts over the table of alerts."""
        with Horizontal(id="cards"):
            yield Facts("health", id="health")
            yield Facts("money (ETH)", id="money")
            yield Facts("counts", id="counts")
        yield RowTable(
            ALERTS, lambda alert: f"{alert.severity}{alert.text}", empty="no alerts: all is well", id="alerts"
        )

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self._show_health(picture)
        self.query_one("#money", Facts).show(_money(picture))
        self.query_one("#counts", Facts).show(_counts(picture))
        self.query_one("#alerts", RowTable).show(picture.alerts)

    def tick(self) -> None:
        """The data grow older."""
        if self.fed.picture is not None:
            self._show_health(self.fed.picture)

    def _show_health(self, picture: Picture) -> None:
        health, block = self.fed.health, picture.block
        self.query_one("#health", Facts).show(
            [
                ("state", state(health.state)),
                ("index at", "nothing yet" if block is None else f"block {block.number:,}"),
                ("node at", "no answer" if health.head is None else f"block {health.head:,}"),
                ("block time", "-" if block is None else moment(block.timestamp)[5:]),
                ("data age", span(self.fed.data_age)),
                ("events", f"{picture.totals.events:,}"),
                ("block hash", short(None if block is None else block.hash)),
            ]
        )

    def subject(self) -> Subject | None:
        """The alert's client, or the block."""
        alert = self.query_one("#alerts", RowTable).selected
        if alert is not None and alert.client is not None:
            return Subject("address", alert.client)
        picture = self.fed.picture
        return None if picture is None or picture.block is None else Subject("block", str(picture.block.number))

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Go to what an alert is about."""
        if event.row.client is not None:
            self.fed.go_to_client(event.row.client)
        elif event.row.instance_id is not None:
            self.fed.go_to_instance(event.row.instance_id)


def _money(picture: Picture) -> list[Fact]:
    totals = picture.totals
    return [
        ("at stake", amount(totals.at_stake)),
        ("unbonding", amount(totals.unbonding)),
        ("in escrow", amount(totals.escrow)),
        ("bonds", amount(totals.bonds)),
        ("claimable", amount(totals.rewards_claimable)),
        ("refunds", amount(totals.refunds_claimable)),
        *((_short_name(each), amount(each.holds)) for each in picture.treasuries),
    ]


def _short_name(treasury: TreasuryView) -> str:
    return "".join(" " + letter.lower() if letter.isupper() else letter for letter in treasury.name).strip()


def _counts(picture: Picture) -> list[Fact]:
    clients, instances, epochs = picture.totals.clients, picture.totals.instances, picture.totals.epochs
    due = epochs.get(EpochState.FINALIZABLE, 0)
    slashed = f"{picture.totals.slashes:,} ({amount(picture.totals.slashed)})"
    return [
        ("staked", f"{clients.get(ClientState.STAKED, 0):,} of {sum(clients.values()):,}"),
        ("unbonding", f"{clients.get(ClientState.UNBONDING, 0):,}"),
        ("slashed", f"✗ {slashed}" if picture.totals.slashes else "0"),
        ("jobs", f"{instances.get(InstanceState.TRAINING, 0):,} of {sum(instances.values()):,} train"),
        ("final", f"{epochs.get(EpochState.FINAL, 0):,} of {sum(epochs.values()):,} epochs"),
        ("pending", f"{epochs.get(EpochState.POSTED, 0) + due:,}, {due:,} due"),
        ("overturned", f"{epochs.get(EpochState.OVERTURNED, 0):,}"),
        ("demands", f"{picture.totals.open_demands:,} open"),
    ]
