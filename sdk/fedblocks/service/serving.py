"""What every route is given, as one object kept in the application: the node, its limits, workers and metrics."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from fedblocks.service.limits import Rate, Slots, Workers
from fedblocks.service.metrics import Metrics
from fedblocks.service.node import INSTANCE_PATTERN, Node
from fedblocks.service.problems import MEDIA_TYPE
from fedblocks.service.schemas import MAX_SAFE, Problem
from fedblocks.service.settings import ServiceSettings


class Serving:
    """One application's parts."""

    def __init__(self, node: Node, settings: ServiceSettings, metrics: Metrics) -> None:
        self.node, self.settings, self.metrics = node, settings, metrics
        self.workers = Workers(settings.workers, settings.waiting)
        self.uploads = Slots(settings.uploads, f"{settings.uploads} updates are arriving already")
        self.streams = Slots(settings.event_streams, "too many follow the progress already")
        self.actions = Rate(settings.actions_per_minute / 60, settings.actions_per_minute)
        self.stopping = asyncio.Event()


def serving(request: Request) -> Serving:
    """The parts of the application that a request came to."""
    parts: Serving = request.app.state.serving
    return parts


Parts = Annotated[Serving, Depends(serving)]
InstanceName = Annotated[
    str, Path(pattern=INSTANCE_PATTERN, description="the instance's number, or chainId-settlement-number")
]
EpochPath = Annotated[int, Path(ge=1, le=MAX_SAFE)]

_MEANINGS = {
    400: "The body is not JSON.",
    403: "The signature is not one that counts here.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "It does not fit what is under way: fetch the round and try again.",
    413: "The body is too large.",
    415: "The body has another media type.",
    416: "The range is outside the blob.",
    422: "A value is out of range or not written as it should be.",
    431: "The headers are too large.",
    429: "Too many requests: wait as long as Retry-After says.",
    503: "Too much to do, or no storage: wait as long as Retry-After says.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({422, 429, 431, 503, *statuses})
    }
