"""Quick looks at a fit, a comparison and a backtest. matplotlib is loaded when one is asked for.

Each returns a matplotlib Figure, which notebooks show and `figure.savefig` writes. The figures of the paper are
in `analysis.figures`.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate

LABELS = {
    "N": "N, non-embedding parameters",
    "P": "P, streams",
    "D": "D, training tokens",
    "C": "C, training FLOPs",
}
MOST = 20_000  # points drawn of a fit: more look the same and take seconds


def new_figure(panels: int, heights: tuple[float, ...] | None = None, **shared: Any) -> tuple[Any, list[Any]]:
    """A figure and its panels: beside each other, or below each other where `heights` are given."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("matplotlib is not installed: pip install matplotlib") from None
    size = (4.2 * panels, 3.6) if heights is None else (5.2, 5.2)
    figure = Figure(figsize=size, layout="constrained")
    shape = (1, panels) if heights is None else (panels, 1)
    ratios = None if heights is None else {"height_ratios": heights}
    axes = figure.subplots(*shape, squeeze=False, gridspec_kw=ratios, **shared).ravel()
    figure.__dict__["_repr_png_"] = partial(_png, figure)  # notebooks show it without pyplot
    return figure, list(axes)


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _groups(fit: Estimate) -> tuple[str, str | None, Array, list[tuple[str, Any]]]:
    """The axis across, the axis that tells the curves apart, which rows are drawn, and a curve's rows."""
    across = next(iter(fit.law.axes))
    apart = next(
        (axis for axis in ("P", "D", *fit.law.axes) if axis in fit.law.axes and axis != across), None
    )
    rows = np.unique(np.linspace(0, fit.loss.size - 1, MOST).astype(int))
    if apart is None:
        return across, None, rows, [("", rows)]
    values = fit.axes[apart][rows]
    levels = np.unique(values)
    if levels.size > 8:  # too many for curves of their own
        return across, None, rows, [("", rows)]
    return across, apart, rows, [(f"{apart} = {level:g}", rows[values == level]) for level in levels]


def plot(fit: Estimate) -> Any:
    """Losses and the fitted curves against the first axis, a colour for each P (or D); residuals below."""
    figure, (top, below) = new_figure(2, (3, 1), sharex=True)
    across, apart, _, groups = _groups(fit)
    x = fit.axes[across]
    line = np.geomspace(x.min(), x.max(), 200)
    for i, (label, rows) in enumerate(groups):
        color = f"C{i}"
        top.plot(x[rows], fit.loss[rows], "o", color=color, ms=4, label=label or None)
        below.plot(x[rows], fit.misfit[rows], "o", color=color, ms=3)
        if apart is not None or len(fit.law.axes) == 1:
            others = {a: np.full(line.size, np.median(v[rows])) for a, v in fit.axes.items() if a != across}
            top.plot(line, np.asarray(fit.law.predict(**{across: line, **others})), "-", color=color, lw=1)
        else:
            top.plot(x[rows], fit.predicted[rows], "x", color="black", ms=4, label="fitted")
    below.axhline(0, color="black", lw=0.7)
    top.set(xscale="log", ylabel="loss, nats per token", title=fit.form.__name__)
    below.set(xlabel=LABELS.get(across, across), ylabel="residual")
    if top.get_legend_handles_labels()[0]:
        top.legend(frameon=False)
    return figure


def plot_residuals(fit: Estimate) -> Any:
    """Residuals (observed minus fitted, nats per token) against the fitted loss and against each axis."""
    figure, panels = new_figure(1 + len(fit.law.axes), sharey=True)
    _, _, _, groups = _groups(fit)
    named = [
        ("fitted loss, nats per token", fit.predicted),
        *((LABELS.get(a, a), x) for a, x in fit.axes.items()),
    ]
    for panel, (label, x) in zip(panels, named, strict=True):
        for i, (name, rows) in enumerate(groups):
            panel.plot(x[rows], fit.misfit[rows], "o", color=f"C{i}", ms=4, label=name or None)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xlabel(label)
        if panel is not panels[0]:
            panel.set_xscale("log")
    panels[0].set_ylabel("residual, nats per token")
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend(frameon=False)
    return figure


def plot_comparison(table: pd.DataFrame) -> Any:
    """Of each law of a comparison: AICc above the best law's, and its prediction errors."""
    figure, (left, right) = new_figure(2, sharey=True)
    at = np.arange(len(table))[::-1]
    left.barh(at, table["delta_aicc"].to_numpy(float), color="C0")
    left.set(xlabel="AICc above the best", yticks=at, yticklabels=[str(name) for name in table.index])
    for column, mark, label in (("loo_rmse", "o", "leave-one-out"), ("holdout_rmse", "s", "hold-out")):
        right.plot(table[column].to_numpy(float), at, mark, label=label)
    right.set(xlabel="RMSE, nats per token", xlim=(0, None))
    right.legend(frameon=False, loc="best")
    return figure


def plot_backtest(points: pd.DataFrame, by: str) -> Any:
    """Observed against predicted losses of unseen runs with their prediction intervals, and errors along `by`."""
    figure, (left, right) = new_figure(2)
    for i, (up_to, rows) in enumerate(points.groupby("up_to")):
        color, label = f"C{i % 10}", f"fitted up to {by} = {up_to:.3g}"
        loss = rows["loss"].to_numpy(float)
        ends = np.abs(rows[["new_lower", "new_upper"]].to_numpy(float).T - loss)
        ends = np.where(np.isfinite(ends), ends, 0.0)
        left.errorbar(rows["observed"], loss, yerr=ends, fmt="o", ms=3, lw=0.7, color=color, label=label)
        right.plot(rows[by], rows["error"], "o", ms=4, color=color)
    low, high = points["observed"].min(), points["observed"].max()
    left.plot([low, high], [low, high], "-", color="black", lw=0.7)
    left.set(xlabel="observed loss, nats per token", ylabel="predicted loss, nats per token")
    left.legend(frameon=False, fontsize=7)
    right.axhline(0, color="black", lw=0.7)
    right.set(xlabel=LABELS.get(by, by), ylabel="observed minus predicted", xscale="log")
    return figure
