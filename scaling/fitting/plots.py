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

from scaling.laws.axis import categories_of
from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate

LABELS = {
    "N": "N, non-embedding parameters",
    "P": "P, streams",
    "D": "D, training tokens",
    "C": "C, training FLOPs",
}
SHOWN = 110  # dots an inch that notebooks show a figure at
COLOURS = [
    f"tab:{c}" for c in ("blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "olive", "cyan")
]
MOST = 20_000  # points drawn of a fit: more look the same and take seconds


def bare_figure(
    panels: int, heights: tuple[float, ...] | None = None, **shared: Any
) -> tuple[Any, list[Any]]:
    """A figure and its panels: side by side, or below each other where `heights` are given."""
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


def _png(figure: Any) -> tuple[bytes, dict[str, int]]:
    """A picture of twice as many pixels as it is shown on, and the size to show it at."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * SHOWN)
    width, height = (round(SHOWN * inches) for inches in figure.get_size_inches())
    return buffer.getvalue(), {"width": width, "height": height}


def _groups(fit: Estimate) -> tuple[str, str | None, Array, list[tuple[str, Any]]]:
    """The axis across, the axis that tells the curves apart, which rows are drawn, and a curve's rows."""
    levels = categories_of(fit.law)
    across = next(axis for axis in fit.law.axes if axis not in levels)
    order = ("P", *levels, "D", *fit.law.axes)
    apart = next((axis for axis in order if axis in fit.law.axes and axis != across), None)
    rows = np.unique(np.linspace(0, fit.loss.size - 1, MOST).astype(int))
    if apart is None:
        return across, None, rows, [("", rows)]
    values = fit.axes[apart][rows]
    each = np.unique(values)
    if each.size > 8:  # too many for curves of their own
        return across, None, rows, [("", rows)]
    names = levels[apart].labels(each) if apart in levels else [f"{apart} = {value:g}" for value in each]
    return across, apart, rows, [(name, rows[values == one]) for name, one in zip(names, each, strict=True)]


def _label(fit: Estimate, axis: str) -> str:
    """An axis as the label of a panel, with its unit where it is known."""
    unit = fit.law.axis_rule(axis).unit
    return LABELS.get(axis) or (f"{axis}, {unit}" if unit else axis)


def _scale(x: Array) -> str:
    """The scale of an axis of a panel: logarithmic where the values allow it."""
    return "log" if (x > 0).all() else "linear"


def plot(fit: Estimate) -> Any:
    """Losses and the fitted curves against the first axis, a colour for each P (category, D), with residuals below.

    Where another axis varies within a colour, the fitted losses are marks.
    """
    figure, (top, below) = bare_figure(2, (3, 1), sharex=True)
    across, apart, _, groups = _groups(fit)
    x = fit.axes[across]
    line = np.geomspace(x.min(), x.max(), 200) if (x > 0).all() else np.linspace(x.min(), x.max(), 200)
    shades = _shades(len(groups))
    for i, (label, rows) in enumerate(groups):
        color = shades[i]
        top.plot(x[rows], fit.loss[rows], "o", color=color, ms=4, label=label or None)
        below.plot(x[rows], fit.misfit[rows], "o", color=color, ms=3)
        if not any(np.ptp(v[rows]) > 0 for a, v in fit.axes.items() if a not in (across, apart)):
            others = {a: np.full(line.size, np.median(v[rows])) for a, v in fit.axes.items() if a != across}
            top.plot(line, np.asarray(fit.law.predict(**{across: line, **others})), "-", color=color, lw=1)
        else:
            mark = None if i else "fitted"
            top.plot(x[rows], fit.predicted[rows], "x", color="black", ms=4, lw=0.7, label=mark)
    below.axhline(0, color="black", lw=0.7)
    top.set(xscale=_scale(x), ylabel="loss, nats per token", title=fit.form.__name__)
    below.set(xlabel=_label(fit, across), ylabel="residual")
    if top.get_legend_handles_labels()[0]:
        top.legend(frameon=False)
    return figure


def plot_residuals(fit: Estimate) -> Any:
    """Residuals (observed minus fitted, nats per token) against the fitted loss and against each axis."""
    figure, panels = bare_figure(1 + len(fit.law.axes), sharey=True)
    _, _, _, groups = _groups(fit)
    named = [
        ("fitted loss, nats per token", fit.predicted),
        *((_label(fit, a), x) for a, x in fit.axes.items()),
    ]
    levels, shades = categories_of(fit.law), _shades(len(groups))
    for panel, (label, x) in zip(panels, named, strict=True):
        for i, (name, rows) in enumerate(groups):
            panel.plot(x[rows], fit.misfit[rows], "o", color=shades[i], ms=4, label=name or None)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xlabel(label)
        if label in levels:
            panel.set_xticks(levels[label].codes, levels[label].names)
        elif panel is not panels[0]:
            panel.set_xscale(_scale(x))
    panels[0].set_ylabel("residual, nats per token")
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend(frameon=False)
    return figure


def plot_comparison(table: pd.DataFrame) -> Any:
    """Of each law of a comparison: AICc above the best law's, and its prediction errors."""
    figure, (left, right) = bare_figure(2, sharey=True)
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
    figure, (left, right) = bare_figure(2)
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
    scale = _scale(points[by].to_numpy(float))
    right.set(xlabel=LABELS.get(by, by), ylabel="observed minus predicted", xscale=scale)
    return figure


def plot_optimum(made: Any) -> Any:
    """Loss against N at each isoFLOP budget with fitted curves and minima (left), N* against C (right).

    made: a `scaling.allocation.compute_optimum.Optimum`. Without budgets the left panel is loss against C with the
    envelope's points.
    """
    figure, (left, right) = bare_figure(2)
    figure.set_size_inches(10.5, 4.2)
    if made.isoflop is None:
        _draw_runs(left, made)
    else:
        _draw_budgets(left, made)
    _draw_optima(right, made)
    return figure


def _draw_budgets(panel: Any, made: Any) -> None:
    """Each budget's runs, its fitted curve and its minimum with the interval."""
    curves, runs = made.isoflop, made.runs
    shades = _shades(len(curves.budgets))
    for place, row in curves.budgets.iterrows():
        here, color = curves.group == place, shades[place]
        line = np.geomspace(runs.N[here].min(), runs.N[here].max(), 100)
        panel.plot(runs.N[here], runs.loss[here], "o", color=color, ms=3.5, label=f"{row['C']:.1e}")
        if np.isfinite(row["N"]):
            panel.plot(line, curves.loss_along(place, line), "-", color=color, lw=1, alpha=0.8)
        if row["used"]:
            ends = [[row["N"] - row["lower"]], [row["upper"] - row["N"]]]
            panel.errorbar(
                row["N"], row["loss"], xerr=ends, fmt="D", color=color, ms=5, mec="black", capsize=3
            )
    used = curves.used
    panel.plot(used["N"], used["loss"], "--", color="black", lw=0.9, label="minima")
    lowest, largest = runs.N[curves.group >= 0].min(), runs.N[curves.group >= 0].max()
    panel.set(
        xscale="log", xlabel=LABELS["N"], ylabel="loss, nats per token", xlim=(lowest / 1.5, largest * 1.5)
    )
    panel.legend(frameon=False, fontsize=7, title="C, FLOPs", title_fontsize=7, ncols=1 + len(shades) // 8)


def _draw_runs(panel: Any, made: Any) -> None:
    """Losses against compute, a shade for each size, and the envelope's points."""
    runs, edge = made.runs, made.frontier.points
    found = panel.scatter(runs.C, runs.loss, c=np.log10(runs.N), s=9, cmap="viridis")
    panel.figure.colorbar(found, ax=panel, label="log10 N")
    for C in edge["C"]:
        panel.axvline(C, color="black", lw=0.4, alpha=0.5)
    panel.set(xscale="log", xlabel=LABELS["C"], ylabel="loss, nats per token")


def _draw_optima(panel: Any, made: Any) -> None:
    """N* of each estimate against compute, with what the points and the laws through them leave open."""
    used = made.isoflop.used if made.isoflop is not None else pd.DataFrame()
    budgets = [made.flops, made.runs.C.min(), made.runs.C.max()]
    C = np.geomspace(min(budgets), max(budgets), 60)
    if len(used):
        ends = np.abs(used[["lower", "upper"]].to_numpy().T - used["N"].to_numpy())
        panel.errorbar(used["C"], used["N"], yerr=ends, fmt="D", color="C0", ms=4, capsize=3)
    edge = made.frontier.points
    panel.plot(edge["C"], edge["N"], "s", color="C1", ms=4, mfc="none")
    for i, (name, at) in enumerate(made.paths().items()):
        N, lower, upper = np.array([at(c) for c in C]).T
        panel.plot(C, N, "-", color=f"C{i}", lw=1.2, label=name)
        if np.isfinite(lower).all():
            ends = np.maximum(lower, N / 100), np.minimum(upper, N * 100)
            panel.fill_between(C, *ends, color=f"C{i}", alpha=0.15, lw=0)
    row = made.table
    for i, name in enumerate(row.index):
        if np.isfinite(row.loc[name, "N"]):
            panel.plot(
                made.flops, row.loc[name, "N"], "*", color=f"C{i}", ms=11, mec="black", mew=0.5, zorder=4
            )
    panel.axvline(made.flops, color="black", lw=0.7, ls=":", label=f"{made.flops:.3g} FLOPs")
    told = len(panel.lines) > 1 and any(line.get_ydata().size for line in panel.lines[:-1])
    panel.set(
        xscale="log", yscale="log" if told else "linear", xlabel=LABELS["C"], ylabel="compute-optimal N"
    )
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize=8)


def _shades(count: int) -> list[Any]:
    """Colours from dark to light, one a budget."""
    from matplotlib import colormaps

    return [colormaps["viridis"](x) for x in np.linspace(0, 0.82, max(count, 2))]


def plot_curves(fitted: pd.DataFrame, forecast: dict[str, pd.DataFrame]) -> Any:
    """Loss by step of fitted curves (run, step, loss, fitted, residual) and of forecast ones, and their residuals.

    forecast: by run step, loss, lower, upper, and seen, the losses that were measured.
    """
    from matplotlib import ticker

    figure, (above, below) = bare_figure(2, heights=(2, 1), sharex=True)
    for i, (run, rows) in enumerate(fitted.groupby("run", sort=False)):
        above.plot(rows["step"], rows["loss"], ".", ms=2, alpha=0.5, color=COLOURS[i % 10])
        above.plot(rows["step"], rows["fitted"], "-", lw=1, color=COLOURS[i % 10], label=f"{run} (fitted)")
        below.plot(rows["step"], rows["residual"], "-", lw=0.8, color=COLOURS[i % 10])
    for i, (run, rows) in enumerate(forecast.items(), start=fitted["run"].nunique()):
        above.plot(rows["step"], rows["seen"], ".", ms=2, alpha=0.5, color=COLOURS[i % 10])
        above.plot(rows["step"], rows["loss"], "--", lw=1, color=COLOURS[i % 10], label=f"{run} (forecast)")
        above.fill_between(
            rows["step"], rows["lower"], rows["upper"], color=COLOURS[i % 10], alpha=0.12, lw=0
        )
        below.plot(rows["step"], rows["seen"] - rows["loss"], "--", lw=0.8, color=COLOURS[i % 10])
    whole = pd.concat([fitted["loss"], *(rows["seen"] for rows in forecast.values())])
    above.set_ylim(whole.min() - 0.05, whole.quantile(0.98))
    above.set_xscale("log")
    below.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    below.xaxis.set_major_formatter("{x:,.0f}")
    below.minorticks_off()
    above.set_ylabel("loss, nats per token")
    above.legend(fontsize="x-small")
    below.axhline(0, color="0.6", lw=0.6)
    below.set(xlabel="step", ylabel="residual, nats")
    return figure
