"""Where in the text P streams change the loss: copied pairs, seen tokens, new ones, a window's start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.figures.changes import change_panels
from analysis.figures.common import by_streams

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
    looks = style.stream_looks([1, *table["P"]]) if len(table) else {}  # as where there are runs of P = 1

    def title(part: str, rows: pd.DataFrame) -> str:
        share = f"{rows['share'].iloc[0]:.0%} of the text" if len(rows) else ""
        return f"{WORDS.get(part, part)}\n{share}"

    def draw(axes: Axes, _: str, rows: pd.DataFrame) -> None:
        _panel(axes, rows, looks)

    return change_panels(table, "part", list(dict.fromkeys(table["part"])), title, draw)


def _panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[int, dict[str, Any]]) -> None:
    """One part of one corpus: a line each P."""
    for P, of_P in by_streams(rows):
        bars = None
        if of_P["low"].notna().any():
            bars = np.abs(of_P[["low", "high"]].to_numpy(float).T - of_P["change"].to_numpy(float))
        axes.errorbar(of_P["N_one"], of_P["change"], yerr=bars, capsize=2, label=f"$P = {P}$", **looks[P])
