"""What workers tell the screens. Workers read and wait; only a message's handler changes what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from fedblocks.monitor.views import Health
from fedblocks_tui.actions import Action
from fedblocks_tui.picture import Picture

if TYPE_CHECKING:  # web3 takes a second, and the first screen needs none of it
    from fedblocks.chain.transactions import TransactionPlan


class PictureArrived(Message):
    """The feed has read a block."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        super().__init__()


class HealthChanged(Message):
    """The connection or the index has changed while nothing new could be read."""

    def __init__(self, health: Health) -> None:
        self.health = health
        super().__init__()


class DetailLoaded(Message):
    """What a detail screen has asked for."""

    def __init__(self, detail: object) -> None:
        self.detail = detail
        super().__init__()


class ActionPlanned(Message):
    """An action was simulated and can be confirmed."""

    def __init__(self, action: Action, plan: TransactionPlan) -> None:
        self.action, self.plan = action, plan
        super().__init__()


class ActionEnded(Message):
    """An action was carried out, or was not."""

    def __init__(self, action: Action, text: str, *, ok: bool) -> None:
        self.action, self.text, self.ok = action, text, ok
        super().__init__()
