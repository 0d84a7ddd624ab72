"""What there is: instances, the round under way, headers, epochs and proofs."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter

from fedblocks.rollup.header import NUMBERS
from fedblocks.rollup.lists import SeatList
from fedblocks.rollup.records import ActionKind, EpochRecord, InstanceRecord
from fedblocks.service.node import Node, name_of, opening
from fedblocks.service.problems import UnknownThing
from fedblocks.service.schemas import (
    MAX_SAFE,
    ActionLevel,
    Epoch,
    HeaderEntry,
    HeaderPage,
    Hex32,
    Instance,
    Instances,
    InstanceSummary,
    Opening,
    Proof,
    Round,
    from_hex,
    hexadecimal,
)
from fedblocks.service.serving import EpochPath, InstanceName, Parts, problems
from fedblocks.types import MAX_COHORT, Hash32, Seat

router = APIRouter(tags=["instances"])
PAGE = 100
JOB_BYTES = 1 << 20

Attempt = Annotated[int | None, Query(ge=0, le=MAX_SAFE, description="by default the attempt that counts")]


@router.get("/v1/instances", responses=problems())
async def list_instances(parts: Parts) -> Instances:
    """All instances that the node knows."""
    return await parts.workers.run(_instances, parts.node)


@router.get("/v1/instances/{instance}", responses=problems(404, 409))
async def get_instance(parts: Parts, instance: InstanceName) -> Instance:
    """What never changes in an instance, and its job document."""
    return await parts.workers.run(_instance, parts.node, instance)


@router.get("/v1/instances/{instance}/round", responses=problems(404, 409))
async def get_round(parts: Parts, instance: InstanceName) -> Round:
    """The round under way: what to train from, what is admitted now, who has sent what."""
    return await parts.workers.run(_round, parts.node, instance)


@router.get("/v1/instances/{instance}/headers", responses=problems(404, 409))
async def list_headers(
    parts: Parts,
    instance: InstanceName,
    first: Annotated[int, Query(ge=1, le=MAX_SAFE, description="the epoch to begin with")] = 1,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> HeaderPage:
    """The headers that count, in order."""
    return await parts.workers.run(_headers, parts.node, instance, first, limit)


@router.get("/v1/instances/{instance}/headers/{epoch}", responses=problems(404, 409))
async def get_header(parts: Parts, instance: InstanceName, epoch: EpochPath, attempt: Attempt = None) -> HeaderEntry:
    """One header."""
    return await parts.workers.run(_header, parts.node, instance, epoch, attempt)


@router.get("/v1/instances/{instance}/epochs/{epoch}", responses=problems(404, 409))
async def get_epoch(parts: Parts, instance: InstanceName, epoch: EpochPath, attempt: Attempt = None) -> Epoch:
    """An executed epoch, how certain it is, and where its data lie."""
    return await parts.workers.run(_epoch, parts.node, instance, epoch, attempt)


@router.get("/v1/instances/{instance}/epochs/{epoch}/proofs/{seat}", responses=problems(404, 409))
async def get_proof(
    parts: Parts,
    instance: InstanceName,
    epoch: EpochPath,
    seat: Annotated[int, PathParameter(ge=0, lt=MAX_COHORT)],
    attempt: Attempt = None,
) -> Proof:
    """What opens an epoch's lists for one seat: with it, a client checks that its update is in, and how it fared."""
    return await parts.workers.run(_proof, parts.node, instance, epoch, seat, attempt)


@router.get("/v1/actions/{action_hash}", responses=problems(404))
async def get_action_level(parts: Parts, action_hash: Hex32) -> ActionLevel:
    """How certain it is that an acknowledged commitment counts."""
    digest = Hash32(from_hex(action_hash))
    level = await parts.workers.run(parts.node.store.action_level, digest)
    return ActionLevel(action_hash=hexadecimal(digest), level=level)


def _instances(node: Node) -> Instances:
    return Instances(
        instances=[
            InstanceSummary(
                name=name_of(record.key),
                chain_id=record.key.chain_id,
                settlement=record.key.contract,
                instance_id=record.key.instance_id,
                epochs=len(node.store.epochs(record.key)),
                max_epochs=record.max_epochs,
            )
            for record in node.store.list_instances()
        ]
    )


