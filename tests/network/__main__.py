"""Everybody a process of its own: train a model over Flower on PostgreSQL and a chain, settle, and look at everything.

``python -m tests.network --supernodes 8``: anvil, PostgreSQL, ``fedblocks node``, ``fedblocks watch``, a SuperLink with
the aggregator's ServerApp, and a SuperNode for each client. What comes of it is compared with the same job in one
process. Ends with 0 when all holds, with 1 when something does not, and with 2 when something is missing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.network.cast import Cast
from tests.network.checks import Check, checks, play_in_one_process
from tests.network.missing import missing
from tests.network.stage import Stage
from tests.network.table import table


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped on the way out
    lacking = missing()
    if lacking:
        print("\n".join(lacking), file=sys.stderr)
        return 2
    begun = time.monotonic()

    def show(text: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {text}", flush=True)

    cast, target = Cast.deal(options.supernodes, options.seed), round(options.target * 1_000_000)
    # Sockets' paths are short, and a folder below the working directory may be anywhere.
    with tempfile.TemporaryDirectory(prefix="fedblocks-network-") as folder:
        show("the same job in one process, to compare with")
        expected = play_in_one_process(Path(folder) / "local", cast, options.epochs, target)
        show(f"it takes {len(expected.headers)} epochs; now everybody is started")
        with Stage(Path(folder), cast, epochs=options.epochs, target_ppm=target, seconds=options.timeout) as stage:
            show(f"anvil, PostgreSQL, node, watcher, SuperLink and {options.supernodes} SuperNodes run")
            stage.play(show)
            show("the aggregator has settled and ended; whoever is owed something takes it")
            found = list(checks(stage, expected))
            print("\n" + table(stage))
    print("\n" + "\n".join(map(_line, found)))
    failed = sum(not check.holds for check in found)
    verdict = f"{failed} of {len(found)} do not hold" if failed else f"all {len(found)} hold"
    print(f"\n{verdict}; {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.network", description=__doc__)
    parser.add_argument("--supernodes", type=int, default=8, help="how many clients, 4 to 64")
    parser.add_argument("--epochs", type=int, default=8, help="how many epochs the user pays for")
    parser.add_argument("--seed", type=int, default=1, help="of data, model and training")
    parser.add_argument("--target", type=float, default=0.955, help="the accuracy at which training stops")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds for training and settlement")
    options = parser.parse_args()
    if not 4 <= options.supernodes <= 64:
        parser.error(f"--supernodes is {options.supernodes}; a cohort has from 4 to 64 clients")
    return options


def _line(check: Check) -> str:
    return f"{'ok  ' if check.holds else 'FAIL'}  {check.what}: {check.found}"


if __name__ == "__main__":
    sys.exit(main())
