"""Whether the node is well, for whoever starts it, sends it traffic or watches it."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from fedblocks.service.schemas import Health
from fedblocks.service.serving import Parts, Serving, problems

router = APIRouter(tags=["health"])
VERSION = version("fedblocks")


@router.get("/healthz")
async def healthz() -> Health:
    """The process answers; start it again when it does not."""
    return Health(status="ok", version=VERSION)


@router.get("/readyz", responses=problems())
async def readyz(parts: Parts) -> Health:
    """Database and blobs answer; send no traffic when they do not."""
    await parts.workers.run(_look, parts)
    return Health(status="ready", version=VERSION)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(parts: Parts) -> Response:
    """Metrics in Prometheus's text format."""
    parts.metrics.waiting.set(parts.workers.busy)
    return Response(parts.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _look(parts: Serving) -> None:
    parts.node.store.ping()
    _ = parts.node.blobs.spool
