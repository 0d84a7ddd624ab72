"""An aggregator opens an instance: anew, or where it was when it ended, whatever ended it.

What is stored is replayed, and held against the chain: an epoch that was executed and not posted is posted now, one
that the chain has taken back is gone. Every transaction has a meaning that is the same after a restart, so that none is
sent twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.chain.outbox_records import DoneByOthers
from fedblocks.chain.signers import Signer
from fedblocks.client import FedBlocks
from fedblocks.contracts.model_parameter_chain import Instance
from fedblocks.engines.refusals import NoBond, OtherRules, instance_for
from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.config import AggregatorConfig, InstanceConfig
from fedblocks.operating.local_data import evaluation_data
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.header import rules_hash
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.records import InstanceKey, InstanceRecord, Level
from fedblocks.rollup.sequencer import Evaluate, Sequencer, instance_key
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.rollup.vectors import VectorKind, decode_vector, encode_vector
from fedblocks.training.job import JobRequest
from fedblocks.training.models import build_model
from fedblocks.training.quantise import model_to_vector
from fedblocks.training.trainer import evaluate
from fedblocks.types import BlockNumber, InstanceId


@dataclass(frozen=True, eq=False)
class Opened:
    """An instance, ready for its next epoch.

    Attributes:
        key, context, job: what it is.
        maximum_epochs: how many are run at most.
        store, blobs: where everything is kept.
        sequencer, submitter: execute and post.
        evaluate: measures a model.
    """

    key: InstanceKey
    context: InstanceContext
    job: JobRequest
    maximum_epochs: int
    store: RollupStore
    blobs: BlobStore
    sequencer: Sequencer
    submitter: Submitter
    evaluate: Evaluate


def deposit_bond(fedblocks: FedBlocks, signer: Signer, number: InstanceId, block: BlockNumber, *, wanted: bool) -> None:
    """Make sure that the aggregator has accepted the instance, as it is in a block.

    Raises:
        NotOpenYet: if the node does not show the instance yet.
        NotTheAggregator: if it was not named for it.
        NoBond: if there is no bond, and none is to be deposited.
    """
    chain, address = fedblocks.chain, signer.address
    instance = instance_for(chain, number, address, block)
    if chain.bond(number, address, block):
        return
    if not wanted:
        raise NoBond(address, number)
    # An aggregator that lost its bond is named for another attempt, if it is named again at all.
    meaning = f"depositBond/{chain.connection.chain_id}/{chain.address}/{number}/{instance.attempt}/{address}"
    with suppress(DoneByOthers), chain.sender.meaning(meaning, lambda: bool(chain.bond(number, address))):
        chain.deposit_bond(number)


@contextmanager
def open_instance(
    config: AggregatorConfig, wanted: InstanceConfig, fedblocks: FedBlocks, signer: Signer, block: BlockNumber
) -> Iterator[Opened]:
    """Open an instance as it is in a block, and give its writer's lease back at the end.

    Raises:
        NotOpenYet: if the node does not show the instance yet.
        OtherRules, WrongGenesisModel, InvalidJob: if what the configuration names is not what is on chain.
        ReplayMismatch, WriterConflict, StorageError: if what is stored cannot be taken up.
        ConflictingEpoch: if the chain has other epochs than the store.
    """
    number, chain = InstanceId(wanted.instance), fedblocks.chain
    # All of one block: what is stored now is kept, and the next node to be asked may not have the cohort yet.
    instance = instance_for(chain, number, signer.address, block)
    document = wanted.job.read_bytes()
    job = JobRequest.from_json(document)
    context = _context(fedblocks, number, instance, block)
    key, blobs = instance_key(context), BlobStore(config.data)
    with RollupStore(config.store) as store:
        submitter = Submitter(chain, store, key)
        known = store.get_instance(key)
        if known is None:
            sequencer = Sequencer.create(
                context,
                genesis_model(wanted, job, instance.d),
                store,
                blobs,
                signer,
                user=instance.user,
                aggregator=signer.address,
                max_epochs=instance.number_of_epochs,
                document=document,
            )
        else:
            _mend(known, wanted, job, document, blobs)
            sequencer = _resume(store, blobs, key, submitter, signer, instance)
        try:
            yield Opened(
                key=key,
                context=context,
                job=job,
                maximum_epochs=min(instance.number_of_epochs, wanted.maximum_epochs or instance.number_of_epochs),
                store=store,
                blobs=blobs,
                sequencer=sequencer,
                submitter=submitter,
                evaluate=_evaluation(wanted, job),
            )
        finally:
            with suppress(FedBlocksError):  # else whoever comes next waits until the lease has run out
                store.release_writer(key)


def genesis_model(wanted: InstanceConfig, job: JobRequest, d: int) -> Int32Array:
    """The model that training starts from: the one that was given, or the job's own."""
    if wanted.genesis is not None:
        return decode_vector(wanted.genesis.read_bytes(), VectorKind.MODEL, d)  # type: ignore[return-value]
    return model_to_vector(build_model(job.architecture, job.input_shape, job.classes, job.seed))


def _context(fedblocks: FedBlocks, number: InstanceId, instance: Instance, block: BlockNumber) -> InstanceContext:
    rules = Rules()
    if rules_hash(rules.words()) != instance.rules_hash:
        raise OtherRules(number)
    return InstanceContext(
        chain_id=fedblocks.connection.chain_id,
        settlement=fedblocks.chain.address,
        instance_id=number,
        cohort=tuple(fedblocks.rewards.cohort(number, block)),
        d=instance.d,
        genesis_root=instance.genesis_model_root,
        rules=rules,
    )


def _mend(known: InstanceRecord, wanted: InstanceConfig, job: JobRequest, document: bytes, blobs: BlobStore) -> None:
    """Publish again what the operator has at hand, if it is gone or damaged."""
    if known.job_blob is not None and known.job_blob == keccak256(document):
        blobs.put(document)
    if known.genesis_model_blob is not None and not blobs.is_whole(known.genesis_model_blob):
        blobs.put(encode_vector(genesis_model(wanted, job, known.d)))


def _resume(
    store: RollupStore, blobs: BlobStore, key: InstanceKey, submitter: Submitter, signer: Signer, instance: Instance
) -> Sequencer:
    known = store.get_instance(key)
    if known is not None and known.aggregator != signer.address:
        # The user has named this account in the place of another one.
        store.set_aggregator(key, signer.address)
    store.acquire_writer(key, signer.address)
    submitter.reconcile()
    sequencer = Sequencer.resume(store, blobs, key, signer, instance.attempt)
    for record in store.epochs(key):
        if record.level is Level.EXECUTED:
            submitter.submit(record.header)
    return sequencer


def _evaluation(wanted: InstanceConfig, job: JobRequest) -> Evaluate:
    module = build_model(job.architecture, job.input_shape, job.classes, job.seed)
    data = evaluation_data(wanted.evaluation)
    return lambda model: evaluate(module, data.x, data.y, vector=model)
