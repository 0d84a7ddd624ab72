"""`fedblocks deployments`: what is deployed where, as far as this machine knows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fedblocks.cli.options import V1, json_option, settings_of
from fedblocks.cli.output import link_or_value, plain, print_fields, print_json, print_table, talk
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import Deployment, MalformedDeployment
from fedblocks.explorers import explorer_link
from fedblocks.types import Address

FOLDER = Path("deployments")


@click.group()
def deployments() -> None:
    """The deployments that are known here.

    \b
    fedblocks deployments list
    """


@deployments.command("list")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Where deployments files are.",
)
@json_option
def list_deployments(folder: Path, as_json: bool) -> None:
    """List version 1, the files in a folder, and what the configuration names.

    \b
    fedblocks deployments list --folder deployments
    """
    settings = settings_of()
    tables = [settings.defaults, *settings.profiles.values()]
    named = [Path(each["deployment"]).expanduser() for each in tables if each.get("deployment", V1) != V1]
    found: dict[str, dict[str, Any]] = {V1: {"name": V1, "version": 1, "chainId": V1_ARBITRUM.chain_id, "block": None}}
    for path in [*sorted(folder.glob("*.json")), *named]:
        try:
            known = Deployment.load(path)
        except MalformedDeployment:
            continue  # journals lie beside deployments files
        except FileNotFoundError as error:
            talk(f"{error}", mark="yellow")
            continue
        found[str(path)] = {
            "name": str(path),
            "version": 2,
            "chainId": known.chain_id,
            "block": known.first_block,
        }
    if as_json:
        print_json(list(found.values()))
        return
    rows = [
        (each["name"], str(each["version"]), str(each["chainId"]), str(each["block"] or "-")) for each in found.values()
    ]
    print_table(("deployment", "version", "chain", "first block"), rows, right=("version", "chain", "first block"))


@deployments.command()
@click.argument("name", metavar="FILE|v1")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a deployment's chain, parameters and addresses.

    \b
    fedblocks deployments show deployments/arbitrum-sepolia.json
    """
    contracts: dict[str, Address]
    parameters: dict[str, Any] = {}
    if name == V1:
        chain_id, contracts = V1_ARBITRUM.chain_id, dict(V1_ARBITRUM.contracts)
    else:
        known = Deployment.load(Path(name))
        chain_id, contracts = known.chain_id, {each: known.address(each) for each in known.contracts}
        parameters = asdict(known.parameters)
    if as_json:
        rows = {
            each: {"address": address, "explorer": explorer_link(chain_id, "address", address)}
            for each, address in contracts.items()
        }
        print_json({"name": name, "chainId": chain_id, "contracts": rows, "parameters": plain(parameters)})
        return
    print_fields(
        [
            ("chain", str(chain_id)),
            *((each, link_or_value(chain_id, "address", address)) for each, address in contracts.items()),
            *((key, str(value)) for key, value in parameters.items()),
        ]
    )
