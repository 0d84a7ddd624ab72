"""Plots in a terminal: curves over epochs, and an epoch's scores beside their threshold.

Every mark has a shape of its own, so that nothing hangs on colours.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual_plotext import PlotextPlot

from fedblocks.monitor.views import Measure, SeatScores, Side

ORDINARY, SLASHED, EXCLUDED = "●", "✗", "▲"


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
        margin = (max(values) - min(values) or 1.0) * 0.12
        plt.ylim(min(values) - margin, max(values) + margin)
        plt.plot(ends, [first.threshold] * 2, marker="─")
        for marker, wanted in ((ORDINARY, 0), (EXCLUDED, 1), (SLASHED, 2)):
            group = [(each, measure) for each, measure in measured if _kind(each) == wanted]
            if group:
                plt.scatter([float(each.seat) for each, _ in group], [m.value for _, m in group], marker=marker)
        plt.xticks([float(each.seat) for each, _ in measured], [str(each.seat) for each, _ in measured])
        plt.xlim(*ends)
        plt.xlabel("seat")
        self.border_title = f"{first.rule}: {first.title}"
        self.border_subtitle = f"{ORDINARY} accepted {EXCLUDED} left out {SLASHED} slashed ─ {limit(first)}"
        self.refresh()


def limit(measure: Measure) -> str:
    """What the threshold means, in a few words."""
    side = "above" if measure.bad is Side.ABOVE else "below"
    return f"bad {side} {figure(measure.threshold, measure.unit)}"


def figure(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{value:.6g}{' ' * (len(unit) > 1)}{unit}"


def _kind(seat: SeatScores) -> int:
    return 2 if seat.slashed else 1 if seat.excluded else 0
