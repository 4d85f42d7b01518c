"""A fit and how far to trust it: intervals, residuals, profiles, backtests, rival laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.panel_parts import (
    LOSS_LABEL,
    N_LABEL,
    P_LABEL,
    by_streams,
    corner_note,
    law_text,
    mathtext_number,
    say_empty,
)
from analysis.figures.paper_forms import Predict, fig2
from analysis.output import figure_style
from scaling import Fit, Status
from scaling.data.groups import backbones, corpus_name, labelled, split_by_corpus
from scaling.data.levels import size_levels
from scaling.data.runs import finished_runs
from scaling.data.units import count_labels, count_text

# What a coefficient's panel may be measured in; "" is percent.
OWN, TIMES = "own units", "times the estimate"
MANY_TIMES = 5.0  # the end from which percent are unreadable
_SYMBOLS = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$", "rho": r"$\rho$"}


def symbol(parameter: str) -> str:
    """A coefficient's letter as mathtext."""
    return _SYMBOLS.get(parameter, f"${parameter}$")


def intervals(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """Every coefficient's interval in percent of its own estimate, a panel a coefficient.

    table: parameter, label (which fit or method), estimate, lower, upper and, if there, printed (the
    published constant, drawn as a bar). The estimate is written beside its dot; an end that is
    infinite reaches the panel's edge. Percent mean nothing where an estimate is 0, at its bound: that
    panel is in the coefficient's own units, its interval one-sided; nor where an end is many times the
    estimate: that panel is in multiples of it.
    """
    names = list(dict.fromkeys(table["parameter"]))
    labels = list(dict.fromkeys(table["label"]))
    height = max(1.0 + 0.36 * len(labels), 1.7)
    figure, panels = figure_style.new_figure(1, max(len(names), 1), height=height, sharey=True)
    y = np.arange(len(labels))[::-1]
    with figure_style.house_style():
        if not names:
            say_empty(panels[0], "no fit has intervals")
            return figure
        for axes, name in zip(panels, names, strict=True):
            rows = table[table["parameter"] == name].set_index("label").reindex(labels)
            _interval_panel(axes, rows, y)
            axes.set_title(symbol(name))
            axes.set_ylim(-0.6, len(labels) - 0.4)
        panels[0].set_yticks(y, labels=labels)
        marks = f"line: {100 * level:g}% interval, percent from the estimate (above its dot) unless said"
        figure.supxlabel(marks + ("; bar: printed" if "printed" in table else ""), fontsize=8)
    return figure


def _interval_panel(axes: Axes, rows: pd.DataFrame, y: Any) -> None:
    """One coefficient of every fit; rows are in the order of y."""
    center, raw = rows["estimate"].to_numpy(float), rows[["lower", "upper"]].to_numpy(float).T
    scale = _scale(center, raw)

    def place(values: Any) -> Any:
        if scale == OWN:
            return values
        return np.maximum(values / center, 1e-9) if scale == TIMES else 100 * (values / center - 1)

    at, ends = place(center), place(raw)
    low, high = _reach(at, ends, scale)
    bars = np.abs(np.clip(ends, low - 2 * (high - low), high + 2 * (high - low)) - at)
    axes.errorbar(at, y, xerr=bars, fmt="o", color=figure_style.BLUE, capsize=2.5, linewidth=1.2)
    if "printed" in rows:
        off = place(rows["printed"].to_numpy(float))
        axes.plot(off, y, "|", color=figure_style.ORANGE, markersize=13, markeredgewidth=1.8)
    for value, x, height in zip(center, at, y, strict=True):
        if np.isfinite(value):
            text, side = (f"${mathtext_number(value)}$", "center") if value else ("0, at its bound", "left")
            axes.annotate(text, (x, height), (0, 8), textcoords="offset points", ha=side, fontsize=7)
    if scale == TIMES:
        axes.set_xscale("log")
        figure_style.plain_log_ticks(axes.xaxis, subs=(1.0,), most=4)
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlim(low, high)
    axes.set_xlabel(scale)


def _scale(center: Any, ends: Any) -> str:
    """What a coefficient's panel is measured in; nothing said: percent."""
    if (center == 0).any():
        return OWN
    finite = np.isfinite(ends)
    return TIMES if np.abs((ends / center)[finite]).max(initial=0) > MANY_TIMES else ""


def _reach(at: Any, ends: Any, scale: str) -> tuple[float, float]:
    """Limits of a panel: even about the estimates in percent, else what there is with a margin."""
    finite = np.concatenate([ends[np.isfinite(ends)], at[np.isfinite(at)]])
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if scale == TIMES:
        low = float(finite[finite > 1e-6].min())
        return low / 3, high * 3
    if scale:
        span = high - low or 1.0  # all open: the bar leaves the panel
        return low - 0.08 * span, high + 0.15 * span
    reach = 1.15 * max(-low, high) or 1.0
    return -reach, reach


def residuals(table: pd.DataFrame) -> Figure:
    """Observed minus fitted loss over N x P, a panel a corpus, in thousandths of a nat.

    table: N, P, residual and perhaps corpus and size (columns are sizes where there is one, else N).
    A good law leaves no pattern: rows or columns of one sign say what it misses.
    """
    groups = split_by_corpus(table)
    figure, panels = figure_style.new_figure(1, len(groups), width=3.7 * len(groups), height=2.7)
    reach = 1e3 * float(table["residual"].abs().max()) if len(table) else 1.0
    with figure_style.house_style():
        mesh = None
        for axes, (corpus, rows) in zip(panels, groups.items(), strict=True):
            axes.set_title(corpus_name(corpus))
            if not len(rows):
                say_empty(axes, "no residual to show")
                continue
            column = "size" if "size" in rows else "N"
            order = rows.groupby(column)["N"].min().sort_values().index
            grid = 1e3 * rows.pivot_table(index="P", columns=column, values="residual")[order]
            # Purple and orange: a diverging pair told apart without red and green.
            mesh = axes.imshow(grid, cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto", origin="lower")
            _residual_cells(axes, grid, reach)
            axes.set_xlabel("size" if column == "size" else N_LABEL)
        panels[0].set_ylabel(P_LABEL)
        if mesh is not None:
            label = "observed - fitted ($10^{-3}$ nats)".replace("-", "\N{MINUS SIGN}", 1)
            figure.colorbar(mesh, ax=panels, label=label, pad=0.02)
    return figure


def _residual_cells(axes: Axes, grid: pd.DataFrame, reach: float) -> None:
    """The numbers in the cells, and the axes' names for rows and columns."""
    for i, P in enumerate(grid.index):
        for j, size in enumerate(grid.columns):
            value = grid.loc[P, size]
            if np.isfinite(value):
                dark = abs(value) > 0.6 * reach
                text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=7, color="white" if dark else "black"
                )
    names = [c if isinstance(c, str) else count_text(float(f"{c:.2g}")) for c in grid.columns]
    axes.set_xticks(range(len(names)), labels=names)
    axes.set_yticks(range(len(grid.index)), labels=[f"{p:g}" for p in grid.index])
    axes.grid(visible=False)


def profiles(table: pd.DataFrame, thresholds: Mapping[str, float] | None = None) -> Figure:
    """Profile likelihoods: how much worse a fit gets as one coefficient is held off its best.

    table: parameter, value, rise (of the objective over its least value, in squared standard errors;
    for least squares twice the log likelihood lost) and perhaps corpus. thresholds: name -> rise,
    drawn as level lines, e.g. {"95%": 4.4}.
    """
    names = list(dict.fromkeys(table["parameter"]))
    groups = split_by_corpus(table)
    size = (max(len(groups), 1), max(len(names), 1))
    figure, panels = figure_style.new_figure(*size, height=0.4 + 1.8 * size[0], sharey=True)
    levels = dict(thresholds or {})
    with figure_style.house_style():
        if not names:
            say_empty(panels[0], "no profile to show")
            return figure
        for i, (corpus, rows) in enumerate(groups.items()):
            for j, name in enumerate(names):
                axes = panels[i * len(names) + j]
                line = rows[rows["parameter"] == name].sort_values("value")
                axes.plot(line["value"], line["rise"], color=figure_style.CYCLE[i % len(figure_style.CYCLE)])
                for text, rise in levels.items():
                    axes.axhline(rise, color=figure_style.GREY, linewidth=0.8, linestyle="--")
                    axes.annotate(
                        text, (0.5, rise), (0, 2), xycoords=axes.get_yaxis_transform(), fontsize=7,
                        textcoords="offset points", ha="center",
                    )  # fmt: skip
                axes.set_xlabel(symbol(name))
                if name == "A" and line["value"].max() > 30 * line["value"].min():
                    axes.set_xscale("log")
                else:
                    axes.ticklabel_format(axis="x", useMathText=True, scilimits=(-2, 4))
                    axes.locator_params(axis="x", nbins=4)
            panels[i * len(names)].set_ylabel(f"{corpus_name(corpus)}\nrise (s.e.$^2$)".strip())
        panels[0].set_ylim(0, 2.5 * max(levels.values()) if levels else 10)
    return figure


def draw_backtest(table: pd.DataFrame) -> Figure:
    """Fit the cheaper runs, predict the dearer: error of each prediction, a panel a split.

    table: split (what was held out, in words), corpus, N, P, error (observed minus predicted), held_out
    (bool). Open markers were fitted, filled ones predicted; a one-sided cloud of filled ones is bias.
    """
    splits = list(dict.fromkeys(table["split"]))
    figure, panels = figure_style.new_figure(1, max(len(splits), 1), height=2.9, sharey=True)
    with figure_style.house_style():
        if not splits:
            say_empty(panels[0], "nothing to hold out: too few runs,\nor no fit of Eq 5 to be relied on")
            return figure
        for axes, split in zip(panels, splits, strict=True):
            rows = table[table["split"] == split]
            _errors(axes, rows, gap=0.043 * max(2, len(splits)))
            axes.set_title(split)
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(low, high + 0.2 * (high - low))  # shared: room for the notes in all panels
        panels[0].set_ylabel("observed \N{MINUS SIGN} predicted\n($10^{-3}$ nats)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _errors(axes: Axes, rows: pd.DataFrame, gap: float) -> None:
    """Signed errors against N, fitted runs open and held-out ones filled."""
    for i, (corpus, runs) in enumerate(split_by_corpus(rows).items()):
        color = figure_style.CYCLE[i % len(figure_style.CYCLE)]
        for held, face in ((False, "none"), (True, color)):
            part = runs[runs["held_out"] == held]
            axes.plot(
                part["N"],
                1e3 * part["error"],
                linestyle="none",
                marker="o",
                color=color,
                markerfacecolor=face,
                label=labelled(corpus, "predicted" if held else "fitted", ", "),
            )
        out = runs[runs["held_out"]]
        error = 1e3 * out["error"]
        mean = f"{error.mean():+.1f}".replace("-", "\N{MINUS SIGN}")
        if len(out):
            corner_note(axes, labelled(corpus, f"mean error {mean}"), x=0.03, y=0.97 - 0.08 * i, ha="left")
    axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
    figure_style.size_ticks(axes, backbones(rows), gap=gap)
    axes.set_xlabel(N_LABEL)


def _of_size(runs: pd.DataFrame, N: float) -> pd.DataFrame:
    """The runs of the size that the run closest to N is of."""
    level = size_levels(runs)
    return pd.DataFrame(runs[level == level[np.argmin(np.abs(np.log(runs["N"].to_numpy(float) / N)))]])


def _size_along(near: pd.DataFrame, N: float, P: NDArray[np.float64]) -> NDArray[np.float64]:
    """N of one model at each P: from P = 2 on every stream adds the same; between 1 and 2 a straight line."""
    more = near[near["P"] > 1].drop_duplicates("P")
    if len(more) < 2:
        return np.full_like(P, N)
    slope, start = np.polyfit(more["P"].astype(float), more["N"].astype(float), 1)
    sized: NDArray[np.float64] = np.where(P < 2, N + (P - 1) * (start + 2 * slope - N), start + slope * P)
    return sized


def rivals(
    table: pd.DataFrame,
    laws: Mapping[str, Any],
    *,
    sizes: Sequence[float],
    up_to: float = 64,
    band: Predict | None = None,
) -> Figure:
    """Predicted loss against P for rival laws fitted to the same runs, a panel a size, out to `up_to`.

    table: N, P, loss of one corpus and perhaps size; laws: name -> fitted law; sizes: N at the smallest
    P. The runs of a size are drawn, and the curves follow its N, to which every
    stream adds ParScale's own parameters. The laws agree where there are runs; the panels show where,
    and by how much, they part. band: `Fit.predict` of the law whose 95% prediction interval is drawn.
    """
    runs = finished_runs(table)
    sizes = sizes if laws and len(runs) else []
    figure, panels = figure_style.new_figure(1, max(len(sizes), 1), height=2.9)
    with figure_style.house_style():
        if not len(sizes):
            say_empty(panels[0], "no law that these runs determine")
            return figure
        for axes, N, label in zip(panels, sizes, count_labels(sizes), strict=True):
            _rival_panel(axes, _of_size(runs, N), N, laws, up_to, band)
            axes.axvspan(runs["P"].max(), up_to * 1.2, color="#F2F2F2", zorder=0)
            axes.set_title(f"$N$ = {label}")
        panels[0].set_ylabel(LOSS_LABEL)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 5))
    return figure


