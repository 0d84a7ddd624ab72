"""Look after a deployment: `ape run manage status`, `... bond deposit`, `... treasury withdraw`.

The deployments file says where the contracts are; ape says who signs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import ConnectedProviderCommand
from scripts._ape import choose_account, connect, default_deployment_file, errors_as_sentences

from fedblocks import FedBlocks
from fedblocks.chain.transactions import Receipt, TransactionSender
from fedblocks.contracts.model_parameter_chain import BondDeposited, BondWithdrawn
from fedblocks.contracts.treasury import Withdraw
from fedblocks.deployments import Deployment
from fedblocks.types import InstanceId
from fedblocks.units import ether, format_ether

deployment_option = click.option(
    "--deployment",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The deployments file; the network's own, when left out",
)
account_option = click.option("--account", help="Who signs, an account of ape's; a test account on a development chain")
instance_argument = click.argument("instance", type=click.IntRange(min=1))


def fedblocks_of(provider: ProviderAPI, deployment: Path | None, account: str | None = None) -> FedBlocks:
    """The deployment through ape's node; with a signer only when one is needed."""
    known = Deployment.load(deployment or default_deployment_file(provider))
    connection = connect(provider)
    fedblocks = FedBlocks(connection, known, TransactionSender(connection, choose_account(provider, account)))
    fedblocks.check()
    return fedblocks


@click.group(short_help="Look after a deployment")
def cli() -> None:
    """Look after a deployment."""


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
@errors_as_sentences
def status(provider: ProviderAPI, deployment: Path | None) -> None:
    """Show what the deployment's contracts hold, and its newest instance."""
    connection = connect(provider)
    fedblocks = FedBlocks(connection, Deployment.load(deployment or default_deployment_file(provider)))
    fedblocks.check()
    # One block for all of it, so that the numbers fit together.
    block = connection.block()
    click.echo(f"chain {connection.chain_id}, block {block.number}")
    for contract in fedblocks.contracts:
        click.echo(f"{contract.NAME:<19} {contract.address}  {format_ether(contract.balance(block.number)):>12} ether")
    for treasury in (fedblocks.slash_treasury, fedblocks.reward_treasury):
        click.echo(f"{treasury.NAME} admin: {treasury.admin(block.number)}")
    click.echo(f"instances: {fedblocks.rewards.instance_count(block.number)}")


@cli.group()
def bond() -> None:
    """An aggregator's bond in an instance."""


@bond.command(cls=ConnectedProviderCommand)
@instance_argument
@deployment_option
@account_option
@errors_as_sentences
def deposit(provider: ProviderAPI, instance: int, deployment: Path | None, account: str | None) -> None:
    """Accept an instance as its aggregator."""
    receipt = fedblocks_of(provider, deployment, account).chain.deposit_bond(InstanceId(instance))
    _tell(receipt, f"deposited {format_ether(receipt.one(BondDeposited).amount)} ether for instance {instance}")


@bond.command("withdraw", cls=ConnectedProviderCommand)
@instance_argument
@deployment_option
@account_option
@errors_as_sentences
def withdraw_bond(provider: ProviderAPI, instance: int, deployment: Path | None, account: str | None) -> None:
    """Take the bond back when it is free."""
    receipt = fedblocks_of(provider, deployment, account).chain.withdraw_bond(InstanceId(instance))
    _tell(receipt, f"took back {format_ether(receipt.one(BondWithdrawn).amount)} ether from instance {instance}")


@cli.group()
def treasury() -> None:
    """The treasuries."""


@treasury.command("withdraw", cls=ConnectedProviderCommand)
@click.argument("name", type=click.Choice(["slash", "reward"]))
@click.argument("amount")
@deployment_option
@account_option
@errors_as_sentences
def withdraw_treasury(
    provider: ProviderAPI, name: str, amount: str, deployment: Path | None, account: str | None
) -> None:
    """Pay AMOUNT of ether (or `all`) from a treasury to its admin."""
    fedblocks = fedblocks_of(provider, deployment, account)
    chosen: Any = fedblocks.slash_treasury if name == "slash" else fedblocks.reward_treasury
    receipt = chosen.withdraw(chosen.balance() if amount == "all" else ether(amount))
    _tell(receipt, f"withdrew {format_ether(receipt.one(Withdraw).amount)} ether from {chosen.NAME}")


def _tell(receipt: Receipt, what: str) -> None:
    click.echo(f"0x{receipt.transaction_hash.hex()}")
    click.echo(f"{what} in block {receipt.block}", err=True)
