"""`make proof-costs`: compare with docs/proof-costs.json, or rewrite it and docs/proof-costs.md with `--update`.

Exits 1 when a proof costs over 2 % more than it did, when the table lacks one, or when one exceeds its limits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from textwrap import wrap

from tests.contracts.world import ROOT
from tests.proof_costs.measure import COHORTS, OVERTURNING, PARAMETERS, measure, size

JSON = ROOT / "docs" / "proof-costs.json"
PAGE = ROOT / "docs" / "proof-costs.md"
TOLERANCE = 0.02
TRANSACTION = 21_000
MOST_BYTES = 60_000
MOST_GAS = 2_000_000
CHEAP = 500_000

Costs = Mapping[str, int]
Table = Mapping[str, Mapping[str, Costs]]

HEAD = """\
# What fraud proofs cost

Written by `make proof-costs UPDATE=1`; `make proof-costs` measures again and fails when a proof costs over 2 % more
than here, or more than {most_bytes:,} bytes or {most_gas:,} gas. Every proof is one transaction that overturns an epoch
on the real ModelParameterChain; the fault is the one that is found last. n is the number of clients, d that of the
model's values.

*Execution* includes overturnEpoch, which takes the bond and credits the reward ({overturning:,} gas by itself, with
nothing posted after the epoch). *Calldata* is 16 gas for each byte that is not zero and 4 for each that is. *In all*
adds the {transaction:,} gas of every transaction. Refunds are left out.
"""

_LISTS = "lists where the design has paths (decisions/0006)"
_RULES = "27 thresholds, related and partial correlations, and medians found by counting"
# The case, n, thousands of gas of execution and calldata, KB; then why ours costs more or less.
PROTOTYPE = (
    ("F1 submission", 10, 7, 12, 1.1, f"A signature is recovered, a client looked up, and there are two {_LISTS}."),
    (
        "F2 product",
        10,
        222,
        318,
        20.7,
        "The values are nearly all of it on both sides; two headers are 1.1 KB of ours.",
    ),
    ("F2 product", 64, 243, 455, 29.4, "The lists of two leaves' rows and of submissions are 6 KB of ours."),
    ("F2 with the base model", 64, 1_390, 533, 34.1, "Many values are multiplied in one word, of the model too."),
    ("F2c column", 64, 37, 108, 7.2, "The column and one list of submissions are 4.1 KB, and no row is brought."),
    ("F4a figures", 10, 31, 22, 2.1, f"The rules are richer: {_RULES}; two headers and the rules are 2 KB."),
    ("F4a figures", 64, 172, 69, 5.5, "Likewise, for 63 others; two lists of 65 entries are 4.2 KB."),
    ("F4b verdict", 10, 68, 27, 3.2, f"Two headers and the rules are 2 KB, and there are two {_LISTS}."),
    ("F4b verdict", 64, 253, 106, 13.6, "What depends on the whole cohort is in its entry, which F4c answers for."),
    ("F5 delta", 64, 241, 779, 50.9, "Vyper keeps the accumulators in memory, and copies what it hashes."),
    ("F6 last update", 10, 7, 22, 2.1, f"Two headers are 1.1 KB, and there are two {_LISTS}."),
    ("F8 censorship", 10, 7, 22, 2.1, "A signature is recovered and a client looked up; no list is brought."),
)


def total(costs: Costs) -> int:
    """The gas of the whole transaction."""
    return TRANSACTION + costs["execution"] + costs["calldata"]


def floored(costs: Costs) -> int:
    """The same under EIP-7623: calldata at 40 and 10 a byte are the least that a transaction pays."""
    return max(total(costs), TRANSACTION + costs["calldata"] * 5 // 2)


def proofs(table: Table) -> Table:
    """The transactions that somebody sends."""
    return {name: costs for name, costs in table.items() if name != OVERTURNING}


def excesses(table: Table) -> list[str]:
    """What exceeds the limits."""
    return [
        f"{name}, {where}: {costs['bytes']:,} bytes of calldata and {total(costs):,} gas"
        for name, sizes in proofs(table).items()
        for where, costs in sizes.items()
        if costs["bytes"] > MOST_BYTES or total(costs) > MOST_GAS
    ]


def page(table: Table) -> str:
    """docs/proof-costs.md."""
    largest = [size(n, PARAMETERS[-1]) for n in COHORTS]
    every = [(name, where, costs) for name, sizes in proofs(table).items() for where, costs in sizes.items()]
    cheap = sum(total(costs) < CHEAP for _, _, costs in every)
    dearest = max(every, key=lambda each: total(each[2]))
    longest = max(every, key=lambda each: each[2]["bytes"])
    raised = sorted({name for name, _, costs in every if floored(costs) > total(costs)})
    most = max(floored(costs) for _, _, costs in every)
    head = HEAD.format(
        most_bytes=MOST_BYTES,
        most_gas=MOST_GAS,
        transaction=TRANSACTION,
        overturning=table[OVERTURNING][largest[-1]]["execution"],
    )
    said = [
        f"Of {len(every)} measured transactions, {cheap} cost less than {CHEAP:,} gas. The dearest is {dearest[0]}, "
        f"{dearest[1]}, with {total(dearest[2]):,} gas; the longest {longest[0]}, {longest[1]}, with "
        f"{longest[2]['bytes']:,} bytes.",
        "EIP-7623 makes a transaction pay at least 40 gas for each byte that is not zero and 10 for each that is; that "
        f"raises {', '.join(raised)}, and nothing above {most:,} gas.",
    ]
    lines = [
        head,
        *(line for paragraph in said for line in (*wrap(paragraph, 120), "")),
        f"## The largest model (d = {PARAMETERS[-1]:,})",
        "",
        "| case | " + " | ".join(f"n = {n}: execution | calldata | bytes" for n in COHORTS) + " |",
        "|---|" + "---:|" * (3 * len(COHORTS)),
    ]
    for name, sizes in table.items():
        cells = [f"{sizes[where][each]:,}" for where in largest for each in ("execution", "calldata", "bytes")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    places = [(n, d) for n in COHORTS for d in PARAMETERS]
    lines += [
        "",
        "## In all",
        "",
        "Depth grows with the logarithm of d: from ten thousand values to a billion, a path grows by 16 hashes.",
        "",
        "| case | " + " | ".join(size(n, d) for n, d in places) + " |",
        "|---|" + "---:|" * len(places),
    ]
    for name, sizes in proofs(table).items():
        lines.append(f"| {name} | {' | '.join(f'{total(sizes[size(n, d)]):,}' for n, d in places)} |")
    lines += [
        "",
        "## Beside the design's prototype",
        "",
        f"In thousands of gas, and in KB, at d = {PARAMETERS[-1]:,}. overturnEpoch is left out of ours here:",
        "the prototype's figures have no room for it.",
        "",
        "| case | n | execution: prototype | ours | calldata: prototype | ours | KB: prototype | ours | why |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, n, execution, calldata, kilobytes, why in PROTOTYPE:
        where = size(n, PARAMETERS[-1])
        ours = table[name][where]
        alone = (ours["execution"] - table[OVERTURNING][where]["execution"]) / 1000
        lines.append(
            f"| {name} | {n} | {execution:,} | {alone:,.0f} | {calldata:,} | {ours['calldata'] / 1000:,.0f} "
            f"| {kilobytes} | {ours['bytes'] / 1000:.1f} | {why} |"
        )
    return "\n".join(lines) + "\n"


def regressions(before: Table, after: Table) -> list[str]:
    """What costs more than it may, or is in only one of the two tables."""
    found = [f"{name} is measured, but not in the table" for name in after if name not in before]
    found += [f"{name} is in the table, but not measured" for name in before if name not in after]
    for name in after:
        for where, costs in after[name].items():
            was = before.get(name, {}).get(where, costs)
            for what in ("execution", "bytes"):
                if costs[what] > was[what] * (1 + TOLERANCE):
                    found.append(f"{name}, {where}: {what} {costs[what]:,}, was {was[what]:,}")
    return found


def main() -> int:
    """Measure, then compare or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the table instead of comparing with it")
    update = parser.parse_args().update
    table = measure()
    wrong = excesses(table)
    if not update:
        wrong += regressions(json.loads(JSON.read_text(encoding="utf-8")), table)
    for line in wrong:
        print(line)
    if wrong:
        return 1
    if update:
        JSON.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(table), encoding="utf-8")
        print(f"wrote {JSON.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")
    else:
        print(f"no proof costs over 2 % more than before, none exceeds {MOST_BYTES:,} bytes or {MOST_GAS:,} gas")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
