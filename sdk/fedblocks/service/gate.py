"""The gate: what every request passes before and after its route, as plain ASGI.

It counts requests by sender, bounds bodies and the time they take, turns errors into problems, and writes one line to
the log and one sample to the metrics for each request. Neither headers nor bodies are logged: what opens a commitment
is in them.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fedblocks.exceptions import FedBlocksError
from fedblocks.service.limits import Rate
from fedblocks.service.metrics import Metrics
from fedblocks.service.problems import BodyTooLarge, HeadersTooLarge, TooSlow, problem, problem_of, slug_of, status_of
from fedblocks.service.settings import ServiceSettings

_LOG = logging.getLogger("fedblocks.service")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_UNLIMITED = {"/healthz", "/readyz", "/metrics"}


class Gate:
    """Wraps the application.

    Args:
        app: what is behind it.
        settings: the limits.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._reads = Rate(settings.reads_per_second, settings.read_burst)
        self._writes = Rate(settings.writes_per_second, settings.write_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            # Whoever reads nothing would otherwise hold a connection and an open file for ever.
            async with asyncio.timeout(self._settings.idle_seconds):
                await send(message)

        try:
            self._count(scope)
            await self._app(scope, _Patient(receive, scope, self._settings), sending)
        except FedBlocksError as error:
            self._metrics.refused.labels(slug_of(type(error))).inc()
            if status_of(error) == 500:
                _LOG.exception("%s %s failed", scope["method"], _route(scope))
            if not status:
                await problem_of(error)(scope, receive, sending)
        except (ClientDisconnect, TimeoutError):
            status = status or 499
        except Exception:
            _LOG.exception("%s %s failed", scope["method"], _route(scope))
            if status:
                raise
            answer = problem(500, "internal", "The node has failed.", "this is a fault of the node; it has been logged")
            await answer(scope, receive, sending)
        finally:
            seconds, route = time.monotonic() - started, _route(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            _LOG.info("%s %s %s %.1f ms", method, route, status, 1000 * seconds)

    def _count(self, scope: Scope) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > self._settings.header_bytes:
            raise HeadersTooLarge(size, self._settings.header_bytes)
        if scope["path"] in _UNLIMITED:
            return
        sender = scope["client"][0] if scope.get("client") else "local"
        rate = self._reads if scope["method"] in _SAFE_METHODS else self._writes
        rate.spend(sender, "this address")


_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class _Patient:
    """A request's body, which has a size that is looked at before it is read, and an end to the time it may take."""

    def __init__(self, receive: Receive, scope: Scope, settings: ServiceSettings) -> None:
        self._receive, self._scope, self._settings = receive, scope, settings
        self._received, self._since, self._complete = 0, time.monotonic(), False

    async def __call__(self) -> Message:
        """The next piece.

        Raises:
            BodyTooLarge: if there is more than the route takes.
            TooSlow: if it does not come in time.
        """
        if self._complete:
            # What comes now is the end of the connection, which may take as long as it likes.
            return await self._receive()
        limit = self._limit()
        try:
            async with asyncio.timeout(self._settings.idle_seconds):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow(f"nothing came for {self._settings.idle_seconds:g} s") from None
        self._received += len(message.get("body", b""))
        if self._received > limit:
            raise BodyTooLarge(self._received, limit)
        seconds = time.monotonic() - self._since - 10
        if seconds > 0 and self._received < seconds * self._settings.upload_bytes_per_second:
            raise TooSlow(f"less than {self._settings.upload_bytes_per_second} bytes a second came")
        self._complete = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    def _limit(self) -> int:
        # A route that takes more says so, once it knows how much.
        limit: int = self._scope.get("state", {}).get("body_limit", self._settings.json_bytes)
        announced = dict(self._scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge(int(announced), limit)
        return limit


def _route(scope: Scope) -> str:
    """The route's template, so that neither the log nor the metrics grow with what people ask for."""
    path: str = getattr(scope.get("route"), "path", "none")
    return path
