"""Deploy the protocol: `ape run deploy --network arbitrum:sepolia --account ALIAS`.

Shows what will be fixed for good and what it costs, asks, and deploys; keeps a journal, from which a deployment that
ended half-way is resumed; writes the deployments file that everything else is started with, and what explorers need to
verify the contracts. What is sent is decided in the SDK; this is the shell around it. The guide is docs/deploying.md.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand
from click.core import ParameterSource
from scripts._ape import choose_account, connect, default_deployment_file, errors_as_sentences
from scripts.verify import default_folder, write_bundles

from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.creation import Creation, DeploymentPlan
from fedblocks.contracts.deploy import (
    DeploymentStep,
    deploy_protocol,
    plan_for,
    remaining_creations,
    resume_deployment,
)
from fedblocks.contracts.deployment_cost import describe_deployment, estimate_cost
from fedblocks.contracts.journal import Journal, UnfinishedDeployment, abandon, journal_path
from fedblocks.deployments import InvalidParameters, ProtocolParameters
from fedblocks.units import PROTOCOL_FEE_SCALE, SHARE_SCALE, InvalidAmount, ether, format_ether

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
@click.option("--account", help="The deployer: the alias of an account of ape's; a test account on a development chain")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The deployments file to write")
@click.option("--force", is_flag=True, help="Replace the deployments file of a public network")
@click.option("--dry-run", "only_show", is_flag=True, help="Simulate and price the deployment; send nothing")
@click.option("--resume", is_flag=True, help="Finish the deployment that the journal beside the output says was begun")
@click.option(
    "--abandon", "give_up", is_flag=True, help="Put the journal of an unfinished deployment aside, and begin anew"
)
@click.option(
    "--bundles/--no-bundles",
    default=True,
    show_default=True,
    help="Write what explorers need, on a public network; scripts/verify.py does it later too",
)
@click.option("--yes", is_flag=True, help="Do not ask before the first transaction; the account may still ask")
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
@click.option(
    "--challenger-share",
    type=click.FloatRange(0, 50, min_open=True),
    default=100 * DEFAULTS.challenger_share / SHARE_SCALE,
    show_default=True,
    help="The challenger's part of a bond that is taken, in per cent",
)
@ether_option("--demand-deposit", DEFAULTS.demand_deposit, "What a demand for data costs until it is settled")
@seconds_option("--answer-period", DEFAULTS.answer_period, "How long data that are demanded may take")
@seconds_option("--challenge-window", DEFAULTS.challenge_window, "How long an epoch can be challenged")
@seconds_option("--liveness-period", DEFAULTS.liveness_period, "How long an aggregator may be silent")
@seconds_option("--staking-period", DEFAULTS.staking_period, "How long a stake stays slashable after unregistering")
@seconds_option("--slash-margin", DEFAULTS.slash_margin, "How long a verdict can be executed at least")
@click.option("--slash-treasury-admin", help="Who withdraws from the SlashTreasury; the deployer, when left out")
@click.option("--reward-treasury-admin", help="Who withdraws from the RewardTreasury; the deployer, when left out")
@click.pass_context
@errors_as_sentences
def cli(
    context: click.Context,
    provider: ProviderAPI,
    account: str | None,
    output: Path | None,
    force: bool,
    only_show: bool,
    resume: bool,
    give_up: bool,
    bundles: bool,
    yes: bool,
    protocol_fee: float,
    challenger_share: float,
    **parameters: Any,
) -> None:
    """Deploy the ten contracts of the protocol and write the deployments file."""
    path = output or default_deployment_file(provider)
    journal = journal_path(path)
    if resume and give_up:
        raise click.UsageError("--resume finishes what was begun, --abandon gives it up: choose one")
    if resume:
        _refuse_parameters(context)
    chosen = _parameters(protocol_fee, challenger_share, parameters)
    if path.exists() and not force and not provider.network.is_dev:
        raise click.UsageError(f"{path} exists; other programs may rely on it. Use --force to replace it")
    # What was begun on a development chain is gone with it.
    give_up = give_up or (provider.network.is_dev and not resume and journal.exists())
    if journal.exists() and not (resume or give_up or only_show):
        raise UnfinishedDeployment(journal)
    sender = TransactionSender(connect(provider), choose_account(provider, account))

    plan, remaining = _plan(sender, chosen, journal if resume else None)
    cost = estimate_cost(sender, plan, remaining)
    click.echo(describe_deployment(plan, cost), err=True)
    if only_show:
        click.echo("this was a dry run: nothing was sent", err=True)
        return
    cost.require_balance(plan.deployer)
    if not (yes or provider.network.is_dev):
        click.confirm("Deploy this? None of it can be changed afterwards.", abort=True, err=True)

    if give_up:
        click.echo(f"the unfinished deployment's journal lies in {abandon(journal)} now", err=True)
    click.echo(f"the journal is {journal}; if anything happens: --resume", err=True)
    if resume:
        deployment = resume_deployment(sender, journal, _tell)
    else:
        deployment = deploy_protocol(sender, chosen, _tell, journal=journal)
    deployment.save(path)
    journal.unlink()
    click.echo(path)
    if bundles and not provider.network.is_dev:
        write_bundles(deployment, default_folder(path))
        click.echo(default_folder(path))


def _plan(
    sender: TransactionSender, chosen: ProtocolParameters, journal: Path | None
) -> tuple[DeploymentPlan, tuple[Creation, ...]]:
    """What is to be deployed, and what of it is left."""
    if journal is None:
        plan = plan_for(sender, chosen)
        return plan, plan.creations
    book = Journal.load(journal)
    return book.plan, remaining_creations(sender, book)


def _parameters(protocol_fee: float, challenger_share: float, options: dict[str, Any]) -> ProtocolParameters:
    known = {field.name for field in fields(ProtocolParameters)}
    try:
        return ProtocolParameters(
            protocol_fee_percentage=_fraction(protocol_fee, PROTOCOL_FEE_SCALE),
            challenger_share=_fraction(challenger_share, SHARE_SCALE),
            **{name: value for name, value in options.items() if name in known},
        )
    except InvalidParameters as error:
        raise click.UsageError(str(error)) from error


def _fraction(per_cent: float, scale: int) -> int:
    return int(Decimal(str(per_cent)) * scale / 100)


def _refuse_parameters(context: click.Context) -> None:
    """A resumed deployment has the parameters that it was begun with; others would be silently left out."""
    names = {field.name for field in fields(ProtocolParameters)} | {"protocol_fee"}
    given = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"a resumed deployment has the parameters that it was begun with: leave out {', '.join(given)}"
        )


def _tell(step: DeploymentStep) -> None:
    click.echo(
        f"{step.number}/{step.total} {step.contract:<19} {step.address}  {step.receipt.gas_used:>9,} gas", err=True
    )
