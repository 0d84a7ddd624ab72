"""The exact Gram matrix and its Krum scores, beside other libraries and beside what the machine can do at most."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cohort import measure, model, stored_updates
from drawing import draw_bars
from turns import Method, between

from fedblocks.aggregation.gram import running_gram
from fedblocks.aggregation.gram_routes import GramRoute, exact_gram, squared_distances
from fedblocks.aggregation.krum import exact_krum_scores, neighbours
from fedblocks.types import MAX_COHORT

SIZES = ((10, 1_000_000), (32, 1_000_000), (64, 1_000_000), (100, 1_000_000), (10, 10_000_000))
REPEATS = 7
METHODS = {
    "exact": Method("FedBlocks: exact Krum scores from int16", None, "gram.py"),
    "epoch": Method(
        "FedBlocks: all of an epoch's inner products, with last updates, last step and base model, leaf by leaf",
        None,
        "gram.py",
        lambda n, _d: n <= MAX_COHORT,
    ),
    "numpy": Method("FedBlocks' other route: float64 blocks in numpy", None, "gram.py"),
    "limits": Method("reading int16 once; multiplying as often as there are pairs", None, "gram.py"),
    "torch": Method("torch: the Gram matrix in float32 alone", "byzfl", "peers.py"),
    "byzfl": Method("byzfl: Krum, float32", "byzfl", "peers.py"),
    "byzpy": Method("byzpy: MultiKrum with q = 1, float32", "byzpy", "peers.py"),
    "flwr": Method("Flower: MultiKrum's distances, float32", "flwr", "peers.py"),
}
PEERS = ("byzfl", "byzpy", "flwr")


# Workers.


def exact(n: int, d: int, repeats: int) -> None:
    updates = stored_updates(n, d, epoch=2)
    measure(lambda _: exact_krum_scores(updates), repeats, said=lambda: {"distances": _distances(updates)})


def numpy_route(n: int, d: int, repeats: int) -> None:
    updates = stored_updates(n, d, epoch=2)
    measure(lambda _: exact_gram(updates, GramRoute.NUMPY), repeats)


def epoch(n: int, d: int, repeats: int) -> None:
    updates, last = stored_updates(n, d, epoch=2), stored_updates(n, d, epoch=1)
    base, delta = model(d), np.asarray(last[0])
    measure(lambda _: running_gram(updates, last, delta, base), repeats)


def limits(n: int, d: int, repeats: int) -> None:
    from limits import STEP_PRODUCTS, multiplied, read_once

    updates = stored_updates(n, d, epoch=2)
    words = updates.reshape(-1)[: updates.size // 4 * 4].view(np.int64)
    steps = -(-n * (n + 1) // 2 * d // STEP_PRODUCTS)

    def both(_: int) -> dict[str, float]:
        start = time.perf_counter()
        read_once(words)
        read = time.perf_counter()
        multiplied(steps, 3)
        return {"read": read - start, "multiply": time.perf_counter() - read}

    measure(both, 3 * repeats)


def _distances(updates: Any) -> list[list[int]]:
    distances: list[list[int]] = squared_distances(exact_gram(updates)).tolist()
    return distances


WORKERS: dict[str, Callable[[int, int, int], None]] = {
    "exact": exact,
    "epoch": epoch,
    "numpy": numpy_route,
    "limits": limits,
}


# What is made of it.


def ranking(distances: Sequence[Sequence[float]]) -> list[int]:
    """The clients by Krum score, best first; of two with one score the lower seat."""
    count = neighbours(len(distances))
    scores = [
        sum(sorted(row[other] for other in range(len(row)) if other != seat)[:count])
        for seat, row in enumerate(distances)
    ]
    return sorted(range(len(scores)), key=lambda seat: (scores[seat], seat))


def rank(rows: Sequence[dict[str, Any]]) -> None:
    """Put in the place of distances how many clients a method ranks elsewhere than the exact integers do."""
    for row in rows:
        right = row["methods"]["exact"].get("distances")
        if right is None:
            continue
        expected = ranking(right)
        for own in row["methods"].values():
            if "distances" in own:
                found = ranking(own.pop("distances"))
                own["misplaced"] = sum(a != b for a, b in zip(found, expected, strict=True))


def fastest_peer(row: Mapping[str, Any], told: Callable[[Any], float]) -> str | None:
    """Which library is fastest; torch's bare product is none."""
    names = [name for name in PEERS if name in row["methods"]]
    return min(names, key=lambda name: told(row["methods"][name]), default=None)


def tables(result: Mapping[str, Any]) -> Iterator[str]:
    for title, told in (
        ("Median, ms", lambda each: each["seconds"]),
        ("Fastest, ms", lambda each: min(each["all_seconds"])),
    ):
        yield f"\n### {title}\n"
        shown = ("exact", "numpy", "torch", *PEERS)
        yield f"| n | d | {' | '.join(shown)} | fastest peer : exact | exact : read limit | exact : multiply limit |"
        yield "|---|---|" + "---|" * (len(shown) + 3)
        for row in result["sizes"]:
            methods = row["methods"]
            cells = [f"{1000 * told(methods[name]):,.1f}" if name in methods else "-" for name in shown]
            peer, limit = fastest_peer(row, told), methods["limits"]
            cells.append("-" if peer is None else between(told, row, peer, "exact") + f" ({peer})")
            cells += [f"{told(methods['exact']) / limit[name]:.2f}" for name in ("read", "multiply")]
            yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"
    yield "\n### Limits, all inner products of an epoch, memory\n"
    yield (
        "| n | d | reading once, ms | multiplying, ms | epoch, ms | exact, above inputs | "
        + " | ".join(f"{peer}, above inputs" for peer in PEERS)
        + " |"
    )
    yield "|---|---|---|---|---|---|" + "---|" * len(PEERS)
    for row in result["sizes"]:
        methods = row["methods"]
        cells = [f"{1000 * methods['limits'][name]:.1f}" for name in ("read", "multiply")]
        cells.append(f"{1000 * methods['epoch']['seconds']:.1f}" if "epoch" in methods else "-")
        cells += [f"{methods[name]['above_mib']:,} MiB" if name in methods else "-" for name in ("exact", *PEERS)]
        yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"
    yield "\n### Clients that float32 ranks elsewhere than exact integers do\n"
    shown = ("torch", *PEERS)
    yield f"| n | d | {' | '.join(shown)} |"
    yield "|---|---|" + "---|" * len(shown)
    for row in result["sizes"]:
        found = [row["methods"].get(name, {}).get("misplaced") for name in shown]
        cells = ["-" if each is None else f"{each} of {row['n']}" for each in found]
        yield f"| {row['n']} | {row['d']:,} | {' | '.join(cells)} |"


def plot(result: Mapping[str, Any], path: Path) -> None:
    """How long each method takes at each size, and what the machine can do at best."""
    shown = {name: METHODS[name].told for name in ("exact", *PEERS)}
    draw_bars(result["sizes"], shown, path, in_milliseconds=True, limits=("read", "multiply"))


if __name__ == "__main__":
    WORKERS[sys.argv[2]](*(int(each) for each in sys.argv[3:6]))
