"""Training curves of recipes, and what P does to one backbone (the forms of Figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import LOSS_LABEL, P_LABEL, by_streams, head, one_legend, say_empty
from analysis.output import figure_style
from analysis.sweep import training_gap
from scaling.data.units import count_text

SMOOTHING = 0.08  # share of a curve that the moving mean spans
BEFORE = 0.3  # of stage 2's tokens: how much of stage 1 is drawn before it
_KINDS = {"train_loss": "training", "val_loss": "validation"}


def training_curves(
    curves: pd.DataFrame,
    *,
    column: str = "train_loss",
    panel: str = "recipe",
    absent: Mapping[str, str] | None = None,
) -> Figure:
    """Loss against tokens seen for every P: a panel per recipe (or corpus, or any column).

    Args:
        curves: P, tokens, the loss column, run_id, and seed if a P has several runs, perhaps the panel's column, and
            `begin`, the tokens of stage 1, if there was one. The axis then counts the tokens of stage 2, with the end of
            stage 1 before it.
        column: of the losses, in nats per token.
        panel: column whose values are the panels.
        absent: by panel, which curves are missing, in words.

    Returns:
        The figure. Faint: as logged. Strong: moving mean. A note says from how many tokens on each P > 1 is ahead of
        P = 1 (the range that noise leaves), or that it is not.
    """
    logged = curves[curves[column].notna()] if column in curves else curves.iloc[:0]
    logged = logged.reset_index(drop=True)
    logged = logged.assign(seen=logged["tokens"] - logged.get("begin", 0))
    figure, panels = _panels(logged, panel)
    if not panels:
        with figure_style.house_style():
            say_empty(figure.axes[0], f"no {_KINDS.get(column, column)} loss was logged")
        return figure
    looks = figure_style.stream_looks(
        [1, *logged["P"]]
    )  # P = 2 looks the same with and without runs of P = 1
    with figure_style.house_style():
        for name, axes in panels.items():
            rows = logged[logged[panel] == name] if panel in logged else logged
            staged = "begin" in rows and bool((rows["begin"] > 0).any())
            axes.set_xlabel("training tokens of stage 2" if staged else "training tokens")
            _curves(axes, rows, column, looks)
            head(axes, str(name), [(absent or {}).get(str(name), ""), *_passings(rows, column)])
        for axes in figure.axes[:: _columns(len(panels))]:
            axes.set_ylabel(f"{_KINDS.get(column, '')} {LOSS_LABEL}".strip())
        one_legend(figure)
    return figure


def _columns(count: int) -> int:
    """Panels side by side."""
    return min(2, count)


def _panels(rows: pd.DataFrame, panel: str, each: float = 3.37) -> tuple[Figure, dict[Any, Axes]]:
    """A figure with an axes, `each` inches wide, for each value of the panel's column."""
    names = list(rows[panel].unique()) if panel in rows else [""] * bool(len(rows))
    columns = _columns(max(1, len(names)))
    high = -(-max(1, len(names)) // columns)
    figure, every = figure_style.new_figure(
        high, columns, width=max(figure_style.COLUMN_WIDTH, each * columns), height=1.9 * high
    )
    for axes in every[max(1, len(names)) :]:
        axes.set_axis_off()
    return figure, dict(zip(names, every, strict=False))


def _curves(axes: Axes, rows: pd.DataFrame, column: str, looks: Mapping[int, Mapping[str, str]]) -> None:
    """One panel: each run faint, the mean of each P strong, the end of stage 1 in grey."""
    second = rows[rows["seen"] > 0]
    if len(second) < len(rows):
        first = rows[(rows["seen"] <= 0) & (rows["seen"] >= -BEFORE * second["seen"].max())]
        marker = "o" if column == "val_loss" else ""
        look = {"color": figure_style.GREY, "marker": marker, "linewidth": 1.4}
        _line(axes, first, column, look, "stage 1, $P = 1$")
        axes.axvline(0, color=figure_style.GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        rows = pd.concat([first, second])
    for i, (P, group) in enumerate(by_streams(second)):
        look = {**looks[P], "linewidth": width_of(i)} | ({} if column == "val_loss" else {"marker": ""})
        _line(axes, group, column, look, f"$P = {P}$")
    low, high = (float(np.quantile(rows[column], q)) for q in (0.0, 0.97 if len(rows) > 100 else 1.0))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    token_ticks(axes)


def width_of(i: int) -> float:
    """Lines of larger P are thinner: where they run on one another, each is still seen."""
    return max(0.7, 2.0 - 0.5 * i)


def _line(axes: Axes, rows: pd.DataFrame, column: str, look: Mapping[str, Any], label: str) -> None:
    """The runs of one P: as logged, and their moving mean."""
    if not len(rows):
        return
    mean = rows.groupby("seen")[column].mean().sort_index()
    for _, run in rows.groupby("run_id" if "run_id" in rows else "P", observed=True):
        ordered = run.sort_values("seen")
        axes.plot(ordered["seen"], ordered[column], color=look["color"], alpha=0.25, linewidth=0.6)
    smooth = mean.rolling(max(1, round(SMOOTHING * len(mean))), center=True, min_periods=1).mean()
    axes.plot(smooth.index, smooth, **look, markersize=3.5, label=label)


def token_ticks(axes: Axes) -> None:
    """Tokens in short, few enough for a small panel."""
    axes.xaxis.set_major_formatter(
        lambda value, _: count_text(value).replace("-", "\N{MINUS SIGN}") if value else "0"
    )
    axes.locator_params(axis="x", nbins=5)


def _passings(rows: pd.DataFrame, column: str) -> list[str]:
    """When each P > 1 is ahead of P = 1."""
    good = rows["status"] == "ok" if "status" in rows else True
    table = training_gap.gaps(rows[(rows["seen"] > 0) & good].assign(tokens=rows["seen"]), column)
    passed = training_gap.passing(table)
    lines = [f"$P = {P:.0f}$: {when}" for P, when in passed[["P", "when"]].itertuples(index=False)]
    return ["ahead of $P = 1$", *lines] if lines else []


def beside_one(
    table: pd.DataFrame, *, staged: Collection[str] = (), absent: Mapping[str, str] | None = None
) -> Figure:
    """Loss of each P > 1 minus that of P = 1 on the same text, against tokens: below zero is ahead.

    Args:
        table: of `analysis.sweep.training_gap.gaps` by column `panel`: P, tokens, and gaps in nats per token.
        staged: panels whose tokens are those of stage 2.
        absent: by panel, which curves are missing, in words.

    Returns:
        The figure. Faint: as logged. Strong: running median with its 95% band. The bar at the end is the mean of the
        last tenth.
    """
    figure, panels = _panels(table, "panel")
    if not panels:
        with figure_style.house_style():
            say_empty(figure.axes[0], "no run of $P > 1$ with one\nof $P = 1$, same seed and corpus")
        return figure
    looks = figure_style.stream_looks([1, *table["P"]])
    with figure_style.house_style():
        for name, axes in panels.items():
            rows = table[table["panel"] == name] if "panel" in table else table
            axes.set_xlabel("training tokens of stage 2" if name in staged else "training tokens")
            axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
            lines = _gap_lines(axes, rows, looks)
            head(axes, str(name), [(absent or {}).get(str(name), ""), *lines])
            token_ticks(axes)
        for axes in figure.axes[:: _columns(len(panels))]:
            axes.set_ylabel("training loss above $P = 1$\n($10^{-3}$ nats per token)")
        one_legend(figure)
    return figure


def _gap_lines(axes: Axes, rows: pd.DataFrame, looks: Mapping[int, Mapping[str, str]]) -> list[str]:
    """One panel: every P's gap, its band, its end; and in words where it passes P = 1."""
    seen, words = [np.zeros(1)], ["ahead of $P = 1$; gap at the end"]
    for i, (P, group) in enumerate(by_streams(rows)):
        tokens, smooth, band = group["tokens"], 1e3 * group["smooth"], 1.96e3 * group["se"].astype(float)
        color, marker = looks[P]["color"], looks[P]["marker"]
        axes.plot(tokens, 1e3 * group["gap"], color=color, alpha=0.25, linewidth=0.6)
        axes.fill_between(tokens, smooth - band, smooth + band, color=color, alpha=0.18, linewidth=0)
        axes.plot(tokens, smooth, color=color, linewidth=width_of(i), label=f"$P = {P}$")
        end = training_gap.passing(group).iloc[0]
        place = tokens.max() + (0.02 + 0.03 * i) * np.ptp(tokens)
        axes.errorbar(place, 1e3 * end["gap"], yerr=1e3 * end["noise"], color=color, marker=marker)
        seen.append(smooth.to_numpy())
        last = training_gap.signed(1e3 * end["gap"], 1e3 * end["noise"], 1)
        words.append(f"$P = {P}$: {end['when']}; {last}")
    every = np.concatenate(seen)
    low, high = float(every.min()), max(0.0, float(np.quantile(every, 0.97)))
    axes.set_ylim(low - 0.25 * (high - low), high + 0.25 * (high - low))
    return words


_END_LABEL: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "bottom", "fontsize": 6.5}


def against_streams(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    label: str,
    title: str = "",
    errors: Mapping[str, str] | None = None,
    form: str = "g",
    remark: str = "",
) -> Figure:
    """One or more measures against P, such as the score of a frozen model with trained streams (the form of Figure 6(c)).

    Args:
        table: P and the columns to draw.
        columns: column -> its words in the legend.
        label: the axis and its unit.
        title: of the figure.
        errors: column -> column of half an interval, drawn as a bar.
        form: format of the numbers written at each end.
        remark: a line above the panel.

    Returns:
        The figure, of one panel.
    """
    figure, (axes,) = figure_style.new_figure(width=figure_style.COLUMN_WIDTH, height=2.6)
    with figure_style.house_style():
        axes.set_xlabel(P_LABEL)
        axes.set_ylabel(label)
        head(axes, title, remark.split("\n"))
        rows = table.sort_values("P")
        if not len(rows):
            say_empty(axes, "nothing was measured")
            return figure
        for i, (column, words) in enumerate(columns.items()):
            known = rows[rows[column].notna()]
            bars = known[errors[column]] if errors and column in errors else None
            color = figure_style.CYCLE[i % len(figure_style.CYCLE)]
            look: dict[str, Any] = {"color": color, "marker": figure_style.MARKERS[i], "capsize": 2}
            axes.errorbar(known["P"], known[column], yerr=bars, label=words, **look)
            for P, value in known.iloc[[0, -1]][["P", column]].drop_duplicates().to_numpy():
                axes.annotate(f"{value:{form}}", (P, value), (4, 3), **_END_LABEL)
        figure_style.stream_ticks(axes, rows["P"])
        axes.margins(x=0.16, y=0.2)
        figure.legend(loc="outside lower center", ncols=min(2, len(columns)))
    return figure
