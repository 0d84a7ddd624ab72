"""What a campaign came to: how many of each lie, by what they fell, and how many honest epochs stood."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from fedblocks.rollup.fraud.cases import FraudCase
from tests.adversary.trial import Outcome

REFUSED, TWO = "refused", "two of these at once"


class Tally:
    """Counts of one campaign."""

    def __init__(self) -> None:
        self.lies: Counter[tuple[str, str]] = Counter()
        self.by_demand: Counter[str] = Counter()
        self.manners: Counter[str] = Counter()
        self.honest: Counter[str] = Counter()
        self.slanders: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, manner: str, outcome: Outcome) -> None:
        name = TWO if " + " in name else name
        how = REFUSED if outcome.refused is not None else FraudCase(outcome.case or 0).name
        self.lies[name, how] += 1
        self.manners[manner] += 1
        if outcome.demands:
            self.by_demand[name] += 1

    def report(self) -> str:
        """The whole of it, for people."""
        deleted = sum(count for (_, how), count in self.lies.items() if how != REFUSED)
        told = self.lies.total()
        lines = [
            f"{told:,} lies of {len({name for name, _ in self.lies})} kinds: "
            f"{told - deleted:,} refused, {deleted:,} deleted, {self.by_demand.total():,} after demands",
            f"{self.honest['epochs']:,} honest epochs: {self.honest['demands']:,} demands answered, "
            f"{self.slanders.total():,} false challenges refused",
            f"{'lie':<72}{'told':>6}{'refused':>9}{'deleted':>9}{'demands':>9}  cases",
        ]
        for name in sorted({name for name, _ in self.lies}):
            hows = {how: count for (own, how), count in self.lies.items() if own == name}
            refused, gone = hows.pop(REFUSED, 0), sum(hows.values())
            cases = ", ".join(f"{how} {count}" for how, count in sorted(hows.items()))
            lines.append(f"{name:<72}{gone + refused:>6}{refused:>9}{gone:>9}{self.by_demand[name]:>9}  {cases}")
        lines += [f"{f'{function}, {kind}':<72}{count:>6}" for (function, kind), count in sorted(self.slanders.items())]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """The same for machines."""
        lies: dict[str, dict[str, int]] = {}
        for (name, how), count in sorted(self.lies.items()):
            lies.setdefault(name, {})[how] = count
        document = {
            "lies": lies,
            "byDemand": dict(sorted(self.by_demand.items())),
            "manners": dict(self.manners),
            "honest": dict(self.honest),
            "slanders": {f"{function}, {kind}": count for (function, kind), count in sorted(self.slanders.items())},
        }
        path.write_text(json.dumps(document, indent=1) + "\n")


TALLY = Tally()
