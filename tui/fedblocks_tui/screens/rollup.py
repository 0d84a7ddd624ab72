"""The rollup: epochs by how far they are confirmed, what was proved wrong, what is demanded, what the watcher does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from fedblocks.monitor.views import ChallengeView, DemandState, DemandView, EpochState, EpochView
from fedblocks.rollup.fraud.cases import DemandKind, FraudCase
from fedblocks_tui.actions import Action, for_epoch, slash_all
from fedblocks_tui.picture import Picture
from fedblocks_tui.query import Searchable
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.screens.epochs import epoch_columns, epoch_key
from fedblocks_tui.text import Cell, Tone, amount, countdown, moment, short, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.table import RowTable

EPOCHS: Searchable[EpochView] = Searchable(
    words=lambda e: f"{e.state} {e.aggregator} 0x{e.header_hash.hex()} #{e.instance_id}",
    numbers={
        "job": lambda e: e.instance_id,
        "epoch": lambda e: e.epoch,
        "attempt": lambda e: e.attempt,
        "verdicts": lambda e: len(e.new_slash_reasons),
    },
    amounts={},
)


def case_name(number: int | None) -> str:
    """A fraud case in words, as docs/proofs.md numbers them."""
    try:
        return "-" if number is None else FraudCase(number).name.lower().replace("_", " ")
    except ValueError:
        return f"case {number}"


@dataclass(frozen=True)
class Dispute:
    """A challenge or a demand, in one list."""

    of: ChallengeView | DemandView


class Rollup(FedScreen):
    """Epochs over disputes."""

    NAME = "rollup"

    def body(self) -> Iterable[Widget]:
        """A line of totals, the epochs, the disputes."""
        yield Static("", id="levels", markup=False)
        yield RowTable(epoch_columns(self), epoch_key, searchable=EPOCHS, empty="no epoch was posted yet", id="epochs")
        yield RowTable(self._disputes(), _key, empty="nobody has challenged or demanded anything", id="disputes")

    def _disputes(self) -> tuple[Column[Dispute], ...]:
        return (
            Column(
                title="Job", width=4, cell=lambda d: str(d.of.instance_id), order=lambda d: d.of.instance_id, right=True
            ),
            Column(title="Epoch", width=5, cell=lambda d: str(d.of.epoch), order=lambda d: d.of.epoch, right=True),
            Column(title="What", width=13, cell=_what, order=_when),
            Column(title="Time left", width=10, cell=self._left, order=_when, right=True),
            Column(title="By", width=13, cell=lambda d: short(_who(d)), order=_who),
            Column(title="About", width=22, cell=_about, order=_about, grows=True),
        )

    def _left(self, dispute: Dispute) -> str | Cell:
        demand = dispute.of
        if isinstance(demand, DemandView) and demand.state is DemandState.OPEN:
            return Cell(countdown(demand.deadline, self.fed.clock.now()), Tone.WARN)
        return "-"

    @property
    def epochs(self) -> RowTable[EpochView]:
        """The table of epochs."""
        return self.query_one("#epochs", RowTable)

    @property
    def disputes(self) -> RowTable[Dispute]:
        """The table of challenges and demands."""
        return self.query_one("#disputes", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        self.epochs.show(picture.epochs[::-1])
        disputes = [*map(Dispute, picture.challenges), *map(Dispute, picture.demands)]
        self.disputes.show(sorted(disputes, key=_when, reverse=True))
        self._show_levels(picture)

    def _show_levels(self, picture: Picture) -> None:
        counts = "  ".join(f"{state(each).text} {picture.totals.epochs.get(each, 0)}" for each in EpochState)
        earned = "; ".join(
            f"{short(each.challenger)} overturned {each.overturned}, {amount(each.credited - each.claimed)} ETH waits"
            for each in picture.challengers
        )
        watcher = picture.watcher or "no journal named (--watch-journal)"
        self.query_one("#levels", Static).update(f" {counts}\n watcher: {watcher}{' · ' + earned if earned else ''}")

    def tick(self) -> None:
        """Countdowns go on."""
        self.epochs.refresh()
        self.disputes.refresh()

    def subject(self) -> Subject | None:
        """The transaction of what is selected."""
        if self.disputes.has_focus and (dispute := self.disputes.selected) is not None:
            place = dispute.of.overturned if isinstance(dispute.of, ChallengeView) else dispute.of.demanded
            return Subject("tx", "0x" + place.transaction_hash.hex())
        epoch = self.epochs.selected
        return None if epoch is None else Subject("tx", "0x" + epoch.posted.transaction_hash.hex())

    def actions(self, picture: Picture) -> list[Action]:
        """What anybody may do about the selected epoch."""
        epoch = self.epochs.selected
        if epoch is None:
            return []
        actions = for_epoch(picture, epoch)
        if condemned := picture.condemned(epoch.instance_id):
            actions.append(slash_all(epoch.instance_id, condemned))
        return actions

    @on(RowTable.Chosen, "#epochs")
    def _epoch_chosen(self, event: RowTable.Chosen) -> None:
        self.fed.go_to_instance(event.row.instance_id)

    @on(RowTable.Chosen, "#disputes")
    def _dispute_chosen(self, event: RowTable.Chosen) -> None:
        self.fed.go_to_instance(event.row.of.instance_id)


def _key(dispute: Dispute) -> str:
    of = dispute.of
    return f"demand {of.demand_id}" if isinstance(of, DemandView) else f"challenge {of.header_hash.hex()}"


def _when(dispute: Dispute) -> int:
    of = dispute.of
    return int((of.demanded if isinstance(of, DemandView) else of.overturned).timestamp)


def _who(dispute: Dispute) -> str:
    of = dispute.of
    return of.demander if isinstance(of, DemandView) else of.challenger


def _what(dispute: Dispute) -> Cell:
    of = dispute.of
    if isinstance(of, DemandView):
        return state(of.state)
    return Cell("✗ overturned", Tone.BAD)


def _about(dispute: Dispute) -> str:
    of = dispute.of
    if isinstance(of, DemandView):
        kinds = {each.value: each.name.lower().replace("_", " ") for each in DemandKind}
        return f"demand {of.demand_id}: {kinds.get(of.kind, of.kind)}, seat {of.seat}, at {of.index}"
    return f"{case_name(of.fraud_case)}; {amount(of.reward)} to the challenger; {moment(of.overturned.timestamp)}"
