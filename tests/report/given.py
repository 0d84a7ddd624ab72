"""A snapshot that says what it is given: an instance with real published epochs, and money as a test wants it."""

from dataclasses import dataclass, replace
from pathlib import Path

from fedblocks.monitor.published import read_scores
from fedblocks.monitor.views import (
    BondView,
    ChallengeView,
    EpochScores,
    EpochState,
    EpochView,
    IndexedBlock,
    InstanceState,
    InstanceView,
    RewardView,
    SlashView,
)
from fedblocks.rollup.keccak import keccak256
from fedblocks.types import BlockNumber, Timestamp, Wei
from fedblocks.units import ether
from tests.aggregation import test_verdicts as attacks
from tests.monitor.published_run import AGGREGATOR, PublishedRun, account, place, published_run

MALLORY, WATCHER = account("Mallory"), account("watcher")
FEE, BASE_FEE, BOND, STAKE = ether("0.01"), ether("0.02"), ether(1), ether("0.1")


@dataclass
class GivenSnapshot:
    """The part of a snapshot that a report reads."""

    the_instance: InstanceView
    the_epochs: tuple[EpochView, ...]
    the_scores: dict[bytes, EpochScores]
    the_slashes: tuple[SlashView, ...] = ()
    the_rewards: tuple[RewardView, ...] = ()
    the_bonds: tuple[BondView, ...] = ()
    the_challenges: tuple[ChallengeView, ...] = ()

    block = IndexedBlock(number=BlockNumber(9999), hash=keccak256(b"block"), timestamp=Timestamp(1_700_200_000))

    def instance(self, instance_id):
        return self.the_instance if instance_id == self.the_instance.instance_id else None

    def instances(self):
        return (self.the_instance,)

    def epochs(self, instance_id=None):
        return self.the_epochs

    def scores(self, instance_id, epoch, header_hash):
        return self.the_scores.get(header_hash)

    def slashes(self):
        return self.the_slashes

    def rewards(self, *, instance_id=None, client=None):
        return self.the_rewards

    def bonds(self, instance_id=None):
        return self.the_bonds

    def challenges(self, instance_id=None):
        return self.the_challenges


def train(folder: Path) -> PublishedRun:
    """Thirteen clients, eight epochs; four cheat, and one of them stays away for an epoch."""
    behaviours = {
        12: lambda cohort, seat, honest: None if cohort.epoch == 3 else attacks.gaussian(cohort, seat, honest),
        11: attacks.sign_flip,
        10: attacks.own_last,
        9: lambda cohort, seat, honest: honest if cohort.epoch < 2 else 0.05 * honest,
    }
    metrics = (412_000, 553_000, 641_500, 702_300, 741_000, 768_400, 790_100, 803_700)
    return published_run(folder, 8, behaviours, n=13, metrics=metrics)


def given(run: PublishedRun) -> GivenSnapshot:
    """The run as an index shows it: settled, three slashed, the second epoch overturned once."""
    views = run.views()
    scores = {
        view.header_hash: read_scores(run.blobs, view, run.instance, previous)
        for view, previous in zip(views, [None, *views], strict=False)
    }
    overturned = replace(
        run.forged(2, metric=950_000),
        state=EpochState.OVERTURNED,
        aggregator=MALLORY,
        posted=place(180, "post"),
        finalized=None,
        overturned=place(190, "overturn"),
        overturned_by=WATCHER,
        fraud_case=5,
    )
    slashes = tuple(
        SlashView(
            client=run.context.cohort[seat],
            amount=STAKE,
            received=STAKE,
            instance_id=run.context.instance_id,
            epoch=view.epoch,
            seat=seat,
            reason=reason,
            header_hash=view.header_hash,
            attempt=0,
            aggregator=AGGREGATOR,
            posted=view.posted,
            finalized=view.finalized,
            slashed=place(100 * view.epoch + 60, "slash"),
        )
        for view in views
        for seat, reason in view.new_slash_reasons.items()
    )
    share = Wei(FEE * 98 // 100)
    rewards = tuple(
        RewardView(
            instance_id=run.context.instance_id,
            client=client,
            epochs=8,
            credited=Wei(share * 8 // 9),
            claimed=Wei(share * 8 // 9 if seat % 2 else 0),
            forfeited=Wei(0),
        )
        for seat, client in enumerate(run.context.cohort[:9])
    )
    clients = Wei(sum(each.credited for each in rewards))
    escrow = Wei(10 * FEE)
    instance = replace(
        run.instance,
        state=InstanceState.SETTLED,
        number_of_epochs=10,
        overturned_epochs=1,
        attempt=1,
        base_fee=BASE_FEE,
        escrow=escrow,
        billed_epochs=8,
        clients_total=clients,
        protocol_total=Wei(8 * FEE - clients),
        refund=Wei(2 * FEE),
        refunded=Wei(2 * FEE),
    )

    def bond(aggregator, withdrawn, slashed):
        return BondView(
            instance_id=instance.instance_id,
            aggregator=aggregator,
            deposited=BOND,
            withdrawn=withdrawn,
            slashed=slashed,
            is_current=aggregator == AGGREGATOR,
        )

    challenge = ChallengeView(
        instance_id=instance.instance_id,
        epoch=overturned.epoch,
        attempt=0,
        fraud_case=5,
        challenger=WATCHER,
        aggregator=MALLORY,
        header_hash=overturned.header_hash,
        reward=Wei(BOND // 2),
        treasury=Wei(BOND // 2),
        overturned=overturned.overturned,
    )
    return GivenSnapshot(
        instance,
        (views[0], overturned, *views[1:]),
        scores,
        slashes,
        rewards,
        (bond(MALLORY, Wei(0), BOND), bond(AGGREGATOR, BOND, Wei(0))),
        (challenge,),
    )