def _rival_panel(
    axes: Axes, near: pd.DataFrame, N: float, laws: Mapping[str, Any], up_to: float, band: Predict | None
) -> None:
    """One size: its runs, a curve a law, and the interval of the law that has one."""
    P, last = np.geomspace(1, up_to, 80), []
    sized = _size_along(near, N, P)
    for i, (name, law) in enumerate(laws.items()):
        loss = np.asarray(law.predict(N=sized, P=P))
        dash = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))[i % 4]
        axes.plot(P, loss, color=figure_style.CYCLE[i % len(figure_style.CYCLE)], linestyle=dash, label=name)
        last.append(loss[-1])
    if band is not None:
        some = np.linspace(0, P.size - 1, 21).astype(int)
        seen = band(N=sized[some], P=P[some])
        ends = seen["new_lower"], seen["new_upper"]
        axes.fill_between(P[some], *ends, color=figure_style.CYCLE[0], alpha=0.12, linewidth=0)
    axes.plot(near["P"], near["loss"], "o", color=figure_style.BLACK, zorder=5, label="runs")
    figure_style.stream_ticks(axes, 2.0 ** np.arange(0, np.log2(up_to) + 1e-9))
    axes.set_xlim(0.85, up_to * 1.2)
    axes.set_xlabel(P_LABEL)
    corner_note(axes, f"apart at $P = {up_to:g}$:\n{np.ptp(last):.3f} nats")


