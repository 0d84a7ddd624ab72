"""The lines that are on every screen: what is looked at, where one is, and a banner when not all is well."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from fedblocks.monitor.views import HealthState
from fedblocks_tui.picture import Picture
from fedblocks_tui.text import moment, span, state

NAMES = ("overview", "clients", "slashes", "jobs", "rollup", "transactions")
"""The screens, in the order of their digits."""


class Header(Widget):
    """One line: the deployment, the block, the chain's time, the age of the data, who acts."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self._line, self._role = "", ""

    def tell(self, label: str, picture: Picture | None, chain_now: float, age: float, role: str) -> None:
        """Write the line anew."""
        if picture is None or picture.block is None:
            where = "no block yet"
        else:
            where = f"block {picture.block.number:,} · ≈{moment(chain_now)[5:]} chain time · data {span(age)} old"
        self._line, self._role = f" {label} · {where}", f" {role} "
        self.refresh()

    def render(self) -> Text:
        """The line in the width that there is; who acts is never cut off."""
        line = Text(self._line, no_wrap=True, overflow="ellipsis")
        line.truncate(max(0, self.size.width - len(self._role)), overflow="ellipsis", pad=True)
        return Text.assemble(line, self._role, no_wrap=True)


class Tabs(Static):
    """One line: the screens by their digits; the one that is shown stands in brackets."""

    def __init__(self, current: str) -> None:
        parts = [
            (f"[{number} {name}]", "bold reverse") if name == current else (f" {number} {name} ", "")
            for number, name in enumerate(NAMES, 1)
        ]
        super().__init__(Text.assemble(*parts, no_wrap=True, overflow="ellipsis"), id="tabs")


class Banner(Static):
    """A line that is only there when the data may not be what they seem."""

    def tell(self, picture: Picture | None, health_text: str, health: HealthState, age: float, paused: bool) -> None:
        """Show the trouble, or hide."""
        parts = []
        if paused:
            parts.append("‖ PAUSED: p goes on")
        if health is not HealthState.HEALTHY:
            stale = ""
            if health in (HealthState.DISCONNECTED, HealthState.LAGGING):
                shown = "nothing to show yet" if picture is None or picture.block is None else f"stale: {span(age)} old"
                stale = f" ({shown}; trying again)"
            parts.append(f"{state(health).text} {health_text}{stale}")
        self.set_class(health is HealthState.DISCONNECTED, "-bad")
        self.set_class(health in (HealthState.LOADING, HealthState.LAGGING) or paused, "-warn")
        self.display = bool(parts)
        self.update(Text(" " + " · ".join(parts), no_wrap=True, overflow="ellipsis"))
