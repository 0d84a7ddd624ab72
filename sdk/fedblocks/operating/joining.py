"""What a client makes sure of before it trains for an instance, once: that it is what it agreed to.

The chain says which cohort, which model size and which rules. The job's text says how to train, and the chain does not
know it; so the first text that is seen for an instance is remembered, another one is refused, and an operator who has
agreed with the user on a job names its hash in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import Signer
from fedblocks.engines.client_chain import ClientChain
from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.config import ClientConfig
from fedblocks.operating.local_data import Samples
from fedblocks.rollup.state import InstanceContext
from fedblocks.service.client import MpsClient
from fedblocks.service.schemas import from_hex
from fedblocks.storage.files import replace_file
from fedblocks.training.client import FederatedClient
from fedblocks.training.job import JobRequest
from fedblocks.training.matching import fits
from fedblocks.training.models import build_model
from fedblocks.training.profile import profile_of
from fedblocks.training.quantise import model_size
from fedblocks.training.trainer import ClientTrainer
from fedblocks.types import Address, Hash32, InstanceId, Timestamp


class JobRefused(FedBlocksError, ValueError):
    """A client does not take part in a job: its text, or what it wants, is not what the client agreed to."""

    def __init__(self, instance_id: int, why: str) -> None:
        super().__init__(f"instance {instance_id} is refused: {why}")
        self.instance_id, self.why = instance_id, why


@dataclass(frozen=True, eq=False)
class Joined:
    """An instance that a client takes part in.

    Attributes:
        name: how the service calls it.
        context: what is fixed on chain.
        job: how to train.
        federated: signs, trains and remembers the salt.
    """

    name: str
    context: InstanceContext
    job: JobRequest
    federated: FederatedClient


def name_of_instance(chain: ClientChain, instance_id: InstanceId) -> str:
    """How a service calls an instance, in full: an instance of another deployment has another name."""
    return f"{chain.chain_id}-{chain.settlement}-{instance_id}"


def join(
    config: ClientConfig,
    service: MpsClient,
    chain: ClientChain,
    signer: Signer,
    data: Samples,
    secret: bytes,
    instance_id: InstanceId,
) -> Joined:
    """Look at an instance as the service and the chain have it, and make ready to train.

    Raises:
        NotOnChain: if the service speaks of another instance than the chain.
        JobRefused, InvalidJob, InvalidRules: if the job is not one to take part in.
        NodeProblem, NodeAway, WrongBlob: if the service does not say what is needed.
    """
    name = name_of_instance(chain, instance_id)
    told = service.instance(name)
    chain.check_place(told.chain_id, told.settlement)
    context = chain.context(instance_id, Rules.from_words([int(word) for word in told.rules]))
    if told.job_blob is None:
        raise JobRefused(instance_id, "the service does not publish the job's text")
    job = JobRequest.from_json(service.blob(Hash32(from_hex(told.job_blob))))
    check_job(config, job, data, signer.address, instance_id)
    pin(config.state / "jobs" / name, job, instance_id)
    module = build_model(job.architecture, job.input_shape, job.classes, job.seed)
    if model_size(module) != context.d:
        raise JobRefused(instance_id, f"its model has {model_size(module)} values, but on chain {context.d}")
    trainer = ClientTrainer(
        module, data.x, data.y, job.training, client=signer.address, seed=job.seed, threads=config.threads
    )
    return Joined(name, context, job, FederatedClient(signer, trainer, secret))


def check_job(config: ClientConfig, job: JobRequest, data: Samples, client: Address, instance_id: InstanceId) -> None:
    """Make sure that a job is one of those that were agreed to, fits the data and does not want too much.

    Raises:
        JobRefused: if it is not.
    """
    digest = "0x" + job.hash().hex()
    if config.jobs and digest not in {each.lower() for each in config.jobs}:
        raise JobRefused(instance_id, f"its job is {digest}, which is not among the configuration's jobs")
    asked = job.training.local_steps * job.training.batch_size
    if asked > config.max_samples_per_epoch:
        raise JobRefused(instance_id, f"it wants {asked} samples trained in an epoch, more than max_samples_per_epoch")
    profile = profile_of(
        data.y, data.shape, client=client, domain=data.domain, modality=data.modality, issued_at=Timestamp(0)
    )
    misfits = fits(profile, job.requirement, job.classes)
    if misfits:
        raise JobRefused(instance_id, "the data do not fit: " + "; ".join(map(str, misfits)))


def pin(path: Path, job: JobRequest, instance_id: InstanceId) -> None:
    """Remember the first job that an instance was seen with.

    Raises:
        JobRefused: if it was another one.
    """
    text = job.to_json().encode()
    if not path.is_file():
        replace_file(path, text, private=True)
    elif path.read_bytes() != text:
        raise JobRefused(instance_id, f"the service shows another job than before, which is in {path}")
