"""How many calls of each function were made, and why the contracts refused some: what `make fuzz` prints."""

from __future__ import annotations

from collections import Counter

MADE: Counter[str] = Counter()
REFUSED: Counter[tuple[str, str]] = Counter()
TALLY: Counter[str] = Counter()


def report() -> str:
    """What was done, function by function: how many calls, how many taken, and why the others were refused."""
    refused: Counter[str] = Counter()
    for (name, _), count in REFUSED.items():
        refused[name] += count
    moves = TALLY["moves"] - TALLY["runs"]
    lines = [
        f"{TALLY['runs']:,} runs, {moves:,} moves, {sum(MADE.values()):,} calls",
        f"{TALLY['checks']:,} full checks, {TALLY['events']:,} events replayed",
        f"{TALLY['calls back']:,} calls back from a payment, {TALLY['calls back that were taken']:,} of them taken",
        f"{'function':<58}{'calls':>9}{'taken':>9}{'refused':>9}",
    ]
    for name in sorted(MADE):
        lines.append(f"{name:<58}{MADE[name]:>9,}{MADE[name] - refused[name]:>9,}{refused[name]:>9,}")
        reasons = sorted(((count, why) for (what, why), count in REFUSED.items() if what == name), reverse=True)
        lines += [f"    {why.partition(': ')[2] or 'takes no ether':<63}{count:>22,}" for count, why in reasons]
    return "\n".join(lines)
