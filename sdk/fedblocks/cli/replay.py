"""`fedblocks replay`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fedblocks.cli.options import json_option
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.replay import Replay
from fedblocks.rollup.store import RollupStore


@click.command()
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-run"),
    show_default=True,
    help="The folder that holds rollup.sqlite and blobs.",
)
@click.option("--instance", type=int, help="Only this instance.  [default: all]")
@json_option
def replay(store: Path, instance: int | None, as_json: bool) -> None:
    """Recompute every header from the stored data, bit for bit.

    \b
    fedblocks replay --store demo-run --instance 1
    """
    folder = store.absolute()
    records = RollupStore(f"sqlite:///{folder / 'rollup.sqlite'}", read_only=True)
    blobs = BlobStore(f"file://{folder / 'blobs'}")
    hashes: dict[str, list[str]] = {}
    for record in records.list_instances():
        number = record.key.instance_id
        if instance is not None and number != instance:
            continue
        same: list[str] = []
        for epoch in Replay(records, blobs, record.key).epochs():
            digest = "0x" + epoch.header.hash().hex()
            click.echo(f"instance {number} epoch {epoch.header.epoch:>4}  {digest}  same", err=True)
            same.append(digest)
        hashes[str(number)] = same
    if as_json:
        click.echo(json.dumps(hashes, indent=2))
    else:
        click.echo(f"{sum(map(len, hashes.values()))} headers recomputed, all the same")
