"""Updates such as a cohort trains, and what it takes to measure a function alone in its process.

Imported by the workers of `make bench`, some of which run in an environment without FedBlocks: numpy is all there is.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[int], object]
"""What is measured, given the number of the repeat; where it returns a dict, that is how long its parts took."""

STORED = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks"
SCALE = 1 << 14
COMMON, OWN = 0.004, 0.006
"""Standard deviations of what all updates have in common and of what is a client's own: those of the demo's models."""


def updates(n: int, d: int, epoch: int) -> NDArray[np.int16]:
    """int16[n, d]: one direction for all, and each client's own on top."""
    common = np.random.default_rng([epoch, 0]).standard_normal(d, dtype=np.float32) * np.float32(COMMON * SCALE)
    cohort = np.empty((n, d), dtype=np.int16)
    for seat in range(n):
        own = np.random.default_rng([epoch, 1 + seat]).standard_normal(d, dtype=np.float32)
        own *= np.float32(OWN * SCALE)
        own += common
        cohort[seat] = np.rint(own, out=own)
    return cohort


def stored_updates(n: int, d: int, epoch: int) -> NDArray[np.int16]:
    """The same, from the disk where another worker has drawn them already."""
    path = STORED / f"updates-{n}-{d}-{epoch}.npy"
    if not path.exists():
        STORED.mkdir(parents=True, exist_ok=True)
        drawn = path.with_suffix(".part.npy")
        np.save(drawn, updates(n, d, epoch))
        drawn.replace(path)
    stored: NDArray[np.int16] = np.load(path)
    return stored


def model(d: int) -> NDArray[np.int32]:
    """int32[d]: the model that training starts from."""
    values = np.random.default_rng(7).standard_normal(d, dtype=np.float32)
    values *= np.float32(0.05 * SCALE)
    return np.rint(values, out=values).astype(np.int32)


def measure(run: Run, repeats: int, *, warm: bool = True, said: Callable[[], dict[str, Any]] = dict) -> None:
    """Print as JSON how long `run` takes, and how much memory above what was there before.

    Args:
        run: what is measured.
        repeats: how often, after once that does not count.
        warm: whether there is one that does not count.
        said: what else is printed; worked out after everything is measured.
    """
    if warm:
        run(-1)
    gc.collect()
    before = _status("VmRSS")
    # Sets the high-water mark back to what is resident now (man 5 proc).
    Path("/proc/self/clear_refs").write_text("5")
    lines: list[dict[str, float]] = []
    for repeat in range(repeats):
        start = time.perf_counter()
        parts = run(repeat)
        lines.append({"seconds": time.perf_counter() - start} | (parts if isinstance(parts, dict) else {}))
        del parts
    peak = _status("VmHWM")
    result: dict[str, Any] = {"repeats": lines, "inputs_mib": before, "peak_mib": peak, "above_mib": peak - before}
    print(json.dumps(result | said()))


def _status(name: str) -> int:
    """A figure of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name + ":"))
