"""`fedblocks challenge`: one epoch, worked out again and proved wrong if it is."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import (
    ADDRESS,
    EPOCH,
    INSTANCE,
    SendingChoice,
    Where,
    data_option,
    json_option,
    network_options,
    sending_options,
)
from fedblocks.cli.output import talk
from fedblocks.cli.sending import Sending, connect_to_send
from fedblocks.contracts.model_parameter_chain import EpochFinalized, EpochOverturned, EpochSubmitted
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, InstanceId

if TYPE_CHECKING:
    from fedblocks.rollup.fraud.cases import Challenge


class EpochNotPosted(FedBlocksError, LookupError):
    """There is no such epoch on the chain now."""

    def __init__(self, instance_id: int, epoch: int, posted: int) -> None:
        super().__init__(f"instance {instance_id} has {posted} posted epochs, and no epoch {epoch}")


class CannotJudge(FedBlocksError, LookupError):
    """An epoch cannot be worked out again."""

    def __init__(self, instance_id: int, epoch: int, why: str) -> None:
        super().__init__(f"epoch {epoch} of instance {instance_id} cannot be worked out again: {why}")


@click.command()
@click.argument("instance", type=INSTANCE)
@click.argument("epoch", type=EPOCH)
@click.option("--genesis", metavar="INSTANCE=FILE", help="The genesis model, if nobody publishes it.")
@network_options
@data_option
@sending_options
@json_option
def challenge(
    instance: int,
    epoch: int,
    genesis: str | None,
    where: Where,
    data: str,
    sending: SendingChoice,
    as_json: bool,
) -> None:
    """Work an epoch out again, and prove it wrong if it is.

    All epochs before it are worked out, too. Whoever proves a fault gets a part of the aggregator's bond. A dry run
    says whether there is a fault and what would be sent, and ends with 4 if there is one. `fedblocks watch` does this
    for all epochs, all the time, and demands what is withheld.

    \b
    fedblocks challenge 1 2 --deployment FILE --data https://… --account alice
    """
    wrong = False
    with connect_to_send(where, sending, as_json) as context:
        context.result |= {"instanceId": instance, "epoch": epoch, "fault": None}
        fault = _fault(context, InstanceId(instance), epoch, data, genesis)
        if fault is None:
            talk(f"epoch {epoch} of instance {instance} was worked out again: all the same, nothing to challenge")
            return
        wrong = True
        context.result["fault"] = {"case": fault.case.name.lower(), "found": fault.found, "function": fault.function}
        talk(f"epoch {epoch} of instance {instance} is wrong: {fault.case.name.lower()}: {fault.found}", mark="red")
        contract = context.fedblocks.watched.verifiers[fault.contract]
        contract.execute(fault.function, *fault.arguments)
        talk("overturned; `fedblocks collect` gets the reward paid out")
    if wrong and sending.dry_run:
        raise click.exceptions.Exit(ExitCode.MISMATCH)


def _fault(context: Sending, instance_id: InstanceId, epoch: int, data: str, genesis: str | None) -> Challenge | None:
    """The fault of an epoch, None if it has none."""
    from fedblocks.cli.watch import read_genesis
    from fedblocks.rollup.blobs import BlobStore
    from fedblocks.rollup.fraud.cases import Challenge
    from fedblocks.rollup.header import Header
    from fedblocks.rollup.watched import WatchedInstance
    from fedblocks.rollup.watcher import BLOCKS_AT_ONCE

    fedblocks = context.fedblocks
    model = None if genesis is None else read_genesis(fedblocks, genesis)[1]
    watched = WatchedInstance(fedblocks.chain, fedblocks.rewards, BlobStore(data), instance_id, model)
    head = fedblocks.connection.block_number()
    for first in range(fedblocks.deployment.first_block, head + 1, BLOCKS_AT_ONCE):
        for event in fedblocks.chain.events(first, min(head, first + BLOCKS_AT_ONCE - 1)):
            if getattr(event, "instance_id", None) != instance_id:
                continue
            if isinstance(event, EpochSubmitted):
                watched.posted(Header.from_tuple(astuple(event.header)))
            elif isinstance(event, EpochOverturned):
                watched.overturned(event.epoch)
            elif isinstance(event, EpochFinalized) and event.epoch >= epoch:
                talk(f"epoch {event.epoch} is final: a fault in it can be shown, but not proved on chain any more")
    if epoch > len(watched.epochs):
        raise EpochNotPosted(instance_id, epoch, len(watched.epochs))
    while watched.checked < epoch:
        found = watched.check_next(head)
        if found is None:
            raise CannotJudge(instance_id, epoch, watched.waiting or watched.stuck or "nothing is published")
        followed, checked = found
        if checked.finding is None:
            continue
        if not isinstance(checked.finding, Challenge):
            why = f"{checked.finding.missing} of epoch {followed.header.epoch} is missing; `fedblocks watch` demands it"
            raise CannotJudge(instance_id, epoch, why)
        if followed.header.epoch != epoch:
            why = f"epoch {followed.header.epoch} before it is wrong: challenge that one, and this one falls with it"
            raise CannotJudge(instance_id, epoch, why)
        return checked.finding
    return None


class NothingToCollect(FedBlocksError, LookupError):
    """An account has nothing coming from challenges and demands."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"{address} has no reward of a challenge and no deposit of a demand to collect")


@click.command()
@click.option("--receiver", type=ADDRESS, help="Who is paid.  [default: the account]")
@network_options
@sending_options
@json_option
def collect(receiver: Address | None, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Get paid what your challenges have earned, and what your demands have got back.

    \b
    fedblocks collect --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        chain, demands = context.fedblocks.chain, context.fedblocks.demands
        at = context.fedblocks.connection.block().number
        rewards, deposits = chain.challenge_rewards(context.address, at), demands.credits(context.address, at)
        context.result |= {"rewards": rewards, "deposits": deposits}
        if not rewards and not deposits:
            raise NothingToCollect(context.address)
        if rewards:
            context.attempt(lambda: chain.claim_challenge_reward(receiver))
        if deposits:
            context.attempt(lambda: demands.withdraw(receiver))
