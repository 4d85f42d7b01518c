"""The ensemble test of Proposition 1: whether averaging m streams gains what the derivation says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.common import by_streams, note, say_empty
from analysis.output import figure_style


def ensemble(table: pd.DataFrame) -> Figure:
    """Measured gain of averaging m of a run's streams, and the proposition's line, a panel a size and corpus.

    L_1 - L_m = (L_1 - E)(1 - rho)(1 - 1/m), arXiv 2505.10475, Proposition 1. table: size, P, m, gain,
    gain_se (nats per token), line (the gain by the proposition, its one slope fitted to every m) and
    rho (what that slope means given a fitted E; missing where there is none). Bars are 95% intervals
    over held-out sequences. Points off their line say that the proposition's form fails.
    """
    named = table.assign(panel=table["size"].astype(str))
    if "corpus" in table and len(set(table["corpus"])) > 1:
        named["panel"] = table["corpus"].astype(str) + ", " + named["panel"]
    sizes = list(dict.fromkeys(named["panel"]))
    columns = min(3, max(len(sizes), 1))
    rows = -(-max(len(sizes), 1) // columns)
    width = max(4.6, 2.9 * columns)
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=2.9 * rows)
    with figure_style.context():
        for axes in panels[max(len(sizes), 1) :]:
            axes.set_axis_off()
        if not sizes:
            say_empty(panels[0], "no ensemble was measured")
            return figure
        looks = figure_style.stream_looks([1, *table["P"]])  # as where there are runs of P = 1
        for axes, size in zip(panels, sizes, strict=False):
            _panel(axes, named[named["panel"] == size], looks)
            axes.set_title(str(size))
        for axes in panels[::columns]:
            axes.set_ylabel("gain over one stream\n($10^{-3}$ nats per token)")
        handles = [axes for axes in panels if axes.get_legend_handles_labels()[1]]
        found = {name: h for a in handles for h, name in zip(*a.get_legend_handles_labels(), strict=True)}
        figure.legend(found.values(), found.keys(), loc="outside upper center", ncols=len(found))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[int, dict[str, Any]]) -> None:
    """One size: every run's points and line."""
    words = ["line: Proposition 1"]
    for P, group in by_streams(rows):
        for _, run in group.groupby("run_id" if "run_id" in group else "P", sort=False):
            slope = float(run["line"].iloc[-1] / (1 - 1 / run["m"].iloc[-1]))
            m = np.geomspace(1, run["m"].max(), 60)
            axes.plot(m, 1e3 * slope * (1 - 1 / m), color=looks[P]["color"], linewidth=1)
            bars = 1.96e3 * run["gain_se"]
            axes.errorbar(run["m"], 1e3 * run["gain"], yerr=bars, linestyle="none", **looks[P])
        axes.plot([], [], **looks[P], label=f"$P = {P}$")
        if group["rho"].notna().any():
            words.append(rf"$P = {P}$: $1 - \rho$ = {1 - group['rho'].mean():.2g}")
    figure_style.stream_ticks(axes, sorted({int(m) for m in rows["m"]} & {1, 2, 4, 8, 16, 32, 64} | {1}))
    axes.set_xlabel("streams averaged $m$")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (0.1 + 0.09 * len(words)) * (high - low))  # room for the words
    note(axes, "\n".join(words), x=0.03, ha="left")
