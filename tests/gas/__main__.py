"""`make gas`: compare with docs/gas.json, or rewrite it and docs/gas.md with `--update`. Exits 1 when a call costs more
than 2 % more than it did, or when the table lacks a function."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from tests.contracts.world import ROOT
from tests.gas.measure import SIZES, measure

JSON = ROOT / "docs" / "gas.json"
PAGE = ROOT / "docs" / "gas.md"
TOLERANCE = 0.02

Table = Mapping[str, Mapping[str, Mapping[str, int]]]

HEAD = """\
# Gas

Written by `make gas UPDATE=1`; `make gas` measures again and fails when a call costs over 2 % more than here. Gas of
execution in a transaction of its own: without the 21,000 of every transaction, without its data, before refunds. n is
the number of clients in the cohort.

`submitEpoch`, `closeCommits` and `finalizeEpoch` cost the same for any cohort and any model: what grows with n or d
stays off chain, and is committed to by roots.

Version 1 is a stand-in in Vyper, written from the table of its behaviour (tests/fork/standins), not the deployed code:
it shows what the same design costs with the same compiler. It is cheaper where it does not check: it opened instances
for any list of addresses, and slashed without evidence. It pushed ether to every client; here each client claims its
own, and the settlement writes down what each is owed.
"""


def rows(functions: Mapping[str, Mapping[str, int]], sizes: list[str]) -> list[str]:
    """A table, one function a row."""
    lines = [f"| function | {' | '.join(f'n = {size}' for size in sizes)} |", "|---|" + "---:|" * len(sizes)]
    for function, used in functions.items():
        lines.append(f"| {function} | {' | '.join(f'{used[size]:,}' for size in sizes)} |")
    return lines


def page(table: Table) -> str:
    """docs/gas.md."""
    sizes = [str(size) for size in SIZES]
    new, old = table["version 2"], table["version 1"]
    lines = [HEAD, "## Every function", "", *rows(new, sizes), "", "## Beside version 1", ""]
    lines += [f"| function | {' | '.join(f'v1, n = {s} | v2, n = {s}' for s in (sizes[0], sizes[-1]))} |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for function, used in old.items():
        pairs = [f"{used[size]:,} | {new[function][size]:,}" for size in (sizes[0], sizes[-1])]
        lines.append(f"| {function} | {' | '.join(pairs)} |")
    return "\n".join(lines) + "\n"


def regressions(before: Table, after: Table) -> list[str]:
    """What costs more than it may, or is in only one of the two tables."""
    found = []
    for version in sorted({*before, *after}):
        old, new = before.get(version, {}), after.get(version, {})
        found += [f"{version}: {name} is measured, but not in the table" for name in new if name not in old]
        found += [f"{version}: {name} is in the table, but not measured" for name in old if name not in new]
        for name in new:
            for size, used in new[name].items():
                was = old.get(name, {}).get(size, used)
                if used > was * (1 + TOLERANCE):
                    found.append(f"{version}: {name}, n = {size}: {used:,} gas, was {was:,} ({used / was - 1:+.1%})")
    return found


def main() -> int:
    """Measure, then compare or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the table instead of comparing with it")
    table = measure()
    if parser.parse_args().update:
        JSON.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(table), encoding="utf-8")
        print(f"wrote {JSON.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")
        return 0
    print(page(table))
    worse = regressions(json.loads(JSON.read_text(encoding="utf-8")), table)
    for line in worse:
        print(line)
    print("gas has grown: `make gas UPDATE=1` if that is meant" if worse else "no call costs over 2 % more than before")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
