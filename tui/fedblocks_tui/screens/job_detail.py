"""One training instance: curves of accuracy and cost, its epochs, its cohort, its money, its history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import EpochState, EpochView, HistoryEntry, InstanceView, RewardView
from fedblocks.seats import seats_of
from fedblocks.types import Address, InstanceId, Seat
from fedblocks.units import PARTS_PER_MILLION, WEI_PER_ETHER
from fedblocks_tui.actions import Action, for_instance
from fedblocks_tui.messages import DetailLoaded
from fedblocks_tui.picture import Picture
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.screens.epochs import epoch_columns, epoch_key
from fedblocks_tui.screens.history import HISTORY, history_key, history_words
from fedblocks_tui.text import Cell, Tone, amount, exact, moment, percent, reason, short, state
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.facts import Fact, Facts
from fedblocks_tui.widgets.plots import CurvePlot
from fedblocks_tui.widgets.table import RowTable

_VIEWS = ("epochs", "cohort", "history")


@dataclass(frozen=True)
class Member:
    """A seat of the cohort."""

    seat: Seat
    client: Address
    accepted: int
    excluded: int
    verdict: str
    reward: RewardView | None


@dataclass(frozen=True)
class _Detail:
    history: tuple[HistoryEntry, ...]
    rewards: tuple[RewardView, ...]


COHORT: tuple[Column[Member], ...] = (
    Column(title="Seat", width=4, cell=lambda m: str(m.seat), order=lambda m: m.seat, right=True),
    Column(title="Client", width=13, cell=lambda m: short(m.client), order=lambda m: m.client, grows=True),
    Column(title="Accepted", width=8, cell=lambda m: str(m.accepted), order=lambda m: m.accepted, right=True),
    Column(title="Left out", width=8, cell=lambda m: str(m.excluded), order=lambda m: m.excluded, right=True),
    Column(
        title="Verdict",
        width=12,
        cell=lambda m: Cell(f"✗ {m.verdict}", Tone.BAD) if m.verdict else "● none",
        order=lambda m: m.verdict,
    ),
    Column(
        title="Credited",
        width=10,
        cell=lambda m: "-" if m.reward is None else amount(m.reward.credited),
        order=lambda m: None if m.reward is None else m.reward.credited,
        right=True,
    ),
)


class JobDetail(FedScreen):
    """One instance."""

    NAME = "jobs"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "turn", "Epochs/cohort/history"),
    ]

    def __init__(self, instance_id: InstanceId) -> None:
        super().__init__()
        self.instance_id = instance_id
        self._view = _VIEWS[0]
        self._rewards: tuple[RewardView, ...] = ()

    def body(self) -> Iterable[Widget]:
        """Facts and curves over one of three tables."""
        with Horizontal(id="cards"):
            yield Facts(f"job {self.instance_id}", id="facts")
            yield CurvePlot("accuracy of posted epochs", "%", id="accuracy")
            yield CurvePlot("cost of posted epochs", "ETH", id="cost")
        yield RowTable(epoch_columns(self), epoch_key, empty="no epoch was posted yet", id="epochs")
        yield RowTable(COHORT, lambda m: str(m.seat), empty="no cohort", id="cohort")
        yield RowTable(HISTORY, history_key, searchable=history_words, empty="no event", id="history")

    def on_mount(self) -> None:
        """Show the first of the tables."""
        super().on_mount()
        self._turn_to(self._view)

    def _turn_to(self, view: str) -> None:
        self._view = view
        for each in _VIEWS:
            self.query_one(f"#{each}").display = each == view
        self.query_one(f"#{view}").focus()

    def action_turn(self) -> None:
        """Show the next of the three tables."""
        self._turn_to(_VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)])

    def render_picture(self, picture: Picture) -> None:
        """Show a picture, and read what it does not hold."""
        self._show(picture)
        self.load(self._read)

    def _read(self, snapshot: Snapshot) -> _Detail:
        return _Detail(snapshot.history(instance_id=self.instance_id), snapshot.rewards(instance_id=self.instance_id))

    def on_detail_loaded(self, message: DetailLoaded) -> None:
        """History and rewards are there."""
        if isinstance(message.detail, _Detail):
            self.query_one("#history", RowTable).show(message.detail.history)
            self._rewards = message.detail.rewards
            if self.fed.picture is not None:
                self._show_cohort(self.fed.picture)

    def _show(self, picture: Picture) -> None:
        instance = picture.instances_by_id.get(self.instance_id)
        facts = self.query_one("#facts", Facts)
        if instance is None:
            facts.show([("state", "there is no such instance (yet)")])
            return
        facts.show(_facts(instance))
        epochs = picture.epochs_of(self.instance_id)
        standing = [each for each in epochs if each.state is not EpochState.OVERTURNED]
        numbers = [float(each.epoch) for each in standing]
        accuracy = [each.accuracy_ppm * 100 / PARTS_PER_MILLION for each in standing]
        self.query_one("#accuracy", CurvePlot).show(numbers, accuracy, instance.number_of_epochs)
        fee = instance.escrow / instance.number_of_epochs
        cost = [(instance.base_fee + fee * each.epoch) / WEI_PER_ETHER for each in standing]
        self.query_one("#cost", CurvePlot).show(numbers, cost, instance.number_of_epochs)
        self.query_one("#epochs", RowTable).show(epochs[::-1])
        self._show_cohort(picture)

    def _show_cohort(self, picture: Picture) -> None:
        instance = picture.instances_by_id.get(self.instance_id)
        if instance is not None:
            members = members_of(instance, picture.epochs_of(self.instance_id), self._rewards)
            self.query_one("#cohort", RowTable).show(members)

    def tick(self) -> None:
        """Countdowns go on."""
        self.query_one("#epochs").refresh()

    def subject(self) -> Subject | None:
        """What the selected row is about."""
        table = self.query_one(f"#{self._view}", RowTable)
        row: Any = table.selected
        if isinstance(row, EpochView):
            return Subject("tx", "0x" + row.posted.transaction_hash.hex())
        if isinstance(row, Member):
            return Subject("address", row.client)
        if isinstance(row, HistoryEntry):
            return Subject("tx", "0x" + row.place.transaction_hash.hex())
        return None

    def actions(self, picture: Picture) -> list[Action]:
        """What one may do about this instance."""
        instance, own = picture.instances_by_id.get(self.instance_id), self.fed.own
        return [] if instance is None or own is None else for_instance(picture, instance, own)

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Go to a seat's client."""
        if isinstance(event.row, Member):
            self.fed.go_to_client(event.row.client)


