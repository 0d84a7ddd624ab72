"""`fedblocks slash`: which stakes were taken, why, and taking those that a final verdict condemns."""

from __future__ import annotations

import click

from fedblocks.cli.options import (
    ADDRESS,
    INSTANCE,
    IndexChoice,
    SendingChoice,
    Where,
    index_options,
    json_option,
    network_options,
    sending_options,
)
from fedblocks.cli.output import eth, plain, talk
from fedblocks.cli.sending import connect_to_send
from fedblocks.contracts.slashing_manager import ClientSlashed
from fedblocks.types import Address, InstanceId


class _SlashGroup(click.Group):
    """Loads `explain` when it is used: what explains reads published data."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "explain"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "explain":
            return super().get_command(ctx, cmd_name)
        from fedblocks.cli.explain import slash as explain_slash

        return explain_slash


@click.group(cls=_SlashGroup)
def slash() -> None:
    """Slashes: list them, explain one, carry out final verdicts.

    \b
    fedblocks slash list --client 0x… --deployment FILE
    fedblocks slash explain 0x…
    """


@slash.command("list")
@click.option("--client", type=ADDRESS, help="Only this client's.")
@click.option("--instance", type=INSTANCE, help="Only of this instance.")
@network_options
@index_options
@json_option
def list_slashes(client: Address | None, instance: int | None, where: Where, index: IndexChoice, as_json: bool) -> None:
    """List every stake that was taken, with reason, epoch, amount and transaction.

    \b
    fedblocks slash list --instance 1 --deployment FILE --json
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.cli.showing import show_slashes

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        found = [
            each
            for each in snapshot.slashes()
            if client in (None, each.client) and instance in (None, each.instance_id)
        ]
        show_slashes(snapshot, found, as_json)


@slash.command()
@click.argument("instance", type=INSTANCE)
@network_options
@sending_options
@json_option
def execute(instance: int, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Take the stakes of clients that a final verdict of an instance condemns; anyone may.

    \b
    fedblocks slash execute 1 --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        fedblocks, instance_id = context.fedblocks, InstanceId(instance)
        at = fedblocks.connection.block().number
        cohort = fedblocks.rewards.cohort(instance_id, at)
        condemned = fedblocks.chain.instance(instance_id, at).finally_slashable
        clients = [cohort[seat] for seat in sorted(condemned) if fedblocks.staking.client_stake(cohort[seat], at)]
        context.result |= {"instanceId": instance, "slashed": []}
        if not clients:
            told = "and all of those stakes are gone" if condemned else "so there is nothing to take"
            talk(f"{len(condemned)} final verdicts in instance {instance}, {told}")
            return
        receipt = fedblocks.slashing.slash(clients, instance_id)
        slashed = receipt.all(ClientSlashed)
        for each in slashed:
            talk(f"{each.client} lost {eth(each.amount)} for {each.reason.name.lower()} in epoch {each.epoch}")
        context.result["slashed"] = [
            {"client": each.client, "epoch": each.epoch, "reason": plain(each.reason), "amount": each.amount}
            for each in slashed
        ]
