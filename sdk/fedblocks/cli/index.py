"""`fedblocks index`: reading the chain's events into the index, once or for as long as it runs."""

from __future__ import annotations

import click

from fedblocks.chain.connection import NodeRefused, NodeUnreachable
from fedblocks.cli.connecting import open_monitor
from fedblocks.cli.options import IndexChoice, Where, index_options, json_option, network_options
from fedblocks.cli.output import pause, print_json, talk
from fedblocks.monitor.monitor import Update


@click.command()
@click.option("--follow", is_flag=True, help="Go on reading until interrupted.")
@click.option("--interval", default=5.0, show_default=True, help="With --follow: seconds between two looks.")
@click.option("--confirmations", default=0, show_default=True, help="Blocks to stay behind the newest one.")
@click.option("--first-block", type=click.IntRange(min=0), help="Of version 1, where to begin.  [default: looked for]")
@network_options
@index_options
@json_option
def index(
    follow: bool,
    interval: float,
    confirmations: int,
    first_block: int | None,
    where: Where,
    index: IndexChoice,
    as_json: bool,
) -> None:
    """Read the chain's events into the index.

    It can be interrupted, or killed, at any time; the next run goes on where this one stopped. What a reorganisation
    takes back is taken back here, too.

    \b
    fedblocks index --network arbitrum:sepolia --deployment FILE --data https://… --follow
    """
    if not index.update:
        raise click.UsageError("`fedblocks index` is what updates the index: leave --no-update out")
    with open_monitor(where, index, confirmations=confirmations, first_block=first_block) as monitor:
        with monitor.snapshot() as snapshot:
            block, events = snapshot.block, snapshot.totals().events
        number = None if block is None else block.number
        if as_json:
            print_json({"block": number, "events": events, "database": monitor.database.path})
        else:
            click.echo(f"block {number}, {events} events")
        while follow:
            pause(interval)
            try:
                update = monitor.update()
            except (NodeUnreachable, NodeRefused) as error:
                talk(f"{error}; trying again in {interval:g} s", mark="yellow")
                continue
            _tell(update)


def _tell(update: Update) -> None:
    if update.rolled_back:
        talk(f"the chain has taken back {update.rolled_back} blocks, and so has the index", mark="yellow")
    if update.new_events and update.block is not None:
        talk(f"block {update.block.number}: {update.new_events} new events")
    for epoch, why in update.unread:
        talk(f"the figures of instance {epoch.instance_id} epoch {epoch.epoch} cannot be read: {why}", mark="yellow")
