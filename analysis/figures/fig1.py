"""The two teasers: equal loss with fewer parameters, and what each way of scaling adds to the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.costs.cost_ratios import CostRatio
from analysis.figures.common import LOSS_LABEL, N_LABEL, law_text, note, say_empty
from analysis.output import figure_style
from scaling.data.groups import backbones
from scaling.data.runs import finished_runs

SIZE, FEW, MANY = "1.6B", 1, 8  # the size and the two P that the paper's teasers show


def fig1_law(table: pd.DataFrame, law: Any) -> Figure:
    """Loss against N at P = 1 and 8 with the arrow between equal losses (the form of Figure 1(2)).

    table: N, P, loss of one corpus. The arrow starts at the largest one-stream run's size and its
    length is the law's: 1 - 1 / (k ln P + 1) of the parameters for the law of Eq 5.
    """
    figure, (axes,) = figure_style.new_figure(width=4.6, height=3.5)
    runs = finished_runs(table)
    with figure_style.context():
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
        note(axes, law_text(law))
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
    with figure_style.context():
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
            note(axes, f"{times:.1f} times less increase in {what}\nat the loss of {SIZE}, $P = {MANY}$")
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
