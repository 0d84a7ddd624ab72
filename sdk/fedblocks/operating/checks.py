"""Looks at everything that a process will need, one thing after the other, and sends nothing.

Whoever sets up a machine wants all that is wrong at once, and in words. What is merely unwise, or may be put right
while the process runs (no stake yet, a service that is down), is a warning.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import httpx
from sqlalchemy import make_url

from fedblocks.chain.connection import Connection
from fedblocks.chain.signers import LocalSigner
from fedblocks.client import FedBlocks
from fedblocks.config import redact
from fedblocks.deployments import Deployment
from fedblocks.engines.client_chain import ClientChain
from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.config import (
    AccountConfig,
    AggregatorConfig,
    ChainConfig,
    ClientConfig,
    InstanceConfig,
)
from fedblocks.operating.joining import check_job, name_of_instance
from fedblocks.operating.local_data import Samples, evaluation_data, training_data
from fedblocks.operating.opening import genesis_model
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.vectors import vector_root
from fedblocks.service.client import MpsClient
from fedblocks.service.schemas import from_hex
from fedblocks.training.job import JobRequest
from fedblocks.types import Hash32, InstanceId
from fedblocks.units import format_ether

T = TypeVar("T")

SKEW_SECONDS = 30.0
OLD_HEAD_SECONDS = 300.0


class Level(StrEnum):
    """How a check has ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One check's result.

    Attributes:
        level: how it ended.
        what: what was looked at.
        text: what was found.
    """

    level: Level
    what: str
    text: str


def check_client(config: ClientConfig) -> Iterator[Finding]:
    """Everything that a client's process needs."""
    signer = yield from _account(config.account)
    fedblocks = yield from _chain(config.chain)
    if fedblocks is not None and signer is not None:
        yield from _stake(fedblocks, signer)
        if config.claim_rewards:
            yield from _funds(fedblocks, signer)
    yield _writable("state", config.state)
    data = yield from _attempt("data", lambda: training_data(config.data))
    if data is not None:
        yield Finding(Level.OK, "data", f"{len(data.y)} samples of shape {'x'.join(map(str, data.shape))}")
    yield from _service(config, fedblocks, data, signer)


def check_aggregator(config: AggregatorConfig) -> Iterator[Finding]:
    """Everything that an aggregator's process needs."""
    signer = yield from _account(config.account)
    fedblocks = yield from _chain(config.chain)
    if fedblocks is not None and signer is not None:
        yield from _funds(fedblocks, signer)
    yield from _database(config.store)
    yield from _blobs(config.data)
    for wanted in config.instance:
        yield from _instance(wanted, config, fedblocks, signer)


def _attempt(what: str, do: Callable[[], T]) -> Generator[Finding, None, T | None]:
    """Do something; a finding if it fails."""
    try:
        return do()
    except (FedBlocksError, OSError, ValueError) as error:
        yield Finding(Level.FAIL, what, str(error))
        return None


def _account(config: AccountConfig) -> Generator[Finding, None, LocalSigner | None]:
    signer = yield from _attempt("account", config.open)
    if signer is not None:
        yield Finding(Level.OK, "account", f"the key of {signer.address} opens")
        mode = stat.S_IMODE(config.passphrase_file.stat().st_mode)
        if mode & 0o077:
            text = f"{config.passphrase_file} can be read by others (mode {mode:03o}); chmod 600"
            yield Finding(Level.WARN, "passphrase", text)
    return signer


def _chain(config: ChainConfig) -> Generator[Finding, None, FedBlocks | None]:
    def connect() -> FedBlocks:
        deployment = Deployment.load(config.deployment)
        connection = Connection.open(config.url, chain_id=deployment.chain_id, timeout=config.timeout)
        fedblocks = FedBlocks(connection, deployment)
        fedblocks.check()
        return fedblocks

    fedblocks = yield from _attempt("chain", connect)
    if fedblocks is not None:
        head = fedblocks.connection.block()
        text = f"chain {fedblocks.connection.chain_id} at block {head.number}, all contracts are there"
        yield Finding(Level.OK, "chain", text)
        yield _clock("the chain's newest block", time.time() - head.timestamp, OLD_HEAD_SECONDS)
    return fedblocks


def _clock(whose: str, ahead: float, allowed: float) -> Finding:
    # A block is never from the future, and may well be old: on a quiet chain, or on one for development.
    if -SKEW_SECONDS <= ahead <= allowed:
        return Finding(Level.OK, "clock", f"{ahead:+.0f} s against {whose}")
    way = "ahead of" if ahead > 0 else "behind"
    return Finding(Level.WARN, "clock", f"this machine is {abs(ahead):.0f} s {way} {whose}; synchronise it (NTP)")


def _stake(fedblocks: FedBlocks, signer: LocalSigner) -> Iterator[Finding]:
    status = fedblocks.staking.client_status(signer.address)
    if fedblocks.staking.is_slashed(signer.address):
        yield Finding(Level.FAIL, "stake", f"{signer.address} was slashed, and takes no part any more")
    elif fedblocks.staking.is_staked(signer.address):
        yield Finding(Level.OK, "stake", f"{format_ether(status.at_stake)} ether are staked")
    else:
        yield Finding(Level.WARN, "stake", "there is no active stake: run `fedblocks stake` before the next job")


