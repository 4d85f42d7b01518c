"""How far to trust a fit: intervals, residuals, profiles, backtests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import (
    N_LABEL,
    P_LABEL,
    answered,
    head,
    one_legend,
    say_empty,
)
from analysis.output import figure_style
from scaling.data.groups import backbones, corpus_name, labelled, split_by_corpus
from scaling.data.units import count_text
from scaling.fitting.summary import number_text

REACH = 100.0  # percent from the estimate: an end further off leaves the panel with an arrow
_SYMBOLS = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$", "rho": r"$\rho$"}


def symbol(parameter: str) -> str:
    """A coefficient's letter as mathtext."""
    return _SYMBOLS.get(parameter, f"${parameter}$")


def intervals(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """The interval of every coefficient on one scale, in percent of its own estimate, with the numbers at the right.

    Args:
        table: parameter, label (which fit or method), estimate, lower, upper and, if there, printed (the published
            constant, drawn as a bar).
        level: of the intervals, between 0 and 1.

    Returns:
        The figure. An end beyond REACH leaves the panel with an arrow. The row of an estimate of 0 has numbers alone,
        because percent mean nothing there.
    """
    height = 0.75 + 0.17 * max(len(table), 3)
    figure, (axes,) = figure_style.new_figure(width=0.75 * figure_style.TEXT_WIDTH, height=height)
    with figure_style.house_style():
        if not len(table):
            say_empty(axes, "no fit has intervals")
            return figure
        names = list(dict.fromkeys(table["parameter"]))
        rows = table.iloc[np.argsort([names.index(name) for name in table["parameter"]], kind="stable")]
        y = -(np.arange(len(rows)) + 0.6 * rows["parameter"].map(names.index).to_numpy())
        reach = _interval_rows(axes, rows, y)
        labels = [f"{symbol(name)}  {label}" for name, label in rows[["parameter", "label"]].to_numpy()]
        axes.set_yticks(y, labels=labels)
        axes.set_ylim(y.min() - 0.7, 0.7)
        axes.set_xlim(-reach, reach)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{100 * level:g}% interval, % from the estimate")
        if "printed" in rows:
            one_legend(figure)
    return figure


def _interval_rows(axes: Axes, rows: pd.DataFrame, y: Any) -> float:
    """A line a row, arrows where an end is far off, the numbers at the right. Returns the panel's reach."""
    center = rows["estimate"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = 100 * (rows[["lower", "upper"]].to_numpy(float) / center[:, None] - 1)
    near = np.abs(ends[np.isfinite(ends) & (np.abs(ends) < REACH)])
    reach = 1.15 * (REACH if (np.abs(ends[center != 0]) >= REACH).any() else max(near.max(initial=0.0), 1.0))
    axes.axvline(0, color=figure_style.GREY, linewidth=0.7)
    for (low, high), value, height in zip(ends, center, y, strict=True):
        if value:
            axes.plot([max(low, -reach), min(high, reach)], [height] * 2, color=figure_style.BLUE)
            axes.plot(0, height, "o", color=figure_style.BLUE)
            for end, mark in ((low, "<"), (high, ">")):
                outside = abs(end) > reach or not np.isfinite(end)
                at = np.sign(end) * 0.98 * reach if outside else end
                axes.plot(at, height, mark if outside else "|", color=figure_style.BLUE, markersize=5)
    if "printed" in rows:
        off = 100 * (rows["printed"].to_numpy(float) / center - 1)
        look: dict[str, Any] = {"color": figure_style.ORANGE, "markersize": 8, "markeredgewidth": 1.6}
        axes.plot(off, y, "|", label="printed", **look)
    for value, low, high, height in zip(center, *rows[["lower", "upper"]].to_numpy(float).T, y, strict=True):
        words = f"{number_text(value)} ({number_text(low)} to {number_text(high)})"
        axes.annotate(
            words + (", at its bound" if value == 0 else ""), (1.04, height), va="center", fontsize=6.5,
            xycoords=axes.get_yaxis_transform(), annotation_clip=False,
        )  # fmt: skip
    return reach


def residuals(table: pd.DataFrame) -> Figure:
    """Observed minus fitted loss over N x P, a panel per corpus, in thousandths of a nat per token.

    Args:
        table: N, P, residual and perhaps corpus and size (columns are sizes if there is one, otherwise N).

    Returns:
        The figure. A good law leaves no pattern. Rows or columns of one sign show what it misses.
    """
    groups = split_by_corpus(table)
    width = figure_style.TEXT_WIDTH if len(groups) > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(1, max(len(groups), 1), width=width, height=2.3)
    reach = 1e3 * float(table["residual"].abs().max()) if len(table) else 1.0
    with figure_style.house_style():
        mesh = None
        for axes, (corpus, rows) in zip(panels, groups.items(), strict=True):
            axes.set_title(corpus_name(corpus))
            if not len(rows):
                say_empty(axes, "no residual to show")
                continue
            column = "size" if "size" in rows else "N"
            order = rows.groupby(column)["N"].min().sort_values().index
            grid = 1e3 * rows.pivot_table(index="P", columns=column, values="residual")[order]
            # Purple and orange: a diverging pair that needs no red and green.
            mesh = axes.imshow(grid, cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto", origin="lower")
            _residual_cells(axes, grid, reach)
            axes.set_xlabel("size" if column == "size" else N_LABEL)
        panels[0].set_ylabel(P_LABEL)
        if mesh is not None:
            label = "observed - fitted ($10^{-3}$ nats)".replace("-", "\N{MINUS SIGN}", 1)
            figure.colorbar(mesh, ax=panels, label=label, pad=0.02)
    return figure


def _residual_cells(axes: Axes, grid: pd.DataFrame, reach: float) -> None:
    """The numbers in the cells, and the axes' names for rows and columns."""
    for i, P in enumerate(grid.index):
        for j, size in enumerate(grid.columns):
            value = grid.loc[P, size]
            if np.isfinite(value):
                dark = abs(value) > 0.6 * reach
                text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black"
                )
    names = [c if isinstance(c, str) else count_text(float(f"{c:.2g}")) for c in grid.columns]
    axes.set_xticks(range(len(names)), labels=names)
    axes.set_yticks(range(len(grid.index)), labels=[f"{p:g}" for p in grid.index])
    axes.grid(visible=False)


def profiles(table: pd.DataFrame, thresholds: Mapping[str, float] | None = None) -> Figure:
    """Profile likelihoods: how much worse a fit gets as one coefficient is held away from its best value.

    Args:
        table: parameter, value, rise (of the objective over its minimum, in squared standard errors; for least squares
            twice the log likelihood lost) and perhaps corpus.
        thresholds: name -> rise, drawn as level lines, such as {"95%": 4.4}.

    Returns:
        The figure, a panel per coefficient.
    """
    names = list(dict.fromkeys(table["parameter"]))
    groups = split_by_corpus(table)
    size = (max(len(groups), 1), max(len(names), 1))
    figure, panels = figure_style.new_figure(*size, height=0.4 + 1.6 * size[0], sharey=True)
    levels = dict(thresholds or {})
    with figure_style.house_style():
        if not names:
            say_empty(panels[0], "no profile to show")
            return figure
        for i, (corpus, rows) in enumerate(groups.items()):
            for j, name in enumerate(names):
                axes = panels[i * len(names) + j]
                line = rows[rows["parameter"] == name].sort_values("value")
                axes.plot(line["value"], line["rise"], color=figure_style.CYCLE[i % len(figure_style.CYCLE)])
                for text, rise in levels.items():
                    look: dict[str, Any] = {"color": figure_style.GREY, "linewidth": 0.8, "linestyle": "--"}
                    axes.axhline(rise, label=f"{text} interval: below this line", **look)
                axes.set_xlabel(symbol(name))
                if name == "A" and line["value"].max() > 30 * line["value"].min():
                    axes.set_xscale("log")
                else:
                    axes.ticklabel_format(axis="x", useMathText=True, scilimits=(-2, 4))
                    axes.locator_params(axis="x", nbins=4)
            panels[i * len(names)].set_ylabel(f"{corpus_name(corpus)}\nrise (s.e.$^2$)".strip())
        panels[0].set_ylim(0, 2.5 * max(levels.values()) if levels else 10)
        one_legend(figure)
    return figure


def draw_backtest(table: pd.DataFrame, verdicts: Mapping[str, Any] | None = None) -> Figure:
    """Errors of predictions: fit the smaller runs, predict the larger. A panel per split.

    Args:
        table: split (what was held out, in words), corpus, N, P, error (observed minus predicted, nats per token),
            held_out (bool).
        verdicts: `scaling.verdict` by corpus, whose answer about extrapolation is the title.

    Returns:
        The figure. Open markers were fitted, filled ones predicted. Filled markers on one side of zero are bias.
    """
    splits = list(dict.fromkeys(table["split"]))
    figure, panels = figure_style.new_figure(1, max(len(splits), 1), height=2.0, sharey=True)
    with figure_style.house_style():
        if not splits:
            say_empty(panels[0], "nothing to hold out: too few runs,\nor no fit of the law to be relied on")
            return figure
        for axes, split in zip(panels, splits, strict=True):
            rows = table[table["split"] == split]
            head(axes, split, _errors(axes, rows))
        panels[0].set_ylabel("observed \N{MINUS SIGN} predicted\n($10^{-3}$ nats)")
        one_legend(figure, lines=answered(verdicts, "extrapolates"))
    return figure


def _errors(axes: Axes, rows: pd.DataFrame) -> list[str]:
    """Signed errors against N, fitted runs open and held-out ones filled. The mean errors in words."""
    words = []
    for i, (corpus, runs) in enumerate(split_by_corpus(rows).items()):
        color = figure_style.CYCLE[i % len(figure_style.CYCLE)]
        for held, face in ((False, "none"), (True, color)):
            part = runs[runs["held_out"] == held]
            axes.plot(
                part["N"],
                1e3 * part["error"],
                linestyle="none",
                marker="o",
                color=color,
                markerfacecolor=face,
                label=labelled(corpus, "predicted" if held else "fitted", ", "),
            )
        out = runs[runs["held_out"]]
        error = 1e3 * out["error"]
        mean = f"{error.mean():+.1f}".replace("-", "\N{MINUS SIGN}")
        if len(out):
            words.append(labelled(corpus, f"mean error of the predicted {mean}"))
    axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
    figure_style.size_ticks(axes, backbones(rows))
    axes.set_xlabel(N_LABEL)
    return words
