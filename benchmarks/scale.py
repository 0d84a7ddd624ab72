"""What many cohorts cost, and which resource runs out first; the figures of docs/scale.md.

    python benchmarks/scale.py
    python benchmarks/scale.py --clients 64 --values 10000000 --hosts 4 --cohorts 1,16,256

A discrete-event simulation: cohorts train epoch after epoch; what they share - an aggregator's host, its link, the
chain - serves whoever came first. Seconds and gas are those that docs/benchmarks/commitments.json and docs/gas.json
measured; everything else is an assumption, printed with the result and changed by an option. The same options give the
same numbers.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import quantiles
from typing import Any

import simpy

from fedblocks.rollup.gram_tree import TraceLayout

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "docs" / "benchmarks" / "scale.json"
LEAF_VALUES = 4096
UPDATE_BYTES, MODEL_BYTES = 2, 4
"""Of a value: int16 and int32."""

Process = Generator[simpy.Event, Any, None]

TRANSACTION_GAS = 21_000
CALLDATA_BYTES = {"closeCommits": 132, "submitEpoch": 548, "finalizeEpoch": 68}
CALLDATA_GAS = 16
"""A byte that is not zero; zeros cost 4, so that this is the most."""


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here.

    Attributes:
        clients: seats of a cohort.
        values: d, length of the parameter vector.
        hosts: aggregator hosts; a cohort belongs to one.
        host_mbit: each host's link, both ways.
        client_up_mbit, client_down_mbit: a client's link.
        training_s: median time that a client trains.
        training_spread: of its natural logarithm (log-normal); a cohort waits for its slowest.
        inclusion_s: from sending a transaction until it is on the chain.
        gas_per_s: what the chain takes in the long run; Arbitrum One aims at 10 million over a day, 60 million at peak.
        gas_price_gwei: Arbitrum One's floor is 0.02.
        data_gwei: a byte of calldata on the parent chain, after compression.
        cdn: base models come from an object store, not over the host's link.
        epochs: that each cohort trains.
        seed: of the clients' training times.
    """

    clients: int = 64
    values: int = 1_000_000
    hosts: int = 1
    host_mbit: int = 1000
    client_up_mbit: int = 50
    client_down_mbit: int = 100
    training_s: float = 60.0
    training_spread: float = 0.5
    inclusion_s: float = 1.0
    gas_per_s: int = 10_000_000
    gas_price_gwei: float = 0.02
    data_gwei: float = 20.0
    cdn: bool = False
    epochs: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one epoch of one cohort takes.

    Attributes:
        compute_s: of a host, from received updates to a stored header.
        memory_mib: of a host meanwhile; a host executes one epoch at a time.
        up_bytes, down_bytes: over the host's link, from it and to it.
        stored_bytes: published, for as long as the epoch can be challenged.
        gas: of the aggregator's transactions, calldata included.
        calldata_bytes: that the chain has to publish.
    """

    compute_s: float
    memory_mib: float
    up_bytes: int
    down_bytes: int
    stored_bytes: int
    gas: int
    calldata_bytes: int


def epoch_of(assumed: Assumptions) -> Epoch:
    """The demands of an epoch, from what was measured."""
    n, d = assumed.clients, assumed.values
    measured = json.loads((ROOT / "docs" / "benchmarks" / "commitments.json").read_text(encoding="utf-8"))
    # Seconds grow with n x d within a few per cent; the measured size nearest to the one that is asked for is scaled.
    nearest = min(measured["sizes"], key=lambda size: abs(size["n"] * size["d"] - n * d) + abs(size["n"] - n) * 1e5)
    scale, measures = n * d / (nearest["n"] * nearest["d"]), nearest["methods"]["aggregator"]
    gas = json.loads((ROOT / "docs" / "gas.json").read_text(encoding="utf-8"))["version 2"]
    size = str(min((int(each) for each in gas["stake"]), key=lambda each: abs(each - n)))
    execution = sum(
        gas[name][size] for name in ("closeCommits, d = 2^30", "submitEpoch, d = 2^30", "finalizeEpoch, d = 2^30")
    )
    calldata = sum(CALLDATA_BYTES.values())
    trace = TraceLayout(n).leaf_size * -(-d // LEAF_VALUES)
    return Epoch(
        compute_s=measures["seconds"] * scale,
        memory_mib=measures["above_mib"] * scale,
        up_bytes=0 if assumed.cdn else n * d * MODEL_BYTES,
        down_bytes=n * d * UPDATE_BYTES,
        stored_bytes=n * d * UPDATE_BYTES + d * (MODEL_BYTES + UPDATE_BYTES) + trace,
        gas=execution + len(CALLDATA_BYTES) * TRANSACTION_GAS + calldata * CALLDATA_GAS,
        calldata_bytes=calldata,
    )


@dataclass(frozen=True)
class Outcome:
    """One size of the simulation.

    Attributes:
        cohorts: how many.
        median_s, slowest_s: an epoch, from the publication of its base model to the next; the slowest of a hundred.
        per_hour: epochs of all cohorts.
        used: by resource, the part of the time in which it worked.
    """

    cohorts: int
    median_s: float
    slowest_s: float
    per_hour: float
    used: dict[str, float]

    @property
    def wall(self) -> str:
        """What is used most."""
        return max(self.used, key=lambda name: self.used[name])


class Server:
    """A resource that serves in the order of arrival, one at a time, and keeps account of it."""

    def __init__(self, world: simpy.Environment) -> None:
        self._world, self._queue, self.busy = world, simpy.Resource(world), 0.0

    def serve(self, seconds: float) -> Process:
        with self._queue.request() as turn:
            yield turn
            yield self._world.timeout(seconds)
            self.busy += seconds


@dataclass(frozen=True)
class Host:
    """What the cohorts of an aggregator's machine share."""

    link_out: Server
    link_in: Server
    processor: Server


