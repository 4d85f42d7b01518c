"""Contours of predicted loss over N and P (the form of Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.common import N_LABEL, P_LABEL, say_empty
from analysis.output import figure_style
from scaling.data.groups import backbones, corpus_name, split_by_corpus
from scaling.data.runs import finished_runs

LINES = 12  # contours at most


def fig3(table: pd.DataFrame, laws: Mapping[str, Any]) -> Figure:
    """A panel a corpus: lines of equal predicted loss, the runs as circles filled with their own loss.

    table: N, P, loss and perhaps corpus; laws: the fitted law by corpus. Circle and ground share one
    colour scale, so a circle that stands out is a run the law misses.
    """
    groups = split_by_corpus(table)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    width = figure_style.TEXT_WIDTH if columns > 1 else 4.4
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=3.0 * rows)
    with figure_style.context():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            axes.set_title(corpus_name(corpus))
            _panel(figure, axes, finished_runs(runs), laws.get(corpus))
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(P_LABEL)
    return figure


def _label_places(
    N: NDArray[np.float64],
    P: NDArray[np.float64],
    loss: NDArray[np.float64],
    steps: NDArray[np.float64],
    runs: pd.DataFrame,
) -> list[tuple[float, float]]:
    """One place a contour, in the row midway between the two largest P that were run: clear of circles."""
    low, high = sorted(runs["P"].unique())[-2:]
    row = int(np.argmin(np.abs(np.log(P) - np.log(low * high) / 2)))
    line = loss[row]
    inside = steps[(steps > line.min()) & (steps < line.max())]
    return [(float(np.exp(np.interp(-s, -line, np.log(N)))), float(P[row])) for s in inside]


def _panel(figure: Figure, axes: Axes, runs: pd.DataFrame, law: Any) -> None:
    """One corpus."""
    if law is None or runs["P"].nunique() < 2 or runs["N"].max() < 1.2 * runs["N"].min():
        say_empty(axes, "contours need a fitted law and\nat least two sizes and two P")
        return
    N = np.geomspace(runs["N"].min() / 1.15, runs["N"].max() * 1.15, 160)
    P = np.geomspace(max(1.0, runs["P"].min() / 1.12), runs["P"].max() * 1.12, 120)
    loss = np.asarray(law.predict(N=N[None, :], P=P[:, None]))
    low, high = min(loss.min(), runs["loss"].min()), max(loss.max(), runs["loss"].max())
    steps = np.asarray(MaxNLocator(LINES, steps=[1, 2, 2.5, 5, 10]).tick_values(loss.min(), loss.max()))
    axes.pcolormesh(N, P, loss, cmap="cividis", vmin=low, vmax=high, shading="gouraud", rasterized=True)
    lines = axes.contour(N, P, loss, levels=steps, colors="white", linewidths=0.9)
    axes.clabel(lines, fmt="%.3g", fontsize=7, manual=_label_places(N, P, loss, steps, runs))
    look: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.9, "zorder": 4, "clip_on": False}
    shade: dict[str, Any] = {"c": runs["loss"], "cmap": "cividis", "vmin": low, "vmax": high}
    points = axes.scatter(runs["N"], runs["P"], s=34, **shade, **look)
    figure_style.size_ticks(axes, backbones(runs))
    axes.set_yscale("log", base=2)
    axes.set_yticks(sorted(runs["P"].unique()), labels=[f"{p:g}" for p in sorted(runs["P"].unique())])
    axes.minorticks_off()
    axes.set_xlim(N[0], N[-1])
    axes.set_ylim(P[0], P[-1])
    axes.grid(visible=False)
    axes.set_xlabel(N_LABEL)
    figure.colorbar(points, ax=axes, label="loss (nats per token)", pad=0.02)
