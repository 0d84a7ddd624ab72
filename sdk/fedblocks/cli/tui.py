"""`fedblocks tui`: everything at once, in the terminal or in a browser."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from fedblocks.cli.options import (
    AccountChoice,
    IndexChoice,
    Where,
    account_options,
    index_options,
    network_options,
)
from fedblocks.exceptions import FedBlocksError


class InterfaceMissing(FedBlocksError, LookupError):
    """The terminal interface is not installed."""

    def __init__(self, missing: str | None) -> None:
        super().__init__(f"the terminal interface needs {missing}: pip install 'fedblocks[tui]'")


def _part(name: str) -> Any:
    """A module of the terminal interface, which lies above the command line and is an extra."""
    try:
        return import_module(f"fedblocks_tui.{name}")
    except ModuleNotFoundError as error:
        raise InterfaceMissing(error.name) from error


@click.command()
@network_options
@index_options
@account_options
@click.option("--read-only", is_flag=True, help="Send nothing, even if an account is given or configured.")
@click.option("--watch-journal", type=click.Path(path_type=Path, dir_okay=False), help="Show a watcher by its journal.")
@click.option("--bell/--no-bell", default=True, help="Ring when somebody is slashed.  [default: do]")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    help="Seconds between two looks at the chain.",
)
@click.option("--demo", is_flag=True, help="Play a recorded run; needs no node.")
@click.option(
    "--recording", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Play this run instead."
)
@click.option("--speed", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Of --demo.")
@click.option("--serve", is_flag=True, help="Show it in a browser; always read-only.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where --serve listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Its port.")
@click.option("--public-url", metavar="URL", help="Under which --serve is reached, behind a proxy.")
@click.pass_context
def tui(
    context: click.Context,
    where: Where,
    index: IndexChoice,
    account: AccountChoice,
    read_only: bool,
    watch_journal: Path | None,
    bell: bool,
    interval: float,
    demo: bool,
    recording: Path | None,
    speed: float,
    serve: bool,
    host: str,
    port: int,
    public_url: str | None,
) -> None:
    """Watch stakes, slashes, jobs and epochs, and act on them.

    Six screens by their digits, ? shows the keys, q quits. Nothing is sent without --account, and then only after a
    question that shows what it costs.

    \b
    fedblocks tui --demo
    fedblocks tui --network arbitrum:sepolia --deployment deployments/arbitrum-sepolia.json
    fedblocks tui --demo --serve --port 8000
    """
    if serve:
        server = _part("serve")
        if context.params.get("account") is not None and not read_only:
            raise server.KeyInBrowser()
        choices: dict[str, object] = {
            "network": where.network_text,
            "deployment": where.deployment_text,
            "timeout": where.timeout,
            "database": index.database,
            "data": index.data,
            "watch-journal": watch_journal,
            "interval": interval,
            "recording": recording,
            "speed": speed,
        }
        arguments = [f"--{name}={value}" for name, value in choices.items() if value is not None]
        server.serve(["tui", *arguments, *(["--demo"] if demo else [])], host, port, public_url)
        return
    launch = _part("launch")
    choice = launch.Choice(
        where=where,
        index=index,
        account=account,
        recording=recording or demo,
        read_only=read_only,
        watch_journal=watch_journal,
        bell=bell,
        interval=interval,
        speed=speed,
    )
    launch.run(choice)
