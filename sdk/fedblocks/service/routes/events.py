"""Progress as server-sent events: what has happened, and then what happens, from any number on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from fedblocks.rollup.progress import ProgressRecord
from fedblocks.rollup.records import InstanceKey
from fedblocks.service.schemas import MAX_SAFE, Event
from fedblocks.service.serving import InstanceName, Parts, Serving, problems

router = APIRouter(tags=["progress"])

LOOK_SECONDS = 0.25
"""Between two looks at the store."""

ALIVE_SECONDS = 10.0
"""After so long without an event a comment is sent, so that nobody takes the connection for dead."""

PAGE = 500


@router.get(
    "/v1/instances/{instance}/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Events, each with its number as id.", "content": {"text/event-stream": {}}},
        **problems(404, 409),
    },
)
async def follow(
    parts: Parts,
    instance: InstanceName,
    after: Annotated[int, Query(ge=0, le=MAX_SAFE, description="the number after which to begin")] = 0,
    wait: Annotated[bool, Query(description="whether to go on when everything was sent")] = True,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """What happens in an instance: rounds opened and closed, actions counted, epochs posted, final or overturned.

    A client that was cut off gives the number of the last event it has seen, as Last-Event-ID, and misses nothing.
    """
    record = await parts.workers.run(parts.node.find, instance)
    start = after if last_event_id is None else int(last_event_id)
    with parts.streams.one():
        pass  # refused before anything is sent
    return StreamingResponse(
        _events(parts, record.key, start, wait),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(parts: Serving, key: InstanceKey, after: int, wait: bool) -> AsyncIterator[str]:
    with parts.streams.one(), parts.metrics.streams.track_inprogress():
        yield "retry: 1000\n\n"
        spoken = time.monotonic()
        while not parts.stopping.is_set():
            happened = await parts.workers.run(parts.node.store.rounds.progress, key, after, PAGE)
            for each in happened:
                yield _written(each)
                after = each.number
            now = time.monotonic()
            if happened:
                spoken = now
                continue
            if not wait:
                return
            if now - spoken > ALIVE_SECONDS:
                yield ": still here\n\n"
                spoken = now
            await asyncio.sleep(LOOK_SECONDS)


def _written(record: ProgressRecord) -> str:
    event = Event(
        number=record.number,
        what=record.what,
        epoch=record.epoch,
        attempt=record.attempt,
        at=record.at,
        details=dict(record.details),
    )
    data = json.dumps(event.model_dump(by_alias=True, mode="json"), separators=(",", ":"))
    return f"id: {record.number}\nevent: {record.what.value}\ndata: {data}\n\n"