def _funds(fedblocks: FedBlocks, signer: LocalSigner) -> Iterator[Finding]:
    balance = fedblocks.connection.balance(signer.address)
    level = Level.OK if balance else Level.WARN
    yield Finding(level, "funds", f"{format_ether(balance)} ether to pay gas with")


def _writable(what: str, folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding(Level.FAIL, what, f"{folder} cannot be written: {error.strerror or error}")
    return Finding(Level.OK, what, f"{folder} can be written")


def _service(
    config: ClientConfig, fedblocks: FedBlocks | None, data: Samples | None, signer: LocalSigner | None
) -> Iterator[Finding]:
    where = redact(config.service)
    with MpsClient(config.service, timeout=config.chain.timeout, tries=1) as service:
        health = yield from _attempt("service", service.ready)
        if health is None:
            return
        yield Finding(Level.OK, "service", f"{where} is ready, version {health.version}")
        date = httpx.get(f"{config.service.rstrip('/')}/healthz", timeout=config.chain.timeout).headers.get("date")
        if date:
            ahead = time.time() - parsedate_to_datetime(date).astimezone(UTC).timestamp()
            yield _clock("the service", ahead, SKEW_SECONDS)
        if fedblocks is None:
            return
        known = yield from _attempt("service", service.instances)
        for each in known.instances if known else ():
            if (each.chain_id, each.settlement) != (fedblocks.connection.chain_id, fedblocks.chain.address):
                text = f"{where} serves {each.name}, of another deployment; it will be passed over"
                yield Finding(Level.WARN, "service", text)
            elif signer is not None and data is not None:
                yield from _seat(config, service, fedblocks, data, signer, InstanceId(each.instance_id))


def _seat(
    config: ClientConfig,
    service: MpsClient,
    fedblocks: FedBlocks,
    data: Samples,
    signer: LocalSigner,
    number: InstanceId,
) -> Iterator[Finding]:
    if signer.address not in fedblocks.rewards.cohort(number):
        return
    what = f"instance {number}"

    def look() -> JobRequest:
        chain = ClientChain(fedblocks.connection, fedblocks.deployment)
        told = service.instance(name_of_instance(chain, number))
        job = JobRequest.from_json(service.blob(Hash32(from_hex(told.job_blob or ""))))
        check_job(config, job, data, signer.address, number)
        return job

    job = yield from _attempt(what, look)
    if job is not None:
        yield Finding(Level.OK, what, f"the account has a seat, and the data fit job 0x{job.hash().hex()}")


def _database(url: str) -> Iterator[Finding]:
    shown = make_url(url).render_as_string(hide_password=True)
    if make_url(url).password:
        text = "its password stands in the configuration; let PostgreSQL read it from ~/.pgpass"
        yield Finding(Level.WARN, "store", text)

    def look() -> int:
        with RollupStore(url) as store:
            return len(store.list_instances())

    count = yield from _attempt("store", look)
    if count is not None:
        yield Finding(Level.OK, "store", f"{shown} has {count} instances")


def _blobs(url: str) -> Iterator[Finding]:
    def look() -> bool:
        blobs = BlobStore(url)
        content = b"fedblocks: can this be written?"
        address = blobs.put(content)
        if blobs.get(address) != content:
            raise OSError("what is written there is not what is read")
        return True

    if (yield from _attempt("data", look)):
        yield Finding(Level.OK, "data", f"{redact(url)} can be written and read")


def _instance(
    wanted: InstanceConfig, config: AggregatorConfig, fedblocks: FedBlocks | None, signer: LocalSigner | None
) -> Iterator[Finding]:
    what = f"instance {wanted.instance}"
    job = yield from _attempt(what, lambda: JobRequest.from_json(wanted.job.read_bytes()))
    data = yield from _attempt(what, lambda: evaluation_data(wanted.evaluation))
    if data is not None and job is not None and data.shape != job.input_shape:
        yield Finding(Level.FAIL, what, f"accuracy is measured with {data.shape}, the model takes {job.input_shape}")
    if fedblocks is None or signer is None or job is None:
        return
    number = InstanceId(wanted.instance)
    instance = fedblocks.chain.instance(number)
    if instance.aggregator != signer.address:
        yield Finding(Level.FAIL, what, f"its aggregator is {instance.aggregator}, not {signer.address}")
        return
    root = vector_root(genesis_model(wanted, job, instance.d))
    if root != instance.genesis_model_root:
        text = "the genesis model is not the one on chain: is it the right job, or is `genesis` to be given?"
        yield Finding(Level.FAIL, what, text)
        return
    if not fedblocks.chain.bond(number, signer.address) and not config.deposit_bond:
        yield Finding(Level.FAIL, what, "there is no bond: `fedblocks bond deposit`, or set deposit_bond")
        return
    yield Finding(Level.OK, what, f"{instance.posted_epochs} of {instance.number_of_epochs} epochs are posted")
