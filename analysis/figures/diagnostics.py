"""What the paper does not show of its fits: intervals, residuals over N x P, profile likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.common import N_LABEL, P_LABEL, number, say_empty
from analysis.output import figure_style
from scaling.data.groups import corpus_name, split_by_corpus
from scaling.data.units import count_text

# What a coefficient's panel may be measured in; "" is percent.
OWN, TIMES = "own units", "times the estimate"
MANY_TIMES = 5.0  # the end from which percent are unreadable
_SYMBOLS = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$", "rho": r"$\rho$"}


def symbol(parameter: str) -> str:
    """A coefficient's letter as mathtext."""
    return _SYMBOLS.get(parameter, f"${parameter}$")


def intervals(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """Every coefficient's interval in percent of its own estimate, a panel a coefficient.

    table: parameter, label (which fit or method), estimate, lower, upper and, if there, printed (the
    published constant, drawn as a bar). The estimate is written beside its dot; an end that is
    infinite reaches the panel's edge. Percent mean nothing where an estimate is 0, at its bound: that
    panel is in the coefficient's own units, its interval one-sided; nor where an end is many times the
    estimate: that panel is in multiples of it.
    """
    names = list(dict.fromkeys(table["parameter"]))
    labels = list(dict.fromkeys(table["label"]))
    height = max(1.0 + 0.36 * len(labels), 1.7)
    figure, panels = figure_style.new_figure(1, max(len(names), 1), height=height, sharey=True)
    y = np.arange(len(labels))[::-1]
    with figure_style.context():
        if not names:
            say_empty(panels[0], "no fit has intervals")
            return figure
        for axes, name in zip(panels, names, strict=True):
            rows = table[table["parameter"] == name].set_index("label").reindex(labels)
            _interval_panel(axes, rows, y)
            axes.set_title(symbol(name))
            axes.set_ylim(-0.6, len(labels) - 0.4)
        panels[0].set_yticks(y, labels=labels)
        marks = f"line: {100 * level:g}% interval, percent from the estimate (above its dot) unless said"
        figure.supxlabel(marks + ("; bar: printed" if "printed" in table else ""), fontsize=8)
    return figure


def _interval_panel(axes: Axes, rows: pd.DataFrame, y: Any) -> None:
    """One coefficient of every fit; rows are in the order of y."""
    center, raw = rows["estimate"].to_numpy(float), rows[["lower", "upper"]].to_numpy(float).T
    scale = _scale(center, raw)

    def place(values: Any) -> Any:
        if scale == OWN:
            return values
        return np.maximum(values / center, 1e-9) if scale == TIMES else 100 * (values / center - 1)

    at, ends = place(center), place(raw)
    low, high = _reach(at, ends, scale)
    bars = np.abs(np.clip(ends, low - 2 * (high - low), high + 2 * (high - low)) - at)
    axes.errorbar(at, y, xerr=bars, fmt="o", color=figure_style.BLUE, capsize=2.5, linewidth=1.2)
    if "printed" in rows:
        off = place(rows["printed"].to_numpy(float))
        axes.plot(off, y, "|", color=figure_style.ORANGE, markersize=13, markeredgewidth=1.8)
    for value, x, height in zip(center, at, y, strict=True):
        if np.isfinite(value):
            text, side = (f"${number(value)}$", "center") if value else ("0, at its bound", "left")
            axes.annotate(text, (x, height), (0, 8), textcoords="offset points", ha=side, fontsize=7)
    if scale == TIMES:
        axes.set_xscale("log")
        figure_style.plain_log_ticks(axes.xaxis, subs=(1.0,), most=4)
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlim(low, high)
    axes.set_xlabel(scale)


def _scale(center: Any, ends: Any) -> str:
    """What a coefficient's panel is measured in; nothing said: percent."""
    if (center == 0).any():
        return OWN
    finite = np.isfinite(ends)
    return TIMES if np.abs((ends / center)[finite]).max(initial=0) > MANY_TIMES else ""


def _reach(at: Any, ends: Any, scale: str) -> tuple[float, float]:
    """Limits of a panel: even about the estimates in percent, else what there is with a margin."""
    finite = np.concatenate([ends[np.isfinite(ends)], at[np.isfinite(at)]])
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if scale == TIMES:
        low = float(finite[finite > 1e-6].min())
        return low / 3, high * 3
    if scale:
        span = high - low or 1.0  # all open: the bar leaves the panel
        return low - 0.08 * span, high + 0.15 * span
    reach = 1.15 * max(-low, high) or 1.0
    return -reach, reach


def residuals(table: pd.DataFrame) -> Figure:
    """Observed minus fitted loss over N x P, a panel a corpus, in thousandths of a nat.

    table: N, P, residual and perhaps corpus and size (columns are sizes where there is one, else N).
    A good law leaves no pattern: rows or columns of one sign say what it misses.
    """
    groups = split_by_corpus(table)
    figure, panels = figure_style.new_figure(1, len(groups), width=3.7 * len(groups), height=2.7)
    reach = 1e3 * float(table["residual"].abs().max()) if len(table) else 1.0
    with figure_style.context():
        mesh = None
        for axes, (corpus, rows) in zip(panels, groups.items(), strict=True):
            axes.set_title(corpus_name(corpus))
            if not len(rows):
                say_empty(axes, "no residual to show")
                continue
            column = "size" if "size" in rows else "N"
            order = rows.groupby(column)["N"].min().sort_values().index
            grid = 1e3 * rows.pivot_table(index="P", columns=column, values="residual")[order]
            # Purple and orange: a diverging pair told apart without red and green.
            mesh = axes.imshow(grid, cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto", origin="lower")
            _cells(axes, grid, reach)
            axes.set_xlabel("size" if column == "size" else N_LABEL)
        panels[0].set_ylabel(P_LABEL)
        if mesh is not None:
            label = "observed - fitted ($10^{-3}$ nats)".replace("-", "\N{MINUS SIGN}", 1)
            figure.colorbar(mesh, ax=panels, label=label, pad=0.02)
    return figure


def _cells(axes: Axes, grid: pd.DataFrame, reach: float) -> None:
    """The numbers in the cells, and the axes' names for rows and columns."""
    for i, P in enumerate(grid.index):
        for j, size in enumerate(grid.columns):
            value = grid.loc[P, size]
            if np.isfinite(value):
                dark = abs(value) > 0.6 * reach
                text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=7, color="white" if dark else "black"
                )
    names = [c if isinstance(c, str) else count_text(float(f"{c:.2g}")) for c in grid.columns]
    axes.set_xticks(range(len(names)), labels=names)
    axes.set_yticks(range(len(grid.index)), labels=[f"{p:g}" for p in grid.index])
    axes.grid(visible=False)


def profiles(table: pd.DataFrame, thresholds: Mapping[str, float] | None = None) -> Figure:
    """Profile likelihoods: how much worse a fit gets as one coefficient is held off its best.

    table: parameter, value, rise (of the objective over its least value, in squared standard errors;
    for least squares twice the log likelihood lost) and perhaps corpus. thresholds: name -> rise,
    drawn as level lines, e.g. {"95%": 4.4}.
    """
    names = list(dict.fromkeys(table["parameter"]))
    groups = split_by_corpus(table)
    size = (max(len(groups), 1), max(len(names), 1))
    figure, panels = figure_style.new_figure(*size, height=0.4 + 1.8 * size[0], sharey=True)
    levels = dict(thresholds or {})
    with figure_style.context():
        if not names:
            say_empty(panels[0], "no profile to show")
            return figure
        for i, (corpus, rows) in enumerate(groups.items()):
            for j, name in enumerate(names):
                axes = panels[i * len(names) + j]
                line = rows[rows["parameter"] == name].sort_values("value")
                axes.plot(line["value"], line["rise"], color=figure_style.CYCLE[i % len(figure_style.CYCLE)])
                for text, rise in levels.items():
                    axes.axhline(rise, color=figure_style.GREY, linewidth=0.8, linestyle="--")
                    axes.annotate(
                        text, (0.5, rise), (0, 2), xycoords=axes.get_yaxis_transform(), fontsize=7,
                        textcoords="offset points", ha="center",
                    )  # fmt: skip
                axes.set_xlabel(symbol(name))
                if name == "A" and line["value"].max() > 30 * line["value"].min():
                    axes.set_xscale("log")
                else:
                    axes.ticklabel_format(axis="x", useMathText=True, scilimits=(-2, 4))
                    axes.locator_params(axis="x", nbins=4)
            panels[i * len(names)].set_ylabel(f"{corpus_name(corpus)}\nrise (s.e.$^2$)".strip())
        panels[0].set_ylim(0, 2.5 * max(levels.values()) if levels else 10)
    return figure
