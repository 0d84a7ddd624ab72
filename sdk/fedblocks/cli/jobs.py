"""`fedblocks job`: a model from its request to the money at its end."""

from __future__ import annotations

import click

from fedblocks.cli.job_request import profile, request
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
from fedblocks.cli.output import talk
from fedblocks.cli.sending import Sending, connect_to_send
from fedblocks.contracts.reward_manager import FeesSettled
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, InstanceId


class NothingToClaim(FedBlocksError, LookupError):
    """An account has nothing coming from an instance."""

    def __init__(self, instance_id: int, address: Address, why: str) -> None:
        super().__init__(f"{address} has nothing to claim from instance {instance_id}: {why}")


@click.group()
def job() -> None:
    """Have a model trained, and settle what it cost.

    \b
    fedblocks job request job.json --profiles profiles --aggregator 0x… --deployment FILE --account alice
    fedblocks job show 1
    """


job.add_command(request)
job.add_command(profile)


@job.command("list")
@click.option("--user", type=ADDRESS, help="Only this user's.")
@network_options
@index_options
@json_option
def list_jobs(user: Address | None, where: Where, index: IndexChoice, as_json: bool) -> None:
    """List instances: how far, how good, and what they hold.

    \b
    fedblocks job list --deployment FILE
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.cli.showing import show_instances

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        show_instances([each for each in snapshot.instances() if user in (None, each.user)], as_json)


@job.command()
@click.argument("instance", type=INSTANCE)
@network_options
@index_options
@json_option
def show(instance: int, where: Where, index: IndexChoice, as_json: bool) -> None:
    """Show one instance: its cohort, its accuracy, where its money is and what comes next.

    \b
    fedblocks job show 1 --deployment FILE
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.cli.showing import instance_of, show_instance

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        show_instance(snapshot, instance_of(snapshot, instance), as_json)


@job.command()
@click.argument("instance", type=INSTANCE)
@network_options
@sending_options
@json_option
def stop(instance: int, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Ask for no more epochs; what has been trained is still billed.

    \b
    fedblocks job stop 1 --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        context.fedblocks.chain.stop_instance(InstanceId(instance))
        talk(f"stopped; `fedblocks finalize {instance}` and `fedblocks job settle {instance}` come next")


@job.command()
@click.argument("instance", type=INSTANCE)
@network_options
@sending_options
@json_option
def settle(instance: int, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Bill a closed instance's final epochs, and credit clients, protocol and user; anyone may.

    \b
    fedblocks job settle 1 --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        receipt = context.fedblocks.rewards.collect_training_fees(InstanceId(instance))
        settled = receipt.one(FeesSettled)
        context.result |= {
            "instanceId": instance,
            "billedEpochs": settled.billed_epochs,
            "clientsTotal": settled.clients_total,
            "protocolTotal": settled.protocol_total,
            "refund": settled.refund,
        }
        talk(f"settled {settled.billed_epochs} epochs; `fedblocks job claim {instance}` pays what is credited")


@job.command()
@click.argument("instance", type=INSTANCE)
@click.option("--receiver", type=ADDRESS, help="Who is paid.  [default: the account]")
@network_options
@sending_options
@json_option
def claim(instance: int, receiver: Address | None, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Get paid what is credited: a client's reward, the user's refund, or both.

    \b
    fedblocks job claim 1 --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        rewards, instance_id = context.fedblocks.rewards, InstanceId(instance)
        at = context.fedblocks.connection.block().number
        known = rewards.user_instance(instance_id, at)
        reward = rewards.reward(instance_id, context.address, at)
        refund = rewards.refund(instance_id, at) if known.user == context.address else 0
        context.result |= {"instanceId": instance, "reward": reward, "refund": refund}
        if not reward and not refund:
            raise NothingToClaim(instance, context.address, _why(context, instance_id, known.settled))
        if reward:
            context.attempt(lambda: rewards.claim_reward(instance_id, receiver))
        if refund:
            context.attempt(lambda: rewards.withdraw_refund(instance_id, receiver))


def _why(context: Sending, instance_id: InstanceId, settled: bool) -> str:
    if not context.fedblocks.chain.instance(instance_id).cohort_size:
        return "there is no such instance"
    if not settled:
        return f"it is not settled yet; `fedblocks job settle {instance_id}` does that when it is closed"
    return "nothing was credited to it, or it was paid out already"
