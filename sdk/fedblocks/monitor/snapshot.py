"""The index at one block: the read model that the command line, the terminal and reports share.

A snapshot reads within one transaction of the database, so that all it tells is of one block, however long it is looked
at and whatever the indexer writes meanwhile. It belongs to the thread that opened it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from sqlalchemy import Connection, func, or_, select

from fedblocks.monitor.alerts import alerts_of
from fedblocks.monitor.cache import ReadCache
from fedblocks.monitor.client_views import Ledger, client_views
from fedblocks.monitor.history import history_entry
from fedblocks.monitor.indexer import read_tip
from fedblocks.monitor.instance_views import (
    Holds,
    bond_views,
    challenge_views,
    due_epochs,
    epoch_views,
    instance_view,
    reward_views,
)
from fedblocks.monitor.journal import read_own, read_scores_of, read_strikes, read_totals
from fedblocks.monitor.projections import State, place_from
from fedblocks.monitor.routes import PARTY, Router, linked_from, of_instance, select_events
from fedblocks.monitor.subject import Subject
from fedblocks.monitor.tables import entities, events, scores
from fedblocks.monitor.totals import totals_of
from fedblocks.monitor.views import (
    Alert,
    BondView,
    ChallengerView,
    ChallengeView,
    ClientView,
    DemandState,
    DemandView,
    EpochScores,
    EpochState,
    EpochView,
    HistoryEntry,
    IndexedBlock,
    InstanceView,
    OwnTransaction,
    RewardView,
    SlashView,
    Totals,
    TreasuryView,
)
from fedblocks.seats import SlashReason
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei

T = TypeVar("T")

TREASURIES = ("SlashTreasury", "RewardTreasury")


class IndexSnapshot:
    """Implements :class:`fedblocks.monitor.read_model.Snapshot` over an open transaction."""

    def __init__(
        self, connection: Connection, deployment: int, subject: Subject, router: Router, cache: ReadCache
    ) -> None:
        """Made by :meth:`fedblocks.monitor.monitor.Monitor.snapshot`, which ends the transaction too."""
        self._connection = connection
        self._deployment = deployment
        self._router = router
        self._cache = cache
        self.subject = subject
        self._block = read_tip(connection, deployment)
        # The same tip means the same rows; figures come beside them.
        read = connection.scalar(select(func.count()).where(scores.c.deployment == deployment))
        self._version = (deployment, None if self._block is None else self._block.hash, read)

    @property
    def block(self) -> IndexedBlock | None:
        """Which block; None while the index is empty."""
        return self._block

    @property
    def now(self) -> Timestamp:
        """The time of the block; 0 while the index is empty."""
        return Timestamp(0) if self._block is None else self._block.timestamp

    def totals(self) -> Totals:
        """The deployment in a few numbers."""

        def make() -> Totals:
            kept = read_totals(self._connection, self._deployment, self._block)
            if kept is not None:
                return kept
            count = self._connection.scalar(select(func.count()).where(events.c.deployment == self._deployment))
            return totals_of(self, int(count or 0))

        return self._whole("totals", make)

    def clients(self) -> tuple[ClientView, ...]:
        """All clients, in the order in which they first staked."""

        def make() -> tuple[ClientView, ...]:
            ledger = Ledger(self._strikes())
            return client_views(self._states("client"), self._instances(), ledger, self._cache)

        return self._whole("clients", make)

    def client(self, address: Address) -> ClientView | None:
        """One client."""
        by_address = self._whole("clients by address", lambda: {view.address: view for view in self.clients()})
        return by_address.get(address)

    def slashes(self) -> tuple[SlashView, ...]:
        """All slashes."""

        def make() -> tuple[SlashView, ...]:
            views = [view for key, state in self._states("slash").items() for view in self._slashes(key, state)]
            return tuple(sorted(views, key=lambda view: (view.slashed.block, view.slashed.log_index)))

        return self._whole("slashes", make)

    def slashes_in(self, transaction_hash: Hash32) -> tuple[SlashView, ...]:
        """The slashes of one transaction."""
        state = self._states("slash").get(transaction_hash.hex())
        return () if state is None else tuple(self._slashes(transaction_hash.hex(), state))

    def instances(self) -> tuple[InstanceView, ...]:
        """All instances, by their numbers."""

        def make() -> tuple[InstanceView, ...]:
            return tuple(self._instance_view(key, state) for key, state in self._instances())

        return self._whole("instances", make)

    def instance(self, instance_id: InstanceId) -> InstanceView | None:
        """One instance."""
        state = self._states("instance").get(str(instance_id))
        return None if state is None else self._instance_view(str(instance_id), state)

    def epochs(self, instance_id: InstanceId | None = None) -> tuple[EpochView, ...]:
        """Every posting of every epoch, overturned ones included."""

        def make() -> tuple[EpochView, ...]:
            states = self._states("epochs").items()
            views = [view for key, state in states for view in self._epochs(key, state)]
            return tuple(sorted(views, key=lambda view: (view.posted.block, view.posted.log_index)))

        if instance_id is None:
            return self._whole("epochs", make)
        state = self._state("epochs", str(instance_id))
        return () if state is None else self._epochs(str(instance_id), state)

    def recent_epochs(self, limit: int = 500) -> tuple[EpochView, ...]:
        """The newest postings and all that are not final yet, without reading all the others."""

        def make() -> tuple[EpochView, ...]:
            newest = self._connection.execute(
                select(events.c.instance_id)
                .where(events.c.deployment == self._deployment, events.c.event == "EpochSubmitted")
                .order_by(events.c.block.desc(), events.c.log_index.desc())
                .limit(limit)
            )
            wanted = {str(row.instance_id) for row in newest}
            wanted |= {key for key, state in self._instances() if state["pending"]}
            found = [view for key in wanted for view in self.epochs(InstanceId(int(key)))]
            found.sort(key=lambda view: (view.posted.block, view.posted.log_index))
            pending = [view for view in found[:-limit] if view.state in (EpochState.POSTED, EpochState.FINALIZABLE)]
            return (*pending, *found[-limit:])

        return self._whole(f"{limit} recent epochs", make)

    def rewards(
        self, *, instance_id: InstanceId | None = None, client: Address | None = None
    ) -> tuple[RewardView, ...]:
        """What clients were credited."""
        views = self._each(reward_views, instance_id)
        return tuple(view for view in views if client is None or view.client == client)

    def bonds(self, instance_id: InstanceId | None = None) -> tuple[BondView, ...]:
        """What aggregators have deposited."""
        return tuple(self._each(bond_views, instance_id))

    def challenges(self, instance_id: InstanceId | None = None) -> tuple[ChallengeView, ...]:
        """The epochs that were proved wrong."""
        views = self._each(challenge_views, instance_id)
        return tuple(sorted(views, key=lambda view: (view.overturned.block, view.overturned.log_index)))

    def challengers(self) -> tuple[ChallengerView, ...]:
        """Who has proved epochs wrong."""
        found = sorted(self._states("challenger").items(), key=lambda item: item[1]["first"])
        return tuple(
            ChallengerView(
                challenger=_address(key),
                overturned=state["overturned"],
                credited=Wei(state["credited"]),
                claimed=Wei(state["claimed"]),
            )
            for key, state in found
        )

    def demands(self, instance_id: InstanceId | None = None) -> tuple[DemandView, ...]:
        """The demands for data."""
        found = [
            _demand_view(key, state)
            for key, state in self._states("demand").items()
            if instance_id is None or state["instance"] == instance_id
        ]
        return tuple(sorted(found, key=lambda view: (view.demanded.block, view.demanded.log_index)))

    def treasuries(self) -> tuple[TreasuryView, ...]:
        """Both treasuries."""
        states = self._states("treasury")
        views = []
        for name in TREASURIES:
            address = self.subject.addresses[name]
            state = states.get(address, {"received": 0, "withdrawn": 0})
            views.append(
                TreasuryView(
                    name=name, address=address, received=Wei(state["received"]), withdrawn=Wei(state["withdrawn"])
                )
            )
        return tuple(views)

    def history(
        self,
        *,
        instance_id: InstanceId | None = None,
        client: Address | None = None,
        transaction_hash: Hash32 | None = None,
        limit: int = 200,
    ) -> tuple[HistoryEntry, ...]:
        """The newest events, newest first; `client` may be any account that an event names."""
        query = select_events(self._deployment)
        if client is not None:
            query = query.where(linked_from(self._deployment, PARTY, [client]))
        if instance_id is not None:
            named = of_instance(self._deployment, instance_id)
            demands = [key for key, state in self._states("demand").items() if state["instance"] == instance_id]
            # The answer to a demand names the demand, which names the instance.
            answers = linked_from(self._deployment, "demand", demands)
            query = query.where(or_(named, answers) if demands else named)
        if transaction_hash is not None:
            query = query.where(events.c.transaction_hash == transaction_hash)
        rows = self._connection.execute(query.order_by(events.c.block.desc(), events.c.log_index.desc()).limit(limit))
        return tuple(history_entry(self._router.entry(row)) for row in rows)

    def scores(self, instance_id: InstanceId, epoch: EpochNumber, header_hash: Hash32) -> EpochScores | None:
        """An epoch's figures; None where its published data were not read."""
        return read_scores_of(self._connection, self._deployment, instance_id, epoch, header_hash)

    def unscored(self) -> tuple[EpochView, ...]:
        """The postings whose figures were not read, in the order in which they were posted."""
        known = read_strikes(self._connection, self._deployment)
        return tuple(view for view in self.epochs() if (view.instance_id, view.epoch, view.header_hash) not in known)

    def alerts(self) -> tuple[Alert, ...]:
        """What somebody should look at, the worst first."""
        return self._whole("alerts", lambda: alerts_of(self, self.subject))

    def own_transactions(self) -> tuple[OwnTransaction, ...]:
        """What was sent from this machine, newest first."""
        return read_own(self._connection, self._deployment)

    # -- states --

    def _whole(self, name: str, make: Callable[[], T]) -> T:
        return self._cache.whole(self._version, name, make)

    def _states(self, kind: str) -> Mapping[str, State]:
        def make() -> Mapping[str, State]:
            rows = self._connection.execute(
                select(entities.c.key, entities.c.state).where(
                    entities.c.deployment == self._deployment, entities.c.kind == kind
                )
            )
            return self._cache.states(kind, ((row[0], row[1]) for row in rows))

        return self._whole(f"states of {kind}", make)

    def _state(self, kind: str, key: str) -> State | None:
        text = self._connection.scalar(
            select(entities.c.state).where(
                entities.c.deployment == self._deployment, entities.c.kind == kind, entities.c.key == key
            )
        )
        return None if text is None else json.loads(text)

    def _instances(self, instance_id: InstanceId | None = None) -> list[tuple[str, State]]:
        states = self._states("instance")
        if instance_id is not None:
            state = states.get(str(instance_id))
            return [] if state is None else [(str(instance_id), state)]
        return self._whole("instances in order", lambda: sorted(states.items(), key=lambda item: int(item[0])))

    def _each(self, make: Callable[[InstanceId, State], Iterable[T]], instance_id: InstanceId | None) -> Iterator[T]:
        for key, state in self._instances(instance_id):
            yield from make(InstanceId(int(key)), state)

    def _instance_view(self, key: str, state: State) -> InstanceView:
        due = self._due(key)
        return self._cache.view("instance", key, (state, due), lambda: instance_view(InstanceId(int(key)), state, due))

    def _epochs(self, key: str, state: State) -> tuple[EpochView, ...]:
        due = self._due(key)
        return self._cache.view("epochs", key, (state, due), lambda: epoch_views(InstanceId(int(key)), state, due))

    def _due(self, key: str) -> int:
        return due_epochs(self._states("instance")[key], self.now, self._holds())

    def _holds(self) -> Holds:
        parameters = self.subject.parameters
        period = 0 if parameters is None else parameters.answer_period
        return self._whole("holds", lambda: Holds.of(self._states("demand").values(), period))

    def _strikes(self) -> Mapping[str, Mapping[str, int]]:
        """The strikes in the last epoch of each running instance whose figures were read."""
        found: dict[str, tuple[int, Mapping[str, int]]] = {}
        instances = self._states("instance")
        for (instance_id, epoch, header_hash), strikes in read_strikes(self._connection, self._deployment).items():
            state = instances.get(str(instance_id))
            if state is None or header_hash.hex() in state["overturned"] or epoch > len(state["metrics"]):
                continue
            if epoch > found.get(str(instance_id), (0, {}))[0]:
                found[str(instance_id)] = (epoch, strikes)
        return {key: strikes for key, (_, strikes) in found.items()}

    def _slashes(self, transaction: str, state: State) -> Iterator[SlashView]:
        instances = self._states("instance")
        for slash in state["slashes"]:
            instance = instances.get(str(slash["instance"])) if slash["epoch"] is not None else None
            verdict = None if instance is None else instance["condemned"].get(slash["client"])
            yield SlashView(
                client=slash["client"],
                amount=Wei(slash["amount"]),
                received=None if slash["received"] is None else Wei(slash["received"]),
                instance_id=slash["instance"],
                epoch=slash["epoch"],
                seat=None if verdict is None else Seat(verdict["seat"]),
                reason=None if slash["reason"] is None else SlashReason(slash["reason"]),
                header_hash=None if verdict is None else Hash32(bytes.fromhex(verdict["header_hash"])),
                attempt=None if verdict is None else verdict["attempt"],
                aggregator=None if verdict is None else verdict["aggregator"],
                posted=None if verdict is None else place_from(verdict["posted"]),
                finalized=None if verdict is None else place_from(verdict["final"]),
                slashed=place_from(slash["slashed"]),
            )


def _demand_view(key: str, state: State) -> DemandView:
    return DemandView(
        demand_id=int(key),
        instance_id=InstanceId(state["instance"]),
        epoch=EpochNumber(state["epoch"]),
        state=DemandState(state["state"]),
        demander=state["demander"],
        answerer=state["answerer"],
        kind=state["kind"],
        seat=state["seat"],
        index=state["index"],
        deadline=Timestamp(state["deadline"]),
        demanded=place_from(state["demanded"]),
    )


def _address(text: str) -> Address:
    return Address(text)  # type: ignore[arg-type]  # a key is what an event said, checksummed
