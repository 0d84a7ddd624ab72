"""Deploy the protocol: `ape run deploy --network arbitrum:local:foundry`.

Writes the deployments file that everything else is started with, and prints its path.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand
from scripts._ape import choose_account, connect, default_deployment_file, errors_as_sentences

from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import DeploymentStep, deploy_protocol
from fedblocks.deployments import InvalidParameters, ProtocolParameters
from fedblocks.units import PROTOCOL_FEE_SCALE, InvalidAmount, ether, format_ether

DEFAULTS = ProtocolParameters()


class Ether(click.ParamType):
    """An amount of ether, exactly."""

    name = "ether"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return ether(value) if isinstance(value, str) else value
        except InvalidAmount as error:
            self.fail(str(error), param, ctx)


def ether_option(name: str, default: int, text: str) -> Any:
    return click.option(name, type=Ether(), default=default, show_default=f"{format_ether(default)} ether", help=text)


def seconds_option(name: str, default: int, text: str) -> Any:
    return click.option(name, type=click.IntRange(min=1), default=default, show_default=True, help=f"{text} (seconds)")


@click.command(cls=ConnectedProviderCommand, short_help="Deploy the protocol")
@click.option("--account", help="The deployer, an account of ape's; a test account on a development chain")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The deployments file to write")
@click.option("--force", is_flag=True, help="Replace the deployments file of a public network")
@ether_option("--stake-amount", DEFAULTS.stake_amount, "What a client stakes")
@ether_option("--base-fee", DEFAULTS.base_fee, "What an instance costs")
@ether_option("--fee-per-epoch", DEFAULTS.fee_per_epoch, "What a finalised epoch costs")
@click.option(
    "--protocol-fee",
    type=click.FloatRange(0, 100),
    default=100 * DEFAULTS.protocol_fee_percentage / PROTOCOL_FEE_SCALE,
    show_default=True,
    help="The protocol's part of an epoch's fee, in per cent",
)
@ether_option("--aggregator-bond", DEFAULTS.aggregator_bond, "What an aggregator deposits for an instance")
@seconds_option("--challenge-window", DEFAULTS.challenge_window, "How long an epoch can be challenged")
@seconds_option("--liveness-period", DEFAULTS.liveness_period, "How long an aggregator may be silent")
@seconds_option("--staking-period", DEFAULTS.staking_period, "How long a stake stays slashable after unregistering")
@seconds_option("--slash-margin", DEFAULTS.slash_margin, "How long a verdict can be executed at least")
@click.option("--slash-treasury-admin", help="Who withdraws from the SlashTreasury; the deployer, when left out")
@click.option("--reward-treasury-admin", help="Who withdraws from the RewardTreasury; the deployer, when left out")
@errors_as_sentences
def cli(
    provider: ProviderAPI,
    account: str | None,
    output: Path | None,
    force: bool,
    protocol_fee: float,
    **parameters: Any,
) -> None:
    """Deploy the six contracts of the protocol and write the deployments file."""
    known = {field.name for field in fields(ProtocolParameters)}
    percentage = int(Decimal(str(protocol_fee)) * PROTOCOL_FEE_SCALE / 100)
    try:
        chosen = ProtocolParameters(
            protocol_fee_percentage=percentage, **{name: value for name, value in parameters.items() if name in known}
        )
    except InvalidParameters as error:
        raise click.UsageError(str(error)) from error
    path = output or default_deployment_file(provider)
    if path.exists() and not force and not provider.network.is_dev:
        raise click.UsageError(f"{path} exists; other programs may rely on it. Use --force to replace it")
    signer = choose_account(provider, account)
    click.echo(f"{signer.address} deploys to chain {provider.chain_id}", err=True)
    deployment = deploy_protocol(TransactionSender(connect(provider), signer), chosen, _tell)
    deployment.save(path)
    click.echo(path)


def _tell(step: DeploymentStep) -> None:
    click.echo(
        f"{step.number}/{step.total} {step.contract:<19} {step.address}  {step.receipt.gas_used:>9,} gas", err=True
    )
