"""Measures against P: what choosing P at inference does to one backbone (the form of Figure 6(c))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.common import P_LABEL, note, say_empty
from analysis.output import figure_style

_END: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "bottom", "fontsize": 8}


def against_streams(
    table: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    label: str,
    title: str = "",
    errors: Mapping[str, str] | None = None,
    form: str = "g",
    remark: str = "",
) -> Figure:
    """One or more measures against P, e.g. the score of a frozen model with trained streams (Figure 6(c)).

    table: P and the columns; columns: name -> words; label: the axis and its unit. errors: name -> column
    of half an interval, drawn as a bar. Each end is written out as `form` says; a remark stands above.
    """
    figure, (axes,) = figure_style.new_figure(width=4.4, height=3.0)
    with figure_style.context():
        axes.set_xlabel(P_LABEL)
        axes.set_ylabel(label)
        axes.set_title(title)
        rows = table.sort_values("P")
        if not len(rows):
            say_empty(axes, "nothing was measured")
            return figure
        for i, (column, words) in enumerate(columns.items()):
            known = rows[rows[column].notna()]
            bars = known[errors[column]] if errors and column in errors else None
            color = figure_style.CYCLE[i % len(figure_style.CYCLE)]
            look: dict[str, Any] = {"color": color, "marker": figure_style.MARKERS[i], "capsize": 2}
            axes.errorbar(known["P"], known[column], yerr=bars, label=words, **look)
            for P, value in known.iloc[[0, -1]][["P", column]].drop_duplicates().to_numpy():
                axes.annotate(f"{value:{form}}", (P, value), (4, 3), **_END)
        figure_style.stream_ticks(axes, rows["P"])
        axes.margins(x=0.16, y=0.2)
        if remark:
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + 0.2 * (high - low))
            note(axes, remark)
        figure.legend(loc="outside lower center", ncols=min(2, len(columns)))
    return figure
