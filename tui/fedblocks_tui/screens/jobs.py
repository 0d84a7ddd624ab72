"""All training instances: how far, how good, and at what price."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from fedblocks.monitor.views import InstanceState, InstanceView
from fedblocks_tui.actions import Action, for_instance
from fedblocks_tui.picture import Picture
from fedblocks_tui.query import Searchable
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import amount, bar, percent, short, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.table import RowTable

_LIFE = {each: index for index, each in enumerate(InstanceState)}

JOBS: tuple[Column[InstanceView], ...] = (
    Column(title="Job", width=5, cell=lambda i: str(i.instance_id), order=lambda i: i.instance_id, right=True),
    Column(title="State", width=11, cell=lambda i: state(i.state), order=lambda i: _LIFE[i.state]),
    Column(
        title="Final/posted/paid",
        width=22,
        cell=lambda i: (
            f"{bar(i.finalized_epochs, i.number_of_epochs)} {i.finalized_epochs}/{i.posted_epochs}/{i.number_of_epochs}"
        ),
        order=lambda i: i.finalized_epochs / max(1, i.number_of_epochs),
        descending=True,
    ),
    Column(
        title="Accuracy",
        width=9,
        cell=lambda i: percent(i.accuracy_ppm),
        order=lambda i: i.accuracy_ppm,
        right=True,
        descending=True,
    ),
    Column(
        title="Escrow",
        width=10,
        cell=lambda i: amount(i.escrow),
        order=lambda i: i.escrow,
        right=True,
        descending=True,
    ),
    Column(
        title="Slashed",
        width=8,
        cell=lambda i: f"✗ {i.slashed_clients}" if i.slashed_clients else "0",
        order=lambda i: i.slashed_clients,
        right=True,
        descending=True,
    ),
    Column(title="User", width=13, cell=lambda i: short(i.user), order=lambda i: i.user.lower()),
    Column(
        title="Aggregator",
        width=13,
        cell=lambda i: short(i.aggregator),
        order=lambda i: None if i.aggregator is None else i.aggregator.lower(),
        grows=True,
    ),
    Column(
        title="Overturned",
        width=10,
        cell=lambda i: str(i.overturned_epochs),
        order=lambda i: i.overturned_epochs,
        right=True,
        descending=True,
    ),
)

SEARCHABLE: Searchable[InstanceView] = Searchable(
    words=lambda i: f"{i.user} {i.aggregator} {i.state} #{i.instance_id}",
    numbers={
        "job": lambda i: i.instance_id,
        "epochs": lambda i: i.number_of_epochs,
        "overturned": lambda i: i.overturned_epochs,
        "slashed": lambda i: i.slashed_clients,
    },
    amounts={"escrow": lambda i: i.escrow},
)


class Jobs(FedScreen):
    """The table of instances."""

    NAME = "jobs"

    def body(self) -> Iterable[Widget]:
        """The table."""
        yield RowTable(
            JOBS, lambda i: str(i.instance_id), searchable=SEARCHABLE, empty="nobody has asked for a job yet", id="jobs"
        )

    @property
    def table(self) -> RowTable[InstanceView]:
        """The table."""
        return self.query_one("#jobs", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self.table.show(picture.instances)

    def subject(self) -> Subject | None:
        """The transaction that opened the instance."""
        instance = self.table.selected
        return None if instance is None else Subject("tx", "0x" + instance.opened.transaction_hash.hex())

    def actions(self, picture: Picture) -> list[Action]:
        """What one may do about the selected instance."""
        instance, own = self.table.selected, self.fed.own
        return [] if instance is None or own is None else for_instance(picture, instance, own)

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Show an instance's detail."""
        self.fed.go_to_instance(event.row.instance_id)
