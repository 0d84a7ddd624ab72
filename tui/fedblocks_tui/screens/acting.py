"""Before a transaction: which one, what exactly it does, what it costs at most, and an explicit yes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static

from fedblocks_tui.actions import Action
from fedblocks_tui.text import exact
from fedblocks_tui.widgets.facts import Fact, lines_of

if TYPE_CHECKING:
    from fedblocks.chain.transactions import TransactionPlan

_GWEI = 10**9


class Menu(ModalScreen[Action | None]):
    """The actions that the selected row allows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Close the menu"),
        Binding("j", "down", "Down"),
        Binding("k", "up", "Up"),
    ]

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = list(actions)

    def compose(self) -> ComposeResult:
        """A list to choose from."""
        with Vertical(classes="box") as box:
            box.border_title = "what to do"
            box.border_subtitle = "enter: look at it first; escape: nothing"
            yield OptionList(*(action.title for action in self._actions), id="actions", markup=False)

    def action_down(self) -> None:
        """Down."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Up."""
        self.query_one(OptionList).action_cursor_up()

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """An action was chosen; nothing happens yet."""
        self.dismiss(self._actions[event.option_index])


class Confirm(ModalScreen[bool]):
    """A simulated transaction that waits for a yes. The button that does nothing has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "answer(False)", "Don't send"),
        Binding("Y", "answer(True)", "Send"),
        Binding("left,right,h,l", "other", "The other button"),
    ]

    def __init__(self, action: Action, plan: TransactionPlan) -> None:
        super().__init__()
        self._action, self._plan = action, plan

    def compose(self) -> ComposeResult:
        """What it does and costs, and two buttons."""
        with Vertical(classes="box") as box:
            box.border_title = self._action.title
            box.border_subtitle = "Y sends, n or escape does not"
            yield Static(lines_of(plan_facts(self._plan)))
            with Horizontal(id="answers"):
                yield Button("Don't send (n)", id="no", variant="default", compact=True)
                yield Button("Send (Y)", id="yes", variant="warning", compact=True)

    def on_mount(self) -> None:
        """A careless enter must not send."""
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """Answer by key."""
        self.dismiss(yes)

    def action_other(self) -> None:
        """Go to the other button."""
        self.query_one("#no" if self.query_one("#yes").has_focus else "#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by button."""
        self.dismiss(event.button.id == "yes")


def plan_facts(plan: TransactionPlan) -> list[Fact]:
    """A plan for a person who is to say yes or no to it."""
    call = plan.call
    facts: list[Fact] = [("function", str(call)), ("to", call.to or "a new contract")]
    facts += [(f"  {name}", _written(value)) for name, value in call.arguments.items()] or [("  arguments", "none")]
    return [
        *facts,
        ("from", plan.sender),
        ("value", exact(call.value)),
        ("gas", f"{plan.gas:,} at most"),
        ("gas price", f"{plan.gas_price / _GWEI:g} gwei at most"),
        ("fee", f"{exact(plan.fee)} at most"),
        ("cost", f"{exact(plan.cost)} at most, value and fee"),
    ]


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return ", ".join(_written(each) for each in value)
    return str(value)
