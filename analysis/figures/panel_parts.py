"""The parts that panels of several figures share: labels, a law written out, an empty panel, a note."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.output.figure_style import BLACK, GREY
from scaling.selection.equivalent_size import predicted

N_LABEL = "non-embedding parameters $N$"
LOSS_LABEL = "loss (nats per token)"
P_LABEL = "parallel streams $P$"


def by_streams(table: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    """Rows of each P, P ascending."""
    return [(int(P), table[table["P"] == P]) for P in sorted(table["P"].unique())]


def mathtext_number(value: float) -> str:
    """A coefficient for a panel, as mathtext: 0.69116 as 0.6912, 11310000 as 1.131 x 10^7."""
    if not np.isfinite(value):
        return r"\infty" if value > 0 else "?"
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        exponent = int(np.floor(np.log10(abs(value))))
        return rf"{value / 10**exponent:.3f}\times 10^{{{exponent}}}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"


def law_text(law: Any) -> str:
    """A fitted law written out with its constants, as mathtext on one or two lines."""
    names = [f.name for f in fields(law)]
    value = {n: mathtext_number(float(getattr(law, n))) for n in names}
    if names == ["E", "A", "alpha", "k"]:
        size = rf"N\,({value['k']}\,\ln P + 1)"
        return rf"$L = {value['E']} + [\,{value['A']}\,/\,({size})\,]^{{\,{value['alpha']}}}$"
    symbols = {"alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "rho": r"\rho"}
    body = r",\ ".join(f"{symbols.get(n, n)} = {value[n]}" for n in names)
    return f"{type(law).__name__}: ${body}$"


def r2_and_rmse(law: Any, rows: pd.DataFrame) -> tuple[float, float]:
    """R2 and root mean square error of a law on the loss of some runs."""
    loss = rows["loss"].to_numpy(dtype=float)
    residual = loss - predicted(law, rows)
    total = float(((loss - loss.mean()) ** 2).sum())
    r2 = 1 - float((residual**2).sum()) / total if total > 0 else float("nan")
    return r2, float(np.sqrt((residual**2).mean()))


def say_empty(axes: Axes, message: str) -> None:
    """A panel with nothing to draw says what is missing."""
    axes.text(0.5, 0.5, message, ha="center", va="center", transform=axes.transAxes, color=GREY, wrap=True)
    axes.set_xticks([])
    axes.set_yticks([])


def corner_note(axes: Axes, text: str, *, x: float = 0.97, y: float = 0.96, ha: str = "right") -> None:
    """Text in an upper corner of a panel on a white ground, above the data."""
    box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    look: dict[str, Any] = {"fontsize": 8, "linespacing": 1.35, "color": BLACK, "bbox": box, "zorder": 6}
    axes.text(x, y, text, ha=ha, va="top", transform=axes.transAxes, **look)
