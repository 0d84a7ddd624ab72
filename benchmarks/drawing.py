"""The one kind of picture that `make bench` draws: a group of bars for each size, a bar for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw_bars(
    rows: Sequence[Mapping[str, Any]],
    shown: Mapping[str, str],
    path: Path,
    *,
    in_milliseconds: bool = False,
    limits: Sequence[str] = (),
) -> None:
    """Draw the medians of some methods on a logarithmic scale.

    Args:
        rows: one for each size, with what the methods took, in seconds.
        shown: the methods, and what readers are told of each.
        path: the picture.
        in_milliseconds: the unit of the scale; seconds otherwise.
        limits: figures of the method `limits`, each drawn as a line across its size.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    unit = 1000 if in_milliseconds else 1
    figure, axes = pyplot.subplots(figsize=(9, 4))
    width = 0.8 / len(shown)
    for index, (name, told) in enumerate(shown.items()):
        own = [(at, row["methods"][name]["seconds"]) for at, row in enumerate(rows) if name in row["methods"]]
        places = [at + (index - (len(shown) - 1) / 2) * width for at, _ in own]
        axes.bar(places, [unit * seconds for _, seconds in own], width, label=told)
    for name, style in zip(limits, (":", "--", "-."), strict=False):
        for at, row in enumerate(rows):
            height = unit * row["methods"]["limits"][name]
            label = None if at else f"limit: {name}"
            axes.hlines(height, at - 0.45, at + 0.45, colors="black", linestyles=style, label=label)
    axes.set_xticks(range(len(rows)), [f"n = {row['n']}\nd = {row['d']:,}" for row in rows])
    axes.set_yscale("log")
    axes.set_ylabel(f"{'milliseconds' if in_milliseconds else 'seconds'}, median")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
