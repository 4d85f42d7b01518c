"""What P streams are worth in parameters, against P."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.common import P_LABEL, say_empty
from analysis.output import figure_style
from scaling.data.groups import labelled
from scaling.data.units import count_text

MARGIN = 1.25  # how far beyond its ends an axis reaches, as a factor


def equivalent_parameters(
    by_law: Mapping[str, pd.DataFrame], by_points: Mapping[str, pd.DataFrame] | None = None
) -> Figure:
    """The multiple of parameters that P streams replace: a curve a corpus, its interval, the points alone.

    by_law: tables of `scaling.selection.equivalent_size.equivalents` at 95% for one size each (in_data may be absent); the
    curve is dashed and its ground shaded where P leaves the runs. by_points: tables of
    `equivalents_by_points`, drawn as open circles, one a size.
    """
    figure, (axes,) = figure_style.new_figure(width=5.4, height=3.5)
    with figure_style.context():
        axes.set_xlabel(P_LABEL)
        axes.set_ylabel("equivalent parameters / $N$")
        drawn = {name: t for name, t in by_law.items() if len(t)}
        if not drawn:
            say_empty(axes, "no law of P that these runs determine")
            return figure
        for i, (name, table) in enumerate(drawn.items()):
            _curve(axes, table.sort_values("P"), figure_style.CYCLE[i % len(figure_style.CYCLE)], name)
            points = (by_points or {}).get(name, pd.DataFrame())
            if len(points):
                axes.plot(
                    points["P"],
                    points["multiple"],
                    linestyle="none",
                    marker="o",
                    markerfacecolor="none",
                    color=figure_style.CYCLE[i % len(figure_style.CYCLE)],
                    label=labelled(name, "read off the points"),
                )
        _ground(axes, drawn)
        axes.legend(loc="best")
    return figure


def _ground(axes: Axes, drawn: Mapping[str, pd.DataFrame]) -> None:
    """Axis limits, ticks, and shading beyond the largest P that was run."""
    every = pd.concat(list(drawn.values()))
    figure_style.stream_ticks(axes, 2.0 ** np.arange(0, np.log2(every["P"].max()) + 1e-9))
    axes.set_xlim(every["P"].min() / MARGIN, every["P"].max() * MARGIN)
    edge = every.loc[every["in_data"], "P"].max() if every["in_data"].any() else every["P"].min()
    if edge < every["P"].max():
        axes.axvspan(edge, every["P"].max() * MARGIN, color="#F2F2F2", zorder=0)
        axes.text(
            edge * 1.06,
            0.09,
            "beyond the runs",
            color=figure_style.GREY,
            transform=axes.get_xaxis_transform(),
        )
    axes.axhline(1, color=figure_style.GREY, linewidth=0.8)


def _curve(axes: Axes, table: pd.DataFrame, color: str, corpus: str) -> None:
    """One corpus: solid within the runs, dashed beyond, the interval as a band."""
    finite = table[np.isfinite(table["multiple"])]
    inside = finite[finite["in_data"]]
    outside = finite[finite["P"] >= (inside["P"].max() if len(inside) else 0)]
    label = labelled(corpus, f"law at $N$ = {count_text(table['N'].iloc[0])}")
    if table["lower"].notna().any():
        label = f"{label}, 95% interval"
        axes.fill_between(
            table["P"],
            table["lower"] / table["N"],
            table["upper"] / table["N"],
            color=color,
            alpha=0.18,
            linewidth=0,
        )
    if len(inside):
        axes.plot(inside["P"], inside["multiple"], color=color, label=label)
    axes.plot(
        outside["P"],
        outside["multiple"],
        color=color,
        linestyle=(0, (4, 2)),
        label=None if len(inside) else label,
    )
