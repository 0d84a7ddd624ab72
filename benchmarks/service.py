"""How fast a node answers while it takes updates in, and what it holds of a large one.

Two measurements, written as JSON:

- *Reads under load*: `wrk` asks for the round under way, while clients commit and reveal updates as fast as the node
  takes them. Requests a second, and the 50th and 99th percentile.
- *A large update*: one of 200 MB goes in and comes out again. How much the node has grown, and how fast it went.

Run with ``make bench-service``; needs `wrk` on PATH (Debian's package of that name).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.rollup.instance import AGGREGATOR
from tests.service.running import NodeProcess
from tests.service.test_processes import LargeInstance, Watched

from fedblocks.rollup.records import ActionKind
from fedblocks.service.client import MpsClient
from fedblocks.storage.postgres import PostgresServer

WRK_MISSING = "the reader is `wrk`, which is not on PATH; install it, on Debian with `apt-get install wrk`"
SECONDS = 8
CONNECTIONS = 16
D = 4_000_000
SEATS = 64
LARGE_D = 100_000_000
UNLIMITED = ("--quiet", "--reads-per-second", "1000000", "--writes-per-second", "1000000")


@dataclass(frozen=True)
class Reads:
    """What `wrk` measured."""

    database: str
    path: str
    ingesting: bool
    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    node_cpu_ms_per_request: float
    """The node's own processor time, ingestion included: what a busy machine doesn't change much."""
    errors: int
    updates: int
    """How many came in while `wrk` was asking."""
    update_megabytes: float


def reads(url: str, database: str, folder: Path, *, ingesting: bool) -> Reads:
    """Ask for the round, with or without an epoch that comes in meanwhile."""
    instance = LargeInstance(folder, D, url, n=SEATS, sending=SEATS)
    path, done, sent = "/v1/instances/1/round", threading.Event(), []

    def ingest(client: MpsClient, seats: range) -> None:
        for seat in seats:
            if done.is_set():
                return
            client.reveal(instance.domain, actions[seat], instance.reveals[seat], AGGREGATOR.address)
            if not done.is_set():
                sent.append(seat)

    with NodeProcess(folder, url, instance.blobs, *UNLIMITED) as node, MpsClient(node.url) as client:
        actions = {seat: instance.commit(client, seat) for seat in range(SEATS)}
        instance.close()
        client.round(1)
        seats = [range(first, SEATS, 2) for first in range(2)] if ingesting else []
        workers = [threading.Thread(target=ingest, args=(client, each)) for each in seats]
        for worker in workers:
            worker.start()
        cpu = _cpu_seconds(node)
        output = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", node.url + path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        cpu = _cpu_seconds(node) - cpu
        was_ingesting = any(worker.is_alive() for worker in workers)
        done.set()
        for worker in workers:
            worker.join()
        if ingesting and not was_ingesting:
            raise RuntimeError(f"all {SEATS} updates were in before wrk had ended: use more of them, or larger ones")
    requests = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]
    return Reads(
        database=database,
        path=path,
        ingesting=ingesting,
        requests=requests,
        requests_per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),  # type: ignore[index]
        p50_ms=_milliseconds(output, "50%"),
        p99_ms=_milliseconds(output, "99%"),
        node_cpu_ms_per_request=round(1000 * cpu / requests, 2),
        errors=_errors(output),
        updates=len(sent),
        update_megabytes=2 * D / 1e6,
    )


def large(folder: Path) -> dict[str, float]:
    """One update of 200 MB in and out."""
    instance = LargeInstance(folder, LARGE_D)
    with NodeProcess(folder, instance.url, instance.blobs, *UNLIMITED) as node, MpsClient(node.url) as client:
        actions = {seat: instance.commit(client, seat) for seat in (0, 1)}
        instance.close()
        client.reveal(instance.domain, actions[0], instance.reveals[0], AGGREGATOR.address)
        begun = time.monotonic()
        with Watched(node) as upload:
            client.reveal(instance.domain, actions[1], instance.reveals[1], AGGREGATOR.address)
        in_seconds, begun = time.monotonic() - begun, time.monotonic()
        address = instance.store.actions(instance.key, 1, 0, ActionKind.REVEAL)[1].update_blob
        assert address is not None
        with Watched(node) as download:
            client.fetch(address, folder / "update")
        out_seconds = time.monotonic() - begun
    megabytes = 2 * LARGE_D / 1e6
    return {
        "megabytes": megabytes,
        "in_grown_mib": round(upload.grown / 2**20, 1),
        "in_megabytes_per_second": round(megabytes / in_seconds, 1),
        "out_grown_mib": round(download.grown / 2**20, 1),
        "out_megabytes_per_second": round(megabytes / out_seconds, 1),
        "node_resident_mib": round(download.most / 2**20, 1),
    }


def _cpu_seconds(node: NodeProcess) -> float:
    fields = Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _errors(output: str) -> int:
    """Answers that were not good, and connections that broke, were refused or took too long."""
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return sum(int(count) for found in (bad, broken) if found for count in found.groups())


def _wrk_version() -> str:
    """As `wrk` says it; it ends with 1 when it only does that."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).partition(" [")[0].removeprefix("wrk ")


def _milliseconds(output: str, percentile: str) -> float:
    value, unit = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", output).groups()  # type: ignore[union-attr]
    return round(float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit], 2)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    output = parser.parse_args().output
    if shutil.which("wrk") is None:
        parser.exit(1, WRK_MISSING + "\n")
    measured, load = [], os.getloadavg()[0]
    for ingesting in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/rollup.sqlite"
            measured.append(reads(url, "sqlite", Path(folder), ingesting=ingesting))
        with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
            measured.append(reads(server.url(), "postgresql", Path(folder), ingesting=ingesting))
    with tempfile.TemporaryDirectory() as folder:
        streamed = large(Path(folder))
    result = {
        "machine": {"cores": os.cpu_count(), "load_before": round(load, 1), "python": platform.python_version()},
        "wrk": {"version": _wrk_version(), "threads": 1, "seconds": SECONDS, "connections": CONNECTIONS},
        "reads": [asdict(each) for each in measured],
        "large_update": streamed,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if output is not None:
        output.write_text(text + "\n")


if __name__ == "__main__":
    main()
