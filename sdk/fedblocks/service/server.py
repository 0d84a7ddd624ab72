"""Running a node: uvicorn, with patience that ends and an end that is orderly.

uvicorn itself waits for a request's first line as long as it takes, and would, on its way out, wait for those who
follow the progress, who never leave.
"""

from __future__ import annotations

import asyncio
import socket
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from fedblocks.exceptions import FedBlocksError
from fedblocks.service.serving import Serving

GRACE_SECONDS = 15
"""How long answers that are under way may take when the node is told to stop."""


class BadListenAddress(FedBlocksError, ValueError):
    """An address to listen at is not written as HOST:PORT."""

    def __init__(self, given: str) -> None:
        super().__init__(f"{given!r} is no address to listen at; write HOST:PORT, such as 127.0.0.1:8700 or [::1]:8700")


def parse_listen(given: str) -> tuple[str, int]:
    """Host and port of an address to listen at.

    >>> parse_listen("[::1]:8700")
    ('::1', 8700)

    Raises:
        BadListenAddress: if it is none.
    """
    host, colon, port = given.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise BadListenAddress(given)
    return host, int(port)


def _patient_protocol(seconds: float) -> type[asyncio.Protocol]:
    class PatientProtocol(H11Protocol):
        """Closes a connection on which no whole request arrives in time."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self._give_up)

        def _forget(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            self._timer = None
            if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol


class NodeServer(uvicorn.Server):
    """A server that sends those away who follow the progress when it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; twice, stop at once."""
        parts: Serving = self.config.app.state.serving  # type: ignore[union-attr]
        parts.stopping.set()
        super().handle_exit(sig, frame)


def make_server(app: FastAPI, host: str, port: int, **options: Any) -> NodeServer:
    """A server for an application made by :func:`~fedblocks.service.app.create_app`.

    Args:
        app: what to serve.
        host, port: where.
        options: more of uvicorn's, such as ``ssl_keyfile`` and ``ssl_certfile``.
    """
    parts: Serving = app.state.serving
    settings = parts.settings
    return NodeServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=_patient_protocol(settings.header_seconds),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            limit_concurrency=settings.connections,
            h11_max_incomplete_event_size=settings.header_bytes,
            timeout_keep_alive=int(settings.header_seconds),
            timeout_graceful_shutdown=GRACE_SECONDS,
            **options,
        )
    )


def serve(app: FastAPI, host: str, port: int, sock: socket.socket | None = None, **options: Any) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    Args:
        app, host, port, options: as for :func:`make_server`.
        sock: a socket that listens already, in their place.
    """
    make_server(app, host, port, **options).run(None if sock is None else [sock])
