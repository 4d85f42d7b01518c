"""How much activations change in the first steps against the width: flat where learning rates carry over."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import head, one_legend
from analysis.output import figure_style


def activation_growth(table: pd.DataFrame) -> Figure:
    """Change of the activations since the initialisation against width: the coordinate check of muP.

    Args:
        table: width, kind, seed, step, activation and change, the root mean square change since the initialisation
            (`sweeps.inspect.coordinate_check.coordinate_table`).

    Returns:
        The figure: a panel per parametrisation, a line per activation, strong after the last step and faint before.
    """
    kinds, names = list(table["kind"].unique()), list(table["activation"].unique())
    figure, every = figure_style.new_figure(1, len(kinds), width=3.37 * len(kinds), height=2.4)
    last = table["step"].max()
    means = table.groupby(["kind", "activation", "step", "width"], sort=False)["change"].mean().reset_index()
    with figure_style.house_style():
        for kind, axes in zip(kinds, every, strict=True):
            _lines(axes, means[means["kind"] == kind], names, last)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(
                sorted(table["width"].unique()), [f"{width}" for width in sorted(table["width"].unique())]
            )
            axes.set_xlabel("width")
            head(axes, kind, [f"change after {last} steps; faint: after fewer"])
        low, high = zip(*(axes.get_ylim() for axes in every), strict=True)
        for axes in every:
            axes.set_ylim(min(low), max(high))
        every[0].set_ylabel("root mean square change")
        one_legend(figure)
    return figure


def _lines(axes: Axes, means: pd.DataFrame, names: list[str], last: int) -> None:
    """One panel's lines."""
    colours = colormaps["cividis"].resampled(len(names) + 1)
    for (name, step), rows in means.groupby(["activation", "step"], sort=False):
        strong = step == last
        look: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.4}
        if strong:
            look = {"linewidth": 1.5, "marker": "o", "markersize": 3, "label": name}
        axes.plot(rows["width"], rows["change"], color=colours(names.index(str(name))), **look)
