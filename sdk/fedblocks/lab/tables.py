"""The laboratory's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fedblocks.lab.lines import Line
from fedblocks.lab.sums import Gap, accuracy, attackers_of, gap_of, grouped, honest_of, margins_of

OVER = "!"
"""Stands behind a number that exceeds its limit."""
NOTHING = "-"


@dataclass(frozen=True)
class Table:
    """A table, ready to be printed.

    Attributes:
        title: what it is about.
        headings: of the columns; the first one holds words, the others what `words` does not name hold numbers.
        rows: their cells.
        words: the headings of columns that hold words.
        note: what the reader must know.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: tuple[str, ...] = ()
    note: str = ""

    def markdown(self) -> str:
        """As Markdown, with its title as a heading."""
        lines = [f"## {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [_row(self.headings), _row("---" for _ in self.headings), *(_row(row) for row in self.rows), ""]
        return "\n".join(lines)


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def page(lines: Sequence[Line]) -> str:
    """A Markdown document of every table that these lines give; docs/detection/ has such ones."""
    campaigns = ", ".join(sorted({line["campaign"] for line in lines}))
    head = (
        f"# Every table of {campaigns}\n\n"
        "As `fedblocks lab tables --markdown` prints them; [detection](../detection.md) says what they mean.\n"
        "A difference is in points of accuracy, the mean of the runs with its standard error.\n"
    )
    return "\n".join((head, *(table.markdown() for table in tables(lines))))


def tables(lines: Sequence[Line]) -> Iterator[Table]:
    """Every table that these lines give."""
    if not lines:
        return
    yield safety(lines)
    clean = [line for line in lines if not line["attackers"]]
    if clean:
        yield honest(clean)
        yield exceptions(clean, "nobody attacks")
    attacked = [line for line in lines if line["attackers"]]
    of_places = []
    for place, chosen in grouped(attacked, "data", "model", "training").items():
        where = ", ".join(map(str, place))
        peaceful = [line for line in clean if _place(line) == place]
        of_places.append((gaps(chosen + peaceful, where), attacks(chosen, where)))
    yield from (each for each, _ in of_places)
    if attacked:
        yield exceptions(attacked, "somebody attacks")
    yield from (each for _, each in of_places)
    yield margins(lines)


def _place(line: Line) -> tuple[object, ...]:
    return line["setting"]["data"], line["setting"]["model"], line["setting"]["training"]


def safety(lines: Sequence[Line]) -> Table:
    """How often honest clients lose their stake, in each campaign and in all."""
    groups = {"all": list(lines)}
    for line in lines:
        groups.setdefault(line["campaign"], []).append(line)
    rows = [_safety_row(name, chosen) for name, chosen in groups.items()]
    headings = ("campaign", "runs", "honest client-runs", "slashed", "95 % bound", "due, cap aside", "excluded")
    return Table(f"honest clients; {_seeds(lines)}", headings, rows)


def _safety_row(name: str, lines: Sequence[Line]) -> tuple[str, ...]:
    sums = honest_of(lines)
    due = f"{sums.due} ({_counts(sums.reasons)})" if sums.due else "0"
    return (
        name,
        str(sums.runs),
        f"{sums.clients:,}",
        str(sums.slashed),
        _percent(sums.bound, 3),
        due,
        _share(sums.excluded, sums.epochs),
    )


def honest(lines: Sequence[Line]) -> Table:
    """Cohorts without attackers, by what they are made of."""
    rows: list[tuple[str, ...]] = []
    for names in (("data", "model"), ("partition",), ("training",), ("clients",)):
        for values, chosen in grouped(lines, *names).items():
            name = f"n = {values[0]}" if names == ("clients",) else ", ".join(map(str, values))
            found = gap_of(chosen)
            rows.append(
                (
                    *_safety_row(name, chosen),
                    _mean(chosen, "fedavg"),
                    _mean(chosen, "rules"),
                    _points(found),
                    NOTHING if found is None else f"{found.worst:+.1f}",
                )
            )
    headings = (
        "cohorts",
        "runs",
        "client-runs",
        "slashed",
        "95 % bound",
        "due, cap aside",
        "excluded",
        "FedAvg",
        "rules",
        "rules - FedAvg",
        "worst run",
    )
    note = f"Points, {OVER} beyond {1} point. Nobody leaves such a cohort, so that no finding hides another."
    return Table(f"no attackers; {_seeds(lines)}", headings, rows, note=note)


def gaps(lines: Sequence[Line], where: str) -> Table:
    """Accuracy minus that of the honest clients alone, by attack, skew and number of attackers."""
    attacked = [line for line in lines if line["attackers"]]
    columns = list(grouped(attacked, "partition", "clients", "attackers"))
    rows = []
    peaceful = grouped([line for line in lines if not line["attackers"]], "partition", "clients")
    if peaceful:
        found = [gap_of(peaceful.get((partition, clients), [])) for partition, clients, _ in columns]
        rows.append(("none, against FedAvg", *(_points(each) for each in found)))
    for (attack,), chosen in grouped(attacked, "attack").items():
        cells = grouped(chosen, "partition", "clients", "attackers")
        rows.append((str(attack), *(_points(gap_of(cells.get(column, []))) for column in columns)))
    headings = ("attack", *(f"{partition}, {attackers} of {clients}" for partition, clients, attackers in columns))
    note = (
        "Points, mean of the runs. "
        f"{OVER} is more than 1 point lost with at most a fifth attacking, or 2 with at most three tenths."
    )
    return Table(f"accuracy minus honest clients only; {where}; {_seeds(lines)}", headings, rows, note=note)


def attacks(lines: Sequence[Line], where: str) -> Table:
    """What becomes of attackers and of their cohorts."""
    rows = []
    for (partition, clients, attackers, attack), chosen in grouped(
        lines, "partition", "clients", "attackers", "attack"
    ).items():
        caught, kept = attackers_of(chosen), honest_of(chosen)
        when = NOTHING if caught.first is None else f"{caught.first}-{caught.last}"
        rows.append(
            (
                str(attack),
                f"{partition}, {attackers} of {clients}",
                f"{caught.slashed}/{caught.clients}",
                ", ".join(caught.reasons) or NOTHING,
                when,
                _share(caught.excluded, caught.epochs),
                f"{kept.slashed}/{kept.clients}",
                _share(kept.excluded, kept.epochs),
                _mean(chosen, "undefended"),
                _mean(chosen, "rules"),
                _mean(chosen, "honest_only"),
                _points(gap_of(chosen)),
            )
        )
    headings = (
        "attack",
        "cohort",
        "slashed",
        "for",
        "in epoch",
        "excluded while there",
        "honest slashed",
        "honest excluded",
        "FedAvg attacked",
        "rules",
        "honest only",
        "difference",
    )
    return Table(f"attackers; {where}; {_seeds(lines)}", headings, rows, words=("cohort", "for"))


def exceptions(lines: Sequence[Line], which: str) -> Table:
    """Every kind of cohort that loses more accuracy than its limit, the largest loss beyond it first.

    Args:
        lines: the runs.
        which: what is common to them, in words.
    """
    found, kinds = _beyond(lines)
    rows = [
        (
            str(attack),
            f"{partition}, {attackers} of {clients}",
            f"{data}, {model}, {training}",
            str(gap.runs),
            _points(gap).removesuffix(f" {OVER}"),
            f"{gap.worst:+.1f}",
            NOTHING if gap.limit is None else f"{-gap.limit:+.0f}",
        )
        for (data, model, training, partition, clients, attackers, attack), gap in found
    ]
    note = f"{len(rows)} of {kinds} kinds of cohort (data, model, training, skew, size, attackers, attack); points."
    headings = ("attack", "cohort", "training", "runs", "difference", "worst run", "limit")
    return Table(
        f"beyond the limits, {which}; {_seeds(lines)}", headings, rows, words=("cohort", "training"), note=note
    )


def _beyond(lines: Sequence[Line]) -> tuple[list[tuple[tuple[object, ...], Gap]], int]:
    """The kinds of cohort that lose too much, and how many kinds there are."""
    groups = grouped(lines, "data", "model", "training", "partition", "clients", "attackers", "attack")
    found = [(key, gap) for key, chosen in groups.items() if (gap := gap_of(chosen)) and gap.too_large]
    return sorted(found, key=lambda each: each[1].mean + (each[1].limit or 0.0)), len(groups)


def margins(lines: Sequence[Line]) -> Table:
    """How near honest clients came to a hard rule."""
    clean = margins_of(line for line in lines if not line["attackers"])
    attacked = margins_of(line for line in lines if line["attackers"])
    rows = [
        (name, _ratio(clean.get(name)), _ratio(attacked.get(name))) for name in sorted(clean.keys() | attacked.keys())
    ]
    return Table(
        "honest clients' largest ratio to a hard rule's threshold",
        ("rule", "without attackers", "with attackers"),
        rows,
        note="Above 1 the rule would have slashed (*hardly anything*: left out). *In one epoch* is one epoch of a rule "
        "that needs several.",
    )


def _points(found: Gap | None) -> str:
    if found is None:
        return NOTHING
    error = "" if found.error is None else f" ±{found.error:.1f}"
    return f"{found.mean:+.1f}{error}{f' {OVER}' if found.too_large else ''}"


def _mean(lines: Sequence[Line], name: str) -> str:
    values = [value for line in lines if (value := accuracy(line, name)) is not None]
    return f"{sum(values) / len(values):.3f}" if values else NOTHING


def _percent(rate: float | None, digits: int = 1) -> str:
    return NOTHING if rate is None else f"{100 * rate:.{digits}f} %"


def _share(part: int, whole: int) -> str:
    return _percent(part / whole if whole else None)


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g}"


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))


def _seeds(lines: Sequence[Line]) -> str:
    seeds = sorted({line["seed"] for line in lines})
    return f"seeds {seeds[0]} to {seeds[-1]}" if seeds else "no seeds"


def within_limits(lines: Sequence[Line]) -> bool:
    """Whether no honest client was slashed and every mean accuracy is as near as it has to be."""
    return not any(line["honest"]["slashed"] for line in lines) and not _beyond(lines)[0]
