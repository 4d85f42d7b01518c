"""The figures of the law in arXiv 2505.10475, drawn for any runs: Figures 1(2), 2 and 3."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.panel_parts import (
    FEW,
    LOSS_LABEL,
    MANY,
    N_LABEL,
    P_LABEL,
    by_streams,
    head,
    law_text,
    one_legend,
    r2_and_rmse,
    say_empty,
)
from analysis.figures.prediction_bands import Line, Predict, draw_bands
from analysis.output import figure_style
from scaling.data.groups import backbones, corpus_name, split_by_corpus
from scaling.data.runs import finished_runs

PAD, FURTHER = 1.08, 2.5  # curves go so far beyond the runs, with a band further
ROOM = 0.35  # of the range of runs and curves: how far a band may stretch a panel before it leaves it
ONE_CURVE = 2e-3  # of that range: curves of P closer than this are drawn as one
DASHED = (0, (4, 2))
ANY_P: dict[str, Any] = {"color": figure_style.BLACK, "linewidth": 1.0}


def fig1_law(table: pd.DataFrame, law: Any) -> Figure:
    """Loss against N at P = 1 and 8, with an arrow between equal losses.

    Args:
        table: N, P, loss (nats per token) of one corpus.
        law: the fitted law. The arrow starts at the largest size at P = 1, and its length is the law's:
            1 - 1 / (k ln P + 1) of the parameters for the law of Eq 5.

    Returns:
        The figure, of one panel.

    Source: the form of Figure 1(2) of arXiv 2505.10475.
    """
    figure, (axes,) = figure_style.new_figure(width=figure_style.COLUMN_WIDTH, height=2.6)
    runs = finished_runs(table)
    with figure_style.house_style():
        axes.set_xlabel(N_LABEL)
        axes.set_ylabel(LOSS_LABEL)
        if not {FEW, MANY} <= set(runs["P"]):
            say_empty(axes, f"needs runs at P = {FEW} and P = {MANY}; there are {sorted(set(runs['P']))}")
            return figure
        looks = figure_style.stream_looks(runs["P"])
        for P in (FEW, MANY):
            rows = runs[runs["P"] == P]
            N = np.geomspace(runs["N"].min() / 1.08, runs["N"].max() * 1.08, 120)
            axes.plot(N, law.predict(N=N, P=np.full_like(N, P)), color=looks[P]["color"])
            axes.plot(rows["N"], rows["loss"], linestyle="none", label=f"$P = {P}$", **looks[P])
        figure_style.size_ticks(axes, backbones(runs))
        _saving_arrow(axes, law, float(runs.loc[runs["P"] == FEW, "N"].max()))
        head(axes, lines=[law_text(law)])
        axes.legend(loc="lower left")
    return figure


def _saving_arrow(axes: Axes, law: Any, N: float) -> None:
    """From N at few streams to the size that has the same loss with many."""
    loss = float(law.predict(N=N, P=FEW))
    there = float(law.equivalent_N(N=N, P=FEW, at_P=MANY))
    arrow = {"arrowstyle": "-|>", "color": figure_style.ORANGE, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(there, loss), xytext=(N, loss), arrowprops=arrow, zorder=5)
    axes.annotate(
        f"{there / N - 1:+.0%} parameters".replace("-", "\N{MINUS SIGN}"),
        (there, loss),
        xytext=(-7, 0),
        textcoords="offset points",
        color=figure_style.ORANGE,
        weight="bold",
        ha="right",
        va="center",
        zorder=6,
    )


def fig2(
    table: pd.DataFrame,
    laws: Mapping[str, Any],
    *,
    notes: Mapping[str, str] | None = None,
    bands: Mapping[str, Predict] | None = None,
    rejected: Collection[str] = (),
    captioned: bool = False,
) -> Figure:
    """Runs and fitted law: a panel per corpus, runs as markers, the law as curves, its constants and R2 above.

    Args:
        table: N, P, loss (nats per token), and if there corpus, loss_se (drawn as 95% bars), status.
        laws: the fitted law of N and P by corpus (key "" without that column). A corpus without a law shows its points.
        notes: lines under the law of a corpus, such as the status of a fit that is in doubt.
        bands: `Fit.predict` by corpus. Its 95% prediction interval is drawn at the smallest and the largest P, out to
            FURTHER times the largest N. Beyond the runs curves are dashed and the band, a forecast, is paler.
        rejected: corpora whose verdict on the law is no. Their panels and legends say so instead of R2.
        captioned: leave to a caption what law, bands and dashes are: a title above, P in the legend.

    Returns:
        The figure. If P changes nothing, one black curve is drawn.

    Source: the form of Figure 2 of arXiv 2505.10475.

    Examples:
        >>> import scaling
        >>> from analysis import figures
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> law = scaling.fit("parallel", pile, objective="least-squares").law
        >>> figures.fig2(pile, {"pile": law}).axes[0].get_ylabel()
        'loss (nats per token)'
    """
    groups = split_by_corpus(table)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    width = figure_style.TEXT_WIDTH if columns > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=2.2 * rows)
    good = finished_runs(table)
    looks = figure_style.stream_looks([1, *good["P"]]) if len(good) else {}
    with figure_style.house_style():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            law, refused = laws.get(corpus), corpus in rejected
            lines = [
                *_law_lines(runs, law, refused),
                *(notes or {}).get(corpus, "").split("\n"),
                _left_out(runs),
            ]
            head(axes, corpus_name(corpus), () if captioned else lines)
            _law_panel(axes, runs, law, looks, (bands or {}).get(corpus))
            if law is not None and len(finished_runs(runs)) and not captioned:
                beyond = "rejected law, beyond the runs" if refused else "law beyond the runs"
                axes.plot([], [], color=figure_style.GREY, linestyle=DASHED, label=beyond)
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(LOSS_LABEL)
        marks = {f"$P = {P}$": Line2D([], [], **looks[P]) for P in looks if P in set(good["P"])}
        one_legend(figure, more=marks, drawn=not captioned)
    return figure


def _law_panel(
    axes: Axes, runs: pd.DataFrame, law: Any, looks: Mapping[int, dict[str, Any]], band: Predict | None
) -> None:
    """One corpus."""
    good = finished_runs(runs)
    if not len(good):
        say_empty(axes, f"no finished run among {len(runs)} row{'s' * (len(runs) != 1)}")
        return
    for P, rows in by_streams(good):
        bars = 1.96 * rows["loss_se"] if "loss_se" in rows and rows["loss_se"].notna().any() else None
        edge: dict[str, Any] = {
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
            "linestyle": "none",
            "elinewidth": 0.7,
        }
        axes.errorbar(rows["N"], rows["loss"], yerr=bars, zorder=4, **edge, **looks[P])
    if law is not None:
        drawn = _law_curves(axes, good, law, looks)
        low, high = axes.get_ylim()
        if band is not None:
            _bands(axes, good, band, {P: looks[P]["color"] for P in {drawn[0], drawn[-1]}})
        room = ROOM * (high - low)
        axes.set_ylim(max(low - room, axes.get_ylim()[0]), min(high + room, axes.get_ylim()[1]))
    figure_style.size_ticks(axes, backbones(good))
    axes.set_xlabel(N_LABEL)


def _law_curves(axes: Axes, runs: pd.DataFrame, law: Any, looks: Mapping[int, dict[str, Any]]) -> list[int]:
    """The law at each P, dashed beyond the runs. One black curve where P changes nothing. The P drawn."""
    low, high = runs["N"].min(), runs["N"].max()
    N = np.geomspace(low / PAD, high * FURTHER, 160)
    streams = sorted({int(P) for P in runs["P"]})
    losses = {P: np.asarray(law.predict(N=N, P=np.full_like(N, P))) for P in streams}
    apart = np.ptp(np.array(list(losses.values())), axis=0).max()
    one = apart < ONE_CURVE * float(runs["loss"].max() - runs["loss"].min())
    beyond = high * PAD < N
    same = one and len(streams) > 1
    drawn = streams[:1] if same else streams
    for P in drawn:
        look = ANY_P if same else {"color": looks[P]["color"], "linewidth": 1.0}
        label = "law, the same for every $P$" if look is ANY_P else None
        axes.plot(N[~beyond], losses[P][~beyond], zorder=3, label=label, **look)
        axes.plot(N[beyond], losses[P][beyond], linestyle=DASHED, zorder=3, **look)
    return drawn


def _bands(axes: Axes, runs: pd.DataFrame, band: Predict, colors: Mapping[int, str]) -> None:
    """The prediction interval at some P: within the runs, and as a forecast beyond."""
    low, high = float(runs["N"].min()), float(runs["N"].max())
    parts = np.geomspace(low, high, 6), np.geomspace(high * 1.01, high * FURTHER, 3)
    draw_bands(band, [Line(axes, {"P": P}, "N", parts, color) for P, color in sorted(colors.items())])


def _law_lines(runs: pd.DataFrame, law: Any, rejected: bool) -> tuple[str, ...]:
    """The law and how well it fits: its R2 only if it is not rejected."""
    good = finished_runs(runs)
    if law is None or not len(good):
        return (f"no law fitted ({len(good)} runs)",) if len(good) else ()
    r2, rmse = r2_and_rmse(law, good)
    fits = "rejected" if rejected else f"$R^2 = {r2:.4f}$"
    return law_text(law), f"{fits},  RMSE {rmse:.2g} nats,  {len(good)} runs"


def _left_out(runs: pd.DataFrame) -> str:
    """How many runs are not drawn, and why."""
    gone = len(runs) - len(finished_runs(runs))
    return f"{gone} diverged or unfinished, not drawn" if gone else ""


LINES = 12  # contours at most


def fig3(table: pd.DataFrame, laws: Mapping[str, Any]) -> Figure:
    """Lines of equal predicted loss over N and P: a panel per corpus, the runs as circles filled with their own loss.

    Args:
        table: N, P, loss (nats per token) and perhaps corpus.
        laws: the fitted law by corpus.

    Returns:
        The figure. Circles and ground share one colour scale, so the law misses a run whose circle differs in colour from
        its surroundings.

    Source: the form of Figure 3 of arXiv 2505.10475.
    """
    groups = split_by_corpus(table)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    width = figure_style.TEXT_WIDTH if columns > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=2.5 * rows)
    with figure_style.house_style():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            axes.set_title(corpus_name(corpus))
            _contour_panel(figure, axes, finished_runs(runs), laws.get(corpus))
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(P_LABEL)
    return figure


def _label_places(
    N: NDArray[np.float64],
    P: NDArray[np.float64],
    loss: NDArray[np.float64],
    steps: NDArray[np.float64],
    runs: pd.DataFrame,
) -> list[tuple[float, float]]:
    """One place a contour, in the row midway between the two largest P that were run: clear of circles."""
    low, high = sorted(runs["P"].unique())[-2:]
    row = int(np.argmin(np.abs(np.log(P) - np.log(low * high) / 2)))
    line = loss[row]
    inside = steps[(steps > line.min()) & (steps < line.max())]
    return [(float(np.exp(np.interp(-s, -line, np.log(N)))), float(P[row])) for s in inside]


def _contour_panel(figure: Figure, axes: Axes, runs: pd.DataFrame, law: Any) -> None:
    """One corpus."""
    if law is None or runs["P"].nunique() < 2 or runs["N"].max() < 1.2 * runs["N"].min():
        say_empty(axes, "contours need a fitted law and\nat least two sizes and two P")
        return
    N = np.geomspace(runs["N"].min() / 1.15, runs["N"].max() * 1.15, 160)
    P = np.geomspace(max(1.0, runs["P"].min() / 1.12), runs["P"].max() * 1.12, 120)
    loss = np.asarray(law.predict(N=N[None, :], P=P[:, None]))
    low, high = min(loss.min(), runs["loss"].min()), max(loss.max(), runs["loss"].max())
    steps = np.asarray(MaxNLocator(LINES, steps=[1, 2, 2.5, 5, 10]).tick_values(loss.min(), loss.max()))
    axes.pcolormesh(N, P, loss, cmap="cividis", vmin=low, vmax=high, shading="gouraud", rasterized=True)
    lines = axes.contour(N, P, loss, levels=steps, colors="white", linewidths=0.9)
    axes.clabel(lines, fmt="%.3g", fontsize=6, manual=_label_places(N, P, loss, steps, runs))
    look: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.9, "zorder": 4, "clip_on": False}
    shade: dict[str, Any] = {"c": runs["loss"], "cmap": "cividis", "vmin": low, "vmax": high}
    points = axes.scatter(runs["N"], runs["P"], s=20, **shade, **look)
    figure_style.size_ticks(axes, backbones(runs))
    axes.set_yscale("log", base=2)
    axes.set_yticks(sorted(runs["P"].unique()), labels=[f"{p:g}" for p in sorted(runs["P"].unique())])
    axes.minorticks_off()
    axes.set_xlim(N[0], N[-1])
    axes.set_ylim(P[0], P[-1])
    axes.grid(visible=False)
    axes.set_xlabel(N_LABEL)
    figure.colorbar(points, ax=axes, label="loss (nats per token)", pad=0.02)
