"""A story with real epochs in it: trained, executed and published, then told on a scripted chain and indexed."""

from dataclasses import asdict
from pathlib import Path

from fedblocks.aggregation.rules import Rules
from fedblocks.contracts.model_parameter_chain import EpochSubmitted, InstanceConfigured, PostedHeader
from fedblocks.monitor.monitor import Monitor, ReadScores, index_database
from fedblocks.rollup.header import Header
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import vector_root
from fedblocks.seats import unpack_reasons
from fedblocks.types import Address, Hash32, InstanceId, Timestamp
from tests.aggregation import test_verdicts as attacks
from tests.aggregation.cohort import Cohort
from tests.monitor.published_run import AGGREGATOR, USER, PublishedRun, account, published_run
from tests.telling.scripted import ScriptedChain, scripted_subject
from tests.telling.storyteller import Storyteller, ToldEpoch, event

ONE = InstanceId(1)
COHORT = tuple(account(f"client {seat}") for seat in range(13))
BEHAVIOURS = {12: attacks.gaussian, 11: attacks.sign_flip, 10: attacks.own_last}


class TrainedTeller(Storyteller):
    """Tells a run that took place."""

    def __init__(self, chain: ScriptedChain, run: PublishedRun) -> None:
        super().__init__(chain)
        self.run = run

    def _configured(self, instance_id: InstanceId, aggregator: Address):
        told, context = self.instances[instance_id], self.run.context
        said = super()._configured(instance_id, aggregator)
        told.genesis_root = context.genesis_root
        configured = event(
            InstanceConfigured,
            instance_id=instance_id,
            genesis_model_root=context.genesis_root,
            d=context.d,
            rules_hash=context.rules_hash,
            genesis_hash=context.genesis_hash,
        )
        return [("ModelParameterChain", configured), *said[1:]]

    def post_trained(self, instance_id: InstanceId, header: Header) -> Hash32:
        """The aggregator posts an epoch as it was executed."""
        told, posted = self.instances[instance_id], PostedHeader(**asdict(header))
        told.epochs.append(ToldEpoch(posted, header.hash(), told.aggregator, self.chain.timestamp))
        submitted = event(
            EpochSubmitted,
            instance_id=instance_id,
            epoch=header.epoch,
            aggregator=told.aggregator,
            header_hash=header.hash(),
            finalizable_at=Timestamp(self.chain.timestamp + self.parameters.challenge_window + 1),
            header=posted,
        )
        return self.chain.transaction(("ModelParameterChain", submitted))


def train(folder: Path, epochs: int = 5) -> PublishedRun:
    """Thirteen clients, of whom three cheat, for the deployment of the scripted chain."""
    subject = scripted_subject()
    model = Cohort(13, BEHAVIOURS, 1, 2500).model
    context = InstanceContext(
        chain_id=subject.chain_id,
        settlement=subject.addresses["ModelParameterChain"],
        instance_id=ONE,
        cohort=COHORT,
        d=2500,
        genesis_root=vector_root(model),
        rules=Rules(),
    )
    return published_run(folder, epochs, BEHAVIOURS, n=13, context=context, seed=1)


def tell(run: PublishedRun, *, missing: int = 0) -> TrainedTeller:
    """Stakes, the epochs, the slashes in one transaction, the settlement; `missing` never reaches the treasury."""
    chain = ScriptedChain(scripted_subject())
    teller = TrainedTeller(chain, run)
    for client in COHORT:
        teller.stake(client)
    chain.block()
    teller.open_instance(USER, COHORT, len(run.headers), AGGREGATOR)
    teller.bond(ONE)
    chain.block(600)
    for header in run.headers:
        teller.close_commits(ONE)
        chain.block(600)
        teller.post_trained(ONE, header)
        chain.block(600)
    chain.block(teller.parameters.challenge_window + 60)
    for _ in run.headers:
        teller.finalize(ONE)
        chain.block(60)
    condemned = [COHORT[seat] for seat in unpack_reasons(run.headers[-1].slash_reasons)]
    teller.slash(ONE, *condemned, missing=missing)
    chain.block(600)
    teller.settle(ONE)
    chain.block(600)
    teller.claim(ONE, COHORT[0])
    teller.withdraw_bond(ONE, AGGREGATOR)
    chain.block(600)
    return teller


def indexed(teller: TrainedTeller, folder: Path, read_scores: ReadScores | None = None) -> Monitor:
    """A monitor that has read all of it."""
    source = teller.chain.source()
    monitor = Monitor(source.subject, source, index_database(folder / "index.db"), read_scores=read_scores)
    monitor.update()
    return monitor
