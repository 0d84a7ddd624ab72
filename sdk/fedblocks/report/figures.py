"""The report's pictures: accuracy, the clients' scores against their thresholds, and the flows of money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fedblocks.monitor.views import EpochScores, EpochState, EpochView, Measure, SeatScores, Side
from fedblocks.report.ledger import Ledger
from fedblocks.report.svg import Frame, Scale, element, figure, line, mark, number, text
from fedblocks.units import PARTS_PER_MILLION, format_ether

PLOTTED = (
    "response-now",
    "noise-now",
    "krum",
    "normalised-krum",
    "little",
    "nearly-duplicate",
    "global-now",
)
"""The measures that are drawn, by their short names; cosines of exact copies say more as numbers than as pictures."""


@dataclass(frozen=True)
class Picture:
    """A figure with what is written under it."""

    svg: str
    caption: str


def accuracy_figure(epochs: Sequence[EpochView], target_ppm: int | None) -> Picture | None:
    """Accuracy by epoch, of the postings that stand; overturned ones as crosses."""
    if not epochs:
        return None
    numbers = sorted({each.epoch for each in epochs})
    standing = [each for each in epochs if each.state is not EpochState.OVERTURNED]
    values = [_percent(each.accuracy_ppm) for each in epochs] + ([_percent(target_ppm)] if target_ppm else [])
    frame = _frame(900, 320, numbers, min(values), max(values))
    parts = frame.axes(numbers, " %")
    if target_ppm:
        parts += _threshold(frame, _percent(target_ppm), f"target {_percent(target_ppm):.4g} %", below=False, left=True)
    path = "L".join(
        f"{number(frame.x(each.epoch))} {number(frame.y(_percent(each.accuracy_ppm)))}" for each in standing
    )
    if standing:
        parts.append(element("path", d=f"M{path}", class_="curve"))
    for each in epochs:
        overturned = each.state is EpochState.OVERTURNED
        said = f"epoch {each.epoch}, attempt {each.attempt}: {_percent(each.accuracy_ppm):.2f} % ({each.state})"
        kind = "slashed" if overturned else "accepted"
        parts.append(mark(kind, frame.x(each.epoch), frame.y(_percent(each.accuracy_ppm)), said))
    last = f"; the last is {_percent(standing[-1].accuracy_ppm):.2f} %" if standing else ""
    description = f"Accuracy reported with {len(standing)} standing epochs{last}."
    title = "Accuracy by epoch"
    return Picture(
        figure(frame.width, frame.height, title, description, parts),
        "Accuracy as the headers report it: the aggregator measures it, nobody is paid by it. "
        "○ a posting that stands, ✕ one that was overturned.",
    )


def score_figures(scores: Sequence[EpochScores], names: dict[int, str]) -> list[Picture]:
    """One figure for each plotted measure: every client in every epoch, against the threshold."""
    return [each for rule in PLOTTED if (each := _score_figure(scores, rule, names)) is not None]


def fate(own: SeatScores) -> str:
    """What became of a client in an epoch, as a mark's name."""
    return "slashed" if own.slashed else "excluded" if own.excluded else "accepted"


def _score_figure(scores: Sequence[EpochScores], rule: str, names: dict[int, str]) -> Picture | None:
    points = [
        (each.epoch, own, measure)
        for each in scores
        for own in each.seats
        if (measure := own.measure(rule)) is not None and measure.tested
    ]
    if not points:
        return None
    example: Measure = points[0][2]
    unit = abs(example.threshold) or 1.0
    bound = 1_000 * unit
    values = [max(-bound, min(bound, measure.value)) for _, _, measure in points]
    low, high = min([*values, example.threshold]), max([*values, example.threshold])
    wide = max(abs(low), abs(high)) > 10 * unit
    numbers = sorted({each.epoch for each in scores})
    frame = _frame(560, 310, numbers, low, high, unit if wide else None)
    shown = f" {example.unit}" if example.unit == "%" else ""
    parts = frame.axes(numbers, shown)
    word = "above" if example.bad is Side.ABOVE else "below"
    label = f"speaks against a client {word} {example.threshold:g}{shown}"
    parts += _threshold(frame, example.threshold, label, below=example.bad is Side.BELOW)
    # Marks that matter are drawn last, so that nothing hides them.
    order = {"accepted": 0, "excluded": 1, "slashed": 2}
    placed = sorted(
        zip(points, values, strict=True), key=lambda each: (order[fate(each[0][1])], each[0][0], each[0][1].seat)
    )
    at_epoch = {number: [own.seat for own in each.seats] for number, each in zip(numbers, scores, strict=False)}
    for (epoch, own, measure), value in placed:
        seats = at_epoch.get(epoch, [own.seat])
        shift = (seats.index(own.seat) / max(1, len(seats) - 1) - 0.5) * min(30.0, _gap(frame, numbers) * 0.6)
        said = f"epoch {epoch}, {names.get(own.seat, f'seat {own.seat}')}: {measure.value:.6g}{shown}, {fate(own)}"
        parts.append(mark(fate(own), frame.x(epoch) + shift, frame.y(value), said))
    marked = sum(measure.triggered for _, _, measure in points)
    description = (
        f"{example.title}, for {len(points)} updates; the threshold is {example.threshold:g}{shown} and {marked} are "
        f"held against their clients."
    )
    return Picture(
        figure(frame.width, frame.height, f"{rule}: {example.title}", description, parts),
        f"{rule}: {example.title}"
        + ("; the axis is logarithmic away from zero" if wide else "")
        + ("; what lies beyond is drawn at the edge" if any(abs(each.value) > bound for _, _, each in points) else ""),
    )


