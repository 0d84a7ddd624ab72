"""`fedblocks explain`: what happened, in words and numbers, and how to check it without believing anybody."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import (
    ADDRESS,
    HASH,
    INSTANCE,
    IndexChoice,
    Where,
    index_options,
    json_option,
    network_options,
)
from fedblocks.cli.output import plain, print_json, print_table, talk
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, Hash32, InstanceId

if TYPE_CHECKING:
    from fedblocks.monitor.explain import Where as Commands
    from fedblocks.monitor.explaining import ScoreReader
    from fedblocks.monitor.money import MoneyCheck
    from fedblocks.monitor.monitor import Monitor
    from fedblocks.monitor.read_model import Snapshot
    from fedblocks.monitor.views import EpochView, Measure, SlashView

COLUMNS = ("little", "krum", "normalised-krum", "response-now", "noise-now", "global-now", "replay", "nearly-duplicate")
"""The measures that have a column in the table of an epoch."""


class NoSuchSlash(FedBlocksError, LookupError):
    """A transaction took no stake, or not that client's."""

    def __init__(self, transaction: Hash32, client: Address | None) -> None:
        whose = f"of {client} " if client else ""
        super().__init__(
            f"no stake {whose}was taken in transaction 0x{transaction.hex()}; `fedblocks slash list` shows all slashes "
            "with their transactions"
        )


class NoSuchEpoch(FedBlocksError, LookupError):
    """An epoch was never posted, or not in that attempt."""

    def __init__(self, instance: int, epoch: int, attempt: int | None) -> None:
        which = "" if attempt is None else f" in attempt {attempt}"
        super().__init__(
            f"epoch {epoch} of instance {instance} was not posted{which}; `fedblocks epochs {instance}` shows all"
        )


class NoFigures(FedBlocksError, LookupError):
    """An epoch's published figures are not at hand."""

    def __init__(self, why: str | None) -> None:
        super().__init__(why or "its published data were not read; say where they are with --data URL")


@click.group()
def explain() -> None:
    """Tell in words and numbers what happened, and how to verify it.

    \b
    fedblocks explain slash 0x… --data URL
    fedblocks explain epoch 1 4
    """


