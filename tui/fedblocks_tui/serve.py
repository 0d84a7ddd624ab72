"""The same interface in a browser, through textual-serve.

Each page starts a process of its own that runs `fedblocks tui` and is drawn in the browser. No such process ever has a
signing key: whoever can open the page could press its keys. And because any web page can try to open a connection to
this machine, only requests that were made for this server's own name, from its own pages, are answered.
"""

from __future__ import annotations

import ipaddress
import shlex
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from fedblocks.exceptions import FedBlocksError

_MAIN = "from fedblocks.cli.main import main; main()"


class KeyInBrowser(FedBlocksError, PermissionError):
    """An account was to be used in a browser."""

    def __init__(self) -> None:
        super().__init__(
            "--serve is read-only: whoever opens the page could press its keys; leave out --account, and act in a "
            "terminal or with the other commands"
        )


class OwnPagesOnly(Server):
    """A server that answers its own pages only."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(_refuse_strangers(self.host, self.port, self.public_url))
        return app


def allowed_names(host: str, port: int, public_url: str) -> set[str]:
    """The names under which the server may be asked for."""
    names = {f"{host}:{port}", urlsplit(public_url).netloc}
    if is_loopback(host):
        names |= {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"}
    return names


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_strangers(host: str, port: int, public_url: str) -> Middleware:
    names = allowed_names(host, port, public_url)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.host not in names or (origin is not None and urlsplit(origin).netloc not in names):
            raise web.HTTPForbidden(text="this server answers its own pages only\n")
        return await handler(request)

    return check


def serve(arguments: Sequence[str], host: str, port: int, public_url: str | None = None) -> None:
    """Serve `fedblocks tui` with some arguments until it is interrupted.

    Args:
        arguments: those of `fedblocks`, from ``tui`` on, without an account.
        host: the address to listen on.
        port: its port.
        public_url: under which the server is reached from outside, where that is another.
    """
    command = shlex.join([sys.executable, "-c", _MAIN, *arguments, "--read-only"])
    OwnPagesOnly(command, host=host, port=port, title="FedBlocks", public_url=public_url).serve()
