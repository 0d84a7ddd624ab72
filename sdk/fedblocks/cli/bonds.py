"""`fedblocks bond`: what an aggregator deposits for an instance and gets back from it."""

from __future__ import annotations

import click

from fedblocks.cli.options import (
    ADDRESS,
    INSTANCE,
    SendingChoice,
    Where,
    json_option,
    network_options,
    sending_options,
)
from fedblocks.cli.output import talk
from fedblocks.cli.sending import connect_to_send
from fedblocks.types import Address, InstanceId


@click.group()
def bond() -> None:
    """An aggregator's bond: deposit it, get it back.

    \b
    fedblocks bond deposit 1 --deployment FILE --account aggregator
    """


@bond.command()
@click.argument("instance", type=INSTANCE)
@network_options
@sending_options
@json_option
def deposit(instance: int, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Accept an instance as its aggregator.

    \b
    fedblocks bond deposit 1 --deployment FILE --account aggregator
    """
    with connect_to_send(where, sending, as_json) as context:
        context.fedblocks.chain.deposit_bond(InstanceId(instance))
        talk(f"accepted instance {instance}; an epoch that is proved wrong costs the bond")


@bond.command("withdraw")
@click.argument("instance", type=INSTANCE)
@click.option("--receiver", type=ADDRESS, help="Who is paid.  [default: the account]")
@network_options
@sending_options
@json_option
def withdraw_bond(instance: int, receiver: Address | None, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Get a bond back, once every epoch that it vouches for is final.

    \b
    fedblocks bond withdraw 1 --deployment FILE --account aggregator
    """
    with connect_to_send(where, sending, as_json) as context:
        context.fedblocks.chain.withdraw_bond(InstanceId(instance), receiver)
