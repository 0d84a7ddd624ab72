"""The terminal interface: six screens over one feed.

One worker thread asks the feed for pictures and posts them; the handlers here hand them to the screen that is shown.
What is shown stays when the node goes away, under a banner that says how old it is, and moves on by itself when it is
back.
"""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.worker import get_current_worker

from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.views import Health, HealthState, Severity, SlashView
from fedblocks.types import Address, InstanceId
from fedblocks_tui.actions import Action, Operator
from fedblocks_tui.clock import ChainClock
from fedblocks_tui.commands import Places
from fedblocks_tui.feed import Feed
from fedblocks_tui.messages import ActionEnded, ActionPlanned, HealthChanged, PictureArrived
from fedblocks_tui.picture import Picture
from fedblocks_tui.screens.base import FedScreen
from fedblocks_tui.screens.clients import Clients
from fedblocks_tui.screens.jobs import Jobs
from fedblocks_tui.screens.overview import Overview
from fedblocks_tui.screens.rollup import Rollup
from fedblocks_tui.screens.slashes import Slashes, slash_key
from fedblocks_tui.screens.transactions import Transactions
from fedblocks_tui.text import amount, reason, short
from fedblocks_tui.widgets.status import NAMES

_STARTING = Health(
    state=HealthState.LOADING, head=None, head_timestamp=None, indexed=None, data_age=0.0, text="reading the index"
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the app is made with, beside its feed.

    Attributes:
        operator: who acts; None is read-only.
        account: whose money is looked at where nobody acts.
        link: the explorer's page for a transaction, an address or a block, None where the chain has no explorer.
        bell: whether a new slash or a critical alert rings.
        browse: opens a link.
        tick: seconds between two redrawings of countdowns; 0 never redraws, for pictures of a fixed moment.
    """

    operator: Operator | None = None
    account: Address | None = None
    link: Callable[[str, str], str | None] = lambda kind, value: None
    bell: bool = True
    browse: Callable[[str], bool] = webbrowser.open
    tick: float = 1.0


class FedBlocksApp(App[None]):
    """Six screens over one feed."""

    TITLE = "FedBlocks"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    COMMANDS = App.COMMANDS | {Places}
    MODES = {  # noqa: RUF012 (textual's own declaration)
        "overview": Overview,
        "clients": Clients,
        "slashes": Slashes,
        "jobs": Jobs,
        "rollup": Rollup,
        "transactions": Transactions,
    }
    DEFAULT_MODE = "overview"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?"),
        *(
            Binding(str(digit), f"screen('{name}')", name.capitalize(), show=False)
            for digit, name in enumerate(NAMES, 1)
        ),
        Binding("p", "pause", "Pause"),
        Binding("r", "refresh_now", "Read now", show=False),
        Binding("b", "bell_switch", "Bell on/off", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, feed: Feed, clock: ChainClock, options: Options) -> None:
        """Make the app.

        Args:
            feed: where the data come from.
            clock: what countdowns run on.
            options: the rest.
        """
        super().__init__()
        self.feed = feed
        self.clock = clock
        self.options = options
        self.picture: Picture | None = None
        self.health = _STARTING
        self.paused = False
        self.bell_on = options.bell
        self._health_at = clock.wall()
        self._wake = threading.Event()
        self._planning = False

    # -- the feed --

    def on_mount(self) -> None:
        """Start reading."""
        self.run_worker(self._follow, thread=True, group="feed", exit_on_error=True)
        if self.options.tick:
            self.set_interval(self.options.tick, self._tick)

    def _follow(self) -> None:
        worker = get_current_worker()
        while not worker.is_cancelled:
            try:
                picture = self.feed.poll(self._say)
            except FedBlocksError as error:
                self.post_message(HealthChanged(_unreadable(self.health, str(error))))
            else:
                self.post_message(PictureArrived(picture))
            self._wake.wait(self.feed.interval)
            self._wake.clear()

    def _say(self, health: Health) -> None:
        self.post_message(HealthChanged(health))

    def on_picture_arrived(self, message: PictureArrived) -> None:
        """Show a picture, unless paused."""
        self._hear(message.picture.health)
        if self.paused:
            return
        before, self.picture = self.picture, message.picture
        self.clock.set(message.picture.health.head_timestamp or _block_time(message.picture))
        for screen in self.screen_stack:
            if isinstance(screen, FedScreen):
                screen.refresh_status()
                screen.refresh_picture()
        if before is not None and before.block is not None and before.complete:
            self._ring(before, message.picture)

    def on_health_changed(self, message: HealthChanged) -> None:
        """Show how the connection is."""
        self._hear(message.health)
        self._tick()

    def _hear(self, health: Health) -> None:
        self.health, self._health_at = health, self.clock.wall()

    @property
    def data_age(self) -> float:
        """Seconds since the node was last heard."""
        return self.health.data_age + max(0.0, self.clock.wall() - self._health_at)

    def _tick(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, FedScreen) and screen.is_mounted:
                screen.refresh_status()
                screen.tick()

    def _ring(self, before: Picture, after: Picture) -> None:
        known = {slash_key(each) for each in before.slashes}
        new: list[SlashView] = [each for each in after.slashes if slash_key(each) not in known]
        for slash in new[-3:]:
            text = f"{slash.client} lost {amount(slash.amount)} ETH: {reason(slash.reason)}"
            self.notify(text, title="✗ slashed", severity="error", timeout=15)
        told = {each.text for each in before.alerts}
        critical = [each for each in after.alerts if each.severity is Severity.CRITICAL and each.text not in told]
        for alert in critical[:3]:
            self.notify(f"{alert.text}. {alert.what_to_do}", title="✗ critical", severity="error", timeout=15)
        if (new or critical) and self.bell_on:
            self.bell()

    # -- keys --

    def action_screen(self, name: str) -> None:
        """Go to a screen by its digit; from a detail, too."""
        if isinstance(self.screen, ModalScreen):
            return
        self.switch_mode(name)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from fedblocks_tui.screens.help import Help

        if isinstance(self.screen, ModalScreen):
            return
        focused = self.focused
        parts = [("Everywhere", self), (f"Screen: {self.screen.__class__.__name__}", self.screen)]
        self.push_screen(Help(parts if focused is None else [*parts, ("Table", focused)]))

    def action_pause(self) -> None:
        """Keep what is shown, or go on."""
        self.paused = not self.paused
        self._tick()
        if not self.paused:
            self._wake.set()

    def action_refresh_now(self) -> None:
        """Read at once."""
        self._wake.set()
        self.notify("reading now", timeout=2)

    def action_bell_switch(self) -> None:
        """Turn the bell on or off."""
        self.bell_on = not self.bell_on
        self.notify(f"the bell is {'on' if self.bell_on else 'off'}", timeout=2)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette's commands: screens first."""
        for name in NAMES:
            yield SystemCommand(f"Screen: {name}", f"Go to {name}", lambda name=name: self.action_screen(name))
        yield SystemCommand("Bell", "Turn the bell on or off", self.action_bell_switch)
        yield SystemCommand("Pause", "Keep what is shown, or go on", self.action_pause)
        yield from super().get_system_commands(screen)

    # -- going places --

    def go_to_client(self, address: Address) -> None:
        """Show a client."""
        from fedblocks_tui.screens.client_detail import ClientDetail

        self.push_screen(ClientDetail(address))

    def go_to_instance(self, instance_id: InstanceId) -> None:
        """Show an instance."""
        from fedblocks_tui.screens.job_detail import JobDetail  # plotext is not needed for the first screen

        self.push_screen(JobDetail(instance_id))

    def go_to_slash(self, slash: SlashView) -> None:
        """Show a slash."""
        from fedblocks_tui.screens.slash_detail import SlashDetail

        self.push_screen(SlashDetail(slash))

    def open_in_explorer(self, kind: str, value: str) -> None:
        """Open a page of the explorer; where there is none, or no browser, copy what would be looked for."""
        link = self.options.link(kind, value)
        if link is None:
            self.copy_to_clipboard(value)
            self.notify(f"this chain has no explorer; copied {value}", timeout=4)
        elif self.options.browse(link):
            self.notify(f"opened {link}", timeout=4)
        else:
            self.copy_to_clipboard(link)
            self.notify(f"no browser here; copied {link}", timeout=6)

    # -- acting --

    @property
    def own(self) -> Address | None:
        """The account that acts, or is looked at."""
        return self.options.account if self.options.operator is None else self.options.operator.address

    @property
    def role(self) -> str:
        """Who acts, for the header."""
        return "read-only" if self.options.operator is None else f"acts as {short(self.own)}"

    def offer(self, actions: list[Action]) -> None:
        """Let somebody choose an action, if there is somebody."""
        from fedblocks_tui.screens.acting import Menu

        if self.options.operator is None:
            self.notify("read-only: start with --account to act", severity="warning", timeout=4)
        elif not actions:
            self.notify("there is nothing that this account could do here now", timeout=4)
        else:
            self.push_screen(Menu(actions), self._plan)

    def _plan(self, action: Action | None) -> None:
        operator = self.options.operator
        if action is None or operator is None or self._planning:
            return
        self._planning = True
        self.notify(f"simulating: {action.title}", timeout=2)

        def work() -> None:
            try:
                plan = operator.plan(action)
            except FedBlocksError as error:
                self.post_message(ActionEnded(action, str(error), ok=False))
            else:
                self.post_message(ActionPlanned(action, plan))

        self.run_worker(work, thread=True, group="acting")

    def on_action_planned(self, message: ActionPlanned) -> None:
        """Ask for a yes."""
        from fedblocks_tui.screens.acting import Confirm

        operator = self.options.operator
        assert operator is not None
        action, plan = message.action, message.plan

        def answered(yes: bool | None) -> None:
            if not yes:
                self._planning = False
                self.notify("nothing was sent", timeout=3)
                return

            def work() -> None:
                try:
                    receipt = operator.send(action, plan, lambda _: self._wake.set())
                except FedBlocksError as error:
                    self.post_message(ActionEnded(action, str(error), ok=False))
                else:
                    text = f"0x{receipt.transaction_hash.hex()} in block {receipt.block}"
                    self.post_message(ActionEnded(action, text, ok=True))

            self.run_worker(work, thread=True, group="acting")

        self.push_screen(Confirm(action, plan), answered)

    def on_action_ended(self, message: ActionEnded) -> None:
        """Say what became of it; the index will show it, too."""
        self._planning = False
        title = f"✓ {message.action.title}" if message.ok else f"✗ {message.action.title}"
        self.notify(message.text, title=title, severity="information" if message.ok else "error", timeout=15)
        self._wake.set()

    def on_unmount(self) -> None:
        """Stop reading."""
        for worker in self.workers:
            worker.cancel()
        self._wake.set()
        self.feed.close()


def _unreadable(last: Health, text: str) -> Health:
    return Health(
        state=HealthState.DISCONNECTED,
        head=last.head,
        head_timestamp=last.head_timestamp,
        indexed=last.indexed,
        data_age=last.data_age,
        text=text,
    )


def _block_time(picture: Picture) -> int | None:
    return None if picture.block is None else int(picture.block.timestamp)
