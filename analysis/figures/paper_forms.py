"""The figures of arXiv 2505.10475, drawn for any runs: Figures 1(2), 1(3), 2, 3 and 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from analysis.costs.cost_ratios import CostRatio
from analysis.figures.panel_parts import (
    LOSS_LABEL,
    N_LABEL,
    P_LABEL,
    by_streams,
    corner_note,
    law_text,
    r2_and_rmse,
    say_empty,
)
from analysis.output import figure_style
from scaling.data.groups import backbones, corpus_name, split_by_corpus
from scaling.data.runs import finished_runs

Predict = Callable[..., pd.DataFrame]  # `Fit.predict`: N=, P= to a table with loss, new_lower, new_upper
PAD, FURTHER = 1.08, 2.5  # curves go so far beyond the runs, with a band further
BAND = "bands: 95% prediction interval"
SIZE, FEW, MANY = "1.6B", 1, 8  # the size and the two P that the paper's teasers show


def fig1_law(table: pd.DataFrame, law: Any) -> Figure:
    """Loss against N at P = 1 and 8 with the arrow between equal losses (the form of Figure 1(2)).

    table: N, P, loss of one corpus. The arrow starts at the largest one-stream run's size and its
    length is the law's: 1 - 1 / (k ln P + 1) of the parameters for the law of Eq 5.
    """
    figure, (axes,) = figure_style.new_figure(width=4.6, height=3.5)
    runs = finished_runs(table)
    with figure_style.house_style():
        axes.set_xlabel(N_LABEL)
        axes.set_ylabel(LOSS_LABEL)
        if not {FEW, MANY} <= set(runs["P"]):
            say_empty(axes, f"needs runs at P = {FEW} and P = {MANY}; there are {sorted(set(runs['P']))}")
            return figure
        looks = figure_style.stream_looks(runs["P"])
        for P in (FEW, MANY):
            rows = runs[runs["P"] == P]
            N = np.geomspace(runs["N"].min() / 1.08, runs["N"].max() * 1.08, 120)
            axes.plot(N, law.predict(N=N, P=np.full_like(N, P)), color=looks[P]["color"])
            axes.plot(rows["N"], rows["loss"], linestyle="none", label=f"$P = {P}$", **looks[P])
        figure_style.size_ticks(axes, backbones(runs))
        _saving_arrow(axes, law, float(runs.loc[runs["P"] == FEW, "N"].max()))
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.14 * (high - low))
        corner_note(axes, law_text(law))
        axes.legend(loc="lower left")
    return figure


def _saving_arrow(axes: Axes, law: Any, N: float) -> None:
    """From N at few streams to the size that has the same loss with many."""
    loss = float(law.predict(N=N, P=FEW))
    there = float(law.equivalent_N(N=N, P=FEW, at_P=MANY))
    arrow = {"arrowstyle": "-|>", "color": figure_style.ORANGE, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(there, loss), xytext=(N, loss), arrowprops=arrow, zorder=5)
    axes.annotate(
        f"{there / N - 1:+.0%} parameters".replace("-", "\N{MINUS SIGN}"),
        (there, loss),
        xytext=(-7, 0),
        textcoords="offset points",
        color=figure_style.ORANGE,
        weight="bold",
        ha="right",
        va="center",
        zorder=6,
    )


def fig1_cost(table: pd.DataFrame, found: CostRatio) -> Figure:
    """Loss against memory and against latency for both ways of scaling (the form of Figure 1(3)).

    table: rows of `analysis.costs.cost_table.cost_table` at one batch size; found: the ratio of increases.
    """
    figure, panels = figure_style.new_figure(1, 2, height=3.1, sharey=True)
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
            corner_note(
                axes, f"{times:.1f} times less increase in {what}\nat the loss of {SIZE}, $P = {MANY}$"
            )
        panels[0].set_ylabel(LOSS_LABEL)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
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
            fontsize=7.5,
        )


def fig2(
    table: pd.DataFrame,
    laws: Mapping[str, Any],
    *,
    notes: Mapping[str, str] | None = None,
    bands: Mapping[str, Predict] | None = None,
) -> Figure:
    """A panel a corpus: runs as markers, one a P; the fitted law as curves, its constants and R2 written in.

    table: N, P, loss, and if there corpus, loss_se (drawn as 95% bars), status. laws: the fitted law of
    N and P by corpus (key "" without that column); a corpus that has none shows its points. notes:
    lines under the law of a corpus, e.g. the status of a fit that is in doubt. bands: `Fit.predict` by corpus, whose
    prediction interval is drawn out to FURTHER times the largest N; beyond the runs curves are dashed.
    """
    groups = split_by_corpus(table)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    width = figure_style.TEXT_WIDTH if columns > 1 else 4.6
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=3.1 * rows + 0.25)
    looks = figure_style.stream_looks([1, *finished_runs(table)["P"]]) if len(finished_runs(table)) else {}
    with figure_style.house_style():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            band = (bands or {}).get(corpus)
            _law_panel(axes, runs, laws.get(corpus), looks, (notes or {}).get(corpus, ""), band)
            axes.set_title(corpus_name(corpus))
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(LOSS_LABEL)
        there = set(finished_runs(table)["P"])
        handles = [Line2D([], [], **look, label=f"$P = {P}$") for P, look in looks.items() if P in there]
        if handles:
            figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4 * columns))
    return figure


def _law_panel(
    axes: Axes,
    runs: pd.DataFrame,
    law: Any,
    looks: Mapping[int, dict[str, Any]],
    remark: str,
    band: Predict | None = None,
) -> None:
    """One corpus."""
    good = finished_runs(runs)
    if not len(good):
        say_empty(axes, f"no finished run among {len(runs)} row{'s' * (len(runs) != 1)}")
        return
    for P, rows in by_streams(good):
        look = looks[P]
        bars = 1.96 * rows["loss_se"] if "loss_se" in rows and rows["loss_se"].notna().any() else None
        axes.errorbar(
            rows["N"],
            rows["loss"],
            yerr=bars,
            linestyle="none",
            elinewidth=0.8,
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=4,
            **look,
        )
        if law is not None:
            _curve(axes, good["N"], float(P), law, band, look["color"])
    figure_style.size_ticks(axes, backbones(good))
    axes.set_xlabel(N_LABEL)
    said = BAND if law is not None and band is not None else ""
    lines = [
        line for line in (*_law_lines(law, good), *remark.split("\n"), said, _left_out(runs, good)) if line
    ]
    low, high = axes.get_ylim()
    room = 0.08 + 0.075 * len(lines)  # for the law, in the corner the curves leave free
    axes.set_ylim(low, high + room * (high - low))
    corner_note(axes, "\n".join(lines))


def _curve(axes: Axes, sizes: pd.Series, P: float, law: Any, band: Predict | None, color: str) -> None:
    """The law at one P, dashed beyond the runs, with its prediction interval where there is one."""
    low, high = sizes.min(), sizes.max()
    N = np.geomspace(low / PAD, high * PAD, 120)
    axes.plot(N, law.predict(N=N, P=np.full_like(N, P)), color=color, linewidth=1.2, zorder=3)
    if band is None:
        return
    seen = band(
        N=np.unique([*np.geomspace(low / PAD, high, 16), *np.geomspace(high, high * FURTHER, 16)]), P=P
    )
    out = seen[seen["N"] >= high]
    axes.plot(out["N"], out["loss"], color=color, linewidth=1.2, linestyle="--", zorder=3)
    axes.fill_between(
        seen["N"], seen["new_lower"], seen["new_upper"], color=color, alpha=0.1, linewidth=0, zorder=1
    )


def _law_lines(law: Any, good: pd.DataFrame) -> tuple[str, ...]:
    """The law and how well it fits."""
    if law is None:
        return (f"no law fitted ({len(good)} runs)",)
    r2, rmse = r2_and_rmse(law, good)
    return law_text(law), f"$R^2 = {r2:.4f}$,  RMSE {rmse:.2g},  {len(good)} runs"


def _left_out(runs: pd.DataFrame, good: pd.DataFrame) -> str:
    """How many runs are not drawn, and why."""
    gone = len(runs) - len(good)
    return f"{gone} diverged or unfinished, not drawn" if gone else ""


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
    with figure_style.house_style():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            axes.set_title(corpus_name(corpus))
            _contour_panel(figure, axes, finished_runs(runs), laws.get(corpus))
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


def _contour_panel(figure: Figure, axes: Axes, runs: pd.DataFrame, law: Any) -> None:
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


SIZES = ("1.6B", "2.8B", "4.4B")  # whose streams the paper shows
_COSTS = (("memory_gib", "inference memory (GiB)"), ("latency_s", "latency (s)"))


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