def cohort(
    world: simpy.Environment,
    host: Host,
    chain: Server,
    assumed: Assumptions,
    rng: random.Random,
    durations: list[float],
) -> Process:
    """A cohort's life: hand the model out, train, commit, close, reveal, execute, post."""
    need, n = epoch_of(assumed), assumed.clients
    # Each client's own link and training run beside the others'; the cohort waits for the slowest.
    fetch_s = 8e-6 * assumed.values * MODEL_BYTES / assumed.client_down_mbit
    send_s = 8e-6 * assumed.values * UPDATE_BYTES / assumed.client_up_mbit
    yield world.timeout(rng.uniform(0, assumed.training_s))
    for _ in range(assumed.epochs):
        began = world.now
        yield world.process(host.link_out.serve(8e-6 * need.up_bytes / assumed.host_mbit))
        training = max(rng.lognormvariate(0, assumed.training_spread) for _ in range(n)) * assumed.training_s
        yield world.timeout(fetch_s + training)
        # Commitments go on chain before anybody reveals; the header follows, and the finality of an earlier epoch.
        yield world.process(chain.serve(need.gas / 2 / assumed.gas_per_s))
        yield world.timeout(assumed.inclusion_s)
        yield world.process(host.link_in.serve(max(send_s, 8e-6 * need.down_bytes / assumed.host_mbit)))
        yield world.process(host.processor.serve(need.compute_s))
        yield world.process(chain.serve(need.gas / 2 / assumed.gas_per_s))
        yield world.timeout(assumed.inclusion_s)
        durations.append(world.now - began)


def simulate(assumed: Assumptions, cohorts: int) -> Outcome:
    """Let cohorts train until each has had its epochs."""
    world, rng = simpy.Environment(), random.Random(assumed.seed)
    hosts = [Host(Server(world), Server(world), Server(world)) for _ in range(assumed.hosts)]
    chain, durations = Server(world), list[float]()
    for number in range(cohorts):
        host = hosts[number % assumed.hosts]
        world.process(cohort(world, host, chain, assumed, rng, durations))
    world.run()
    median, slowest = (quantiles(durations, n=100, method="inclusive")[place] for place in (49, 98))
    span = world.now * assumed.hosts
    return Outcome(
        cohorts=cohorts,
        median_s=median,
        slowest_s=slowest,
        per_hour=len(durations) / world.now * 3600,
        used={
            "link out": sum(host.link_out.busy for host in hosts) / span,
            "link in": sum(host.link_in.busy for host in hosts) / span,
            "processor": sum(host.processor.busy for host in hosts) / span,
            "chain": chain.busy / world.now,
        },
    )


