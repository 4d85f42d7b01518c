"""The k of Eq 5 that each pair of runs asks for: one line, if P streams are worth N (k ln P + 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.common import by_streams, say_empty
from analysis.output import figure_style
from scaling.data.groups import corpus_name


class FittedK(NamedTuple):
    """k of Eq 5 fitted to all runs of a corpus, its interval, and the coefficients that ended at a bound."""

    k: float
    lower: float
    upper: float
    at_bound: tuple[str, ...] = ()


def pair_k(table: pd.DataFrame, fitted: Mapping[str, FittedK], doubt: str = "") -> Figure:
    """The column k of `analysis.report.paired_gains.gains` against N at P = 1, a panel each corpus.

    fitted: k of Eq 5 fitted to all runs and its 95% interval, by corpus; drawn as line and band, and the
    legend says where that fit ended at a bound. doubt: what stands against the law of P = 1 that gives the
    pairs' k. Level: Eq 5 holds in N; together: in P. Open where the size that a pair is worth lies beyond
    the runs of P = 1, and their law is extrapolated.
    """
    shown = table[np.isfinite(table["k"])]
    corpora = list(dict.fromkeys(shown["corpus"]))
    figure, panels = figure_style.new_figure(1, max(len(corpora), 1), height=2.9, sharey=True)
    with figure_style.context():
        if not len(shown):
            say_empty(panels[0], "too few sizes at P = 1 to say what k a pair of runs asks for")
            return figure
        looks = figure_style.stream_looks([1, *shown["P"]])
        for corpus, axes in zip(corpora, panels, strict=True):
            _panel(axes, shown[shown["corpus"] == corpus], fitted.get(corpus), looks)
            axes.set_title(corpus_name(str(corpus)) if corpus else "")
        panels[0].set_ylabel("$k$ of Eq 5 for each pair of runs")
        figure.supxlabel(f"non-embedding parameters $N$ at $P = 1${doubt}", fontsize=9)
        known = {label: h for a in panels for h, label in zip(*a.get_legend_handles_labels(), strict=True)}
        figure.legend(list(known.values()), list(known), loc="outside upper center", ncols=len(known))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, fit: FittedK | None, looks: Mapping[int, Any]) -> None:
    """One corpus: a line each P, and what is fitted to all of them."""
    axes.set_xscale("log")
    axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
    if fit is not None:
        bound = ", ".join(fit.at_bound)
        words = "fitted to all runs, 95%" + (f" ({bound} at a bound)" if bound else "")
        axes.axhline(fit.k, color=figure_style.GREY, linestyle="--", label=words)
        axes.axhspan(fit.lower, fit.upper, color=figure_style.GREY, alpha=0.2)
    for P, of_P in by_streams(rows):
        axes.plot(of_P["N_one"], of_P["k"], label=f"$P = {P}$", **looks[P])
        beyond = of_P[of_P["N"] * (of_P["k"] * np.log(P) + 1) > rows["N_one"].max()]
        bare: Any = {**looks[P], "linestyle": "none", "markerfacecolor": "white", "zorder": 3}
        axes.plot(beyond["N_one"], beyond["k"], **bare)
    figure_style.size_ticks(axes, sorted(rows["N_one"].unique()), gap=0.12)