@click.command()
@click.argument("transaction", type=HASH)
@click.option("--client", type=ADDRESS, help="Only this client, where one transaction slashed several.")
@click.option("--formulas/--no-formulas", default=True, help="Show the exact inequalities.  [default: do]")
@network_options
@index_options
@json_option
def slash(
    transaction: Hash32, client: Address | None, formulas: bool, where: Where, index: IndexChoice, as_json: bool
) -> None:
    """Explain why a stake was taken: rule, numbers, threshold, epoch, header, money, and how to check each.

    With --data the numbers behind the verdict are read from the published data, which are first held against the
    header on chain. With a node the amount is held against the balances before and after; a difference ends with 4.

    \b
    fedblocks explain slash 0x… --deployment FILE --data file:///srv/fedblocks/blobs
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.monitor.explain_text import to_text
    from fedblocks.monitor.explaining import explain as explain_it

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        found = [each for each in snapshot.slashes_in(transaction) if client in (None, each.client)]
        if not found:
            raise NoSuchSlash(transaction, client)
        reader = reader_of(snapshot, index)
        commands = commands_of(monitor, where, index)
        told = [
            explain_it(each, reader, balances=_balances(monitor, where, index, each), where=commands) for each in found
        ]
    if as_json:
        print_json([{**plain(each), "agrees": each.balances.agrees if each.balances else None} for each in told])
    else:
        width = min(shutil.get_terminal_size().columns, 110) if sys.stdout.isatty() else 100
        click.echo("\n".join(to_text(each, width=width, formulas=formulas) for each in told), nl=False)
    if any(each.faults or (each.balances is not None and not each.balances.agrees) for each in told):
        raise click.exceptions.Exit(ExitCode.MISMATCH)


@click.command()
@click.argument("instance", type=INSTANCE)
@click.argument("epoch", type=INSTANCE)
@click.option("--attempt", type=click.IntRange(min=0), help="Of an epoch that was overturned: which posting.")
@click.option("--seat", type=click.IntRange(min=0), help="Every rule applied to this seat, with its inequality.")
@network_options
@index_options
@json_option
def epoch(
    instance: int,
    epoch: int,
    attempt: int | None,
    seat: int | None,
    where: Where,
    index: IndexChoice,
    as_json: bool,
) -> None:
    """Show what an epoch measured of every participant; a ! marks what is held against it.

    \b
    fedblocks explain epoch 1 4 --data file:///srv/fedblocks/blobs
    fedblocks explain epoch 1 4 --seat 12
    """
    from fedblocks.cli.connecting import open_monitor

    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        posting = _posting(snapshot, instance, epoch, attempt)
        reader = reader_of(snapshot, index)
        scores = reader.get(posting)
    if scores is None:
        raise NoFigures(reader.unread.get(posting.header_hash))
    shown = [each for each in scores.seats if seat in (None, each.seat)]
    if not shown:
        raise click.UsageError(f"seat {seat} took no part in epoch {epoch}")
    if as_json:
        print_json({**plain(scores), "seats": plain(shown)})
    elif seat is not None:
        rows = [(_sign(each), each.rule, each.sentence, each.formula) for each in shown[0].measures]
        for sign, rule, sentence, formula in rows:
            click.echo(f"{sign} {rule}: {sentence}\n    {formula}")
    else:
        rows_ = [
            (
                str(each.seat),
                each.client,
                "slashed" if each.slashed else "left out" if each.excluded else "accepted",
                str(each.strikes),
                *(_cell(each.measure(rule)) for rule in COLUMNS),
                ",".join(one.rule for one in each.measures if one.triggered and one.excludes) or "-",
            )
            for each in shown
        ]
        headings = ("seat", "client", "fate", "strikes", *COLUMNS, "held against it")
        print_table(headings, rows_, right=("seat", "strikes", *COLUMNS))
    for fault in scores.faults:
        talk(f"! {fault}", mark="red")
    if scores.faults:
        raise click.exceptions.Exit(ExitCode.MISMATCH)


explain.add_command(slash)
explain.add_command(epoch)


def reader_of(snapshot: Snapshot, index: IndexChoice) -> ScoreReader:
    """What reads epochs' figures, from the index and from where --data says."""
    from fedblocks.monitor.explaining import ScoreReader
    from fedblocks.rollup.blobs import BlobStore

    return ScoreReader(snapshot, None if index.data is None else BlobStore(index.data))


def commands_of(monitor: Monitor, where: Where, index: IndexChoice) -> Commands:
    """What was given to this command, for those that it tells people to use; a node's URL only if no key is in it."""
    from fedblocks.config import redact
    from fedblocks.monitor.explain import Where as Commands
    from fedblocks.monitor.sources import NodeSource

    url = monitor.source.connection.url if isinstance(monitor.source, NodeSource) else None
    return Commands(
        network=where.network_text,
        deployment=where.deployment_text,
        data=index.data,
        rpc_url=url if url is not None and redact(url) == url else None,
        contracts=monitor.subject.addresses,
    )


def _balances(monitor: Monitor, where: Where, index: IndexChoice, slash: SlashView) -> MoneyCheck | None:
    """The slash held against the chain's state; None, said on stderr, where no node can be asked."""
    from fedblocks.chain.connection import NodeRefused
    from fedblocks.cli.connecting import connect
    from fedblocks.monitor.money import check_slash_money

    if not index.update or where.is_v1 or slash.instance_id is None:
        return None
    try:
        return check_slash_money(connect(where), slash)
    except NodeRefused as error:
        talk(f"the balances around block {slash.slashed.block} cannot be read (an archive node keeps them): {error}")
        return None


def _posting(snapshot: Snapshot, instance: int, epoch: int, attempt: int | None) -> EpochView:
    postings = [
        each
        for each in snapshot.epochs(InstanceId(instance))
        if each.epoch == epoch and attempt in (None, each.attempt)
    ]
    if not postings:
        raise NoSuchEpoch(instance, epoch, attempt)
    return max(postings, key=lambda each: each.attempt)


def _sign(measure: Measure) -> str:
    return "!" if measure.triggered else "-" if not measure.tested else " "


def _cell(measure: Measure | None) -> str:
    if measure is None or not measure.tested:
        return "-"
    unit = "%" if measure.unit == "%" else ""
    return f"{measure.value:.4g}{unit}{'!' if measure.triggered else ' '}"
