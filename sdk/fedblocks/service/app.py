"""The application: routes, limits and errors put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from fedblocks.chain.signers import Signer
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.arriving import sweep_spool
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.store import RollupStore
from fedblocks.service.gate import Gate
from fedblocks.service.metrics import Metrics
from fedblocks.service.node import Node
from fedblocks.service.problems import problem, problem_of, slug_of
from fedblocks.service.routes import actions, blobs, events, health, instances, profiles
from fedblocks.service.schemas import Problem
from fedblocks.service.serving import Serving
from fedblocks.service.settings import ServiceSettings

_DESCRIPTION = """
Takes signed actions of federated-learning instances, and serves what is known of them. Errors are problem details
(RFC 9457). Check what matters: hashes against the chain, acknowledgements against the aggregator's address.
"""
_TITLES = {
    400: "The request cannot be read.",
    404: "There is no such path.",
    405: "This path has no such method.",
}


def create_app(
    store_url: str, blobs_url: str, signer: Signer | None, settings: ServiceSettings | None = None
) -> FastAPI:
    """The application of a node.

    Args:
        store_url: the database, ``sqlite:///…`` or ``postgresql://…``; several nodes may share one.
        blobs_url: where updates and models lie; shared likewise.
        signer: the aggregator's key, which signs acknowledgements; without one, no action is taken.
        settings: the limits; the default ones when left out.

    Raises:
        SchemaMismatch, StorageError: if the database cannot be used.
    """
    limits, metrics = settings or ServiceSettings(), Metrics()
    store = RollupStore(store_url)
    node = Node(store, BlobStore(blobs_url), signer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts: Serving = app.state.serving
        await parts.workers.run(sweep_spool, node.blobs)
        yield
        parts.stopping.set()
        parts.workers.close()
        store.close()

    app = FastAPI(
        title="FedBlocks node",
        version=version("fedblocks"),
        description=_DESCRIPTION.strip(),
        lifespan=lifespan,
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        license_info={"name": "Apache-2.0"},
    )
    app.state.serving = Serving(node, limits, metrics)
    for each in (health, instances, actions, profiles, blobs, events):
        app.include_router(each.router)
    app.add_middleware(Gate, settings=limits, metrics=metrics)
    _handle_errors(app, metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _handle_errors(app: FastAPI, metrics: Metrics) -> None:
    def of_ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, FedBlocksError)
        metrics.refused.labels(slug_of(type(error))).inc()
        return problem_of(error)

    def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, FedBlocksError):
            # What the gate raises while FastAPI reads a body comes out wrapped.
            return of_ours(request, error.__cause__)
        title = _TITLES.get(error.status_code, "The request cannot be served.")
        return problem(error.status_code, "http", title, str(error.detail), headers=dict(error.headers or {}))

    def of_values(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        metrics.refused.labels("invalid-request").inc()
        # Where and why, but not the value: it may be a salt, or a megabyte.
        wrong = [{"where": ".".join(map(str, each["loc"])), "why": each["msg"]} for each in error.errors()[:20]]
        is_json = not any(each["type"] == "json_invalid" for each in error.errors())
        detail = "; ".join(f"{each['where']}: {each['why']}" for each in wrong)
        return problem(
            422 if is_json else 400, "invalid-request", "The request is not as it should be.", detail, errors=wrong
        )

    app.add_exception_handler(FedBlocksError, of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_values)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            license_info=app.license_info,
        )
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