def costs(assumed: Assumptions) -> dict[str, float]:
    """What an epoch costs, and what of it falls to a client."""
    need = epoch_of(assumed)
    wei_per_gwei = 1e-9
    chain_eth = need.gas * assumed.gas_price_gwei * wei_per_gwei
    data_eth = need.calldata_bytes * assumed.data_gwei * wei_per_gwei
    return {
        "gas": need.gas,
        "gas_per_client": need.gas / assumed.clients,
        "eth": chain_eth + data_eth,
        "eth_per_client": (chain_eth + data_eth) / assumed.clients,
        "host_seconds": need.compute_s,
        "host_mib": need.memory_mib,
        "host_out_mb": need.up_bytes / 1e6,
        "host_in_mb": need.down_bytes / 1e6,
        "stored_mb": need.stored_bytes / 1e6,
        "client_in_mb": assumed.values * MODEL_BYTES / 1e6,
        "client_out_mb": assumed.values * UPDATE_BYTES / 1e6,
    }


COST_TITLES = {
    "gas": "gas of the epoch's three transactions",
    "gas_per_client": "... for each client",
    "eth": "ETH for them, at most",
    "eth_per_client": "... for each client",
    "host_seconds": "seconds of the aggregator's host",
    "host_mib": "MiB of its memory meanwhile",
    "host_out_mb": "MB from the host (base models)",
    "host_in_mb": "MB to the host (updates)",
    "stored_mb": "MB published, until the epoch is final",
    "client_in_mb": "MB to each client",
    "client_out_mb": "MB from each client",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(value: float) -> str:
    """A number with about three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Simulate every case and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cohorts", default="1,16,64,256,1024,4096", help="sizes to simulate, by commas")
    for each in fields(Assumptions):
        name = "--" + each.name.replace("_", "-")
        if isinstance(each.default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(each.default))
    parser.add_argument(
        "--write", action="store_true", help=f"simulate the cases of docs/scale.md and write {RESULT.name}"
    )
    given = vars(parser.parse_args())
    sizes = [int(each) for each in given.pop("cohorts").split(",")]
    write = given.pop("write")
    chosen = {name: value for name, value in given.items() if value is not None}
    cases = CASES if write else {"as chosen": Assumptions(**chosen)}
    document: dict[str, Any] = {}
    for title, assumed in cases.items():
        cost, outcomes = costs(assumed), [simulate(assumed, size) for size in sizes]
        document[title] = {
            "assumptions": asdict(assumed),
            "costs": cost,
            "outcomes": [{**asdict(each), "wall": each.wall} for each in outcomes],
        }
        said = ", ".join(f"{each.name} {getattr(assumed, each.name)}" for each in fields(assumed))
        print(f"### {title}\n\n{said}\n")
        print(table(["of an epoch", "cost"], [[COST_TITLES[name], shown(value)] for name, value in cost.items()]))
        heads = ["cohorts", "epoch, median", "epoch, slowest of 100", "epochs an hour", *outcomes[0].used, "wall"]
        rows = [
            [
                str(each.cohorts),
                f"{each.median_s:,.0f} s",
                f"{each.slowest_s:,.0f} s",
                f"{each.per_hour:,.0f}",
                *(f"{100 * part:.1f} %" for part in each.used.values()),
                f"**{each.wall}**" if each.used[each.wall] > FULL else "none",
            ]
            for each in outcomes
        ]
        print("\n" + table(heads, rows) + "\n")
    if write:
        RESULT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


FULL = 0.8
"""From here on a resource makes others wait: where it is called a wall."""

CASES = {
    "One host, models of a million values": Assumptions(),
    "The same, base models from an object store": Assumptions(cdn=True),
    "Sixteen hosts and an object store": Assumptions(cdn=True, hosts=16),
    "Sixteen hosts, an object store, ten million values": Assumptions(cdn=True, hosts=16, values=10_000_000),
    "256 hosts, an object store": Assumptions(cdn=True, hosts=256),
}

if __name__ == "__main__":
    main()
