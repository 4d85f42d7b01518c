"""Where parallel scaling pays: ratios of cost increases, and prediction against measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import by_streams, say_empty
from analysis.output import figure_style
from scaling.data.units import count_text


def ratio_map(grid: pd.DataFrame, *, column: str = "latency_ratio", what: str = "latency") -> Figure:
    """How many times less P streams add than parameters do, over batch and length, a panel a P.

    grid: rows of `analysis.costs.cost_ratios.ratio_grid`. Framed cells, at or below 1, are where parallel
    scaling adds as much or more.
    """
    streams = sorted(grid["P"].unique())
    figure, panels = figure_style.new_figure(1, max(len(streams), 1), height=2.5, sharey=True)
    with figure_style.house_style():
        if not streams:
            say_empty(panels[0], "no ratio to show")
            return figure
        reach = float(np.exp(np.abs(np.log(grid[column].clip(lower=1e-3))).max()))
        norm = colors.LogNorm(1 / reach, reach)
        for axes, P in zip(panels, streams, strict=True):
            rows = grid[grid["P"] == P].pivot_table(index="length", columns="batch", values=column)
            mesh = axes.imshow(rows, cmap="PuOr_r", norm=norm, aspect="auto", origin="lower")
            _ratio_cells(axes, rows, reach)
            axes.set_title(f"$P = {P}$")
            axes.set_xlabel("batch size")
        panels[0].set_ylabel("tokens in = tokens out")
        bar = figure.colorbar(mesh, ax=panels, pad=0.02, label=f"{what}: times less added")
        ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if 1 / reach <= t <= reach]
        bar.set_ticks(ticks, labels=[f"{t:g}" for t in ticks])
        bar.minorticks_off()
    return figure


def _ratio_cells(axes: Axes, rows: pd.DataFrame, reach: float) -> None:
    """Numbers in the cells; a frame round those at or below 1."""
    for i, length in enumerate(rows.index):
        for j, batch in enumerate(rows.columns):
            value = rows.loc[length, batch]
            dark = abs(np.log(value)) > 0.62 * np.log(reach)
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
            if value <= 1:
                corners = [j - 0.46, j + 0.46, j + 0.46, j - 0.46, j - 0.46]
                axes.plot(corners, [i - 0.44, i - 0.44, i + 0.44, i + 0.44, i - 0.44], color="black", lw=0.9)
    axes.set_xticks(range(len(rows.columns)), labels=[str(b) for b in rows.columns])
    axes.set_yticks(range(len(rows.index)), labels=[str(n) for n in rows.index])
    axes.grid(visible=False)


def measured(table: pd.DataFrame, *, hardware: str = "") -> Figure:
    """Measured against predicted memory and latency of our own model on one machine.

    table: P, batch, and memory_bytes, latency_s, each with its predicted_ twin. The diagonal is agreement.
    """
    figure, panels = figure_style.new_figure(1, 2, height=3.2)
    looks = figure_style.stream_looks(table["P"]) if len(table) else {}
    labels: Mapping[str, tuple[str, float]] = {
        "latency_s": ("latency (s)", 1.0),
        "memory_bytes": ("memory (GiB)", 2.0**-30),
    }
    with figure_style.house_style():
        for axes, (column, (label, unit)) in zip(panels, labels.items(), strict=True):
            rows = table[table[column].notna() & table[f"predicted_{column}"].notna()]
            if not len(rows):
                say_empty(axes, f"{label.split(' (')[0]} was not measured")
                continue
            x, y = unit * rows[f"predicted_{column}"], unit * rows[column]
            ends = [0.8 * min(x.min(), y.min()), 1.25 * max(x.max(), y.max())]
            axes.plot(ends, ends, color=figure_style.GREY, linewidth=0.9)
            for P, group in by_streams(rows):
                axes.plot(x[group.index], y[group.index], linestyle="none", label=f"$P = {P}$", **looks[P])
            for scale, axis in ((axes.set_xscale, axes.xaxis), (axes.set_yscale, axes.yaxis)):
                scale("log")
                figure_style.plain_log_ticks(axis)
            axes.set_xlabel(f"predicted {label}")
            axes.set_ylabel(f"measured {label}")
            error = np.abs(x / y - 1)
            axes.set_title(f"median error {error.median():.0%}, largest {error.max():.0%}")
        handles, names = panels[0].get_legend_handles_labels()
        if names:
            figure.legend(
                handles, names, loc="outside upper center", ncols=len(names), title=hardware or None
            )
    return figure


def draw_frontier(table: pd.DataFrame, *, budget: Mapping[str, float] | None = None) -> Figure:
    """Every candidate (N, P) of `analysis.costs.advise`: predicted loss against latency, and the chosen one.

    table: N, P, loss, loss_lower, loss_upper, latency_s, memory_gib, meets (bool), chosen (bool).
    budget: loss and latency_s limits, drawn as lines.
    """
    figure, (axes,) = figure_style.new_figure(width=5.6, height=3.6)
    with figure_style.house_style():
        if not len(table):
            say_empty(axes, "no candidate")
            return figure
        looks = figure_style.stream_looks(table["P"])
        for P, rows in by_streams(table):
            ordered = rows.sort_values("N")
            axes.plot(ordered["latency_s"], ordered["loss"], color=looks[P]["color"], linewidth=1)
            good = ordered[ordered["meets"]]
            axes.plot(good["latency_s"], good["loss"], linestyle="none", markersize=3.5, **looks[P])
            axes.plot([], [], **looks[P], label=f"$P = {P}$")
        for key, draw in (("loss", axes.axhline), ("latency_s", axes.axvline)):
            if budget and key in budget:
                draw(budget[key], color=figure_style.GREY, linewidth=0.9, linestyle="--")
        for row in table[table["chosen"]].to_dict("records"):
            _chosen(axes, row)
        axes.set_xscale("log")
        figure_style.plain_log_ticks(axes.xaxis)
        axes.set_xlabel("latency (s)")
        axes.set_ylabel("predicted loss (nats per token)")
        title = "marked: within the limits" if budget else None
        axes.legend(title=title, loc="best", frameon=True, edgecolor="none")
    return figure


def _chosen(axes: Axes, row: Mapping[Any, Any]) -> None:
    """The chosen candidate: a ring, the loss interval, its size, streams and memory."""
    x, y = row["latency_s"], row["loss"]
    bars = [[y - row["loss_lower"]], [row["loss_upper"] - y]]
    axes.errorbar([x], [y], yerr=bars, fmt="none", ecolor=figure_style.ORANGE, capsize=3)
    axes.plot([x], [y], "o", mfc="none", mec=figure_style.ORANGE, ms=9, mew=1.6)
    text = f"$N$ = {count_text(row['N'])}, $P = {row['P']:g}$\n{row['memory_gib']:.2f} GiB"
    low, high = axes.get_ylim()
    below = y - low > 0.25 * (high - low)  # there is room under it, the side that no curve crosses
    look: dict[str, Any] = {
        "color": figure_style.ORANGE,
        "fontsize": 8,
        "ha": "right",
        "va": "top" if below else "bottom",
    }
    axes.annotate(text, (x, y), (-9, -7 if below else 7), textcoords="offset points", **look)
