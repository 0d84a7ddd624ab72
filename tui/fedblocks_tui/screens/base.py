"""What all screens share: the lines around them, the filter, copying and opening what is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from fedblocks.monitor.read_model import Snapshot
from fedblocks_tui.actions import Action
from fedblocks_tui.messages import DetailLoaded
from fedblocks_tui.picture import Picture
from fedblocks_tui.widgets.status import Banner, Header, Tabs
from fedblocks_tui.widgets.table import RowTable

if TYPE_CHECKING:
    from fedblocks_tui.app import FedBlocksApp


@dataclass(frozen=True)
class Subject:
    """What is selected, for copying and for the explorer.

    Attributes:
        kind: ``tx``, ``address`` or ``block``, as explorers know them; ``hash`` is none of these.
        value: as text.
    """

    kind: str
    value: str


class FedScreen(Screen[None]):
    """A screen that shows pictures."""

    NAME: ClassVar[str] = ""
    """Its name among the digits."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 (textual's own declaration)

    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, the box has the keys before the next one comes, however fast somebody types.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("escape", "back", "Back", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("o", "open", "Explorer", show=False),
        Binding("a", "act", "Act", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown: Picture | None = None

    # -- what a screen says of itself --

    def body(self) -> Iterable[Widget]:
        """What is between the header and the footer."""
        raise NotImplementedError

    def render_picture(self, picture: Picture) -> None:
        """Show a picture."""
        raise NotImplementedError

    def subject(self) -> Subject | None:
        """What is selected."""
        return None

    def actions(self, picture: Picture) -> list[Action]:
        """What the account may do about it."""
        return []

    def tick(self) -> None:
        """A second has passed: draw what counts it."""

    # -- the frame --

    @property
    def fed(self) -> FedBlocksApp:
        """The app, by its own type."""
        from fedblocks_tui.app import FedBlocksApp  # the app imports its screens

        assert isinstance(self.app, FedBlocksApp)
        return self.app

    def compose(self) -> ComposeResult:
        """Header, tabs, banner, body, filter and footer."""
        yield Header()
        yield Tabs(self.NAME)
        yield Banner(id="banner")
        yield from self.body()
        yield Input(id="filter", compact=True)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Start without a filter."""
        self.query_one("#filter").display = False

    def on_screen_resume(self) -> None:
        """Catch up with what came while another screen was shown."""
        self.refresh_status()
        self.refresh_picture()

    def refresh_picture(self) -> None:
        """Show the app's picture, unless it is the one that is shown."""
        picture = self.fed.picture
        if picture is not None and picture is not self._shown and self.is_mounted:
            self._shown = picture
            for table in self.query(RowTable):
                table.waits = not picture.complete
            self.render_picture(picture)

    def refresh_status(self) -> None:
        """Write the header and the banner anew."""
        app = self.fed
        self.query_one(Header).tell(app.feed.label, app.picture, app.clock.now(), app.data_age, app.role)
        self.query_one(Banner).tell(app.picture, app.health.text, app.health.state, app.data_age, app.paused)

    # -- details --

    def load(self, look: Callable[[Snapshot], object]) -> None:
        """Read a detail in a worker; it comes back as :class:`DetailLoaded`."""
        feed = self.fed.feed

        def work() -> None:
            detail = feed.read(look)
            self.post_message(DetailLoaded(detail))

        # First what is known is drawn: the worker would take half of the time for it.
        self.call_after_refresh(lambda: self.run_worker(work, thread=True, exclusive=True, group="detail") and None)

    # -- filter --

    @property
    def main_table(self) -> RowTable[Any] | None:
        """The table that hears the keys; the first one if none does."""
        tables = [table for table in self.query(RowTable) if table.display]
        return next((table for table in tables if table.has_focus), tables[0] if tables else None)

    def action_filter(self) -> None:
        """Ask for a filter."""
        table = self._filtered
        if table is None or table.searchable is None:
            self.notify("there is nothing to filter here", timeout=3)
            return
        box = self.query_one("#filter", Input)
        box.placeholder = f"/ {table.searchable.hint}"
        box.display = True
        box.value = table.query_text
        self.set_focus(box)

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        table = self._filtered
        if table is not None:
            table.filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_done(self, event: Input.Submitted) -> None:
        event.input.display = bool(event.value)
        table = self._filtered
        if table is not None:
            self.set_focus(table)

    @property
    def _filtered(self) -> RowTable[Any] | None:
        return next((table for table in self.query(RowTable) if table.searchable is not None and table.display), None)

    def action_back(self) -> None:
        """Clear the filter; without one, go back."""
        box = self.query_one("#filter", Input)
        if box.display:
            box.value = ""
            box.display = False
            if (table := self._filtered) is not None:
                table.filter("")
                self.set_focus(table)
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    # -- what is selected --

    def action_copy(self) -> None:
        """Copy what is selected."""
        subject = self.subject()
        if subject is None:
            self.notify("nothing is selected that could be copied", timeout=3)
            return
        self.app.copy_to_clipboard(subject.value)
        self.notify(f"copied {subject.value}", timeout=3)

    def action_open(self) -> None:
        """Open what is selected in the chain's explorer."""
        subject = self.subject()
        if subject is None:
            self.notify("nothing is selected that an explorer knows", timeout=3)
        else:
            self.fed.open_in_explorer(subject.kind, subject.value)

    def action_act(self) -> None:
        """Ask which action to take."""
        self.fed.offer(self.actions(self.fed.picture) if self.fed.picture is not None else [])
