"""The aggregator behind the strategy: the micro-rollup of one instance, opened anew or taken up where it was.

The user has opened the instance and named this account; the account has deposited its bond. Both are decisions about
money, and so they are made before, by people: nothing here pays for anything but gas.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.chain.connection import Connection
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.data_demands import DataDemands
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.deployments import Deployment
from fedblocks.engines.flower.settings import AggregatorSettings
from fedblocks.engines.refusals import NoBond, OtherRules, instance_for
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.duties import ChainDuties, Told
from fedblocks.rollup.header import rules_hash
from fedblocks.rollup.records import InstanceKey, Level
from fedblocks.rollup.responder import Responder
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.training.job import JobRequest
from fedblocks.types import Address, InstanceId


@dataclass(frozen=True)
class Aggregator:
    """Everything that running an instance takes.

    Attributes:
        job: what the user asked for.
        maximum_epochs: how many the user paid for.
        sequencer, submitter, responder: of the instance.
        duties: what it owes the chain besides epochs.
    """

    job: JobRequest
    maximum_epochs: int
    sequencer: Sequencer
    submitter: Submitter
    responder: Responder
    duties: ChainDuties
    _store: RollupStore
    _key: InstanceKey

    @classmethod
    def open(cls, settings: AggregatorSettings, genesis: Int32Array, rules: Rules | None, told: Told) -> Aggregator:
        """Begin an instance, or take it up again.

        Args:
            settings: the aggregator's.
            genesis: int32[d], the model that training starts from; its root is on chain.
            rules: by what updates are judged; None for the default ones.
            told: hears of the duties that are done.

        Raises:
            NotOpenYet, NotTheAggregator, NoBond, OtherRules, WrongGenesisModel: if what is on chain does not agree.
            NodeUnreachable, WrongChain: if the node does not answer, or serves another chain.
            ReplayMismatch, WriterConflict: if what is stored cannot be taken up.
        """
        deployment, signer = Deployment.load(settings.deployment), settings.opened()
        connection = Connection.open(settings.rpc, chain_id=deployment.chain_id)
        sender = TransactionSender(connection, signer)
        chain = ModelParameterChain(connection, deployment.address("ModelParameterChain"), sender)
        rewards = RewardManager(connection, deployment.address("RewardManager"), sender)
        staking = StakingRegistry(connection, deployment.address("StakingRegistry"))
        slashing = SlashingManager(connection, deployment.address("SlashingManager"), sender)
        number = InstanceId(settings.instance)
        block = connection.block_number()
        instance = instance_for(chain, number, signer.address, block)
        if not chain.bond(number, signer.address, block) and not chain.is_closed(number, block):
            raise NoBond(signer.address, number)
        rules = rules or Rules()
        if rules_hash(rules.words()) != instance.rules_hash:
            raise OtherRules(number)
        context = InstanceContext(
            chain_id=connection.chain_id,
            settlement=chain.address,
            instance_id=number,
            cohort=tuple(rewards.cohort(number, block)),
            d=instance.d,
            genesis_root=instance.genesis_model_root,
            rules=rules,
        )
        document = settings.job.read_bytes()
        job = JobRequest.from_json(document)
        store, blobs, key = RollupStore(settings.store), BlobStore(settings.data), instance_key(context)
        submitter = Submitter(chain, store, key)
        if store.get_instance(key) is None:
            sequencer = Sequencer.create(
                context,
                genesis,
                store,
                blobs,
                signer,
                user=Address(instance.user),
                aggregator=signer.address,
                max_epochs=instance.number_of_epochs,
                document=document,
            )
        else:
            sequencer = _resume(store, blobs, key, submitter, signer, instance.attempt)
        demands = DataDemands(connection, deployment.address("DataDemands"), sender)
        return cls(
            job=job,
            maximum_epochs=instance.number_of_epochs,
            sequencer=sequencer,
            submitter=submitter,
            responder=Responder(demands, store, blobs, key, deployment.first_block),
            duties=ChainDuties(chain, rewards, staking, slashing, signer.address, number, told),
            _store=store,
            _key=key,
        )

    @property
    def is_trained(self) -> bool:
        """Whether no further epoch is wanted, or allowed."""
        done = self.sequencer.state.epoch
        last = self._store.get_epoch(self._key, done) if done else None
        if done >= self.maximum_epochs or (last is not None and last.header.metric >= self.job.target_accuracy_ppm):
            return True
        return self.duties.is_stopped and not self.duties.is_held_to_an_epoch

    def stay(self) -> None:
        """Keep the right to write to the instance, while there is nothing to write."""
        self._store.renew_writer(self._key)

    def close(self) -> None:
        """Let another process write to the instance."""
        self._store.release_writer(self._key)
        self._store.close()


def _resume(
    store: RollupStore, blobs: BlobStore, key: InstanceKey, submitter: Submitter, signer: object, attempt: int
) -> Sequencer:
    """Take up an instance: what was executed and not posted before the process ended is posted now."""
    submitter.reconcile()
    sequencer = Sequencer.resume(store, blobs, key, signer, attempt)  # type: ignore[arg-type]
    for record in store.epochs(key):
        if record.level is Level.EXECUTED:
            submitter.submit(record.header)
    return sequencer
