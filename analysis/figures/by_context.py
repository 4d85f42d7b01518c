"""Where in the text P streams change the loss: copied pairs, seen tokens, new ones, a window's start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.figures.common import by_streams, corpus_name, say_empty

WORDS = {
    "repeated": "a pair seen before",
    "seen": "a token seen before",
    "new": "a new token",
    "start": "a window's start",
}


def by_context(table: pd.DataFrame) -> Figure:
    """Change of the loss from P = 1 against N at P = 1, a panel each part of the text, a row each corpus.

    table: the columns of `analysis.by_context.changes`. Bars are 95% intervals over seeds, where there are
    several. A change in copied pairs alone says when a run learned to copy, not what streams can hold.
    """
    corpora, parts = list(dict.fromkeys(table["corpus"])), list(dict.fromkeys(table["part"]))
    rows, columns = max(len(corpora), 1), max(len(parts), 1)
    figure, panels = style.new_figure(rows, columns, height=2.4 * rows + 0.6, sharey="row", sharex=True)
    with style.context():
        if not len(table):
            say_empty(panels[0], "no size was run at P = 1 and at more")
            return figure
        looks = style.stream_looks([1, *table["P"]])  # as where there are runs of P = 1
        for index, axes in enumerate(panels):
            corpus, part = corpora[index // columns], parts[index % columns]
            group = table[(table["corpus"] == corpus) & (table["part"] == part)]
            _panel(axes, group, looks)
            name = f"{corpus_name(str(corpus))}, " if len(corpora) > 1 else ""
            share = f"{group['share'].iloc[0]:.0%} of the text" if len(group) else ""
            axes.set_title(f"{name}{WORDS.get(part, part)}\n{share}", fontsize=9)
            style.size_ticks(axes, sorted(table["N_one"].unique()), gap=0.05 * columns)
        figure.supylabel("change of the loss from $P = 1$ (nats)", fontsize=9)
        figure.supxlabel("non-embedding parameters $N$ at $P = 1$", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=max(len(labels), 1))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[int, dict[str, Any]]) -> None:
    """One part of one corpus: a line each P."""
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    axes.set_xscale("log")
    for P, of_P in by_streams(rows):
        bars = None
        if of_P["low"].notna().any():
            bars = np.abs(of_P[["low", "high"]].to_numpy(float).T - of_P["change"].to_numpy(float))
        axes.errorbar(of_P["N_one"], of_P["change"], yerr=bars, capsize=2, label=f"$P = {P}$", **looks[P])
