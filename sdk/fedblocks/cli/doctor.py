"""`fedblocks doctor`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from eth_utils.address import is_address, to_checksum_address
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fedblocks.cli.connecting import open_connection
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import Where, json_option, network_options
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import CONTRACTS, Deployment
from fedblocks.doctor.examine import examine
from fedblocks.doctor.report import ContractFacts, Report, Verdict
from fedblocks.types import Address

_COLOURS = {Verdict.PRESENT: "red", Verdict.ABSENT: "green", Verdict.UNKNOWN: "yellow"}


def _contract(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, Address]:
    chosen = {}
    for value in values:
        name, sign, address = value.partition("=")
        if name not in CONTRACTS or not sign or not is_address(address):
            raise click.BadParameter(f"{value!r} is not NAME=ADDRESS, where NAME is one of {', '.join(CONTRACTS)}")
        chosen[name] = to_checksum_address(address)
    return chosen


def _targets(where: Where, contracts: Mapping[str, Address]) -> tuple[int | None, Mapping[str, Address]]:
    """The chain that is expected, if any is, and the addresses to look at."""
    if contracts:
        return None, contracts
    if where.is_v1:
        return V1_ARBITRUM.chain_id, V1_ARBITRUM.contracts
    known = Deployment.load(where.deployment_path)
    return known.chain_id, {name: known.address(name) for name in known.contracts}


def _lies_there(facts: ContractFacts) -> str:
    if not facts.code_size:
        return "[red]no code[/]"
    what = "this version's build" if facts.known_build else "other code"
    return f"{what}, {facts.code_size:,} bytes" + (f", [yellow]proxy: {facts.proxy}[/]" if facts.proxy else "")


def _show(console: Console, report: Report) -> None:
    addresses = Table(
        title=f"Chain {report.chain_id} at block {report.block}, by {escape(report.node)}", title_justify="left"
    )
    for heading in ("contract", "address", "what lies there"):
        addresses.add_column(heading, no_wrap=heading != "what lies there")
    for facts in report.contracts:
        addresses.add_row(facts.name, facts.address, _lies_there(facts))
    console.print(addresses)

    table = Table(title="Defects of version 1", title_justify="left", show_lines=True)
    table.add_column("defect", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what was seen")
    for each in report.findings:
        lines = [f"[bold]{escape(each.why)}[/]", *(f"  {escape(str(item))}" for item in each.evidence)]
        table.add_row(
            f"{each.defect.number} {each.defect.contract}",
            f"[{_COLOURS[each.verdict]}]{each.verdict.value}[/]",
            "\n".join(lines),
        )
    console.print(table)
    for note in report.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)


def exit_code_of_report(report: Report) -> ExitCode:
    """A defect is a mismatch; nothing at an address is missing; a question without an answer is a failure."""
    if report.with_verdict(Verdict.PRESENT):
        return ExitCode.MISMATCH
    if report.without_code:
        return ExitCode.MISSING
    return ExitCode.FAILED if report.with_verdict(Verdict.UNKNOWN) else ExitCode.OK


@click.command()
@network_options
@click.option(
    "--contract",
    "contracts",
    multiple=True,
    metavar="NAME=ADDRESS",
    callback=_contract,
    help="A contract of any deployment, instead of --deployment; may be repeated.",
)
@click.option("--block", type=int, help="Look at this block.  [default: the newest]")
@json_option
def doctor(where: Where, contracts: dict[str, Address], block: int | None, as_json: bool) -> None:
    """Probe a deployment for the defects of version 1.

    Nothing is sent, and no account is needed. Ends with 4 if a defect is there.

    \b
    fedblocks doctor --network arbitrum:mainnet --deployment v1
    """
    chain_id, addresses = _targets(where, contracts)
    connection = open_connection(where, chain_id)
    report = examine(connection, addresses, block)
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=140)
    _show(console, report)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for each in report.findings:
            click.echo(f"{each.defect.number} {each.verdict.value}")
    code = exit_code_of_report(report)
    if code is not ExitCode.OK:
        raise click.exceptions.Exit(code)
