"""`fedblocks aggregator`: the process that executes and posts epochs, from its configuration to its daily work."""

from __future__ import annotations

from pathlib import Path

import click

from fedblocks.cli.options import json_option
from fedblocks.cli.processes import CONFIG, show_findings, write_example


@click.group()
def aggregator() -> None:
    """An aggregator's process: close, execute, post, finalise, answer, settle.

    Clients reach it through `fedblocks node`, which shares its database and its data.

    \b
    fedblocks aggregator init aggregator.toml
    fedblocks aggregator check aggregator.toml
    fedblocks aggregator run aggregator.toml
    """


@aggregator.command()
@click.argument("config", type=CONFIG)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(config: Path, force: bool) -> None:
    """Write a configuration that explains itself.

    \b
    fedblocks aggregator init aggregator.toml
    """
    from fedblocks.operating.config import AggregatorConfig

    write_example(AggregatorConfig, "aggregator", config, force)


@aggregator.command()
@click.argument("config", type=CONFIG)
@json_option
def check(config: Path, as_json: bool) -> None:
    """Look at everything that the process will need, and send nothing.

    Key, node, contracts, funds, database, data and each instance: one line each. Ends with 4 if something fails.

    \b
    fedblocks aggregator check aggregator.toml
    """
    from fedblocks.operating.checks import check_aggregator
    from fedblocks.operating.config import AggregatorConfig
    from fedblocks.operating.toml import load

    show_findings(check_aggregator(load(AggregatorConfig, config)), as_json)


@aggregator.command()
@click.argument("config", type=CONFIG)
@click.option("--json-log", is_flag=True, help="Log JSON objects, one a line, to stderr.")
def run(config: Path, json_log: bool) -> None:
    """Run the configuration's instances until they are settled.

    Ends in an orderly way on SIGTERM and Ctrl-C, and may be killed at any time: started again, it goes on where it was,
    and sends nothing twice.

    \b
    fedblocks aggregator run aggregator.toml
    """
    from fedblocks.operating.aggregator import AggregatorProcess
    from fedblocks.operating.config import AggregatorConfig
    from fedblocks.operating.talking import Stopping, Talk
    from fedblocks.operating.toml import load

    settings, stopping = load(AggregatorConfig, config), Stopping()
    stopping.listen()
    AggregatorProcess(settings, settings.account.open(), Talk(as_json=json_log), stopping).run()


if __name__ == "__main__":
    aggregator()
