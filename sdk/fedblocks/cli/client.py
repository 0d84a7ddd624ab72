"""`fedblocks client`: a data owner's process, from its configuration to its daily work."""

from __future__ import annotations

from pathlib import Path

import click

from fedblocks.cli.options import json_option
from fedblocks.cli.processes import CONFIG, show_findings, write_example


@click.group()
def client() -> None:
    """A data owner's process: train, commit, reveal, get paid.

    \b
    fedblocks client init client.toml
    fedblocks client check client.toml
    fedblocks client run client.toml
    """


@client.command()
@click.argument("config", type=CONFIG)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(config: Path, force: bool) -> None:
    """Write a configuration that explains itself.

    \b
    fedblocks client init client.toml
    """
    from fedblocks.operating.config import ClientConfig

    write_example(ClientConfig, "client", config, force)


@client.command()
@click.argument("config", type=CONFIG)
@json_option
def check(config: Path, as_json: bool) -> None:
    """Look at everything that the process will need, and send nothing.

    Key, node, contracts, stake, service, data, disk and clocks: one line each. Ends with 4 if something fails.

    \b
    fedblocks client check client.toml
    """
    from fedblocks.operating.checks import check_client
    from fedblocks.operating.config import ClientConfig
    from fedblocks.operating.toml import load

    show_findings(check_client(load(ClientConfig, config)), as_json)


@client.command()
@click.argument("config", type=CONFIG)
@click.option("--until-done", is_flag=True, help="End when every instance with a seat is closed, and there is one.")
@click.option("--json-log", is_flag=True, help="Log JSON objects, one a line, to stderr.")
def run(config: Path, until_done: bool, json_log: bool) -> None:
    """Take part in every instance in which the account has a seat.

    Ends in an orderly way on SIGTERM and Ctrl-C, and may be killed at any time: started again, it goes on where it was.

    \b
    fedblocks client run client.toml
    """
    from fedblocks.operating.client import ClientProcess
    from fedblocks.operating.config import ClientConfig
    from fedblocks.operating.talking import Stopping, Talk
    from fedblocks.operating.toml import load

    settings, stopping = load(ClientConfig, config), Stopping()
    stopping.listen()
    process = ClientProcess(settings, settings.account.open(), Talk(as_json=json_log), stopping)
    process.run(until_done=until_done)


if __name__ == "__main__":
    client()
