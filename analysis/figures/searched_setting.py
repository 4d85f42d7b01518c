"""Loss against a setting that a sweep searched, with the minimum of each curve and its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import LOSS_LABEL, head, one_legend, say_empty
from analysis.output import figure_style
from scaling.allocation.searched_minimum import above_a_guess, curve_along

NAMES = {
    "lr": "learning rate",
    "muon_lr": "learning rate of Muon",
    "extras_lr": "learning rate of streams / lr",
}
OPEN = "seeds, or more values near the best, would close what is open"
WORSE = "above a guess: not fitted"
_PANEL = ["corpus", "recipe", "size"]


def loss_against_setting(runs: pd.DataFrame, minima: pd.DataFrame, setting: str) -> Figure:
    """Losses of finished runs against a setting: a panel per size, a colour per P, with curves, minima and 95% intervals.

    Args:
        runs: size, P, loss (nats per token), status and the setting.
        minima: `scaling.allocation.searched_minimum.searched_minima` of them.
        setting: the column of the setting, such as lr.

    Returns:
        The figure. Values that diverged, and those whose runs were stopped early, are marked on the upper edge. Runs at values
        that ended above a guess are hollow: no curve goes through them.
    """
    minima = minima[minima["setting"] == setting] if len(minima) else minima
    if not len(minima):
        figure, (axes,) = figure_style.new_figure()
        say_empty(axes, f"no run has a loss to set against {setting}")
        return figure
    by = [name for name in _PANEL if name in minima and (name == "size" or len(minima[name].unique()) > 1)]
    panels = list(minima.groupby(by, sort=False)) if by else [((), minima)]
    columns = min(2, len(panels))
    high = -(-len(panels) // columns)
    width = max(figure_style.COLUMN_WIDTH, 3.37 * columns)
    figure, every = figure_style.new_figure(high, columns, width=width, height=2.4 * high)
    looks = figure_style.stream_looks(minima.get("P", [1]))
    with figure_style.house_style():
        for (key, rows), axes in zip(panels, every, strict=False):
            here = np.ones(len(runs), bool)
            for name, value in zip(by, key, strict=True):
                here &= (runs[name] == value).to_numpy()
            _panel(axes, runs[here], rows, setting, looks)
            head(axes, ", ".join(map(str, key)), _remarks(rows))
        for axes in every[len(panels) :]:
            axes.set_axis_off()
        one_legend(figure)
    return figure


def _panel(axes: Axes, runs: pd.DataFrame, minima: pd.DataFrame, setting: str, looks: Any) -> None:
    """One size: runs as points, curves, the minima with their intervals."""
    axes.set_xscale("log")
    axes.set_xlabel(NAMES.get(setting, setting))
    axes.set_ylabel(f"validation {LOSS_LABEL}")
    ok = runs[runs["status"] == "ok"] if "status" in runs else runs
    low, high = runs[setting].min() / 1.3, runs[setting].max() * 1.3
    axes.set_xlim(low, high)
    for row in minima.to_dict("records"):
        P = int(row.get("P", 1))
        colour, own = looks[P]["color"], ok[ok["P"] == P] if "P" in ok else ok
        above = above_a_guess(own, setting)
        fitted, hollow = own[~above], own[above]
        axes.plot(fitted[setting], fitted["loss"], "o", markersize=3.5, color=colour, label=f"$P = {P}$")
        look: dict[str, Any] = {"markersize": 3.5, "markerfacecolor": "none", "color": colour}
        if len(hollow):
            axes.plot(hollow[setting], hollow["loss"], "o", label=WORSE, **look)
        if np.isfinite(row["estimate"]):
            along = np.geomspace(row["low"], row["high"], 60)
            axes.plot(along, curve_along(row, along), color=colour, linewidth=1.0)
            ends = np.clip([row["lower"], row["upper"]], low, high)  # NaN where no run is to spare
            axes.plot(ends, [row["loss"]] * 2, color=colour, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
            axes.plot(row["estimate"], row["loss"], "D", markersize=5, markerfacecolor="white", color=colour)
    _unfinished(axes, runs, setting)


def _unfinished(axes: Axes, runs: pd.DataFrame, setting: str) -> None:
    """Marks on the upper edge for what has no loss to draw."""
    for status, marker, label in (("diverged", "x", "diverged"), ("stopped", "|", "stopped early")):
        values = runs.loc[runs["status"] == status, setting].unique() if "status" in runs else np.zeros(0)
        if len(values):
            top = [0.97] * len(values)
            axes.plot(
                values,
                top,
                marker,
                color=figure_style.GREY,
                transform=axes.get_xaxis_transform(),
                label=label,
            )


def _remarks(minima: pd.DataFrame) -> list[str]:
    """The minimum of each P with its interval, in words, or why there is none."""
    lines, some_open = [], False
    for row in minima.to_dict("records"):
        where = f"P = {int(row['P'])}: " if "P" in row else ""
        if not np.isfinite(row["estimate"]):
            lines.append(f"{where}{row['note']}")
            continue
        known = np.isfinite(row["lower"]) and np.isfinite(row["upper"]) and row["lower"] > 0
        some_open |= not known
        interval = f"{row['lower']:.2g} to {row['upper']:.2g}" if known else "open"
        note = f"; {row['note']}" if row["note"] else ""
        lines.append(f"{where}{row['estimate']:.2g}, 95% CI {interval}{note}")
    return [*lines, OPEN] if some_open else lines
