"""The demo's story, told in the order in which it happens on chain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import torch

from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import Receipt
from fedblocks.client import FedBlocks
from fedblocks.contracts.model_parameter_chain import ClientSlashable
from fedblocks.contracts.reward_manager import RewardClaimed, RewardCredited
from fedblocks.contracts.slashing_manager import ClientSlashed
from fedblocks.demo.dishonesty import sequencer_class
from fedblocks.demo.ledger import Ledger
from fedblocks.demo.network import (
    AGGREGATOR,
    MINIMUM_SAMPLES,
    PARAMETERS,
    Player,
    Stage,
    account_of,
    assemble,
    open_stage,
)
from fedblocks.demo.options import DemoOptions
from fedblocks.demo.outcome import Cast, ClientOutcome, EpochOutcome, Outcome, Overturned
from fedblocks.demo.plot import draw
from fedblocks.demo.watching import DemoWatcher
from fedblocks.engines.local import LocalEngine
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.responder import Responder
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.seats import SlashReason
from fedblocks.training.aggregator import AggregatorLoop, EpochReport
from fedblocks.training.datasets import Dataset, default_dataset, load_dataset
from fedblocks.training.job import DataRequirement, JobRequest, LocalTraining
from fedblocks.training.jobs import Job
from fedblocks.training.models import build_model
from fedblocks.training.trainer import evaluate
from fedblocks.types import Address, Wei
from fedblocks.units import format_ether

DEFAULT_TARGETS = {"fashion-mnist": 810_000, "digits": 950_000}
"""What the default network reaches well before its epochs are used up."""


class Narrator(Protocol):
    """Whoever shows the demo to a person."""

    def scene(self, text: str) -> None:
        """Something has been done."""
        ...

    def trained(self, client: Address) -> None:
        """A client has trained its epoch."""
        ...

    def epoch(self, report: EpochReport, job: Job, names: dict[Address, str]) -> None:
        """An epoch has been posted."""
        ...

    def end(self, outcome: Outcome) -> None:
        """All is over, but the node still runs, until this returns."""
        ...


def run_demo(options: DemoOptions, narrator: Narrator) -> Outcome:
    """Play the whole protocol once.

    Raises:
        AnvilMissing: if there is no EVM node; it says how to get one.
        DatasetMissing: if a data set was named that is not there.
        FedBlocksError: whatever else stops it; the node is stopped in any case.
    """
    data = load_dataset(options.data) if options.data else default_dataset()
    # The metric is in the header: with more threads, sums may end in other bits and another image on the other side.
    torch.set_num_threads(1)
    with open_stage(options) as stage:
        narrator.scene(
            f"the chain is at {stage.node.url}; to look on: fedblocks tui --network {stage.node.url} "
            f"--deployment {stage.deployment_file} --data {blobs_url(options)}"
        )
        outcome = _Demo(options, narrator, stage, data).play()
        narrator.end(outcome)
        return outcome


def blobs_url(options: DemoOptions) -> str:
    """Where a demo publishes its epochs."""
    return f"file://{options.output.absolute() / 'blobs'}"


class _Demo:
    def __init__(self, options: DemoOptions, narrator: Narrator, stage: Stage, data: Dataset) -> None:
        self.options, self.narrator, self.stage, self.data = options, narrator, stage, data
        self.training = LocalTraining(local_steps=options.local_steps)
        self.target = options.target_ppm or DEFAULT_TARGETS[data.name]
        self.players = assemble(stage, options, data, self.training)
        self.names = {player.address: player.name for player in self.players}
        self.slashed: dict[Address, tuple[ClientSlashed, Receipt]] = {}
        self.ledger = Ledger(stage, self.players)
        self.aggregator = stage.aggregator
        self.overturned: list[Overturned] = []

    def play(self) -> Outcome:
        self._stake()
        job = self._request()
        loop = self._aggregate(job)
        epochs = self._train(job, loop)
        self.narrator.scene(f"the watcher has worked out {self.watcher.right} epochs again: all the same")
        credited, claimed, refunded = self._settle(job)
        plot = self.options.output / "demo.png"
        outcome = Outcome(
            data=self.data.name,
            target_ppm=self.target,
            instance_id=job.instance_id,
            contracts={name: each.address for name, each in self.stage.user.deployment.contracts.items()},
            epochs=epochs,
            clients=[self._client(job, player, epochs, credited, claimed) for player in self._cohort(job)],
            ledger=self.ledger.close(),
            user_paid=self.stage.user.rewards.price(self.options.epochs),
            user_refunded=refunded,
            plot=str(plot),
            store=str(self.options.output),
            dishonesty=self.options.dishonest_aggregator,
            overturned=self.overturned,
            watched=self.watcher.right,
        )
        draw(epochs, [each.cast for each in outcome.clients], self.target, job.context.rules, plot)
        return outcome

    def _cohort(self, job: Job) -> list[Player]:
        players = {player.address: player for player in self.players}
        return [players[address] for address in job.context.cohort]

    def _stake(self) -> None:
        for player in self.players:
            self.stage.acting_as(player.signer).staking.stake()
        amount = self.stage.user.staking.stake_amount()
        self.narrator.scene(f"{len(self.players)} clients have staked {_ether(amount)} each")

    def _request(self) -> Job:
        request = JobRequest(
            architecture=self.options.model,
            input_shape=self.data.input_shape,
            classes=self.data.classes,
            target_accuracy_ppm=self.target,
            maximum_epochs=self.options.epochs,
            cohort_size=self.options.clients,
            requirement=DataRequirement(
                domain=self.data.name,
                modality="image",
                input_shape=self.data.input_shape,
                minimum_samples=MINIMUM_SAMPLES,
            ),
            training=self.training,
            seed=self.options.seed,
        )
        jobs = self.stage.user.jobs
        cohort = jobs.match(request, [player.profile for player in self.players])
        self.narrator.scene(
            f"{len(cohort.candidates)} of {len(self.players)} have the data; block {cohort.block_number} draws "
            f"{len(cohort.cohort)} of them"
        )
        job: Job = jobs.open(request, cohort, account_of(self.stage.aggregator))
        price = self.stage.user.rewards.price(self.options.epochs)
        self.narrator.scene(f"the user pays {_ether(price)} for at most {self.options.epochs} epochs")
        return job

    def _aggregate(self, job: Job) -> AggregatorLoop:
        aggregator = self.stage.aggregator
        aggregator.chain.deposit_bond(job.instance_id)
        self.narrator.scene(f"the aggregator accepts with a bond of {_ether(PARAMETERS.aggregator_bond)}")
        self.store = RollupStore(f"sqlite:///{self.options.output.absolute() / 'rollup.sqlite'}")
        self.blobs = BlobStore(blobs_url(self.options))
        self.watcher = DemoWatcher(self.stage, job, self.blobs)
        sequencer = sequencer_class(self.options.dishonest_aggregator).create(
            job.context,
            job.genesis,
            self.store,
            self.blobs,
            self.stage.node.signer(AGGREGATOR),
            user=account_of(self.stage.user),
            aggregator=account_of(aggregator),
            max_epochs=self.options.epochs,
            document=job.request.to_json().encode(),
        )
        return self._loop(sequencer, aggregator, job)

    def _loop(self, sequencer: Sequencer, aggregator: FedBlocks, job: Job) -> AggregatorLoop:
        submitter = Submitter(aggregator.chain, self.store, instance_key(job.context))
        engine = LocalEngine(
            [player.member for player in self.players if player.member], self.options.seed, self.narrator.trained
        )
        module = build_model(self.options.model, self.data.input_shape, self.data.classes, self.options.seed)
        return AggregatorLoop(
            sequencer,
            submitter,
            engine,
            lambda model: evaluate(module, self.data.test_x, self.data.test_y, vector=model),
            is_staked=aggregator.staking.is_staked,
            target_ppm=self.target,
            maximum_epochs=self.options.epochs,
            responder=Responder(
                aggregator.demands,
                self.store,
                self.blobs,
                instance_key(job.context),
                aggregator.deployment.first_block,
            ),
        )

    def _train(self, job: Job, loop: AggregatorLoop) -> list[EpochOutcome]:
        epochs: list[EpochOutcome] = []
        running = True
        while running:
            running = False
            for report in loop.run():
                self._posted(report, job, epochs)
                if self._watch(epochs):
                    loop = self._replace(job)
                    running = True
                    break
                time.sleep(self.options.pace)
                # An epoch becomes final while the next ones are trained.
                self._wait(PARAMETERS.challenge_window // 2 + 1)
                self._finalize(job, loop)
        if len(epochs) < self.options.epochs:
            self.stage.user.jobs.stop(job.instance_id)
            self.narrator.scene(f"the target is reached: the user stops after {len(epochs)} epochs")
        self._wait(PARAMETERS.challenge_window + 1)
        self._finalize(job, loop)
        return epochs

    def _posted(self, report: EpochReport, job: Job, epochs: list[EpochOutcome]) -> None:
        assert report.posting is not None, "a new instance has nothing on chain already"
        epochs.append(
            EpochOutcome(
                epoch=report.header.epoch,
                accuracy_ppm=report.accuracy_ppm,
                header_hash=report.header.hash(),
                transaction=report.posting.transaction_hash,
                block=report.posting.block,
                judgement=report.judgement,
            )
        )
        self.narrator.epoch(report, job, self.names)

    def _watch(self, epochs: list[EpochOutcome]) -> bool:
        """Let the watcher look at what was posted; whether it was overturned."""
        reports, overturned = self.watcher.look()
        if overturned is None:
            return False
        for report in reports:
            self.narrator.scene(f"the watcher: {report.what}, {report.text}")
        del epochs[overturned.epoch - 1 :]
        self.overturned.append(overturned)
        case = overturned.case.name.lower().replace("_", " ")
        self.narrator.scene(
            f"epoch {overturned.epoch} is overturned ({case}): the aggregator "
            f"loses its bond of {_ether(overturned.bond)}, the watcher gets {_ether(overturned.reward)} of it"
        )
        return True

    def _replace(self, job: Job) -> AggregatorLoop:
        """The user names another aggregator, who takes the work up where it was right."""
        stage, key = self.stage, instance_key(job.context)
        successor = stage.successor
        stage.user.chain.name_aggregator(job.instance_id, account_of(successor))
        successor.chain.deposit_bond(job.instance_id)
        Submitter(successor.chain, self.store, key).reconcile()
        self.store.release_writer(key)
        self.store.set_aggregator(key, account_of(successor))
        attempt = successor.chain.instance(job.instance_id).attempt
        assert isinstance(successor.sender.signer, LocalSigner), "the demo's accounts are local"
        sequencer = Sequencer.resume(self.store, self.blobs, key, successor.sender.signer, attempt)
        self.aggregator = successor
        self.narrator.scene(
            f"the user names another aggregator, who goes on from epoch {sequencer.state.epoch} in attempt {attempt}"
        )
        return self._loop(sequencer, successor, job)

    def _wait(self, seconds: int) -> None:
        self.stage.node.increase_time(seconds)

    def _finalize(self, job: Job, loop: AggregatorLoop) -> None:
        for receipt in loop.submitter.finalize_ready():
            guilty = [event.client for event in receipt.all(ClientSlashable)]
            if guilty:
                self._slash(job, guilty)

    def _slash(self, job: Job, guilty: Sequence[Address]) -> None:
        # Anyone may carry out a final verdict; here the user does.
        user = self.stage.user
        receipt = user.slashing.slash(guilty, job.instance_id, user.staking.address)
        for event in receipt.all(ClientSlashed):
            self.slashed[event.client] = (event, receipt)
            self.narrator.scene(
                f"the verdict of epoch {event.epoch} is final: {self.names[event.client]} loses "
                f"{_ether(event.amount)} ({event.reason.name.lower()})"
            )

    def _settle(self, job: Job) -> tuple[dict[Address, RewardCredited], dict[Address, Wei], Wei]:
        user = self.stage.user
        settled = user.jobs.settle(job.instance_id)
        credited = {event.client: event for event in settled.all(RewardCredited)}
        claimed = {}
        for player in self._cohort(job):
            if player.address in credited and player.address not in self.slashed:
                receipt = self.stage.acting_as(player.signer).rewards.claim_reward(job.instance_id)
                claimed[player.address] = receipt.one(RewardClaimed).amount
        self.narrator.scene(f"{len(claimed)} clients claim {_ether(Wei(sum(claimed.values())))}")
        refunded = user.rewards.refund(job.instance_id)
        if refunded:
            user.jobs.refund(job.instance_id)
        self.narrator.scene(f"the user gets {_ether(refunded)} back")
        self.aggregator.chain.withdraw_bond(job.instance_id)
        self.narrator.scene("the aggregator takes its bond back")
        return credited, claimed, refunded

    def _client(
        self,
        job: Job,
        player: Player,
        epochs: list[EpochOutcome],
        credited: dict[Address, RewardCredited],
        claimed: dict[Address, Wei],
    ) -> ClientOutcome:
        seat = job.context.seat_of(player.address)
        slash, receipt = self.slashed.get(player.address, (None, None))
        return ClientOutcome(
            cast=Cast(
                name=player.name,
                address=player.address,
                seat=seat,
                attack=player.attack.name if player.attack else None,
                expected=player.expected,
                slash_expected=player.slash_expected,
            ),
            stake=self.stage.user.staking.client_stake(player.address),
            epochs_paid=credited[player.address].epochs if player.address in credited else 0,
            epochs_excluded=sum(1 for each in epochs if seat in each.excluded),
            reward=claimed.get(player.address, Wei(0)),
            slashed=slash.reason if slash else SlashReason.NONE,
            slashed_in=slash.epoch if slash else None,
            slash_transaction=receipt.transaction_hash if receipt else None,
        )


def _ether(amount: Wei) -> str:
    return f"{format_ether(amount)} ETH"
