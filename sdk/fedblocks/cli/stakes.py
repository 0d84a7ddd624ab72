"""`fedblocks stake`, `unstake`, `withdraw`: a client's stake, from its locking to its return."""

from __future__ import annotations

import click

from fedblocks.chain.reverts import ContractReverted
from fedblocks.cli.options import ADDRESS, SendingChoice, Where, json_option, network_options, sending_options
from fedblocks.cli.output import countdown, duration, eth, moment, talk
from fedblocks.cli.sending import Sending, connect_to_send
from fedblocks.contracts.v1 import StakingRegistryV1
from fedblocks.types import Address


@click.command()
@network_options
@sending_options
@json_option
def stake(where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Stake, to be drawn into cohorts.

    The registry is probed for version 1's defects first, and nothing is staked in one that has any. A stake can be
    taken by a final verdict until it is withdrawn.

    \b
    fedblocks stake --network arbitrum:sepolia --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        context.any.staking.stake()
        talk("staked; `fedblocks status` shows it, `fedblocks unstake` begins its return")


@click.command()
@network_options
@sending_options
@json_option
def unstake(where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Take your stake out of service; it is paid after the staking period.

    Until it is withdrawn a verdict can still take it. Nobody else's step is needed for it to come back.

    \b
    fedblocks unstake --deployment FILE --account alice
    """
    with connect_to_send(where, sending, as_json) as context:
        context.any.staking.unregister()
        if isinstance(context.any.staking, StakingRegistryV1):
            talk("withdraw BEFORE the staking period ends: version 1 does not pay afterwards (V1-2)", mark="yellow")
        else:
            period = context.any.staking.staking_period()
            talk(f"it can be withdrawn in {duration(period)}: `fedblocks withdraw`")


@click.command()
@click.option("--receiver", type=ADDRESS, help="Who is paid.  [default: the account]")
@network_options
@sending_options
@json_option
def withdraw(receiver: Address | None, where: Where, sending: SendingChoice, as_json: bool) -> None:
    """Get your stake paid out.

    With --deployment v1 it gets a stake out of version 1 where that still can be, and says why where it cannot.

    \b
    fedblocks withdraw --deployment FILE --account alice
    fedblocks withdraw --deployment v1 --account alice --dry-run
    """
    if where.is_v1 and receiver is not None:
        raise click.UsageError("version 1 pays only the account itself: leave --receiver out")
    with connect_to_send(where, sending, as_json) as context:
        try:
            if isinstance(context.any.staking, StakingRegistryV1):
                context.any.staking.withdraw_stake()
            else:
                context.any.staking.withdraw_stake(receiver)
        except ContractReverted:
            talk(_why_not(context), mark="yellow")
            raise


def _why_not(context: Sending) -> str:
    """What stands between an account and its stake."""
    registry, who = context.any.staking, context.address
    now = context.any.connection.block().timestamp
    if isinstance(registry, StakingRegistryV1):
        status = registry.client_status(who)
        if status.is_slashed:
            return f"{who} was slashed in version 1"
        if status.timelock is None:
            return f"{who} has not unregistered in version 1: `fedblocks unstake --deployment v1` comes first"
        if now >= status.timelock:
            return (
                f"the staking period of {who} ended on {moment(status.timelock)}, and version 1 pays only before "
                "that (V1-2): nothing gets this stake out any more"
            )
        return (
            f"version 1 credits {who} with {eth(status.credit)} and holds {eth(registry.balance())}: it pays out what "
            "it credits and never what was paid in (V1-1)"
        )
    known = registry.client_status(who)
    if known.withdrawable_at is not None:
        return f"{eth(known.unbonding)} are unbonding, to be withdrawn {countdown(known.withdrawable_at, now)}"
    if known.is_slashed:
        return f"{who} was slashed: `fedblocks slash list --client {who}` shows when, `fedblocks explain` why"
    if known.is_staked:
        return f"{eth(known.active)} are staked: `fedblocks unstake` comes first"
    return f"{who} has nothing staked here"
