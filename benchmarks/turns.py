"""Methods that take turns, each alone in a process of its own; what all of `make bench` has in common.

A machine that others use too is then as slow for one method as for the other. Peers run in environments of their own,
which scripts/setup/peers.sh makes; where one cannot be made, its methods are left out.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
THREADS = len(os.sched_getaffinity(0))
_ENVIRONMENT = {
    # A method is alone in its process, and its threads may spin while they wait: on a virtual machine it takes two
    # milliseconds to wake one that sleeps, more than the work itself at small sizes. Every method has the same.
    "OMP_WAIT_POLICY": "ACTIVE",
    "OMP_NUM_THREADS": str(THREADS),
    "OPENBLAS_NUM_THREADS": str(THREADS),
    "NUMBA_NUM_THREADS": str(THREADS),
}
_UNSET = ("OPENBLAS_CORETYPE", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY", "NPY_DISABLE_CPU_FEATURES")
"""Settings by which an environment may hold numpy and torch back from instructions that the processor has."""


class NoPeer(Exception):
    """A peer's environment cannot be made, most often for want of a network."""


@dataclass(frozen=True)
class Method:
    """What is measured.

    Attributes:
        told: one line for readers.
        peer: whose environment it runs in; None for FedBlocks' own.
        script: the script under benchmarks/ that measures it.
        sizes: whether it has anything to do with n updates of d values.
    """

    told: str
    peer: str | None
    script: str
    sizes: Callable[[int, int], bool] = lambda _n, _d: True


Size = tuple[int, int]


@cache
def interpreter(peer: str | None) -> str:
    """The Python of an environment, made when it is not there.

    Raises:
        NoPeer: if it cannot be made.
    """
    if peer is None:
        return sys.executable
    if subprocess.run([ROOT / "scripts" / "setup" / "peers.sh", peer], check=False).returncode:
        raise NoPeer(peer)
    return str(ROOT / ".build" / "peers" / peer / "bin" / "python")


def run(name: str, method: Method, n: int, d: int, repeats: int) -> dict[str, Any]:
    """Measure one method in a new process."""
    environment = {key: value for key, value in os.environ.items() if key not in _UNSET} | _ENVIRONMENT
    if method.peer is not None:
        environment.pop("PYTHONPATH", None)
    command = [interpreter(method.peer), str(HERE / method.script), "--worker", name, str(n), str(d), str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def there(methods: Mapping[str, Method]) -> dict[str, Method]:
    """The methods whose environments are there; the others are named."""
    found = {}
    for name, method in methods.items():
        try:
            interpreter(method.peer)
        except NoPeer:
            print(f"bench: {name} is left out, for {method.peer} is not installed", file=sys.stderr)
        else:
            found[name] = method
    return found


def in_turns(
    methods: Mapping[str, Method], sizes: Sequence[Size], rounds: int, repeats: Callable[[str], int]
) -> Iterator[list[dict[str, Any]]]:
    """All methods on all sizes, in turns; what has been measured so far, whenever a size has been gone through."""
    runs: dict[Size, dict[str, list[dict[str, Any]]]] = {}
    for turn in range(rounds):
        for n, d in sizes:
            own = runs.setdefault((n, d), {})
            for name, method in methods.items():
                if not method.sizes(n, d):
                    continue
                own.setdefault(name, []).append(run(name, method, n, d, repeats(name)))
                shown = median(line["seconds"] for line in own[name][-1]["repeats"])
                print(f"n={n} d={d} turn {turn + 1}/{rounds} {name}: {1000 * shown:.1f} ms", flush=True)
            yield [
                {
                    "n": size[0],
                    "d": size[1],
                    "load": round(os.getloadavg()[0], 1),
                    "methods": {name: summed(each) for name, each in measured.items()},
                }
                for size, measured in runs.items()
            ]


def summed(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The medians over all repeats of all turns, every time that was measured, and what else a worker said."""
    lines = [line for each in runs for line in each["repeats"]]
    parts = {name: round(median(line[name] for line in lines), 6) for name in lines[0]}
    said = {name: value for name, value in runs[-1].items() if name not in ("repeats", "inputs_mib")}
    return (
        said
        | parts
        | {
            "above_mib": max(each["above_mib"] for each in runs),
            "peak_mib": max(each["peak_mib"] for each in runs),
            "all_seconds": [round(line["seconds"], 6) for line in lines],
        }
    )


def machine(methods: Mapping[str, Method]) -> dict[str, Any]:
    """The processor, and the versions of what runs on it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags")).split()
    versions = {}
    for peer in sorted({method.peer for method in methods.values() if method.peer}):
        told = subprocess.run([interpreter(peer), "-m", "pip", "freeze"], stdout=subprocess.PIPE, text=True, check=True)
        wanted = {peer, "numpy", "torch"}
        versions[peer] = [line for line in told.stdout.split() if line.partition("==")[0] in wanted]
    return {
        "cpu": next(line for line in lines if line.startswith("model name")).split(": ", 1)[1],
        "threads": THREADS,
        "instructions": [flag for flag in ("avx2", "avx512bw", "avx512_vnni", "avx_vnni") if flag in flags],
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "peers": versions,
    }


def between(told: Callable[[Any], float], row: Mapping[str, Any], above: str, below: str) -> str:
    """A quotient of two methods' times, or a dash."""
    methods = row["methods"]
    if above not in methods or below not in methods:
        return "-"
    return f"{told(methods[above]) / told(methods[below]):.2f}"
