"""The laboratory's pictures: accuracy over the epochs, who was left out and slashed when, and what accuracy was lost.

Colours are Okabe and Ito's, told apart by line and mark as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from fedblocks.lab.lines import Line, ResultsNotWritten
from fedblocks.lab.sums import gap_of, grouped

_COLUMNS = 5
_CURVES = (
    ("honest_only", "honest clients only", "#009e73", "--"),
    ("fedavg", "FedAvg, all honest", "#0072b2", ":"),
    ("undefended", "FedAvg, attacked", "#d55e00", "-."),
    ("rules", "rules", "black", "-"),
)
_LEFT_OUT, _SLASHED = "#e69f00", "#d55e00"
_FARTHEST = 5.0
"""Points at which the colours of the heat map end."""


def draw(lines: Sequence[Line], folder: Path) -> list[Path]:
    """Write every picture that these lines give, as PNG.

    For each data set, model and cohort: ``accuracy-*.png`` and ``timeline-*.png``, one panel an attack; for each data
    set and model ``gap-*.png``, attacks by skews, and ``honest-*.png``, cohorts that nobody attacks.

    Returns:
        the files.

    Raises:
        ResultsNotWritten: if a file cannot be written.
    """
    import matplotlib as mpl  # takes a second, which only a plot should cost

    mpl.use("Agg")
    written: list[Path] = []
    attacked = [line for line in lines if line["attackers"]]
    for place, chosen in grouped(attacked, "data", "model", "training").items():
        written.append(_save(_heat_map(chosen), folder, "gap", *place))
    for place, chosen in grouped(attacked, "data", "model", "training", "partition", "clients", "attackers").items():
        where = f"{place[0]}, {place[1]}, {place[2]}; partition {place[3]}, {place[5]} of {place[4]} attack"
        written.append(_save(_accuracies(chosen, where), folder, "accuracy", *place))
        written.append(_save(_timelines(chosen, where), folder, "timeline", *place))
    for place, chosen in grouped(
        [line for line in lines if not line["attackers"]], "data", "model", "training"
    ).items():
        written.append(_save(_honest(chosen, ", ".join(map(str, place))), folder, "honest", *place))
    return written


def _save(figure: Any, folder: Path, *words: object) -> Path:
    from matplotlib import pyplot

    path = folder / f"{'-'.join(re.sub(r'[^a-z0-9.]+', '-', str(word)) for word in words)}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise ResultsNotWritten(path, error.strerror or str(error)) from error
    finally:
        pyplot.close(figure)
    return path


def _panels(names: Sequence[str], title: str, height: float) -> tuple[Any, list[Any]]:
    from matplotlib import pyplot

    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.1 * columns + 0.6, height * rows + 1.1), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    flat = list(axes.flat)
    for axis in flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(flat, names, strict=False):
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    return figure, flat[: len(names)]


def _mean_curve(lines: Sequence[Line], name: str) -> list[float]:
    """The mean accuracy after each epoch, over the runs that came to their end."""
    curves = [
        line["accuracy"][name] for line in lines if len(line["accuracy"].get(name, ())) == line["setting"]["epochs"]
    ]
    length = min(map(len, curves), default=0)
    return [fmean(curve[epoch] for curve in curves) for epoch in range(length)]


def _accuracies(lines: Sequence[Line], where: str) -> Any:
    by_attack = {str(attack): chosen for (attack,), chosen in grouped(lines, "attack").items()}
    figure, axes = _panels(list(by_attack), f"Accuracy after each epoch, mean of the seeds\n{where}", 2.1)
    for axis, chosen in zip(axes, by_attack.values(), strict=True):
        for name, label, colour, style in _CURVES:
            curve = _mean_curve(chosen, name)
            if curve:
                axis.plot(range(1, len(curve) + 1), curve, color=colour, linestyle=style, label=label, linewidth=1.2)
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.2)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), fontsize=8)
    return figure


def _timelines(lines: Sequence[Line], where: str) -> Any:
    """By epoch: the share of attackers left out, of attackers gone, and of honest clients left out."""
    by_attack = {str(attack): chosen for (attack,), chosen in grouped(lines, "attack").items()}
    figure, axes = _panels(list(by_attack), f"Who is left out and slashed\n{where}", 1.7)
    for axis, chosen in zip(axes, by_attack.values(), strict=True):
        epochs = range(1, 1 + max(line["setting"]["epochs"] for line in chosen))
        seats = [seat for line in chosen for seat in line["attackers"].values()]
        honest = sum(line["honest"]["clients"] for line in chosen)
        gone = [sum(bool(seat["slashed"] and seat["slashed"][0] <= epoch) for seat in seats) for epoch in epochs]
        out = [
            sum(epoch in seat["excluded"] and not (seat["slashed"] and seat["slashed"][0] <= epoch) for seat in seats)
            for epoch in epochs
        ]
        kept = [
            sum(epoch in each for line in chosen for each in line["honest"]["excluded"].values()) for epoch in epochs
        ]
        share_gone, share_out = [x / len(seats) for x in gone], [x / len(seats) for x in out]
        axis.bar(epochs, share_gone, color=_SLASHED, hatch="//", width=0.9, label="attackers slashed")
        axis.bar(epochs, share_out, bottom=share_gone, color=_LEFT_OUT, width=0.9, label="attackers left out")
        axis.plot(epochs, [x / honest for x in kept], color="black", marker=".", label="honest clients left out")
        axis.set_xlim(0.4, len(epochs) + 0.6)
        axis.set_ylim(0, 1.02)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _heat_map(lines: Sequence[Line]) -> Any:
    """Points lost against the honest clients alone, attacks by skew and number of attackers."""
    import numpy as np
    from matplotlib import pyplot

    columns = list(grouped(lines, "partition", "clients", "attackers"))
    attacks = list(grouped(lines, "attack"))
    cells = grouped(lines, "attack", "partition", "clients", "attackers")
    values = np.full((len(attacks), len(columns)), np.nan)
    figure, axis = pyplot.subplots(figsize=(2.6 + 0.85 * len(columns), 1.4 + 0.24 * len(attacks)), layout="constrained")
    for row, attack in enumerate(attacks):
        for column, place in enumerate(columns):
            found = gap_of(cells.get((*attack, *place), []))
            if found is None:
                continue
            values[row, column] = found.mean
            axis.text(
                column,
                row,
                f"{found.mean:+.1f}{'!' if found.too_large else ''}",
                ha="center",
                va="center",
                fontsize=7,
                fontweight="bold" if found.too_large else "normal",
                color="white" if abs(found.mean) > 0.6 * _FARTHEST else "black",
            )
    image = axis.imshow(values, cmap="PuOr", vmin=-_FARTHEST, vmax=_FARTHEST, aspect="auto")
    axis.set_xticks(range(len(columns)), [f"{p}\n{f} of {n}" for p, n, f in columns], fontsize=7)
    axis.set_yticks(range(len(attacks)), [str(attack) for (attack,) in attacks], fontsize=7)
    setting = lines[0]["setting"]
    axis.set_title(f"Points against honest clients only\n{setting['data']}, {setting['model']}", fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.5, label="points; ! beyond the limit")
    return figure


def _honest(lines: Sequence[Line], where: str) -> Any:
    by_place = {f"{p}, n = {n}": chosen for (p, n), chosen in grouped(lines, "partition", "clients").items()}
    figure, axes = _panels(list(by_place), f"Accuracy after each epoch, nobody attacks\n{where}", 2.1)
    for axis, chosen in zip(axes, by_place.values(), strict=True):
        for name, label, colour, style in (_CURVES[1], _CURVES[3]):
            curve = _mean_curve(chosen, name)
            axis.plot(range(1, len(curve) + 1), curve, color=colour, linestyle=style, label=label, linewidth=1.2)
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.2)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure
