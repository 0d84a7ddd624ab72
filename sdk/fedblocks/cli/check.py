"""`fedblocks check`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fedblocks.chain.connection import Connection
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import Where, json_option, network_options
from fedblocks.contracts.inspection import Inspection, Status, inspect_deployment
from fedblocks.deployments import Deployment

_COLOURS = {Status.SAME: "green", Status.DIFFERS: "bold red", Status.INFO: "dim"}


def _show(console: Console, inspection: Inspection, path: Path) -> None:
    table = Table(
        title=f"{escape(str(path))} on chain {inspection.chain_id} at block {inspection.block}", title_justify="left"
    )
    for heading in ("contract", "field", "on the chain", "expected", ""):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("contract", ""))
    last = ""
    for each in inspection.findings:
        if each.contract != last:
            table.add_section()
        name = each.contract if each.contract != last else ""
        last = each.contract
        # What is as it should be need not be said twice.
        expected = "" if each.status is Status.SAME and each.expected == each.actual else each.expected
        status = f"[{_COLOURS[each.status]}]{each.status.value}[/]"
        table.add_row(name, each.field, escape(each.actual), escape(expected), status)
    console.print(table)


@click.command()
@network_options
@json_option
def check(where: Where, as_json: bool) -> None:
    """Compare a live deployment with this build and the deployments file, byte by byte.

    Nothing is sent, and no account is needed. Ends with 4 if anything differs.

    \b
    fedblocks check --network arbitrum:sepolia --deployment deployments/arbitrum-sepolia.json
    """
    deployment = where.deployment_path
    known = Deployment.load(deployment)
    # Another chain is a finding here, and no error.
    connection = Connection.open(where.network(known.chain_id).url, timeout=where.timeout)
    inspection = inspect_deployment(connection, known)
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=160)
    _show(console, inspection, deployment)
    if as_json:
        content = {
            "deployment": str(deployment),
            "chainId": inspection.chain_id,
            "block": inspection.block,
            "ok": inspection.ok,
            "findings": [each.to_json() for each in inspection.findings],
        }
        click.echo(json.dumps(content, indent=2))
    else:
        compared = sum(each.status is not Status.INFO for each in inspection.findings)
        click.echo(f"{compared} compared, {len(inspection.differences)} differ")
    for each in inspection.differences:
        click.echo(f"{each.contract}.{each.field} is {each.actual}, but should be {each.expected}", err=True)
    if not inspection.ok:
        raise click.exceptions.Exit(ExitCode.MISMATCH)
