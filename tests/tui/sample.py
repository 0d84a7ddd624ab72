"""Pictures made by hand, of one fixed moment, and a feed that shows them when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.monitor.read_model import Snapshot
from fedblocks.monitor.views import (
    Alert,
    BondView,
    ChallengerView,
    ChallengeView,
    ClientState,
    ClientView,
    DemandState,
    DemandView,
    EpochScores,
    EpochState,
    EpochView,
    Health,
    HealthState,
    HistoryEntry,
    IndexedBlock,
    InstanceState,
    InstanceView,
    Measure,
    OwnState,
    OwnTransaction,
    Place,
    RewardView,
    SeatScores,
    Severity,
    Side,
    SlashView,
    Totals,
    TreasuryView,
)
from fedblocks.seats import SlashReason, bitmap_of
from fedblocks.types import Address, Bitmap, BlockNumber, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei
from fedblocks.units import ether
from fedblocks_tui.picture import Picture, take

T = TypeVar("T")

NOW = 1_790_000_000
"""The fixed moment, by both clocks."""

NOTHING_WEI = Wei(0)
JOB, OTHER_JOB = InstanceId(1), InstanceId(2)
HEAD = BlockNumber(4_200)


def address(name: str) -> Address:
    """An address that is always the same for a name."""
    return to_checksum_address(keccak(text=name)[:20])


def digest(name: str) -> Hash32:
    """A hash that is always the same for a name."""
    return Hash32(keccak(text=name))


def place(name: str, ago: int = 3_600) -> Place:
    """Somewhere on the chain."""
    return Place(
        block=BlockNumber(HEAD - ago // 12), timestamp=Timestamp(NOW - ago), transaction_hash=digest(name), log_index=0
    )


COHORT = tuple(address(f"client {seat}") for seat in range(6))
OWN = COHORT[0]
CHEAT = COHORT[4]
USER, AGGREGATOR, CHALLENGER = address("user"), address("aggregator"), address("challenger")


def client(
    who: Address,
    state: ClientState = ClientState.STAKED,
    *,
    unbonding: Wei = NOTHING_WEI,
    withdrawable_in: int | None = None,
    strikes: int | None = 0,
) -> ClientView:
    """A client."""
    staked = state is ClientState.STAKED
    return ClientView(
        address=who,
        state=state,
        active=ether("0.1") if staked else Wei(0),
        unbonding=unbonding,
        withdrawable_at=None if withdrawable_in is None else Timestamp(NOW + withdrawable_in),
        returned=Wei(0),
        slashed=ether("0.1") if state is ClientState.SLASHED else Wei(0),
        instances=1,
        running=int(staked),
        accepted=3,
        excluded=1 if strikes else 0,
        strikes=strikes,
        pending=ether("0.0025") if staked else Wei(0),
        credited=ether("0.01"),
        claimed=ether("0.004"),
        forfeited=ether("0.006") if state is ClientState.SLASHED else Wei(0),
        since=place(f"stake {who}", 86_400),
    )


CLIENTS = (
    client(COHORT[0]),
    client(COHORT[1], strikes=2),
    client(COHORT[2], ClientState.UNBONDING, unbonding=ether("0.1"), withdrawable_in=93_784),
    client(COHORT[3], ClientState.UNBONDING, unbonding=ether("0.1"), withdrawable_in=-5),
    client(COHORT[4]),
    client(COHORT[5], ClientState.WITHDRAWN, strikes=None),
)


def epoch(
    number: int,
    state: EpochState,
    *,
    attempt: int = 0,
    job: InstanceId = JOB,
    verdicts: dict[Seat, SlashReason] | None = None,
) -> EpochView:
    """An epoch of a job."""
    overturned = state is EpochState.OVERTURNED
    age = (5 - number) * 3_000
    return EpochView(
        instance_id=job,
        epoch=EpochNumber(number),
        attempt=attempt,
        state=state,
        aggregator=AGGREGATOR,
        header_hash=digest(f"header {job} {number} {attempt}"),
        header=None,  # type: ignore[arg-type]  # no screen shows its words
        data_locator=digest(f"manifest {job} {number} {attempt}"),
        accuracy_ppm=400_000 + number * 110_000,
        participants=bitmap_of(range(6)),
        excluded=bitmap_of([4]) if verdicts else Bitmap(0),
        new_slash_reasons=verdicts or {},
        finalizable_at=Timestamp(NOW + 4_000 if state is EpochState.POSTED else NOW - 10),
        posted=place(f"post {job} {number} {attempt}", age),
        finalized=place(f"final {job} {number}", age - 1_500) if state is EpochState.FINAL else None,
        overturned=place(f"overturn {job} {number}", age - 600) if overturned else None,
        overturned_by=CHALLENGER if overturned else None,
        fraud_case=5 if overturned else None,
    )


EPOCHS = (
    epoch(1, EpochState.FINAL),
    epoch(2, EpochState.OVERTURNED),
    epoch(2, EpochState.FINAL, attempt=1, verdicts={Seat(4): SlashReason.DUPLICATE}),
    epoch(3, EpochState.FINALIZABLE, attempt=1),
    epoch(4, EpochState.POSTED, attempt=1),
)

SLASH = SlashView(
    client=CHEAT,
    amount=ether("0.1"),
    received=ether("0.1"),
    instance_id=JOB,
    epoch=EpochNumber(2),
    seat=Seat(4),
    reason=SlashReason.DUPLICATE,
    header_hash=EPOCHS[2].header_hash,
    attempt=1,
    aggregator=AGGREGATOR,
    posted=EPOCHS[2].posted,
    finalized=EPOCHS[2].finalized,
    slashed=place("slash", 60),
)


def instance(job: InstanceId = JOB, state: InstanceState = InstanceState.TRAINING) -> InstanceView:
    """A job with the epochs above."""
    settled = state is InstanceState.SETTLED
    return InstanceView(
        instance_id=job,
        user=OWN if job == OTHER_JOB else USER,
        state=state,
        aggregator=AGGREGATOR,
        attempt=1,
        d=7_850,
        genesis_model_root=digest("genesis"),
        rules_hash=digest("rules"),
        cohort=COHORT,
        number_of_epochs=6,
        posted_epochs=4,
        finalized_epochs=2,
        overturned_epochs=1,
        accuracy_ppm=840_000,
        base_fee=ether("0.01"),
        escrow=ether("0.06"),
        billed_epochs=4 if settled else None,
        clients_total=ether("0.036") if settled else None,
        protocol_total=ether("0.004") if settled else None,
        refund=ether("0.02") if settled else None,
        refunded=Wei(0),
        slashed_clients=1,
        opened=place(f"open {job}", 40_000),
        last_activity=place(f"active {job}", 3_000),
    )


def health(state: HealthState = HealthState.HEALTHY, text: str = "", age: float = 1.0) -> Health:
    """How the connection is."""
    head = None if state is HealthState.DISCONNECTED else HEAD
    return Health(
        state=state, head=head, head_timestamp=Timestamp(NOW) if head else None, indexed=HEAD, data_age=age, text=text
    )


def _measure(rule: str, title: str, value: float, threshold: float, bad: Side, *, slashes: bool) -> Measure:
    triggered = value > threshold if bad is Side.ABOVE else value < threshold
    return Measure(
        rule=rule,
        title=title,
        value=value,
        threshold=threshold,
        unit="" if rule == "duplicate" else "%",
        bad=bad,
        triggered=triggered,
        slashes=slashes,
        formula=f"{value} {'>' if bad is Side.ABOVE else '<'} {threshold}",
        sentence=f"its {title} is {value}, and the limit is {threshold}",
    )


SCORES = EpochScores(
    instance_id=JOB,
    epoch=EpochNumber(2),
    header_hash=EPOCHS[2].header_hash,
    seats=tuple(
        SeatScores(
            seat=Seat(seat),
            client=COHORT[seat],
            excluded=seat == 4,
            slashed=SlashReason.DUPLICATE if seat == 4 else SlashReason.NONE,
            evidence=SlashReason.DUPLICATE if seat == 4 else SlashReason.NONE,
            strikes=0,
            weight=0 if seat == 4 else 100,
            measures=(
                _measure("little", "length beside the median", 90.0 + seat, 1.0, Side.BELOW, slashes=True),
                _measure(
                    "duplicate",
                    "likeness",
                    0.99997 if seat == 4 else 0.31 + seat / 50,
                    0.9999,
                    Side.ABOVE,
                    slashes=True,
                ),
            ),
        )
        for seat in range(6)
    ),
    absent=(),
)

HISTORY = tuple(
    HistoryEntry(
        place=place(name, ago),
        contract=contract,
        event=event,
        text=text,
        instance_id=JOB,
        clients=(CHEAT,),
        amount=ether("0.1"),
    )
    for name, ago, contract, event, text in (
        ("slash", 60, "StakingRegistry", "StakeSlashed", "its stake of 0.1 ETH was taken"),
        ("final 1 2", 4_000, "ModelParameterChain", "ClientSlashable", "epoch 2 condemned it for a duplicate"),
        ("stake", 86_400, "StakingRegistry", "StakeLocked", "it staked 0.1 ETH"),
    )
)


class SampleSnapshot:
    """One block, made by hand. `overrides` replace what a method returns."""

    def __init__(self, block: IndexedBlock | None, **overrides: object) -> None:
        self.block = block
        self._overrides = overrides

    def _get(self, name: str, default: object) -> object:
        return self._overrides.get(name, () if self.block is None else default)

    def totals(self) -> Totals:
        clients: tuple[ClientView, ...] = self.clients()  # type: ignore[assignment]
        slashes: tuple[SlashView, ...] = self.slashes()  # type: ignore[assignment]
        there = self.block is not None
        return Totals(
            events=1_234 if there else 0,
            clients={state: sum(c.state is state for c in clients) for state in ClientState},
            at_stake=Wei(sum(c.at_stake for c in clients)),
            unbonding=Wei(sum(c.unbonding for c in clients)),
            slashes=len(slashes),
            slashed=Wei(sum(s.amount for s in slashes)),
            instances={InstanceState.TRAINING: 1, InstanceState.SETTLED: 1} if there else {},
            epochs={state: sum(e.state is state for e in self.epochs()) for state in EpochState},
            escrow=ether("0.06") if there else Wei(0),
            bonds=ether("0.5") if there else Wei(0),
            rewards_claimable=ether("0.03") if there else Wei(0),
            refunds_claimable=ether("0.02") if there else Wei(0),
            open_demands=int(there),
        )

    def clients(self):
        return self._get("clients", CLIENTS)

    def client(self, who):
        return next((each for each in self.clients() if each.address == who), None)

    def slashes(self):
        return self._get("slashes", ())

    def slashes_in(self, transaction_hash):
        return tuple(each for each in self.slashes() if each.slashed.transaction_hash == transaction_hash)

    def instances(self):
        return self._get("instances", (instance(), instance(OTHER_JOB, InstanceState.SETTLED)))

    def instance(self, instance_id):
        return next((each for each in self.instances() if each.instance_id == instance_id), None)

    def epochs(self, instance_id=None):
        return self._get("epochs", EPOCHS)

    def rewards(self, *, instance_id=None, client=None):
        return (
            RewardView(
                instance_id=OTHER_JOB,
                client=client or OWN,
                epochs=4,
                credited=ether("0.01"),
                claimed=ether("0.004"),
                forfeited=Wei(0),
            ),
        )

    def bonds(self, instance_id=None):
        return (
            BondView(
                instance_id=JOB,
                aggregator=AGGREGATOR,
                deposited=ether("0.5"),
                withdrawn=Wei(0),
                slashed=Wei(0),
                is_current=True,
            ),
        )

    def challenges(self, instance_id=None):
        return self._get(
            "challenges",
            (
                ChallengeView(
                    instance_id=JOB,
                    epoch=EpochNumber(2),
                    attempt=0,
                    fraud_case=5,
                    challenger=CHALLENGER,
                    aggregator=AGGREGATOR,
                    header_hash=EPOCHS[1].header_hash,
                    reward=ether("0.25"),
                    treasury=ether("0.25"),
                    overturned=place("overturn 1 2", 8_400),
                ),
            ),
        )

    def challengers(self):
        found = ChallengerView(challenger=CHALLENGER, overturned=1, credited=ether("0.25"), claimed=Wei(0))
        return self._get("challengers", (found,))

    def demands(self, instance_id=None):
        return self._get(
            "demands",
            (
                DemandView(
                    demand_id=1,
                    instance_id=JOB,
                    epoch=EpochNumber(4),
                    state=DemandState.OPEN,
                    demander=CHALLENGER,
                    answerer=None,
                    kind=2,
                    seat=3,
                    index=0,
                    deadline=Timestamp(NOW + 1_800),
                    demanded=place("demand", 900),
                ),
            ),
        )

    def treasuries(self):
        return tuple(
            TreasuryView(name=name, address=address(name), received=ether(held), withdrawn=Wei(0))
            for name, held in (("SlashTreasury", "0.35"), ("RewardTreasury", "0.024"))
        )

    def history(self, *, instance_id=None, client=None, transaction_hash=None, limit=200):
        return HISTORY

    def scores(self, instance_id, epoch, header_hash):
        return SCORES if header_hash == SCORES.header_hash else None

    def alerts(self):
        return self._get(
            "alerts",
            (
                Alert(
                    severity=Severity.WARNING,
                    text="epoch 3 of instance 1 could be final",
                    what_to_do="fedblocks finalize 1",
                    instance_id=JOB,
                ),
            ),
        )

    def own_transactions(self):
        return self._get(
            "own",
            (
                OwnTransaction(
                    transaction_hash=digest("own 2"),
                    sender=OWN,
                    what="RewardManager.claimReward",
                    value=Wei(0),
                    state=OwnState.FAILED,
                    sent_at=NOW - 100.0,
                    block=BlockNumber(4_190),
                    fee=ether("0.00004"),
                    reason="RewardManager: no reward",
                ),
                OwnTransaction(
                    transaction_hash=digest("own 1"),
                    sender=OWN,
                    what="StakingRegistry.stake",
                    value=ether("0.1"),
                    state=OwnState.PENDING,
                    sent_at=NOW - 200.0,
                    block=None,
                    fee=None,
                    reason=None,
                ),
            ),
        )


BLOCK = IndexedBlock(number=HEAD, hash=digest("block"), timestamp=Timestamp(NOW))
SLASHED_CLIENTS = (*CLIENTS[:4], client(CHEAT, ClientState.SLASHED), CLIENTS[5])

NOTHING = SampleSnapshot(None)
CALM = SampleSnapshot(BLOCK)
SLASHED = SampleSnapshot(
    replace(BLOCK, number=BlockNumber(HEAD + 1), hash=digest("next block")), clients=SLASHED_CLIENTS, slashes=(SLASH,)
)


def picture(snapshot: SampleSnapshot = CALM, state: Health | None = None) -> Picture:
    """A picture of a snapshot."""
    return take(snapshot, state or health(), account=OWN, watcher="3 challenges sent, newest 12m ago")  # type: ignore[arg-type]


class ScriptedFeed:
    """Shows what it was last told to show, as soon as it is asked."""

    label = "sample chain"
    interval = 3_600.0

    def __init__(self, snapshot: SampleSnapshot = CALM, state: Health | None = None) -> None:
        self.snapshot, self.state = snapshot, state or health()
        self.polls = 0
        self.closed = threading.Event()

    def poll(self, say: Callable[[Health], None]) -> Picture:
        self.polls += 1
        return picture(self.snapshot, self.state)

    def read(self, look: Callable[[Snapshot], T]) -> T:
        return look(self.snapshot)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed.set()
