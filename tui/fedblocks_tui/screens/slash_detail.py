"""Why a stake was taken: the verdict, its epoch, and what was measured of everybody in that epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import EpochScores, Measure, SeatScores, SlashView
from fedblocks_tui.messages import DetailLoaded
from fedblocks_tui.picture import Picture
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.text import Cell, Tone, exact, hex_of, moment, reason, short
from fedblocks_tui.widgets.columns import Column
from fedblocks_tui.widgets.facts import Fact, Facts
from fedblocks_tui.widgets.plots import EXCLUDED, ORDINARY, SLASHED, ScorePlot, figure
from fedblocks_tui.widgets.table import RowTable


class SlashDetail(FedScreen):
    """One slash."""

    NAME = "slashes"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "rule(1)", "Next rule", key_display="]"),
        Binding("left_square_bracket", "rule(-1)", "Previous rule", key_display="[", show=False),
        Binding("c", "client", "Client"),
        Binding("i", "instance", "Job"),
    ]

    def __init__(self, slash: SlashView) -> None:
        super().__init__()
        self.slash = slash
        self.scores: EpochScores | None = None
        self.rule: str | None = None

    def body(self) -> Iterable[Widget]:
        """What happened on the left, the epoch's scores on the right."""
        with Horizontal(id="split"):
            with Vertical(id="left"):
                yield Facts(f"slash of {short(self.slash.client)}", id="facts")
                yield Static("", id="evidence", markup=False)
            with Vertical(id="right"):
                yield ScorePlot(id="scores")
                yield RowTable(
                    self._columns(), lambda seat: str(seat.seat), empty="no published data of this epoch", id="seats"
                )

    def _columns(self) -> tuple[Column[SeatScores], ...]:
        return (
            Column(title="Seat", width=4, cell=lambda s: str(s.seat), order=lambda s: s.seat, right=True),
            Column(title="Client", width=11, cell=lambda s: short(s.client, 11), order=lambda s: s.client, grows=True),
            Column(title="Value", width=11, cell=self._value, order=self._order, right=True),
            Column(title="Verdict", width=10, cell=_verdict, order=lambda s: (bool(s.slashed), s.excluded)),
        )

    def _measure(self, seat: SeatScores) -> Measure | None:
        return None if self.rule is None else seat.measure(self.rule)

    def _value(self, seat: SeatScores) -> str | Cell:
        measure = self._measure(seat)
        if measure is None:
            return "-"
        text = figure(measure.value, measure.unit)
        return Cell("! " + text, Tone.BAD) if measure.triggered else text

    def _order(self, seat: SeatScores) -> float | None:
        measure = self._measure(seat)
        return None if measure is None else measure.value

    @property
    def seats(self) -> RowTable[SeatScores]:
        """The table of seats."""
        return self.query_one("#seats", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show the facts; read the scores, if they are not there yet."""
        self.query_one("#facts", Facts).show(_facts(self.slash))
        if self.scores is None:
            self.load(self._read)
            self._explain()

    def _read(self, snapshot: Snapshot) -> EpochScores | None:
        slash = self.slash
        if slash.instance_id is None or slash.epoch is None or slash.header_hash is None:
            return None
        return snapshot.scores(slash.instance_id, slash.epoch, slash.header_hash)

    def on_detail_loaded(self, message: DetailLoaded) -> None:
        """The scores are there."""
        if not isinstance(message.detail, EpochScores):
            return
        self.scores = message.detail
        own = self.scores.of(self.slash.client)
        if own is not None and own.measures:
            ranked = sorted(own.measures, key=lambda m: (not (m.triggered and m.slashes), not m.triggered))
            self.rule = ranked[0].rule
        self.seats.show(self.scores.seats)
        if own is not None:
            self.seats.select(str(own.seat))
        self._draw()

    def _rules(self) -> list[str]:
        seats = () if self.scores is None else self.scores.seats
        return list(dict.fromkeys(measure.rule for seat in seats for measure in seat.measures))

    def action_rule(self, by: int) -> None:
        """Show what another rule measured."""
        rules = self._rules()
        if self.rule in rules:
            self.rule = rules[(rules.index(self.rule) + by) % len(rules)]
            self._draw()

    def _draw(self) -> None:
        if self.scores is not None and self.rule is not None:
            self.query_one(ScorePlot).show(self.scores.seats, self.rule)
        self.seats.refresh()
        self._explain()

    def on_row_table_moved(self) -> None:
        """Explain the seat under the cursor."""
        self._explain()

    def _explain(self) -> None:
        self.query_one("#evidence", Static).update(self._explanation())

    def _explanation(self) -> str:
        verify = "Verify: fedblocks explain slash 0x" + self.slash.slashed.transaction_hash.hex()
        seat = self.seats.selected
        if self.slash.reason is None:
            return f"Version 1 says neither why nor in which epoch a stake is taken.\n{verify}"
        if seat is None or self.rule is None:
            return f"No published data of this epoch were read; give --data to see the numbers.\n{verify}"
        measure = seat.measure(self.rule)
        who = f"Seat {seat.seat}{' (this slash)' if seat.client == self.slash.client else ''}"
        if measure is None:
            return f"{who}: {self.rule} does not concern it.\n{verify}"
        word = "speaks against it" if measure.triggered else "holds"
        weight = "hard evidence" if measure.slashes else "leaves an update out, takes no stake"
        return f"{who}, {measure.rule} ({weight}): {word}.\n{measure.sentence}\n{verify}\n{measure.formula}"

    def action_client(self) -> None:
        """Go to the client."""
        self.fed.go_to_client(self.slash.client)

    def action_instance(self) -> None:
        """Go to the instance."""
        if self.slash.instance_id is None:
            self.notify("version 1 does not say which instance it was", timeout=3)
        else:
            self.fed.go_to_instance(self.slash.instance_id)

    def subject(self) -> Subject | None:
        """The transaction."""
        return Subject("tx", hex_of(self.slash.slashed.transaction_hash))

    def on_row_table_chosen(self, event: RowTable.Chosen) -> None:
        """Go to a seat's client."""
        self.fed.go_to_client(event.row.client)


def _verdict(seat: SeatScores) -> Cell:
    if seat.slashed:
        return Cell(f"{SLASHED} {reason(seat.slashed)}", Tone.BAD)
    return Cell(f"{EXCLUDED} left out", Tone.WARN) if seat.excluded else Cell(f"{ORDINARY} accepted", Tone.GOOD)


def _facts(slash: SlashView) -> list[Fact]:
    received = "not known" if slash.received is None else exact(slash.received)
    if slash.received is not None:
        received += " (the same)" if slash.received == slash.amount else " (NOT the same!)"
    where = (
        "not said (v1)"
        if slash.instance_id is None
        else f"instance {slash.instance_id}, epoch {slash.epoch}, attempt {slash.attempt}, seat {slash.seat}"
    )
    return [
        ("client", slash.client),
        ("reason", Cell(f"✗ {reason(slash.reason)}", Tone.BAD)),
        ("taken", exact(slash.amount)),
        ("treasury got", received),
        ("where", where),
        ("header", "not said (v1)" if slash.header_hash is None else hex_of(slash.header_hash)),
        ("aggregator", slash.aggregator or "-"),
        ("posted", "-" if slash.posted is None else f"{moment(slash.posted.timestamp)} block {slash.posted.block}"),
        (
            "final",
            "-" if slash.finalized is None else f"{moment(slash.finalized.timestamp)} block {slash.finalized.block}",
        ),
        ("slashed", f"{moment(slash.slashed.timestamp)} block {slash.slashed.block}"),
        ("transaction", hex_of(slash.slashed.transaction_hash)),
    ]