def plot_fit(fit: Fit) -> Figure:
    """The runs and curves of one fit: loss against N, a curve each P; other laws: observed against fitted.

    fit: of a law of N and P. A law with another axis, such as D, has no curve over N alone, so its panel
    shows every run's observed loss against the fitted one, and the line of equality.
    """
    if not set(fit.law.axes) <= {"N", "P"}:
        return _observed_against_fitted(fit)
    runs = pd.DataFrame({"P": 1, **fit.axes, "loss": fit.loss})
    doubt = "" if fit.status == Status.CONVERGED else f"in doubt: {fit.status}"
    bands = {"": fit.predict} if fit.determined and set(fit.law.axes) == {"N", "P"} else None
    figure = fig2(runs, {"": fit.law}, notes={"": doubt}, bands=bands)
    if "P" not in fit.law.axes:  # its runs may be of any P: the fit does not know
        figure.legends[0].remove()
    return figure


def _observed_against_fitted(fit: Fit) -> Figure:
    """Every run's loss against what the law predicts for it."""
    figure, (axes,) = figure_style.new_figure(width=5.6, height=3.6)
    with figure_style.house_style():
        ends = [min(fit.loss.min(), fit.predicted.min()), max(fit.loss.max(), fit.predicted.max())]
        axes.plot(ends, ends, color=figure_style.GREY, linewidth=0.9)
        axes.plot(fit.predicted, fit.loss, linestyle="none", marker="o", color=figure_style.BLUE)
        axes.set_xlabel(f"fitted {LOSS_LABEL}")
        axes.set_ylabel(f"observed {LOSS_LABEL}")
        words = f"$R^2 = {fit.r2:.4f}$,  RMSE {fit.rmse:.2g},  {fit.loss.size} runs"
        corner_note(axes, f"{law_text(fit.law)}\n{words}", y=0.16)  # the corner that the line leaves free
    return figure


def draw_residuals(fit: Fit) -> Figure:
    """Observed minus fitted loss of one fit against N, a marker each P: a good law leaves no pattern.

    fit: of any law with an axis N; without an axis P all runs have one marker.
    """
    figure, (axes,) = figure_style.new_figure(width=4.6, height=3.1)
    runs = pd.DataFrame({"P": 1, **fit.axes, "residual": 1e3 * fit.residuals})
    looks = figure_style.stream_looks(runs["P"])
    with figure_style.house_style():
        axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
        for P, rows in by_streams(runs):
            axes.plot(rows["N"], rows["residual"], linestyle="none", label=f"$P = {P}$", **looks[P])
        figure_style.size_ticks(axes, sorted(runs["N"].unique()))
        axes.set_xlabel(N_LABEL)
        axes.set_ylabel("observed \N{MINUS SIGN} fitted ($10^{-3}$ nats)")
        if "P" in fit.law.axes:
            figure.legend(loc="outside upper center", ncols=len(looks))
    return figure
