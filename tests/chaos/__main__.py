"""Play a network many times, with a random fault each.

    python -m tests.chaos --runs 200 --seed 0
    python -m tests.chaos --only 117          # one run again, by its seed; its logs are kept

Exits with 1 if a run ends otherwise than the same job in one process, undisturbed.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from pathlib import Path

from fedblocks.storage.postgres import PostgresMissing, PostgresServer
from tests.chaos.arena import Arena
from tests.chaos.harm import KINDS
from tests.chaos.processes import Zygote
from tests.chaos.runs import Outcome, play

WRONG = ("differing", "lost", "doubled", "stuck", "unkept", "unwatched")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; the others follow")
    parser.add_argument("--only", type=int, nargs="*", help="play the runs with these seeds")
    parser.add_argument("--kind", help="only kinds whose name contains this")
    parser.add_argument("--lanes", type=int, default=2, help="how many runs at a time")
    parser.add_argument("--minutes", type=float, help="begin no run after that time")
    parser.add_argument("--report", type=Path, help="write all outcomes as JSON")
    parser.add_argument("--folder", type=Path, help="for the logs of runs that go wrong")
    given = parser.parse_args()
    seeds = given.only or list(range(given.seed, given.seed + given.runs))
    if given.kind:
        seeds = [seed for seed in seeds if given.kind in KINDS[seed % len(KINDS)].name]
    folder = given.folder or Path(tempfile.mkdtemp(prefix="fedblocks-chaos-"))
    end = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    outcomes = play_all(seeds, folder, given.lanes, end)
    show(outcomes)
    if given.report:
        given.report.write_text(json.dumps([each.as_dict() for each in outcomes], indent=1))
    bad = [each for each in outcomes if not each.is_good]
    if bad:
        print(f"logs: {folder}", file=sys.stderr)
    return 1 if bad or not outcomes else 0


def play_all(seeds: list[int], folder: Path, lanes: int, end: float | None = None) -> list[Outcome]:
    """Play runs on several chains at a time; their outcomes, by seed."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)
    outcomes: list[Outcome] = []
    with Zygote() as zygote:
        threads = [
            threading.Thread(target=_lane, args=(number, waiting, folder, zygote, outcomes, len(seeds), end))
            for number in range(max(1, min(lanes, len(seeds))))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(outcomes, key=lambda each: each.seed)


def _lane(
    number: int,
    waiting: queue.SimpleQueue[int],
    folder: Path,
    zygote: Zygote,
    outcomes: list[Outcome],
    count: int,
    end: float | None,
) -> None:
    try:
        postgres: PostgresServer | None = PostgresServer().start()
    except PostgresMissing:
        postgres = None
    try:
        with Arena(folder / f"lane-{number}", zygote, lane=number) as arena:
            while end is None or time.monotonic() < end:
                try:
                    seed = waiting.get_nowait()
                except queue.Empty:
                    return
                outcome = play(arena, seed, folder / f"run-{seed}", postgres)
                outcomes.append(outcome)
                verdict = "ok" if outcome.is_good else "FAIL " + " ".join(outcome.wrong)
                again = f", {outcome.restarts} restarts" if outcome.restarts else ""
                print(
                    f"{len(outcomes):>4}/{count}  seed {seed:<5} {outcome.seconds:5.1f} s  {verdict:<6} "
                    f"{outcome.kind} [{outcome.store}{again}]: {'; '.join(outcome.done) or 'came too late'}",
                    flush=True,
                )
    except Exception:
        traceback.print_exc()
    finally:
        if postgres is not None:
            postgres.close()


def show(outcomes: list[Outcome]) -> None:
    """A table by kind of fault."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        by_kind[each.kind.split(" + ")[0]].append(each)
    print(f"\n{'fault':<24}{'runs':>6}" + "".join(f"{name:>11}" for name in WRONG) + f"{'seconds':>10}")
    for kind, found in sorted(by_kind.items()):
        _row(kind, found)
    _row("all", outcomes)


def _row(name: str, found: list[Outcome]) -> None:
    wrong = "".join(f"{sum(key in each.wrong for each in found):>11}" for key in WRONG)
    print(f"{name:<24}{len(found):>6}{wrong}{sum(each.seconds for each in found) / max(1, len(found)):>10.1f}")


if __name__ == "__main__":
    sys.exit(main())
