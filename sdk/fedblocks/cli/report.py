"""`fedblocks report`: an instance as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import INSTANCE, IndexChoice, Where, index_options, json_option, network_options
from fedblocks.cli.output import print_json, talk
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import InstanceId
from fedblocks.units import PARTS_PER_MILLION


class ReportNotWritten(FedBlocksError, OSError):
    """The page could not be written where it was to be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"the report cannot be written to {path}: {why}; give another --output")
        self.path = path

    def __str__(self) -> str:
        # OSError would show its arguments.
        return str(self.args[0])


@click.command()
@click.argument("instance", type=INSTANCE)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Where to write the page; - for stdout.  [default: instance-N.html]",
)
@click.option(
    "--target",
    type=click.FloatRange(0, 1, min_open=True),
    help="The accuracy that was asked for, like 0.8; it is not on the chain.",
)
@network_options
@index_options
@json_option
def report(
    instance: int, output: Path | None, target: float | None, where: Where, index: IndexChoice, as_json: bool
) -> None:
    """Write an instance's report: one HTML page with pictures, verdicts, money and proofs.

    The page loads nothing and shows one block; the same block gives the same page. Scores are in it as far as the
    published data were read (--data), each held against the header on chain. Ends with 4 if verdicts do not follow
    from their figures, or money does not add up; the page says where.

    \b
    fedblocks report 1 --deployment FILE --data file:///srv/fedblocks/blobs --target 0.8 --output report.html
    """
    from fedblocks.cli.connecting import open_monitor
    from fedblocks.cli.explain import commands_of, reader_of
    from fedblocks.report.page import gather, render

    path = output or Path(f"instance-{instance}.html")
    target_ppm = None if target is None else round(target * PARTS_PER_MILLION)
    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        reader = reader_of(snapshot, index)
        found = gather(
            snapshot,
            InstanceId(instance),
            where=commands_of(monitor, where, index),
            scores=reader.all_of(InstanceId(instance)),
            target_ppm=target_ppm,
        )
        page = render(found, snapshot.block, chain_id=monitor.subject.chain_id, target_ppm=target_ppm)
    for why in reader.unread.values():
        talk(why, mark="yellow")
    faults = [fault for each in found.scores for fault in each.faults]
    unbalanced = [each.title for each in found.ledgers if not each.adds_up]
    if str(path) == "-":
        click.echo(page, nl=False)
    else:
        try:
            path.write_text(page, encoding="utf-8")
        except OSError as error:
            raise ReportNotWritten(path, error.strerror or str(error)) from error
        if as_json:
            content = {"instanceId": instance, "path": str(path), "bytes": len(page.encode())}
            print_json({**content, "unread": list(found.unread), "faults": faults, "unbalanced": unbalanced})
        else:
            click.echo(str(path))
    if faults or unbalanced:
        talk(f"look at it: {'; '.join([*faults, *(f'{title}: does not add up' for title in unbalanced)])}", mark="red")
        raise click.exceptions.Exit(ExitCode.MISMATCH)
