"""What clients say about their data, for whoever looks for a cohort."""

from __future__ import annotations

import time
from typing import Annotated

from eth_utils.address import to_checksum_address
from fastapi import APIRouter, Query

from fedblocks.rollup.actions import DataProfile
from fedblocks.rollup.profiles import ProfileRecord
from fedblocks.service.schemas import HexAddress, Profile, ProfilePage, from_hex, hexadecimal
from fedblocks.service.serving import Parts, Serving, problems
from fedblocks.training.profile import InvalidProfile, SignedProfile

router = APIRouter(tags=["profiles"])
PAGE = 100


@router.post("/v1/profiles", responses=problems(400, 403, 408, 409, 413))
async def post_profile(parts: Parts, profile: Profile) -> Profile:
    """Publish a profile; the latest of each client is kept."""
    await parts.workers.run(_publish, parts, profile)
    parts.metrics.accepted.labels("profile").inc()
    return profile


@router.get("/v1/profiles", responses=problems())
async def list_profiles(
    parts: Parts,
    after: Annotated[HexAddress | None, Query(description="the client after whom to go on")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> ProfilePage:
    """Published profiles with their signatures, by client."""
    start = "" if after is None else to_checksum_address(after)
    records = await parts.workers.run(_list, parts, start, limit + 1)
    page = records[:limit]
    return ProfilePage(profiles=page, next=page[-1].client if len(records) > limit else None)


def _publish(parts: Serving, wire: Profile) -> None:
    settlement = parts.node.deployment(wire.chain_id, wire.settlement)
    profile = DataProfile(
        client=to_checksum_address(wire.client),
        domain=wire.domain,
        modality=wire.modality,
        input_shape=wire.input_shape,
        labels=wire.labels,
        samples=wire.samples,
        issued_at=wire.issued_at,
    )
    signed = SignedProfile(profile, from_hex(wire.signature))
    signed.verify(wire.chain_id, settlement)
    parts.actions.spend(profile.client, profile.client)
    latest = int(time.time()) + parts.settings.clock_skew
    if profile.issued_at > latest:
        raise InvalidProfile("issued_at", f"is {profile.issued_at}, in the future; check the clock")
    record = ProfileRecord(wire.chain_id, settlement, profile, signed.signature)
    parts.node.store.profiles.put(record, limit=parts.settings.profiles)


def _list(parts: Serving, after: str, limit: int) -> list[Profile]:
    return [
        Profile(
            chain_id=record.chain_id,
            settlement=record.contract,
            client=record.profile.client,
            domain=record.profile.domain,
            modality=record.profile.modality,
            input_shape=record.profile.input_shape,
            labels=record.profile.labels,
            samples=record.profile.samples,
            issued_at=record.profile.issued_at,
            signature=hexadecimal(record.signature),
        )
        for record in parts.node.store.profiles.list(after=after, limit=limit)
    ]
