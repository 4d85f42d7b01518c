"""The frame of figures that show a change of the loss from P = 1 against N."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.common import say_empty
from analysis.output import figure_style
from scaling.data.groups import corpus_name

LEGEND = 110  # letters, and room for a mark each, that a legend has beside each other


def change_panels(
    table: pd.DataFrame,
    column: str,
    values: Sequence[Any],
    title: Callable[[Any, pd.DataFrame], str],
    draw: Callable[[Axes, str, pd.DataFrame], None],
    room: float = 1.0,
    pairs: pd.DataFrame | None = None,
) -> Figure:
    """A row of panels each corpus, a panel each of a column's values, under one legend.

    table: corpus, N_one (N at P = 1), change, the ends of its interval (low, high) and the column; title: of
    a value and its rows; draw: puts one corpus' rows into axes that have the line of no change and N on a
    logarithm; pairs: the changes of single seeds, where they are drawn too. Intervals of two seeds can be ten
    times what was measured: they run out of a frame that goes `room` times the changes' range beyond it.
    """
    corpora = list(dict.fromkeys(table["corpus"]))
    rows, columns = max(len(corpora), 1), max(len(values), 1)
    figure, panels = figure_style.new_figure(
        rows, columns, height=2.4 * rows + 0.6, sharey="row", sharex=True
    )
    with figure_style.context():
        if not len(table):
            say_empty(panels[0], "no size was run at P = 1 and at more")
            return figure
        known: dict[str, Any] = {}  # a corpus may lack a P: no one panel has every label
        for index, axes in enumerate(panels):
            corpus, value = corpora[index // columns], values[index % columns]
            part = table[(table["corpus"] == corpus) & (table[column] == value)]
            axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
            axes.set_xscale("log")
            draw(axes, corpus, part)
            name = f"{corpus_name(str(corpus))}, " if len(corpora) > 1 else ""
            axes.set_title(name + title(value, part))
            figure_style.size_ticks(axes, sorted(table["N_one"].unique()), gap=0.05 * columns)
            handles, labels = axes.get_legend_handles_labels()
            known = dict(zip(labels, handles, strict=True)) | known
        if table["low"].notna().any():
            drawn = table if pairs is None else pd.concat([table, pairs])
            _frame(figure, drawn["change"].to_numpy(float), room)
        figure.supylabel("change of the loss from $P = 1$ (nats)", fontsize=9)
        figure.supxlabel("non-embedding parameters $N$ at $P = 1$", fontsize=9)
        lines = 1 + (sum(len(label) + 8 for label in known) > LEGEND)
        columns = -(-len(known) // lines)
        figure.legend(list(known.values()), list(known), loc="outside upper center", ncols=columns)
    return figure


def dots(axes: Axes, pairs: pd.DataFrame | None, look: Mapping[str, Any], shift: float = 1.0) -> None:
    """Each seed's change where there are several, small and pale, N times `shift`."""
    if pairs is not None:
        pairs = pairs[pairs.groupby(["N_one", "P"])["change"].transform("size") > 1]
    if pairs is not None and len(pairs):
        pale = {**look, "linestyle": "none", "markersize": 2.5, "alpha": 0.45}
        axes.plot(pairs["N_one"] * shift, pairs["change"], **pale)


def _frame(figure: Figure, changes: np.ndarray[Any, Any], room: float) -> None:
    """Limits of the panels that no interval decides."""
    beyond = room * max(np.ptp(changes), np.abs(changes).max())
    for axes in figure.axes:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, changes.min() - beyond), min(high, changes.max() + beyond))
