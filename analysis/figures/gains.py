"""What P streams gain at each size against what their own parameters, or the paper's k, would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.figures.common import corpus_name, say_empty

PAPER_K = (0.33, 0.39)  # arXiv 2505.10475: The Pile, Stack-V2 Python


def gains(table: pd.DataFrame, laws: Mapping[str, Any], doubt: str = "") -> Figure:
    """Change of the loss from P = 1 to P at one size against N, a panel each P and a row each corpus.

    table: the columns of `analysis.gains.gains`; laws: the law of N at P = 1 by corpus. Grey: what the
    parameters that streams bring would give alone; band: what they would give if P streams were worth
    N (k ln P + 1) with the paper's two k. doubt: what stands against that law, for the legend.
    """
    corpora, streams = list(dict.fromkeys(table["corpus"])), sorted(table["P"].unique())
    rows, columns = max(len(corpora), 1), max(len(streams), 1)
    figure, panels = style.new_figure(rows, columns, height=2.4 * rows + 0.5, sharey="row", sharex=True)
    with style.context():
        if not len(table):
            say_empty(panels[0], "no size was run at P = 1 and at more")
            return figure
        words = "measured, 95% over seeds" if table["low"].notna().any() else "measured"
        for index, axes in enumerate(panels):
            corpus, P = corpora[index // columns], streams[index % columns]
            part = table[(table["corpus"] == corpus) & (table["P"] == P)]
            _panel(axes, part, laws.get(corpus), doubt, words)
            name = f"{corpus_name(str(corpus))}, " if len(corpora) > 1 else ""
            axes.set_title(f"{name}$P = {int(P)}$")
            style.size_ticks(axes, sorted(table["N_one"].unique()), gap=0.05 * columns)
        figure.supylabel("change of the loss from $P = 1$ (nats)", fontsize=9)
        figure.supxlabel("non-embedding parameters $N$ at $P = 1$", fontsize=9)
        known: dict[str, Any] = {}  # a corpus may lack a P: no one panel has every label
        for axes in panels:
            handles, labels = axes.get_legend_handles_labels()
            known |= dict(zip(labels, handles, strict=True))
        figure.legend(list(known.values()), list(known), loc="outside upper center", ncols=len(known))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, law: Any, doubt: str, measured: str) -> None:
    """One P of one corpus."""
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    axes.set_xscale("log")
    if len(rows) and law is not None:
        one, N, P = (rows[c].to_numpy(float) for c in ("N_one", "N", "P"))
        base = np.asarray(law.predict(N=one))
        promised = [np.asarray(law.predict(N=N * (k * np.log(P) + 1))) - base for k in PAPER_K]
        color: Any = style.CYCLE[1]
        words = f"the paper's $k$, {PAPER_K[0]:g} to {PAPER_K[1]:g}"
        axes.fill_between(one, *promised, color=color, alpha=0.35, label=words)
        axes.plot(
            one, rows["by_parameters"], color=style.GREY, linestyle="--", label=f"added $N$ alone{doubt}"
        )
    bars = None
    if rows["low"].notna().any():
        bars = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["change"].to_numpy(float))
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "capsize": 2, "color": style.CYCLE[0]}
    axes.errorbar(rows["N_one"], rows["change"], yerr=bars, label=measured, **look)
