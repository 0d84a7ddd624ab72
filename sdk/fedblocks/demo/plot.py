"""The demo as a picture: accuracy, and the figures by which clients are judged, with their thresholds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.demo.outcome import Cast, EpochOutcome
from fedblocks.units import PARTS_PER_MILLION

Figure = Callable[[ClientStats, CohortStats], float | None]

_HONEST = "#9aa5b1"
# Told apart by line and mark as well as by colour (Okabe and Ito's palette).
_ATTACKERS = (("#d55e00", "-", "o"), ("#0072b2", "--", "s"), ("#009e73", "-.", "^"), ("#cc79a7", ":", "D"))


def response_percent(own: ClientStats, cohort: CohortStats) -> float | None:
    """How far the update grew along the model's last step, in per cent of the step."""
    return 100 * cohort.weight * own.response / cohort.step_norm if cohort.step_norm > 0 and own.last_norm else None


def krum_ratio(own: ClientStats, cohort: CohortStats) -> float | None:
    """Krum score over the cohort's median."""
    return own.krum / cohort.median_krum if cohort.median_krum else None


def norm_ratio(own: ClientStats, cohort: CohortStats) -> float | None:
    """Length of the update over the cohort's median length."""
    return float((own.norm / cohort.median_norm) ** 0.5) if cohort.median_norm else None


def draw(epochs: list[EpochOutcome], cast: list[Cast], target_ppm: int, rules: Rules, path: Path) -> None:
    """Write the plot as PNG.

    Args:
        epochs: in order.
        cast: the clients.
        target_ppm: the accuracy asked for.
        rules: whose thresholds are drawn.
        path: where to.
    """
    import matplotlib as mpl  # takes a second, which only a plot should cost

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(13, 8.5), constrained_layout=True)
    numbers = [each.epoch for each in epochs]
    accuracy = axes[0][0]
    accuracy.plot(
        numbers, [100 * each.accuracy_ppm / PARTS_PER_MILLION for each in epochs], "k-o", label="global model"
    )
    accuracy.axhline(100 * target_ppm / PARTS_PER_MILLION, color="k", linestyle=":", label="target")
    accuracy.set(title="Accuracy of the global model", xlabel="epoch", ylabel="per cent")
    accuracy.legend(loc="lower right")
    _figure(
        axes[0][1],
        epochs,
        cast,
        response_percent,
        [(rules.response_percent, "flagged above; slashed after 3 epochs")],
        title="Response: growth along the model's last step",
        ylabel="per cent of the step",
        scale="symlog",
    )
    _figure(
        axes[1][0],
        epochs,
        cast,
        krum_ratio,
        [(rules.outlying_krum_percent / 100, "suspicious above, if against others and model as well")],
        title="Krum score",
        ylabel="times the median",
        scale="log",
    )
    _figure(
        axes[1][1],
        epochs,
        cast,
        norm_ratio,
        [(rules.little_percent / 100, "left out below: hardly anything")],
        title="Length of the update",
        ylabel="times the median",
        scale="symlog",
    )
    axes[1][1].set_ylim(bottom=-0.05)
    handles, labels = axes[1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _figure(
    axes: Any,
    epochs: list[EpochOutcome],
    cast: list[Cast],
    figure: Figure,
    thresholds: list[tuple[float, str]],
    *,
    title: str,
    ylabel: str,
    scale: str,
) -> None:
    attackers = [each for each in cast if each.attack]
    for client in cast:
        points = [
            (each.epoch, figure(each.judgement.stats[client.seat], each.judgement.cohort))
            for each in epochs
            if client.seat in each.judgement.stats
        ]
        known = [(epoch, value) for epoch, value in points if value is not None]
        if client.attack:
            colour, line, mark = _ATTACKERS[attackers.index(client) % len(_ATTACKERS)]
            style: dict[str, Any] = {"color": colour, "linestyle": line, "marker": mark, "zorder": 3}
            label = client.name
        else:
            style = {"color": _HONEST, "linestyle": "-", "linewidth": 1}
            label = "honest clients" if client is next(each for each in cast if not each.attack) else "_"
        axes.plot([epoch for epoch, _ in known], [value for _, value in known], label=label, markersize=5, **style)
        for each in epochs:
            verdict = each.judgement.verdicts.get(client.seat)
            value = dict(known).get(each.epoch)
            if verdict and verdict.slashed and value is not None:
                axes.annotate("slashed", (each.epoch, value), textcoords="offset points", xytext=(6, 6), fontsize=8)
    for value, label in thresholds:
        axes.axhline(value, color="k", linestyle=":", linewidth=1)
        axes.annotate(label, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
    axes.set_yscale(scale)
    # Room for the word beside the outermost points, and no half epochs.
    axes.margins(x=0.12, y=0.12)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(title=title, xlabel="epoch", ylabel=ylabel)
