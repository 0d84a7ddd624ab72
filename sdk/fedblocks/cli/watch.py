"""`fedblocks watch`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
from rich.console import Console

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.chain.connection import NodeRefused, NodeUnreachable, UnknownBlock
from fedblocks.chain.events import LogsIncomplete
from fedblocks.chain.transactions import TransactionSender
from fedblocks.cli.connecting import connect, open_signer
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import AccountChoice, Where, account_options, data_option, json_option, network_options
from fedblocks.client import FedBlocks
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.vectors import VectorKind, decode_vector
from fedblocks.rollup.watch_journal import WatchJournal
from fedblocks.rollup.watcher import Happening, Report, Watcher
from fedblocks.types import InstanceId

_COLOURS = {
    Happening.FAULT: "red bold",
    Happening.TOO_LATE: "red bold",
    Happening.REFUSED: "red",
    Happening.MISSING: "yellow",
    Happening.DEMANDED: "yellow",
    Happening.CHALLENGED: "green bold",
    Happening.OVERTURNED: "magenta",
    Happening.COLLECTED: "green",
}


class GenesisUnusable(FedBlocksError, ValueError):
    """A genesis model that was given is not one."""

    def __init__(self, given: str, why: str) -> None:
        super().__init__(f"--genesis {given}: {why}; give INSTANCE=FILE, the file holding the model as it is hashed")


def _say(console: Console, report: Report) -> None:
    colour = _COLOURS.get(report.what, "dim")
    where = f"instance {report.instance_id} epoch {report.epoch:>4}  " if report.epoch else ""
    tail = f"  [dim]0x{report.transaction.hex()}[/]" if report.transaction else ""
    console.print(f"{where}[{colour}]{report.what}[/]  {report.text}{tail}", highlight=False)


def _record(report: Report) -> str:
    return json.dumps(
        {
            "what": report.what,
            "instanceId": report.instance_id,
            "epoch": report.epoch,
            "text": report.text,
            "transaction": None if report.transaction is None else "0x" + report.transaction.hex(),
        }
    )


@click.command()
@network_options
@data_option
@account_options
@click.option("--from-block", type=int, default=0, help="Report epochs from this block on; all are worked out.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("watch.jsonl"),
    show_default=True,
    help="Where it is kept what was sent, so that nothing is sent twice.",
)
@click.option("--genesis", multiple=True, metavar="INSTANCE=FILE", help="A genesis model that nobody publishes.")
@click.option("--max-demands", default=256, show_default=True, help="Demands open at once; each binds a deposit.")
@click.option(
    "--patience",
    default=60.0,
    show_default=True,
    help="Seconds for which data may be missing before they are demanded; 0 with --once.",
)
@click.option("--confirmations", default=0, show_default=True, help="Blocks to stay behind the newest one.")
@click.option("--interval", default=10.0, show_default=True, help="Seconds between two looks at the chain.")
@click.option("--once", is_flag=True, help="Look once and end; with 4 if anything was found wrong.")
@json_option
def watch(
    where: Where,
    data: str,
    account: AccountChoice,
    from_block: int,
    journal: Path,
    genesis: tuple[str, ...],
    max_demands: int,
    patience: float,
    confirmations: int,
    interval: float,
    once: bool,
    as_json: bool,
) -> None:
    """Work out every posted epoch again, and challenge what is wrong.

    Without an account nothing is sent: faults are reported, with the function that would prove them. Runs until it is
    interrupted; it can be killed and started again at any time.

    \b
    fedblocks watch --network arbitrum:sepolia --deployment FILE --data https://… --account alice --passphrase-file FILE
    """
    signer = open_signer(account)
    fedblocks = connect(where, lambda connection: TransactionSender(connection, signer))
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=160)
    wrong = False

    def tell(report: Report) -> None:
        nonlocal wrong
        wrong = wrong or report.what in (Happening.FAULT, Happening.MISSING)
        _say(console, report)
        if as_json:
            click.echo(_record(report))

    watcher = Watcher(
        fedblocks.watched,
        BlobStore(data),
        fedblocks.deployment.first_block,
        WatchJournal(journal if signer is not None else None),
        tell,
        report_from=from_block,
        genesis=dict(read_genesis(fedblocks, each) for each in genesis),
        max_demands=max_demands,
        confirmations=confirmations,
        patience=0.0 if once else patience,
    )
    who = signer.address if signer is not None else "nobody (read-only)"
    console.print(f"watching {fedblocks.chain.address} on chain {fedblocks.connection.chain_id} as {who}")
    while True:
        try:
            watcher.poll()
        except (NodeUnreachable, NodeRefused, UnknownBlock, LogsIncomplete) as error:
            if once:
                raise
            console.print(f"[yellow]{error}; trying again in {interval:g} s[/]", highlight=False)
        if once:
            break
        time.sleep(interval)
    if wrong:
        raise click.exceptions.Exit(ExitCode.MISMATCH)


def read_genesis(fedblocks: FedBlocks, given: str) -> tuple[InstanceId, Int32Array]:
    """The instance and the genesis model that ``INSTANCE=FILE`` stands for."""
    number, _, path = given.partition("=")
    if not number.isdigit() or not path:
        raise GenesisUnusable(given, "this is not INSTANCE=FILE")
    instance_id = InstanceId(int(number))
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise GenesisUnusable(given, error.strerror or str(error)) from error
    model = decode_vector(content, VectorKind.MODEL, fedblocks.chain.instance(instance_id).d)
    return instance_id, model  # type: ignore[return-value]


if __name__ == "__main__":
    watch()
