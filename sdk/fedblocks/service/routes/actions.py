"""Signed actions in, signed acknowledgements out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from fedblocks.rollup.actions import CommitUpdate
from fedblocks.rollup.admission import UnusableUpdate, WrongRound
from fedblocks.rollup.arriving import ArrivingVector
from fedblocks.rollup.intake import CheckedClaim, Intake, RevealClaim, SignedAcknowledgement
from fedblocks.rollup.vectors import VectorKind, WrongVectorSize
from fedblocks.service.node import Node
from fedblocks.service.problems import BodyTooLarge, WrongMediaType
from fedblocks.service.schemas import MAX_SAFE, Acknowledged, Commit, Hex32, Uint256, from_hex, hexadecimal
from fedblocks.service.serving import InstanceName, Parts, Serving, problems
from fedblocks.types import MAX_COHORT, EpochNumber, Hash32, InstanceId, Seat

router = APIRouter(tags=["actions"])

VECTOR_TYPE = "application/octet-stream"
PIECE_BYTES = 1 << 18
"""How much of an update is collected before a thread writes and hashes it."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the update in its wire form: d values of 16 bits, big-endian, offset by 2^15",
        "content": {VECTOR_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/v1/instances/{instance}/commits", responses=problems(400, 403, 404, 408, 409, 413))
async def post_commit(parts: Parts, instance: InstanceName, commit: Commit) -> Acknowledged:
    """Commit to an update. The same commitment again gets the same acknowledgement."""
    answer = await parts.workers.run(_commit, parts, instance, commit)
    parts.metrics.accepted.labels("commit").inc()
    return _acknowledged(answer)


@router.post(
    "/v1/instances/{instance}/reveals",
    responses=problems(403, 404, 408, 409, 413, 415),
    openapi_extra=_BODY,
)
async def post_reveal(
    parts: Parts,
    request: Request,
    instance: InstanceName,
    epoch: Annotated[int, Header(alias="FedBlocks-Epoch", ge=1, le=MAX_SAFE)],
    attempt: Annotated[int, Header(alias="FedBlocks-Attempt", ge=0, le=MAX_SAFE)],
    seat: Annotated[int, Header(alias="FedBlocks-Seat", ge=0, lt=MAX_COHORT)],
    samples: Annotated[Uint256, Header(alias="FedBlocks-Samples")],
    salt: Annotated[Hex32, Header(alias="FedBlocks-Salt")],
    update_root: Annotated[Hex32, Header(alias="FedBlocks-Update-Root")],
) -> Acknowledged:
    """Reveal an update. The headers are held against the commitment before the body is read, so that nobody but who
    made the commitment can send one; the body is hashed as it comes. The same reveal again gets the same
    acknowledgement, without its body being read, unless the node has lost the update: then it takes it again, whatever
    the round under way is."""
    claim = RevealClaim(
        epoch=EpochNumber(epoch),
        attempt=attempt,
        seat=Seat(seat),
        update_root=Hash32(from_hex(update_root)),
        samples=int(samples),
        salt=Hash32(from_hex(salt)),
    )
    intake, checked = await parts.workers.run(_claim, parts.node, instance, claim)
    if checked.already is not None and not checked.lost:
        return _acknowledged(checked.already)
    parts.actions.spend(checked.commit.client, checked.commit.client)
    _check_body(request, checked, intake.record.d)
    with parts.uploads.one():
        answer = await _receive(parts, request, intake, checked)
    parts.metrics.accepted.labels("reveal").inc()
    return _acknowledged(answer)


def _commit(parts: Serving, name: str, commit: Commit) -> SignedAcknowledgement:
    record = parts.node.find(name)
    for field, expected, actual in (
        ("chain", record.key.chain_id, commit.chain_id),
        ("contract", record.key.contract.lower(), commit.settlement.lower()),
        ("instance", record.key.instance_id, commit.instance_id),
    ):
        if expected != actual:
            raise WrongRound(field, expected, actual)
    action = CommitUpdate(
        instance_id=InstanceId(commit.instance_id),
        epoch=EpochNumber(commit.epoch),
        attempt=commit.attempt,
        base_model_root=Hash32(from_hex(commit.base_model_root)),
        commitment=Hash32(from_hex(commit.commitment)),
    )
    return parts.node.intake(record).accept_commit(
        action, from_hex(commit.signature), lambda client: parts.actions.spend(client, client)
    )


def _claim(node: Node, name: str, claim: RevealClaim) -> tuple[Intake, CheckedClaim]:
    intake = node.intake(node.find(name))
    return intake, intake.check_claim(claim)


def _check_body(request: Request, checked: CheckedClaim, d: int) -> None:
    """Look at what is announced before anything is read, and let that much through."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != VECTOR_TYPE:
        raise WrongMediaType(media_type, VECTOR_TYPE)
    expected = d * VectorKind.UPDATE.value_bytes
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and int(announced) != expected:
        if int(announced) > expected:
            raise BodyTooLarge(int(announced), expected)
        raise UnusableUpdate(checked.commit.client, f"{d} values are {expected} bytes, got {announced}")
    request.scope.setdefault("state", {})["body_limit"] = expected


async def _receive(parts: Serving, request: Request, intake: Intake, checked: CheckedClaim) -> SignedAcknowledgement:
    """Take the body in, piece by piece, and store the reveal."""
    arriving = await parts.workers.run(ArrivingVector, parts.node.blobs, VectorKind.UPDATE, intake.record.d)
    parts.metrics.uploads.inc()
    try:
        piece = bytearray()
        async for part in request.stream():
            parts.metrics.received.inc(len(part))
            piece += part
            if len(piece) >= PIECE_BYTES:
                await parts.workers.run(arriving.write, piece)
                piece = bytearray()
        await parts.workers.run(arriving.write, piece)
        return await parts.workers.run(_keep, intake, checked, arriving)
    except WrongVectorSize as error:
        raise UnusableUpdate(checked.commit.client, str(error)) from error
    finally:
        parts.metrics.uploads.dec()
        arriving.discard()


def _keep(intake: Intake, checked: CheckedClaim, arriving: ArrivingVector) -> SignedAcknowledgement:
    return intake.accept_arrived(checked, arriving)


def _acknowledged(answer: SignedAcknowledgement) -> Acknowledged:
    return Acknowledged(
        action_hash=hexadecimal(answer.acknowledgement.action_hash), signature=hexadecimal(answer.signature)
    )
