"""`fedblocks epochs` and `fedblocks finalize`: how far epochs are confirmed, and confirming them."""

from __future__ import annotations

import click

from fedblocks.chain.reverts import ContractReverted
from fedblocks.cli.options import (
    INSTANCE,
    IndexChoice,
    SendingChoice,
    Where,
    index_options,
    json_option,
    network_options,
    sending_options,
)
from fedblocks.cli.output import countdown, talk
from fedblocks.cli.sending import connect_to_send
from fedblocks.types import EpochNumber, InstanceId


@click.command()
@click.argument("instance", type=INSTANCE)
@network_options
@index_options
@json_option
def epochs(instance: int, where: Where, index: IndexChoice, as_json: bool) -> None:
    """Show an instance's epochs and how far each is confirmed.

    An epoch is posted, finalizable when its challenge window has passed, and final when anyone has said so; or it was
    overturned. Seats are the places in the cohort that `fedblocks job show` lists.

    \b
    fedblocks epochs 1 --deployment FILE
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.cli.showing import instance_of, show_epochs

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        show_epochs(snapshot, instance_of(snapshot, instance), as_json)


@click.command()
@click.argument("instance", type=INSTANCE)
@network_options
@sending_options
@json_option
def finalize(instance: int, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Make an instance's due epochs final; anyone may.

    An epoch that is not due is no error: it is said when it will be.

    \b
    fedblocks finalize 1 --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        chain, instance_id = context.fedblocks.chain, InstanceId(instance)
        known = chain.instance(instance_id)
        context.result |= {"instanceId": instance, "finalized": [], "waiting": None}
        if known.finalized_epochs == known.posted_epochs:
            context.result["waiting"] = "no posted epoch is left to be made final"
        for number in range(known.finalized_epochs + 1, known.posted_epochs + 1):
            epoch = EpochNumber(number)
            try:
                chain.finalize_epoch(instance_id, epoch)
            except ContractReverted as error:
                due = chain.epoch(instance_id, epoch).posted_at + chain.challenge_window()
                now = context.fedblocks.connection.block().timestamp
                context.result["waiting"] = f"epoch {number}: {error.message}"
                if due > now:
                    context.result["waiting"] += f"; its window ends {countdown(due, now)}"
                break
            context.result["finalized"].append(number)
        if context.result["waiting"]:
            talk(context.result["waiting"], mark="yellow")
