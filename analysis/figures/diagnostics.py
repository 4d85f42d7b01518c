"""What the paper does not show of its fits: intervals, residuals over N x P, profile likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.figures.common import N_LABEL, P_LABEL, corpus_name, number, say_empty, split_by_corpus

_SYMBOLS = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$", "rho": r"$\rho$"}


def symbol(parameter: str) -> str:
    """A coefficient's letter as mathtext."""
    return _SYMBOLS.get(parameter, f"${parameter}$")


def intervals(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """Every coefficient's interval in percent of its own estimate, a panel a coefficient.

    table: parameter, label (which fit or method), estimate, lower, upper and, if there, printed (the
    published constant, drawn as a bar). The estimate is written beside its dot; an end that is
    infinite reaches the panel's edge.
    """
    names = list(dict.fromkeys(table["parameter"]))
    labels = list(dict.fromkeys(table["label"]))
    height = max(1.0 + 0.36 * len(labels), 1.7)
    figure, panels = style.new_figure(1, max(len(names), 1), height=height, sharey=True)
    y = np.arange(len(labels))[::-1]
    with style.context():
        if not names:
            say_empty(panels[0], "no fit has intervals")
            return figure
        for axes, name in zip(panels, names, strict=True):
            rows = table[table["parameter"] == name].set_index("label").reindex(labels)
            _interval_panel(axes, rows, y)
            axes.set_title(symbol(name))
            axes.set_ylim(-0.6, len(labels) - 0.4)
        panels[0].set_yticks(y, labels=labels)
        marks = f"percent from the estimate (written above its dot); line: {level:.0%} interval"
        figure.supxlabel(marks + ("; bar: printed" if "printed" in table else ""), fontsize=8)
    return figure


def _interval_panel(axes: Axes, rows: pd.DataFrame, y: Any) -> None:
    """One coefficient of every fit; rows are in the order of y."""
    center = rows["estimate"].to_numpy(float)
    ends = 100 * (rows[["lower", "upper"]].to_numpy(float).T / center - 1)
    finite = ends[np.isfinite(ends)]
    reach = 1.15 * float(np.abs(finite).max()) if finite.size else 1.0
    bars = np.abs(np.clip(ends, -2 * reach, 2 * reach))
    axes.errorbar(np.zeros_like(center), y, xerr=bars, fmt="o", color=style.BLUE, capsize=2.5, linewidth=1.2)
    if "printed" in rows:
        off = 100 * (rows["printed"].to_numpy(float) / center - 1)
        axes.plot(off, y, "|", color=style.ORANGE, markersize=13, markeredgewidth=1.8)
    for value, height in zip(center, y, strict=True):
        if np.isfinite(value):
            text = f"${number(value)}$"
            axes.annotate(text, (0, height), (0, 8), textcoords="offset points", ha="center", fontsize=7)
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)


def residuals(table: pd.DataFrame) -> Figure:
    """Observed minus fitted loss over N x P, a panel a corpus, in thousandths of a nat.

    table: N, P, residual and perhaps corpus and size (columns are sizes where there is one, else N).
    A good law leaves no pattern: rows or columns of one sign say what it misses.
    """
    groups = split_by_corpus(table)
    figure, panels = style.new_figure(1, len(groups), width=3.7 * len(groups), height=2.7)
    reach = 1e3 * float(table["residual"].abs().max()) if len(table) else 1.0
    with style.context():
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
            axes.set_xlabel(N_LABEL)
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
    names = [c if isinstance(c, str) else style.count_text(float(f"{c:.2g}")) for c in grid.columns]
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
    figure, panels = style.new_figure(*size, height=0.4 + 1.8 * size[0], sharey=True)
    levels = dict(thresholds or {})
    with style.context():
        if not names:
            say_empty(panels[0], "no profile to show")
            return figure
        for i, (corpus, rows) in enumerate(groups.items()):
            for j, name in enumerate(names):
                axes = panels[i * len(names) + j]
                line = rows[rows["parameter"] == name].sort_values("value")
                axes.plot(line["value"], line["rise"], color=style.CYCLE[i % len(style.CYCLE)])
                for text, rise in levels.items():
                    axes.axhline(rise, color=style.GREY, linewidth=0.8, linestyle="--")
                    axes.text(0.02, rise, text, transform=axes.get_yaxis_transform(), fontsize=7, va="bottom")
                axes.set_xlabel(symbol(name))
                axes.ticklabel_format(axis="x", useMathText=True, scilimits=(-2, 4))
                axes.locator_params(axis="x", nbins=4)
            panels[i * len(names)].set_ylabel(f"{corpus_name(corpus)}\nrise (s.e.$^2$)".strip())
        panels[0].set_ylim(0, 2.5 * max(levels.values()) if levels else 10)
    return figure
