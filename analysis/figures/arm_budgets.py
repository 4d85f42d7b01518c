"""Where each arm pays: how many times its budget the baseline would need for the same loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import head, one_legend, say_empty
from analysis.output import figure_style

REACH = 30.0  # a factor of more in either direction is drawn as an arrow


def arm_budgets(table: pd.DataFrame) -> Figure:
    """What each arm is worth under each budget: a panel per budget, a row per arm, a colour per task.

    Args:
        table: as `analysis.sweep.arm_worth.pays` gives it, with a column task if there are several.

    Returns:
        The figure. Bars are 95% intervals. Arrows are ends outside the panel.
    """
    budgets = list(dict.fromkeys(table["budget"])) if len(table) else []
    count = max(1, len(budgets))
    height = 1.1 + 0.27 * table["arm"].nunique() if len(table) else 2.4
    figure, axes = figure_style.new_figure(1, count, width=max(3.4, 2.15 * count), height=height, sharey=True)
    with figure_style.house_style():
        if not budgets:
            say_empty(axes[0], "no arm has a pair")
        arms = list(dict.fromkeys(table["arm"])) if len(table) else []
        for budget, one in zip(budgets, axes, strict=False):
            _panel(one, table[table["budget"] == budget], arms)
            head(one, budget)
        axes[0].set_yticks(range(len(arms)), arms)
        axes[0].invert_yaxis()
        one_legend(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, arms: Sequence[str]) -> None:
    """The factors of one budget."""
    axes.axvline(1.0, color=figure_style.GREY, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(1 / REACH, REACH)
    figure_style.plain_log_ticks(axes.xaxis, (1.0,), 5)
    axes.set_xlabel("baseline's budget / arm's")
    tasks = list(rows.groupby("task", sort=False)) if "task" in rows else [("", rows)]
    for i, (task, part) in enumerate(tasks):
        y = np.array([arms.index(arm) for arm in part["arm"]]) + 0.3 * (i - (len(tasks) - 1) / 2)
        look: dict[str, Any] = {"color": figure_style.CYCLE[i], "label": str(task) or None}
        ends = part[["lower", "upper"]].clip(1 / REACH, REACH).to_numpy(float)
        axes.hlines(y, ends[:, 0], ends[:, 1], color=figure_style.CYCLE[i], linewidth=1.2)
        axes.plot(part["factor"].clip(1 / REACH, REACH), y, linestyle="", marker="o", markersize=4, **look)
        for column, edge, marker in (("lower", 1 / REACH, "<"), ("upper", REACH, ">")):
            out = ~part[column].between(1 / REACH, REACH).to_numpy()
            axes.plot(
                np.full(out.sum(), edge),
                y[out],
                linestyle="",
                marker=marker,
                markersize=4,
                color=figure_style.CYCLE[i],
            )
