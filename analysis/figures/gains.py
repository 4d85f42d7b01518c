"""What P streams gain at each size against what their own parameters, or the paper's k, would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.changes import change_panels, dots
from analysis.output import figure_style
from scaling.fitting.printed_constants import PRINTED

PAPER_K = sorted(law.k for law, _ in PRINTED.values())


def gains(
    table: pd.DataFrame, laws: Mapping[str, Any], doubt: str = "", pairs: pd.DataFrame | None = None
) -> Figure:
    """Change of the loss from P = 1 to P at one size against N, a panel each P and a row each corpus.

    table: the columns of `analysis.report.paired_gains.gains`; laws: the law of N at P = 1 by corpus. Grey: what the
    parameters that streams bring would give alone, with its interval; band: what they would give if P
    streams were worth N (k ln P + 1) with the paper's two k. doubt: what stands against that law, for the
    legend. pairs: `analysis.report.paired_gains.pairs`, each seed's change: small dots.
    """
    several = len(table) and table["low"].notna().any()
    words = "measured, 95% over seeds" if several else "measured"

    def title(P: float, _: pd.DataFrame) -> str:
        return f"$P = {int(P)}$"

    def draw(axes: Axes, corpus: str, rows: pd.DataFrame) -> None:
        _panel(axes, rows, laws.get(corpus), doubt, words)
        if pairs is not None and len(rows):
            own = pairs[(pairs["corpus"] == corpus) & (pairs["P"] == rows["P"].iloc[0])]
            dots(axes, own, {"marker": "o", "color": figure_style.CYCLE[0], "label": "one seed"}, shift=1.1)

    return change_panels(table, "P", sorted(table["P"].unique()), title, draw, room=2.5, pairs=pairs)


def _panel(axes: Axes, rows: pd.DataFrame, law: Any, doubt: str, measured: str) -> None:
    """One P of one corpus."""
    if len(rows) and law is not None:
        one, N, P = (rows[c].to_numpy(float) for c in ("N_one", "N", "P"))
        base = np.asarray(law.predict(N=one))
        promised = [np.asarray(law.predict(N=N * (k * np.log(P) + 1))) - base for k in PAPER_K]
        color: Any = figure_style.CYCLE[1]
        words = f"the paper's $k$, {PAPER_K[0]:.2f} to {PAPER_K[-1]:.2f}"
        axes.fill_between(one, *promised, color=color, alpha=0.35, label=words)
        alone = f"added $N$ alone{doubt}"
        axes.plot(one, rows["by_parameters"], color=figure_style.GREY, linestyle="--", label=alone)
        if rows["by_low"].notna().all():
            axes.fill_between(one, rows["by_low"], rows["by_high"], color=figure_style.GREY, alpha=0.2)
    bars = None
    if rows["low"].notna().any():
        bars = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["change"].to_numpy(float))
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "capsize": 2, "color": figure_style.CYCLE[0]}
    axes.errorbar(rows["N_one"], rows["change"], yerr=bars, label=measured, **look)