def money_figure(ledger: Ledger) -> Picture:
    """Flows as bands, as wide as the amounts; thin ones are drawn at least two pixels wide."""
    order = _columns(ledger)
    count = max(order.values()) + 1
    columns = [[name for name, column in order.items() if column == index] for index in range(count)]
    into = {name: sum(flow.amount for flow in ledger.flows if flow.target == name) for name in order}
    out = {name: sum(flow.amount for flow in ledger.flows if flow.source == name) for name in order}
    size = {name: max(into[name], out[name]) for name in order}
    whole = max(sum(size[name] for name in column) for column in columns if column)
    height, gap = 0, 38

    def thick(amount: int) -> float:
        return max(2.0, 90 * amount / whole)

    def block(name: str) -> float:
        """How high a node is: what enters or leaves it, thin bands at their least width."""
        sides = ([flow for flow in ledger.flows if flow.target == name], [f for f in ledger.flows if f.source == name])
        return max(sum(thick(flow.amount) for flow in side) for side in sides)

    xs, top = [150.0 + 580.0 * index / (count - 1) for index in range(count)], {}
    for column in columns:
        y = 40.0
        for name in column:
            top[name] = y
            y += block(name) + gap
        height = max(height, int(y))
    parts = []
    left, entered = dict(top), dict(top)
    for flow in ledger.flows:
        wide = thick(flow.amount)
        x1, x2 = xs[order[flow.source]] + 8, xs[order[flow.target]]
        y1, y2 = left[flow.source] + wide / 2, entered[flow.target] + wide / 2
        left[flow.source] += wide
        entered[flow.target] += wide
        bend = number((x1 + x2) / 2)
        d = f"M{number(x1)} {number(y1)}C{bend} {number(y1)} {bend} {number(y2)} {number(x2)} {number(y2)}"
        hint = element("title", escape(f"{flow.source} → {flow.target}: {format_ether(flow.amount)} ETH"))
        parts.append(element("path", hint, d=d, stroke_width=wide, class_="flow"))
    for name, index in order.items():
        parts.append(element("rect", x=xs[index], y=top[name], width=8.0, height=block(name), class_="node"))
        first, last = index == 0, index == count - 1
        anchor = "end" if first else "start" if last else "middle"
        x = xs[index] + (-8 if first else 16 if last else 4)
        y = top[name] + block(name) / 2 - 2 if first or last else top[name] - 20
        parts.append(text(x, y, name, text_anchor=anchor, class_="label"))
        parts.append(text(x, y + 14, f"{format_ether(size[name])} ETH", text_anchor=anchor, class_="tick"))
    sentence = "; ".join(f"{flow.source} to {flow.target} {format_ether(flow.amount)} ETH" for flow in ledger.flows)
    return Picture(figure(920, height, ledger.title, f"{sentence}.", parts), ledger.title)


def _columns(ledger: Ledger) -> dict[str, int]:
    """In which column each place stands: behind whatever pays into it, the last ones at the end."""
    names = list(dict.fromkeys(name for flow in ledger.flows for name in (flow.source, flow.target)))
    columns = dict.fromkeys(names, 0)
    for _ in names:
        for flow in ledger.flows:
            columns[flow.target] = max(columns[flow.target], columns[flow.source] + 1)
    last, paying = max(columns.values()), {flow.source for flow in ledger.flows}
    return {name: column if name in paying else last for name, column in columns.items()}


def _percent(ppm: int) -> float:
    return 100 * ppm / PARTS_PER_MILLION


def _gap(frame: Frame, numbers: Sequence[int]) -> float:
    return abs(frame.x(numbers[1]) - frame.x(numbers[0])) if len(numbers) > 1 else 28.0


def _frame(
    width: int, height: int, numbers: Sequence[int], low: float, high: float, unit: float | None = None
) -> Frame:
    x = Scale(numbers[0] - 0.4, numbers[-1] + 0.4, 78, width - 18)
    return Frame(width, height, x, Scale(low, high, height - 82, 36, unit))


def _threshold(frame: Frame, value: float, label: str, *, below: bool, left: bool = False) -> list[str]:
    at, x, anchor = frame.y(value), frame.x.stop + 6, "end"
    if left:
        x, anchor = frame.x.start, "start"
    below = below and at < frame.y.start + 12  # else it would lie on the axis
    return [
        line(frame.x.start - 6, at, frame.x.stop + 6, at, class_="threshold"),
        text(x, at + (14 if below else -5), label, text_anchor=anchor, class_="note"),
    ]
