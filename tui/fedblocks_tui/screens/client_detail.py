"""One client: where its money is, and everything that ever happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import ClientView, HistoryEntry, RewardView
from fedblocks.types import Address
from fedblocks_tui.actions import Action, for_account
from fedblocks_tui.messages import DetailLoaded
from fedblocks_tui.picture import Picture
from fedblocks_tui.screens.base import FedScreen, Subject
from fedblocks_tui.screens.history import HISTORY, history_key, history_words
from fedblocks_tui.text import amount, countdown, exact, moment, reason, state
from fedblocks_tui.widgets.facts import Fact, Facts
from fedblocks_tui.widgets.table import RowTable


@dataclass(frozen=True)
class _Detail:
    history: tuple[HistoryEntry, ...]
    rewards: tuple[RewardView, ...]


class ClientDetail(FedScreen):
    """One client with its history."""

    NAME = "clients"

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address
        self._rewards: tuple[RewardView, ...] = ()

    def body(self) -> Iterable[Widget]:
        """Facts over the history."""
        with Horizontal(id="cards"):
            yield Facts(f"client {self.address}", id="facts")
            yield Facts("rewards (ETH)", id="rewards")
        yield RowTable(
            HISTORY, history_key, searchable=history_words, empty="nothing has happened to this client", id="history"
        )

    @property
    def history(self) -> RowTable[HistoryEntry]:
        """The table of what happened."""
        return self.query_one("#history", RowTable)

    def render_picture(self, picture: Picture) -> None:
        """Show the facts, and read the history anew."""
        self._show(picture)
        self.load(self._read)

    def _read(self, snapshot: Snapshot) -> _Detail:
        return _Detail(snapshot.history(client=self.address), snapshot.rewards(client=self.address))

    def on_detail_loaded(self, message: DetailLoaded) -> None:
        """The history is there."""
        if isinstance(message.detail, _Detail):
            self.history.show(message.detail.history)
            self._rewards = message.detail.rewards
            self._show_rewards()

    def tick(self) -> None:
        """The countdown goes on."""
        if self.fed.picture is not None:
            self._show(self.fed.picture)

    def _show(self, picture: Picture) -> None:
        client = picture.clients_by_address.get(self.address)
        facts = (
            [("state", "not a client of this deployment")] if client is None else _facts(client, self.fed.clock.now())
        )
        if client is not None and client.slashed:
            last = next((each for each in reversed(picture.slashes) if each.client == self.address), None)
            if last is not None:
                where = "" if last.instance_id is None else f", instance {last.instance_id} epoch {last.epoch}"
                facts.append(("slashed for", f"{reason(last.reason)}{where} (3, enter: evidence)"))
        self.query_one("#facts", Facts).show(facts)

    def _show_rewards(self) -> None:
        facts: list[Fact] = [
            (
                f"instance {each.instance_id}",
                f"{amount(each.credited)} for {each.epochs} epochs; claimed {amount(each.claimed)}"
                + (f"; forfeited {amount(each.forfeited)}" if each.forfeited else ""),
            )
            for each in self._rewards
        ]
        self.query_one("#rewards", Facts).show(facts or [("none", "credited when an instance is settled")])

    def subject(self) -> Subject | None:
        """The transaction of the selected event, else the client."""
        entry = self.history.selected
        if entry is not None and self.history.has_focus:
            return Subject("tx", "0x" + entry.place.transaction_hash.hex())
        return Subject("address", self.address)

    def actions(self, picture: Picture) -> list[Action]:
        """What the account may do, if this is it."""
        return for_account(picture, self.address, self.fed.clock.now()) if self.fed.own == self.address else []

    @on(RowTable.Chosen, "#history")
    def _chosen(self, event: RowTable.Chosen) -> None:
        if event.row.instance_id is not None:
            self.fed.go_to_instance(event.row.instance_id)


def _facts(client: ClientView, now: float) -> list[Fact]:
    unbonding = exact(client.unbonding)
    if client.unbonding:
        unbonding += f" · withdrawable {countdown(client.withdrawable_at, now)} ({moment(client.withdrawable_at)})"
    return [
        ("state", state(client.state)),
        ("stake", exact(client.active)),
        ("unbonding", unbonding),
        ("returned", f"{amount(client.returned)} · slashed {amount(client.slashed)} ETH"),
        ("strikes", "no published data read" if client.strikes is None else str(client.strikes)),
        (
            "epochs",
            f"{client.accepted} accepted, {client.excluded} left out, {client.running}/{client.instances} jobs running",
        ),
        ("pending", exact(client.pending)),
        (
            "claimable",
            f"{amount(client.claimable)} · claimed {amount(client.claimed)} · forfeited {amount(client.forfeited)} ETH",
        ),
    ]
