"""Loss against memory and latency at several batch sizes (the form of Figure 4)."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from analysis.figures.common import LOSS_LABEL, by_streams, say_empty
from analysis.output import figure_style

SIZES = ("1.6B", "2.8B", "4.4B")  # whose streams the paper shows
_PANELS = (("memory_gib", "inference memory (GiB)"), ("latency_s", "latency (s)"))


def fig4(table: pd.DataFrame) -> Figure:
    """Memory above, latency below, a column a batch size: the P = 1 line and the streams of SIZES.

    table: rows of `analysis.costs.cost_table.cost_table` for one corpus. Arrows name the two ways to scale.
    """
    batches = sorted(table["batch"].unique())
    if not batches:
        figure, (axes,) = figure_style.new_figure()
        say_empty(axes, "no run has a cost")
        return figure
    figure, panels = figure_style.new_figure(2, len(batches), width=9.6, height=4.9, sharey=True)
    looks = figure_style.stream_looks(table["P"])
    with figure_style.context():
        for row, (column, label) in enumerate(_PANELS):
            for i, batch in enumerate(batches):
                axes = panels[row * len(batches) + i]
                _panel(axes, table[table["batch"] == batch], column, looks)
                axes.set_xlabel(label)
                if row == 0:
                    axes.set_title(f"batch {batch}")
            panels[row * len(batches)].set_ylabel(LOSS_LABEL)
        _name_arrows(figure, panels[0], table[table["batch"] == batches[0]])
        handles = [Line2D([], [], linestyle="none", **look, label=f"$P = {P}$") for P, look in looks.items()]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _panel(axes: Axes, table: pd.DataFrame, column: str, looks: dict[int, dict[str, Any]]) -> None:
    """One cost at one batch size."""
    dense = table[table["P"] == 1].sort_values("N")
    axes.plot(dense[column], dense["loss"], color=figure_style.GREY, linewidth=1.1, zorder=2)
    shown = [s for s in SIZES if s in set(table["size"])]
    for size in shown:
        streams = table[table["size"] == size].sort_values("P")
        axes.plot(streams[column], streams["loss"], color=figure_style.ORANGE, linewidth=1.0, zorder=2)
    drawn = table[table["size"].isin(shown) | (table["P"] == 1)]
    for P, rows in by_streams(drawn):
        axes.plot(rows[column], rows["loss"], linestyle="none", zorder=3, **looks[P])


def _name_arrows(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    """In the first panel: an arrow beside each way of scaling, and the size each orange line starts at."""
    dense = table[table["P"] == 1].sort_values("N")
    starts = dense[dense["size"].isin(SIZES)]
    for size, x, y in starts[["size", "memory_gib", "loss"]].itertuples(index=False):
        axes.annotate(size, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    if not len(starts) or len(dense) < 2:
        return
    first = table[table["size"] == starts["size"].iloc[0]].sort_values("P")
    for text, rows, color, shift, side in (
        ("parameter scaling", dense.iloc[-3:-1], figure_style.GREY, (16, 18), "left"),
        ("parallel scaling", first.iloc[[0, -1]], figure_style.ORANGE, (-8, 0), "right"),
    ):
        beside = offset_copy(axes.transData, fig=figure, x=shift[0], y=shift[1], units="points")
        start, end = rows[["memory_gib", "loss"]].to_numpy()[[0, -1]]
        arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, xytext=start, xycoords=beside, textcoords=beside, arrowprops=arrow)
        middle = (start + end) / 2
        axes.annotate(
            text.replace(" ", "\n"),
            middle,
            xycoords=beside,
            xytext=(4 if side == "left" else -4, 4 if side == "left" else 0),
            textcoords="offset points",
            ha=side,
            va="bottom" if side == "left" else "center",
            fontsize=7.5,
            color=color,
        )
