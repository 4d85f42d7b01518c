"""Laws and the runs they were fitted to: curves, rivals, observed against expected, the loss above its floor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.panel_parts import (
    LOSS_LABEL,
    N_LABEL,
    P_LABEL,
    by_streams,
    head,
    law_text,
    one_legend,
    r2_and_rmse,
    say_empty,
)
from analysis.figures.paper_forms import ROOM, fig2
from analysis.figures.prediction_bands import Line, Predict, draw_bands
from analysis.output import figure_style
from scaling import Fit, Status
from scaling.data.groups import backbones, corpus_name, split_by_corpus
from scaling.data.levels import size_levels
from scaling.data.runs import finished_runs
from scaling.data.units import count_labels
from scaling.selection.equivalent_size import predicted

SAME_SIZE = 1.05  # a run whose N is further from its panel's than this is drawn open


def _of_size(runs: pd.DataFrame, N: float) -> pd.DataFrame:
    """The runs of the size that the run closest to N is of."""
    level = size_levels(runs)
    return pd.DataFrame(runs[level == level[np.argmin(np.abs(np.log(runs["N"].to_numpy(float) / N)))]])


def rivals(
    table: pd.DataFrame,
    laws: Mapping[str, Any],
    *,
    sizes: Sequence[float],
    up_to: float = 64,
    band: Predict | None = None,
) -> Figure:
    """Predicted loss against P for rival laws fitted to the same runs: a panel per size.

    Args:
        table: N, P, loss (nats per token) of one corpus and perhaps size.
        laws: name -> fitted law.
        sizes: N at the smallest P. Every curve holds N at the panel's own.
        up_to: the largest P drawn.
        band: `Fit.predict` of the law whose 95% prediction interval is drawn.

    Returns:
        The figure. Runs are open markers if the parameters that streams bring make their N more than 5% larger. The laws
        agree where there are runs. The panels show where they differ, and by how much.
    """
    runs = finished_runs(table)
    sizes = sizes if laws and len(runs) else []
    figure, panels = figure_style.new_figure(1, max(len(sizes), 1), height=2.1)
    with figure_style.house_style():
        if not len(sizes):
            say_empty(panels[0], "no law that these runs determine")
            return figure
        for axes, N, label in zip(panels, sizes, count_labels(sizes), strict=True):
            apart = _rival_panel(axes, _of_size(runs, N), N, laws, up_to)
            head(axes, f"$N$ = {label}", [f"apart at $P = {up_to:g}$: {apart:.3f} nats"])
        if band is not None:
            _rival_bands(panels, sizes, float(runs["P"].max()), up_to, band)
        for axes in panels:
            axes.axvspan(runs["P"].max(), up_to * 1.2, color="#F2F2F2", zorder=0, label="beyond the runs")
        panels[0].set_ylabel(LOSS_LABEL)
        one_legend(figure)
    return figure


def _rival_panel(axes: Axes, near: pd.DataFrame, N: float, laws: Mapping[str, Any], up_to: float) -> float:
    """One size: its runs and a curve a law. Returns how far the laws part at the end."""
    P, last = np.geomspace(1, up_to, 80), []
    for name, law in laws.items():
        at = {"N": np.full_like(P, N), "P": P}
        loss = np.asarray(law.predict(**{axis: at[axis] for axis in law.axes}))
        axes.plot(P, loss, label=name, **figure_style.law_look(law))
        last.append(loss[-1])
    larger = near["N"].to_numpy(float) > SAME_SIZE * N
    look: dict[str, Any] = {"linestyle": "none", "marker": "o", "color": figure_style.BLACK, "zorder": 5}
    for where, face, words in (
        (~larger, figure_style.BLACK, "runs"),
        (larger, "white", "runs of larger $N$ (stream parameters)"),
    ):
        if where.any():
            rows = near[where]
            axes.plot(rows["P"], rows["loss"], markerfacecolor=face, label=words, **look)
    figure_style.stream_ticks(axes, 4.0 ** np.arange(0, np.log2(up_to) / 2 + 1e-9))
    axes.set_xlim(0.85, up_to * 1.2)
    axes.set_xlabel(P_LABEL)
    return float(np.ptp(last))


def _rival_bands(
    panels: Sequence[Axes], sizes: Sequence[float], edge: float, up_to: float, band: Predict
) -> None:
    """The interval of the law that has one: within the runs, and as a forecast beyond. The curves set the scale."""
    limits = [axes.get_ylim() for axes in panels]
    parts = np.geomspace(1, edge, 4), np.geomspace(edge * 1.05, up_to, 3)
    draw_bands(
        band,
        [Line(axes, {"N": N}, "P", parts, figure_style.BLUE) for axes, N in zip(panels, sizes, strict=True)],
    )
    for axes, (low, high) in zip(panels, limits, strict=True):
        room = ROOM * (high - low)
        axes.set_ylim(max(low - room, axes.get_ylim()[0]), min(high + room, axes.get_ylim()[1]))


def excess(table: pd.DataFrame, laws: Mapping[str, Any]) -> Figure:
    """Loss above the fitted floor, L - E, against N on two logarithmic axes: a panel per corpus, a marker per P.

    Args:
        table: N, P, loss (nats per token) and perhaps corpus.
        laws: by corpus the fitted law, with an E.

    Returns:
        The figure. A power law in N is a straight line, which streams shift to the side. A bend shows that E or the power
        is wrong. Runs at or below E have no logarithm: their number is above the panel.
    """
    groups = {c: rows for c, rows in split_by_corpus(table).items() if c in laws and len(finished_runs(rows))}
    count = max(len(groups), 1)
    width = figure_style.TEXT_WIDTH if count > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(1, count, width=width, height=2.3)
    looks = figure_style.stream_looks([1, *finished_runs(table)["P"]]) if groups else {}
    with figure_style.house_style():
        if not groups:
            say_empty(panels[0], "no law that these runs determine")
        for axes, (corpus, rows) in zip(panels, groups.items(), strict=False):
            runs, law = finished_runs(rows), laws[corpus]
            above = runs[runs["loss"] > law.E]
            gone = len(runs) - len(above)
            head(axes, corpus_name(corpus), [f"{gone} runs at or below $E$ not drawn" if gone else ""])
            _excess_panel(axes, above, law, looks)
        one_legend(figure)
    return figure


def _excess_panel(axes: Axes, runs: pd.DataFrame, law: Any, looks: Mapping[int, dict[str, Any]]) -> None:
    """One corpus."""
    N = np.geomspace(runs["N"].min(), runs["N"].max(), 100)
    for P, rows in by_streams(runs):
        axes.plot(rows["N"], rows["loss"] - law.E, linestyle="none", label=f"$P = {P}$", zorder=3, **looks[P])
        axes.plot(
            N, np.asarray(law.predict(N=N, P=np.full_like(N, P))) - law.E, color=looks[P]["color"], lw=0.9
        )
    axes.set_yscale("log")
    figure_style.plain_log_ticks(axes.yaxis)
    figure_style.size_ticks(axes, backbones(runs))
    axes.set_xlabel(N_LABEL)
    axes.set_ylabel(f"loss $-\\,E$ (nats per token)\n$E$ = {law.E:.4g}")


def observed_expected(table: pd.DataFrame, laws: Mapping[str, Any], rejected: Collection[str] = ()) -> Figure:
    """The observed loss of every run against the one its law expects: a panel per corpus. The line is equality.

    Args:
        table: the axes of the laws, loss (nats per token), and perhaps P and corpus.
        laws: the fitted law by corpus.
        rejected: corpora whose verdict on the law is no, which their panels say instead of R2.

    Returns:
        The figure.
    """
    groups = {c: finished_runs(rows) for c, rows in split_by_corpus(table).items() if c in laws}
    count = max(len(groups), 1)
    width = figure_style.TEXT_WIDTH if count > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(1, count, width=width, height=2.3)
    streams = "P" in table
    looks = figure_style.stream_looks([1, *finished_runs(table)["P"]]) if streams and groups else {}
    with figure_style.house_style():
        if not groups:
            say_empty(panels[0], "no law that these runs determine")
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            law = laws[corpus]
            r2, rmse = r2_and_rmse(law, runs)
            fits = "rejected" if corpus in rejected else f"$R^2 = {r2:.4f}$"
            words = f"{fits},  RMSE {rmse:.2g} nats,  {len(runs)} runs"
            head(axes, corpus_name(corpus), [law_text(law), words])
            found = runs.assign(expected=predicted(law, runs))
            ends = [found[["expected", "loss"]].min().min(), found[["expected", "loss"]].max().max()]
            axes.plot(ends, ends, color=figure_style.GREY, linewidth=0.8, label="equal")
            for P, rows in by_streams(found) if streams else [(0, found)]:
                look = {**looks[P], "label": f"$P = {P}$"} if streams else {"marker": "o"}
                axes.plot(rows["expected"], rows["loss"], linestyle="none", **look)
            axes.set_xlabel(f"expected {LOSS_LABEL}")
        panels[0].set_ylabel(f"observed {LOSS_LABEL}")
        one_legend(figure)
    return figure


def plot_fit(fit: Fit) -> Figure:
    """The runs and curves of one fit: loss against N, a curve per P. Other laws: observed against expected loss.

    Args:
        fit: of any law. A law with another axis, such as D, has no curve over N alone. Its panel shows the
            observed loss of every run against the expected one, and the line of equality.

    Returns:
        The figure, which `figure.savefig("fit.pdf")` writes.

    Examples:
        >>> import scaling
        >>> from analysis.figures import plot_fit
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> figure = plot_fit(scaling.fit("parallel", pile, objective="least-squares"))
        >>> figure.axes[0].get_xscale(), len(figure.axes[0].lines) >= 4
        ('log', True)
    """
    if not set(fit.law.axes) <= {"N", "P"}:
        return observed_expected(pd.DataFrame({**fit.axes, "loss": fit.loss}), {"": fit.law})
    runs = pd.DataFrame({"P": 1, **fit.axes, "loss": fit.loss})
    doubt = "" if fit.status == Status.CONVERGED else f"in doubt: {fit.status}"
    bands = {"": fit.predict} if fit.determined and set(fit.law.axes) == {"N", "P"} else None
    figure = fig2(runs, {"": fit.law}, notes={"": doubt}, bands=bands)
    if "P" not in fit.law.axes:  # its runs may be of any P: the fit does not know
        figure.legends[0].remove()
    return figure


def draw_residuals(fit: Fit) -> Figure:
    """Observed minus fitted loss of one fit against N, a marker per P: a good law leaves no pattern.

    Args:
        fit: of any law with an axis N. Without an axis P all runs have one marker.

    Returns:
        The figure, in thousandths of a nat per token.
    """
    figure, (axes,) = figure_style.new_figure(width=figure_style.COLUMN_WIDTH, height=2.4)
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
            one_legend(figure)
    return figure
