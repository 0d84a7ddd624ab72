"""Who was there: each process, what it did, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
from sqlalchemy import create_engine, text

from tests.flower.scene import AGGREGATOR
from tests.network.stage import Stage
from tests.network.usage import Usage

_HEAD = ("process", "pid", "what it did", "CPU s", "peak MiB")


def table(stage: Stage) -> str:
    """All processes of a stage, as text."""
    did = dict(_did(stage))
    rows = [_HEAD, *(_row(usage, did) for usage in sorted(stage.meter.usages.values(), key=_place))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(_aligned(cell, widths[at], at) for at, cell in enumerate(row)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


_ORDER = ["anvil", "PostgreSQL", "node", "aggregator", "watcher", "SuperLink", "flwr run"]


def _place(usage: Usage) -> tuple[int, str]:
    return (_ORDER.index(usage.name) if usage.name in _ORDER else len(_ORDER), f"{usage.name:>16}")


def _row(usage: Usage, did: dict[str, str]) -> tuple[str, ...]:
    cost = f"{usage.cpu_seconds:.1f}", f"{usage.peak_bytes / 2**20:.0f}"
    return usage.name, str(usage.pid), did[usage.name], *cost


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, 2) else cell.rjust(width)


def _did(stage: Stage) -> Iterator[tuple[str, str]]:
    connection = stage.scene.node.connection
    blocks = connection.block_number()
    numbers = (hex(number) for number in range(blocks + 1))
    sent = sum(len(connection.rpc("eth_getBlockByNumber", number, False)["transactions"]) for number in numbers)
    yield "anvil", f"{blocks} blocks with {sent} transactions"
    yield "PostgreSQL", f"{_committed(stage)} database transactions"
    yield "node", f"{_requests(stage)} requests answered"
    headers = len(stage.scene.headers())
    account = stage.scene.node.signer(AGGREGATOR).address
    nonce = connection.rpc("eth_getTransactionCount", account, "latest")
    yield "aggregator", f"{headers} epochs executed, {int(nonce, 16)} transactions (1 by hand: its bond)"
    right = sum(report["what"] == "right" for report in stage.reports())
    yield "watcher", f"{right} epochs worked out again, 0 transactions"
    yield "SuperLink", "messages between ServerApp and SuperNodes"
    yield "flwr run", "handed in the app and showed its log"
    for number in range(len(stage.cast.parts)):
        said = stage.flower.log(f"node-{number}")
        counts = [said.count(f"FedBlocks: {word} epoch") for word in ("committed to", "revealed")]
        yield f"SuperNode {number}", f"{counts[0]} commitments, {counts[1]} updates revealed"


def _committed(stage: Stage) -> int:
    engine = create_engine(stage.postgres.url())
    with engine.connect() as connection:
        found = connection.execute(text("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"))
        number = int(found.scalar_one())
    engine.dispose()
    return number


def _requests(stage: Stage) -> int:
    lines = httpx.get(f"{stage.service_url}/metrics", timeout=10).text.splitlines()
    counts = (line.rpartition(" ")[2] for line in lines if "http_requests_total{" in line)
    return round(sum(map(float, counts)))
