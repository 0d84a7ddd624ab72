"""Plots in a terminal: curves over epochs, and an epoch's scores beside their threshold.

Every mark has a shape of its own, so that nothing hangs on colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from textual_plotext import PlotextPlot

from fedblocks.monitor.views import Measure, SeatScores, Side

ORDINARY, SLASHED, EXCLUDED = "●", "✗", "▲"

WIDE = 30.0
"""From this ratio on between the largest value and the threshold, a straight scale would press all others together."""


@dataclass(frozen=True)
class Scale:
    """Where values lie on the plot's vertical axis.

    Attributes:
        floor: on a logarithmic scale the smallest value that has a place of its own; what is smaller, zero included, is
            drawn there. None on a straight scale.
    """

    floor: float | None

    @classmethod
    def of(cls, values: Sequence[float], threshold: float) -> Scale:
        """A straight scale, or a logarithmic one where values differ too much for it."""
        if min(*values, threshold) < 0 or threshold <= 0 or max(values) < WIDE * threshold:
            return cls(None)
        return cls(threshold / 10)

    def place(self, value: float) -> float:
        """The height of a value."""
        return value if self.floor is None else log10(max(value, self.floor))

    def ticks(self, values: Sequence[float]) -> tuple[list[float], list[str]] | None:
        """Heights and labels of the powers of ten between the values; None leaves them to the plot."""
        if self.floor is None:
            return None
        powers = range(floor(log10(self.floor)) + 1, floor(log10(max(values))) + 1)
        lowest = ([log10(self.floor)], [f"≤{self.floor:g}"])
        return lowest[0] + [float(each) for each in powers], lowest[1] + [f"{10.0**each:g}" for each in powers]


class CurvePlot(PlotextPlot):
    """A quantity over epochs."""

    def __init__(self, title: str, unit: str, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._unit = unit

    def show(self, epochs: Sequence[float], values: Sequence[float], last: int) -> None:
        """Draw the curve.

        Args:
            epochs: x.
            values: y, as many.
            last: the last epoch that was paid for, where the axis ends.
        """
        plt = self.plt
        plt.clear_figure()
        if values:
            plt.plot(epochs, values, marker="braille")
            plt.scatter(epochs, values, marker=ORDINARY)
            self.border_subtitle = f"now {values[-1]:g} {self._unit}"
        else:
            self.border_subtitle = "no epoch yet"
        plt.xlim(0, max(last, 1))
        plt.xlabel("epoch")
        self.refresh()


class ScorePlot(PlotextPlot):
    """One measure of all seats of an epoch, with the threshold that it is held against."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = "scores"

    def show(self, seats: Sequence[SeatScores], rule: str) -> None:
        """Draw what one rule measured; a seat that the rule does not concern has no mark."""
        plt = self.plt
        plt.clear_figure()
        measured = [(each, measure) for each in seats if (measure := each.measure(rule)) is not None]
        if not measured:
            self.border_subtitle = "nothing was measured"
            self.refresh()
            return
        first = measured[0][1]
        ends = [
            min(float(each.seat) for each, _ in measured) - 0.5,
            max(float(each.seat) for each, _ in measured) + 0.5,
        ]
        # The threshold first, and room above and below: a mark on the line or at the edge must be seen.
        values = [first.threshold, *(measure.value for _, measure in measured)]
        scale = Scale.of(values, first.threshold)
        heights = [scale.place(value) for value in values]
        margin = (max(heights) - min(heights) or 1.0) * 0.12
        plt.ylim(min(heights) - margin, max(heights) + margin)
        if (ticks := scale.ticks(values)) is not None:
            plt.yticks(*ticks)
        plt.plot(ends, [scale.place(first.threshold)] * 2, marker="─")
        for marker, wanted in ((ORDINARY, 0), (EXCLUDED, 1), (SLASHED, 2)):
            group = [(each, measure) for each, measure in measured if _kind(each) == wanted]
            if group:
                plt.scatter(
                    [float(each.seat) for each, _ in group], [scale.place(m.value) for _, m in group], marker=marker
                )
        plt.xticks([float(each.seat) for each, _ in measured], [str(each.seat) for each, _ in measured])
        plt.xlim(*ends)
        plt.xlabel("seat")
        self.border_title = f"{first.rule}: {first.title}"
        scaled = ", logarithmic" if scale.floor is not None else ""
        self.border_subtitle = f"{ORDINARY} accepted {EXCLUDED} left out {SLASHED} slashed ─ {limit(first)}{scaled}"
        self.refresh()


def limit(measure: Measure) -> str:
    """What the threshold means, in a few words."""
    side = "≥" if measure.bad is Side.ABOVE else "<"
    return f"bad {side} {figure(measure.threshold, measure.unit)}"


def figure(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{value:.6g}{' ' * (len(unit) > 1)}{unit}"


def _kind(seat: SeatScores) -> int:
    return 2 if seat.slashed else 1 if seat.excluded else 0
