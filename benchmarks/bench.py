"""`make bench`: FedBlocks beside byzfl, byzpy and Flower, and beside what the machine can do at most.

    python benchmarks/bench.py                       # everything; writes docs/benchmarks and the tables of its page
    python benchmarks/bench.py --only gram --sizes 10x1000000
    python benchmarks/bench.py --huge                # n = 10, d = 10^8 alone, once, for its memory
    python benchmarks/bench.py --tables              # the tables of what is stored already

Every method runs alone in a process of its own, the methods take turns, and each size is gone through several times, so
that a machine that others use too is as slow for one as for the other. Compare ratios; times are this machine's.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import commitments
import gram
from turns import ROOT, Size, in_turns, machine, run, summed, there

PARTS: dict[str, ModuleType] = {"gram": gram, "commitments": commitments}
ROUNDS = 2
PAGE = ROOT / "docs" / "benchmarks.md"


def measure(name: str, path: Path, sizes: Sequence[Size] | None, rounds: int) -> None:
    """Measure a part and store what it took, whenever a size has been gone through."""
    part = PARTS[name]
    chosen = part.SIZES if sizes is None else sizes
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    methods = there(part.METHODS)
    result["machine"] = machine(methods)
    result["methods"] = {each: method.told for each, method in part.METHODS.items()}
    kept = [row for row in result.get("sizes", []) if (row["n"], row["d"]) not in chosen]
    repeats = getattr(part, "repeats", lambda _: part.REPEATS)
    for rows in in_turns(methods, chosen, rounds, repeats):
        if name == "gram":
            gram.rank(rows)
        result["sizes"] = sorted(kept + rows, key=lambda row: (row["n"], row["d"]))
        path.write_text(json.dumps(result, indent=1) + "\n")


def huge(path: Path) -> None:
    n, d = commitments.HUGE
    result = json.loads(path.read_text()) if path.exists() else {}
    result["huge"] = {"n": n, "d": d} | summed([run("huge", commitments.ALONE["huge"], n, d, 1)])
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["huge"]))


def rewritten(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with other tables between the marks of a part."""
    start, end = f"<!-- {name}: written by make bench -->", f"<!-- {name}: end -->"
    if start not in page or end not in page:
        raise SystemExit(f"bench: {PAGE} has no marks {start} and {end} between which its tables belong")
    inside = "\n".join(lines)
    return re.sub(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: f"{start}\n{inside}\n\n{end}", page, flags=re.DOTALL
    )


def machine_line(found: dict[str, Any]) -> str:
    peers = "; ".join(f"{peer}: {', '.join(versions)}" for peer, versions in found["peers"].items())
    return (
        f"{found['threads']} threads of an {found['cpu']} ({', '.join(found['instructions'])}), "
        f"Python {found['python']}, numpy {found['numpy']}, numba {found['numba']}. {peers}."
    )


def _parse_sizes(text: str) -> list[Size]:
    return [(int(n), int(d)) for n, _, d in (each.partition("x") for each in text.split(","))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks", help="folder for the results")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each size is gone through")
    parser.add_argument("--sizes", type=_parse_sizes, help="such as 10x10000000,64x1000000")
    parser.add_argument("--huge", action="store_true", help="n = 10, d = 10^8 alone, once, for its memory")
    parser.add_argument("--tables", action="store_true", help="write the tables of stored results only")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.huge:
        huge(chosen.out / "commitments.json")
        return 0
    for name in [chosen.only] if chosen.only else PARTS:
        path = chosen.out / f"{name}.json"
        if not chosen.tables:
            measure(name, path, chosen.sizes, chosen.rounds)
        result = json.loads(path.read_text())
        picture = f"\n![What every method takes](benchmarks/{name}.png)"
        lines = [machine_line(result["machine"]), *PARTS[name].tables(result), picture]
        PARTS[name].plot(result, chosen.out / f"{name}.png")
        if chosen.out == PAGE.with_suffix(""):
            PAGE.write_text(rewritten(PAGE.read_text(), name, lines))
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