def _instance(node: Node, name: str) -> Instance:
    record = node.find(name)
    return Instance(
        name=name_of(record.key),
        chain_id=record.key.chain_id,
        settlement=record.key.contract,
        instance_id=record.key.instance_id,
        user=record.user,
        aggregator=record.aggregator,
        cohort=list(record.cohort),
        d=record.d,
        max_epochs=record.max_epochs,
        rules=[str(word) for word in record.rules],
        genesis_hash=hexadecimal(record.genesis_hash),
        genesis_model_blob=_or_none(record.genesis_model_blob),
        job_blob=_or_none(record.job_blob),
        job=_job(node, record),
    )


def _job(node: Node, record: InstanceRecord) -> object:
    if record.job_blob is None or not node.blobs.has(record.job_blob) or node.blobs.size(record.job_blob) > JOB_BYTES:
        return None
    try:
        document: object = json.loads(node.blobs.get(record.job_blob))
    except ValueError:  # whatever it is, its bytes lie under jobBlob
        return None
    return document


def _round(node: Node, name: str) -> Round:
    record = node.find(name)
    current, seats = node.store.rounds.participation(record.key)
    if current is None:
        raise UnknownThing(f"a round under way of instance {record.key.instance_id}")
    return Round(
        epoch=current.epoch,
        attempt=current.attempt,
        phase=current.phase,
        base_model_root=hexadecimal(current.base_model_root),
        base_model_blob=hexadecimal(current.base_model_blob),
        last_delta_blob=_or_none(current.last_delta_blob),
        barred=list(current.barred),
        deadline=current.deadline,
        commits_root=_or_none(current.commits_root),
        left_out=list(current.left_out),
        committed=list(seats[ActionKind.COMMIT]),
        revealed=list(seats[ActionKind.REVEAL]),
    )


def _headers(node: Node, name: str, first: int, limit: int) -> HeaderPage:
    epochs = [epoch for epoch in node.store.epochs(node.find(name).key) if epoch.epoch >= first]
    page, rest = epochs[:limit], epochs[limit:]
    return HeaderPage(headers=[_entry(epoch) for epoch in page], next=rest[0].epoch if rest else None)


def _header(node: Node, name: str, number: int, attempt: int | None) -> HeaderEntry:
    return _entry(node.epoch(node.find(name), number, attempt))


def _entry(epoch: EpochRecord) -> HeaderEntry:
    return HeaderEntry(
        epoch=epoch.epoch,
        attempt=epoch.attempt,
        header=hexadecimal(epoch.header.encode()),
        header_hash=hexadecimal(epoch.header_hash),
        level=epoch.level,
    )


def _epoch(node: Node, name: str, number: int, attempt: int | None) -> Epoch:
    epoch = node.epoch(node.find(name), number, attempt)
    header = epoch.header
    return Epoch(
        **_entry(epoch).model_dump(),
        fields={
            field: str(getattr(header, field)) if field in NUMBERS else hexadecimal(getattr(header, field))
            for field in header.__dataclass_fields__
        },
        manifest_blob=hexadecimal(epoch.manifest_blob),
        transaction_hash=_or_none(epoch.transaction_hash),
        block_number=epoch.block_number,
    )


def _proof(node: Node, name: str, number: int, seat: int, attempt: int | None) -> Proof:
    record = node.find(name)
    if seat >= len(record.cohort):
        raise UnknownThing(f"seat {seat} of instance {record.key.instance_id}, which has {len(record.cohort)} seats,")
    epoch = node.epoch(record, number, attempt)
    manifest = node.manifest(record, epoch)
    header = epoch.header

    def opened(contents: tuple[bytes | None, ...], which: SeatList, root: bytes) -> Opening:
        entry, hashes = opening(contents, which, seat)
        return Opening(entry=_or_none(entry), hashes=hexadecimal(hashes), root=hexadecimal(root))

    return Proof(
        epoch=epoch.epoch,
        attempt=epoch.attempt,
        seat=seat,
        client=record.cohort[seat],
        header=hexadecimal(header.encode()),
        header_hash=hexadecimal(epoch.header_hash),
        commits=opened(manifest.commits, SeatList.COMMITS, header.commits_root),
        submissions=opened(manifest.submissions, SeatList.SUBMISSIONS, header.submissions_root),
        stats=opened((*manifest.stats, manifest.cohort), SeatList.STATS, header.stats_root),
        update_blob=_or_none(manifest.blobs.updates.get(Seat(seat))),
    )


def _or_none(data: bytes | None) -> str | None:
    return None if data is None else hexadecimal(data)