def members_of(instance: InstanceView, epochs: Iterable[EpochView], rewards: Iterable[RewardView]) -> list[Member]:
    """The cohort, with what the standing epochs say of each seat."""
    by_client = {reward.client: reward for reward in rewards}
    accepted, excluded = [0] * len(instance.cohort), [0] * len(instance.cohort)
    verdicts: dict[int, str] = {}
    for epoch in epochs:
        if epoch.state is EpochState.OVERTURNED:
            continue
        for seat in seats_of(epoch.participants & ~epoch.excluded):
            accepted[seat] += 1
        for seat in seats_of(epoch.excluded):
            excluded[seat] += 1
        verdicts |= {seat: reason(why) for seat, why in epoch.new_slash_reasons.items()}
    return [
        Member(Seat(seat), client, accepted[seat], excluded[seat], verdicts.get(seat, ""), by_client.get(client))
        for seat, client in enumerate(instance.cohort)
    ]


def _facts(instance: InstanceView) -> list[Fact]:
    settled = (
        "not settled"
        if instance.clients_total is None
        else f"clients {amount(instance.clients_total)}, protocol {amount(instance.protocol_total)}"
    )
    refund = "-" if instance.refund is None else f"{exact(instance.refund)}, {amount(instance.refunded)} taken"
    return [
        ("state", state(instance.state)),
        (
            "epochs",
            f"{instance.finalized_epochs} final, {instance.posted_epochs} posted, {instance.number_of_epochs} paid",
        ),
        ("accuracy", percent(instance.accuracy_ppm)),
        ("paid", f"{amount(instance.escrow)} escrow + {amount(instance.base_fee)} fee"),
        ("settled", settled),
        ("refund", refund),
        ("user", instance.user),
        ("aggregator", instance.aggregator or "none yet"),
        ("active", moment(instance.last_activity.timestamp)),
    ]
