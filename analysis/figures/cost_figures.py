"""What parallel scaling costs: the paper's Figures 1(3) and 4, ratios of increases, prediction against measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from analysis.costs.cost_ratios import CostRatio
from analysis.figures.panel_parts import FEW, LOSS_LABEL, MANY, by_streams, head, one_legend, say_empty
from analysis.output import figure_style
from scaling.data.units import count_text

SIZE = "1.6B"  # that the paper's teaser shows
SIZES = ("1.6B", "2.8B", "4.4B")  # whose streams the paper shows
_COSTS = (("memory_gib", "inference memory (GiB)"), ("latency_s", "latency (s)"))


def fig4(table: pd.DataFrame) -> Figure:
    """Memory above, latency below, a column per batch size: the line of P = 1 and the streams of SIZES.

    Args:
        table: rows of `analysis.costs.cost_table.cost_table` for one corpus.

    Returns:
        The figure. Arrows name the two ways to scale.

    Source: the form of Figure 4 of arXiv 2505.10475.
    """
    batches = sorted(table["batch"].unique())
    if not batches:
        figure, (axes,) = figure_style.new_figure()
        say_empty(axes, "no run has a cost")
        return figure
    figure, panels = figure_style.new_figure(2, len(batches), height=3.9, sharey=True)
    looks = figure_style.stream_looks(table["P"])
    with figure_style.house_style():
        for row, (column, label) in enumerate(_COSTS):
            for i, batch in enumerate(batches):
                axes = panels[row * len(batches) + i]
                _cost_panel(axes, table[table["batch"] == batch], column, looks)
                axes.set_xlabel(label)
                if row == 0:
                    axes.set_title(f"batch {batch}")
            panels[row * len(batches)].set_ylabel(LOSS_LABEL)
        _name_arrows(figure, panels[0], table[table["batch"] == batches[0]])
        handles = [Line2D([], [], linestyle="none", **look, label=f"$P = {P}$") for P, look in looks.items()]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _cost_panel(axes: Axes, table: pd.DataFrame, column: str, looks: dict[int, dict[str, Any]]) -> None:
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
    """In the first panel: an arrow for each way of scaling, and the size each orange line starts at."""
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
            middle if side == "left" else end,
            xycoords=beside,
            xytext=(4, 4) if side == "left" else (6, -6),
            textcoords="offset points",
            ha="left" if side == "left" else "center",
            va="bottom" if side == "left" else "top",
            fontsize=7.5,
            color=color,
        )


def fig1_cost(table: pd.DataFrame, found: CostRatio) -> Figure:
    """Loss against memory and against latency for both ways of scaling.

    Args:
        table: rows of `analysis.costs.cost_table.cost_table` at one batch size.
        found: the ratio of the two increases.

    Returns:
        The figure, of two panels.

    Source: the form of Figure 1(3) of arXiv 2505.10475.
    """
    figure, panels = figure_style.new_figure(1, 2, height=2.7, sharey=True)
    dense = table[table["P"] == 1].sort_values("loss")
    parallel = table[table["size"] == SIZE].sort_values("P")
    listed = ", ".join(map(str, parallel["P"]))
    with figure_style.house_style():
        for axes, column, label, unit, times in (
            (panels[0], "memory_gib", "inference memory (GiB)", "GiB", found.memory),
            (panels[1], "latency_s", "latency (s)", "s", found.latency),
        ):
            x = dense[column]
            axes.plot(x, dense["loss"], "o-", color=figure_style.BLUE, label="more parameters ($P = 1$)")
            axes.plot(
                parallel[column],
                parallel["loss"],
                "s-",
                color=figure_style.ORANGE,
                label=f"more streams ({SIZE}, $P$ = {listed})",
            )
            axes.set_xlabel(label)
            _increases(axes, dense, parallel, column, unit)
            what = label.split(" (")[0].removeprefix("inference ")
            words = f"{times:.1f} times less increase in {what}"
            head(axes, lines=[words, f"at the loss of {SIZE}, $P = {MANY}$"])
        panels[0].set_ylabel(LOSS_LABEL)
        one_legend(figure, ncols=2)
    return figure


def _increases(axes: Axes, dense: pd.DataFrame, parallel: pd.DataFrame, column: str, unit: str) -> None:
    """From the cost at few streams to both costs at the loss of many: two arrows, their lengths written."""
    start = float(parallel.loc[parallel["P"] == FEW, column].iloc[0])
    end, loss = (float(parallel.loc[parallel["P"] == MANY, c].iloc[0]) for c in (column, "loss"))
    grown = float(np.interp(loss, dense["loss"], dense[column]))
    axes.axvline(start, color=figure_style.GREY, linewidth=0.8, linestyle=":")
    step = 0.055 * float(dense["loss"].max() - dense["loss"].min())
    axes.set_ylim(bottom=loss - 4.2 * step)
    for x, y, color in (
        (grown, loss - step, figure_style.BLUE),
        (end, loss - 3.2 * step, figure_style.ORANGE),
    ):
        blue = color == figure_style.BLUE
        arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (x, y), xytext=(start, y), arrowprops=arrow, zorder=5)
        axes.annotate(
            f"+{x - start:.2g} {unit}",
            ((x + start) / 2, y) if blue else (x, y),
            xytext=(0, -2) if blue else (4, 0),
            textcoords="offset points",
            ha="center" if blue else "left",
            va="top" if blue else "center",
            color=color,
            fontsize=7,
        )


def ratio_map(grid: pd.DataFrame, *, column: str = "latency_ratio", what: str = "latency") -> Figure:
    """How many times less P streams add than parameters do, over batch size and length: a panel per P.

    Args:
        grid: rows of `analysis.costs.cost_ratios.ratio_grid`.
        column: of the grid to draw.
        what: its name in words.

    Returns:
        The figure. In framed cells, at or below 1, parallel scaling adds as much or more.
    """
    streams = sorted(grid["P"].unique())
    figure, panels = figure_style.new_figure(1, max(len(streams), 1), height=2.1, sharey=True)
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
    """Numbers in the cells. A frame round those at or below 1."""
    for i, length in enumerate(rows.index):
        for j, batch in enumerate(rows.columns):
            value = rows.loc[length, batch]
            dark = abs(np.log(value)) > 0.62 * np.log(reach)
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
            if value <= 1:
                corners = [j - 0.46, j + 0.46, j + 0.46, j - 0.46, j - 0.46]
                axes.plot(corners, [i - 0.44, i - 0.44, i + 0.44, i + 0.44, i - 0.44], color="black", lw=0.9)
    axes.set_xticks(range(len(rows.columns)), labels=[str(b) for b in rows.columns])
    axes.set_yticks(range(len(rows.index)), labels=[str(n) for n in rows.index])
    axes.grid(visible=False)


def measured(table: pd.DataFrame, *, hardware: str = "") -> Figure:
    """Measured against predicted memory and latency of our own model on one machine.

    Args:
        table: P, batch, and memory_bytes, latency_s, each with its predicted_ twin.
        hardware: the name of the machine, for the title.

    Returns:
        The figure, of two panels. The diagonal is agreement.
    """
    figure, panels = figure_style.new_figure(1, 2, height=2.9)
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

    Args:
        table: N, P, loss, loss_lower, loss_upper (nats per token), latency_s, memory_gib, meets (bool), chosen (bool).
        budget: limits of loss and latency_s, drawn as lines.

    Returns:
        The figure, of one panel.
    """
    figure, (axes,) = figure_style.new_figure(width=figure_style.COLUMN_WIDTH, height=2.8)
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
                draw(budget[key], color=figure_style.GREY, linewidth=0.9, linestyle="--", label="limit")
        for row in table[table["chosen"]].to_dict("records"):
            _chosen(axes, row)
        axes.set_xscale("log")
        figure_style.plain_log_ticks(axes.xaxis)
        axes.set_xlabel("latency (s)")
        axes.set_ylabel("predicted loss (nats per token)")
        title = "marked: within the limits" if budget else None
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(handles.values(), handles, title=title, loc="outside upper center", ncols=5)
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
