"""Where in the text P streams change the loss: copied pairs, seen tokens, new ones, a window's start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.changes import change_panels, dots
from analysis.figures.common import by_streams
from analysis.output import figure_style

APART = 1.08  # ratio of the N at which neighbouring P of one size are drawn
WORDS = {
    "repeated": "a pair seen before",
    "seen": "a token seen before",
    "new": "a new token",
    "start": "a window's start",
}


def by_context(table: pd.DataFrame, pairs: pd.DataFrame | None = None) -> Figure:
    """Change of the loss from P = 1 against N at P = 1, a panel each part of the text, a row each corpus.

    table: the columns of `analysis.report.context_text.changes`; pairs: of `analysis.report.context_text.pairs`, each seed's
    change: small dots. Bars are 95% intervals over seeds, where there are several. A change in copied pairs
    alone says when a run learned to copy, not what streams can hold.
    """
    looks = (
        figure_style.stream_looks([1, *table["P"]]) if len(table) else {}
    )  # as where there are runs of P = 1

    def title(part: str, rows: pd.DataFrame) -> str:
        share = f"{rows['share'].iloc[0]:.0%} of the text" if len(rows) else ""
        return f"{WORDS.get(part, part)}\n{share}"

    def draw(axes: Axes, corpus: str, rows: pd.DataFrame) -> None:
        own = None
        if pairs is not None and len(rows):
            own = pairs[(pairs["corpus"] == corpus) & (pairs["part"] == rows["part"].iloc[0])]
        _panel(axes, rows, own, looks)

    return change_panels(table, "part", list(dict.fromkeys(table["part"])), title, draw, pairs=pairs)


def _panel(
    axes: Axes, rows: pd.DataFrame, pairs: pd.DataFrame | None, looks: Mapping[int, dict[str, Any]]
) -> None:
    """One part of one corpus: a line each P, a little apart."""
    for index, (P, of_P) in enumerate(by_streams(rows)):
        shift = APART ** (index - (rows["P"].nunique() - 1) / 2)
        bars = None
        if of_P["low"].notna().any():
            bars = np.abs(of_P[["low", "high"]].to_numpy(float).T - of_P["change"].to_numpy(float))
        at, label = of_P["N_one"] * shift, f"$P = {P}$"
        axes.errorbar(at, of_P["change"], yerr=bars, capsize=2, label=label, **looks[P])
        dots(axes, None if pairs is None else pairs[pairs["P"] == P], looks[P], shift)
