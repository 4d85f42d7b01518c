"""Curves of training: two-stage, continual and PEFT runs (the forms of Figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.figures.common import LOSS_LABEL, P_LABEL, by_streams, note, say_empty

SMOOTHING = 0.03  # share of a curve that the moving mean spans
_KINDS = {"train_loss": "training", "val_loss": "validation"}


def training_curves(curves: pd.DataFrame, *, column: str = "train_loss", panel: str = "recipe") -> Figure:
    """Loss against tokens seen for every P, a panel a recipe (or corpus, or any column).

    curves: P, tokens, the loss column, run_id where a P has several runs, and perhaps the panel's
    column. Faint: as logged; strong: moving mean. A note gives the tokens after which each P > 1
    stays below P = 1, the recovery that the two-stage recipe counts on.
    """
    logged = curves[curves[column].notna()] if column in curves else curves.iloc[:0]
    names = list(dict.fromkeys(logged[panel])) if panel in logged and len(logged) else [""]
    columns = min(3, len(names))
    rows_of_panels = -(-len(names) // columns)
    figure, panels = style.new_figure(
        rows_of_panels, columns, width=max(4.6, 3.3 * columns), height=2.9 * rows_of_panels
    )
    looks = style.stream_looks(logged["P"]) if len(logged) else {}
    with style.context():
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(panels, names, strict=False):
            rows = logged[logged[panel] == name] if name else logged
            axes.set_title(str(name))
            axes.set_xlabel("training tokens")
            if not len(rows):
                say_empty(axes, f"no {_KINDS.get(column, column)} loss was logged")
                continue
            _curves(axes, rows, column, looks)
        for axes in panels[::columns]:
            axes.set_ylabel(f"{_KINDS.get(column, '')} {LOSS_LABEL}".strip())
        handles, labels = panels[0].get_legend_handles_labels()
        if labels:
            figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _curves(axes: Axes, rows: pd.DataFrame, column: str, looks: Mapping[int, Mapping[str, str]]) -> None:
    """One panel: each run faint, the mean of each P strong, and when each P passes P = 1."""
    means: dict[int, pd.Series[float]] = {}
    for P, group in by_streams(rows):
        color = looks[P]["color"]
        key = "run_id" if "run_id" in group else "P"
        for _, run in group.groupby(key):
            ordered = run.sort_values("tokens")
            axes.plot(ordered["tokens"], ordered[column], color=color, alpha=0.25, linewidth=0.6)
        mean = group.groupby("tokens")[column].mean().sort_index()
        window = max(1, round(SMOOTHING * len(mean)))
        means[P] = mean.rolling(window, min_periods=1).mean()
        axes.plot(means[P].index, means[P], color=color, label=f"$P = {P}$")
    low, high = (float(np.quantile(rows[column], q)) for q in (0.0, 0.97))
    axes.set_ylim(low - 0.03 * (high - low), high + 0.2 * (high - low))
    axes.xaxis.set_major_formatter(lambda value, _: style.count_text(value) if value else "0")
    axes.locator_params(axis="x", nbins=5)
    passed = [f"$P = {P}$: {_passes(means[1], mean)}" for P, mean in means.items() if P > 1 and 1 in means]
    if passed:
        note(axes, "\n".join(["stays below $P = 1$", *passed]))


def _passes(base: pd.Series[float], other: pd.Series[float]) -> str:
    """From how many tokens on a curve lies below the base curve."""
    tokens = other.index.to_numpy(dtype=float)
    above = other.to_numpy() >= np.interp(tokens, base.index.to_numpy(dtype=float), base.to_numpy())
    if not above.any():
        return "from the start"
    last = int(np.flatnonzero(above)[-1])
    return "not yet" if last == len(tokens) - 1 else f"from {style.count_text(tokens[last + 1])} tokens"


def against_streams(
    table: pd.DataFrame, columns: Mapping[str, str], *, label: str, title: str = ""
) -> Figure:
    """One or more measures against P, e.g. the score of a frozen model with trained streams (Figure 6(c)).

    table: P and the columns; columns: name -> words; label: the axis and its unit. Each end is written out.
    """
    figure, (axes,) = style.new_figure(width=4.4, height=3.0)
    with style.context():
        axes.set_xlabel(P_LABEL)
        axes.set_ylabel(label)
        axes.set_title(title)
        rows = table.sort_values("P")
        if not len(rows):
            say_empty(axes, "nothing was measured")
            return figure
        for i, (column, words) in enumerate(columns.items()):
            known = rows[rows[column].notna()]
            color = style.CYCLE[i % len(style.CYCLE)]
            axes.plot(known["P"], known[column], color=color, marker=style.MARKERS[i], label=words)
            for P, value in known.iloc[[0, -1]][["P", column]].to_numpy():
                axes.annotate(
                    f"{value:g}", (P, value), (0, 6), textcoords="offset points", ha="center", fontsize=8
                )
        style.stream_ticks(axes, rows["P"])
        axes.margins(x=0.12, y=0.2)
        figure.legend(loc="outside lower center", ncols=len(columns))
    return figure
