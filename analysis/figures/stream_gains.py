"""Loss reduction from P > 1: by model size, part of the text and averaging, as k and as parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure

from analysis.figures.panel_parts import P_LABEL, answered, by_streams, head, one_legend, say_empty
from analysis.output import figure_style
from scaling.data.groups import corpus_name, labelled
from scaling.data.units import count_text
from scaling.fitting.printed_constants import PRINTED


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

    table: corpus, N_one (N at P = 1), change, the ends of its interval (low, high) and the column. title: of
    a value and its rows. draw: puts one corpus' rows into axes that have the line of no change and N on a
    logarithm. pairs: the changes of single seeds, where they are drawn too. Intervals of two seeds can be ten
    times what was measured: they run out of a frame that goes `room` times the changes' range beyond it, though
    never so near that it cuts a band or a line that a panel draws.
    """
    corpora = list(dict.fromkeys(table["corpus"]))
    rows, columns = max(len(corpora), 1), max(len(values), 1)
    figure, panels = figure_style.new_figure(
        rows, columns, height=1.75 * rows + 0.3, sharey="row", sharex=True
    )
    with figure_style.house_style():
        if not len(table):
            say_empty(panels[0], "no size was run at P = 1 and at more")
            return figure
        for index, axes in enumerate(panels):
            corpus, value = corpora[index // columns], values[index % columns]
            part = table[(table["corpus"] == corpus) & (table[column] == value)]
            axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
            axes.set_xscale("log")
            draw(axes, corpus, part)
            name = f"{corpus_name(str(corpus))}, " if len(corpora) > 1 else ""
            axes.set_title(name + title(value, part))
            sizes = sorted(table["N_one"].unique())
            if len(sizes) == 1:  # an axis of its own would put the seeds at the edges
                axes.set_xlim(sizes[0] / 2, sizes[0] * 2)
            figure_style.size_ticks(axes, sizes)
        if table["low"].notna().any():
            drawn = table if pairs is None else pd.concat([table, pairs])
            _limit_loss_axes(figure, drawn["change"].to_numpy(float), room)
        figure.supylabel("change of the loss from $P = 1$ (nats)", fontsize=7.5)
        figure.supxlabel("non-embedding parameters $N$ at $P = 1$", fontsize=7.5)
        one_legend(figure)
    return figure


def dots(axes: Axes, pairs: pd.DataFrame | None, look: Mapping[str, Any], shift: float = 1.0) -> None:
    """Each seed's change where there are several, small and pale, N times `shift`."""
    if pairs is not None:
        pairs = pairs[pairs.groupby(["N_one", "P"])["change"].transform("size") > 1]
    if pairs is not None and len(pairs):
        pale = {**look, "linestyle": "none", "markersize": 2.5, "alpha": 0.45}
        axes.plot(pairs["N_one"] * shift, pairs["change"], **pale)


def _limit_loss_axes(figure: Figure, changes: np.ndarray[Any, Any], room: float) -> None:
    """Limits of the panels that no interval of seeds decides, wide enough for what else is drawn."""
    beyond = room * max(np.ptp(changes), np.abs(changes).max())
    drawn = [
        np.asarray(path.vertices)[:, 1]
        for axes in figure.axes
        for band in axes.collections
        if isinstance(band, FillBetweenPolyCollection)
        for path in band.get_paths()
    ]
    drawn += [
        np.asarray(line.get_ydata(), float) for axes in figure.axes for line in axes.lines if line.is_dashed()
    ]
    lines = np.concatenate([found[np.isfinite(found)] for found in [*drawn, changes]])
    margin = 0.05 * np.ptp(lines)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        least = min(changes.min() - beyond, lines.min() - margin)
        axes.set_ylim(max(low, least), min(high, max(changes.max() + beyond, lines.max() + margin)))


PAPER_K = sorted(law.k for law, _ in PRINTED.values())


def draw_gains(
    table: pd.DataFrame, laws: Mapping[str, Any], doubt: str = "", pairs: pd.DataFrame | None = None
) -> Figure:
    """Change of the loss from P = 1 to P at one size against N: a panel per P and a row per corpus.

    Args:
        table: the columns of `scaling.selection.paired_gains.gains`, in nats per token.
        laws: the law of N at P = 1 by corpus. Grey: the gain of the parameters that streams bring, with its interval.
            Band: the gain if P streams were worth N (k ln P + 1) parameters, with the paper's two k.
        doubt: what speaks against that law, for the legend.
        pairs: `scaling.selection.paired_gains.pairs`, each seed's change, drawn as small dots.

    Returns:
        The figure. Bars are 95% intervals over seeds, if there are several.
    """
    several = len(table) and table["low"].notna().any()
    words = "measured, 95% over seeds" if several else "measured"

    def title(P: float, _: pd.DataFrame) -> str:
        return f"$P = {int(P)}$"

    def draw(axes: Axes, corpus: str, rows: pd.DataFrame) -> None:
        _gain_panel(axes, rows, laws.get(corpus), doubt, words)
        if pairs is not None and len(rows):
            own = pairs[(pairs["corpus"] == corpus) & (pairs["P"] == rows["P"].iloc[0])]
            dots(axes, own, {"marker": "o", "color": figure_style.CYCLE[0], "label": "one seed"}, shift=1.1)

    return change_panels(table, "P", sorted(table["P"].unique()), title, draw, room=2.5, pairs=pairs)


def _gain_panel(axes: Axes, rows: pd.DataFrame, law: Any, doubt: str, measured: str) -> None:
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


STREAM_SPACING = 1.08  # ratio of the N at which neighbouring P of one size are drawn
PARTS_OF_TEXT = {
    "repeated": "a pair seen before",
    "seen": "a token seen before",
    "new": "a new token",
    "start": "a window's start",
}


def by_context(table: pd.DataFrame, pairs: pd.DataFrame | None = None) -> Figure:
    """Change of the loss from P = 1 against N at P = 1: a panel per part of the text, a row per corpus.

    Args:
        table: the columns of `scaling.selection.gains_by_context.changes`, in nats per token.
        pairs: of `pairs` there, each seed's change, drawn as small dots.

    Returns:
        The figure. Bars are 95% intervals over seeds, if there are several. A change in copied pairs alone shows
        when a run learned to copy, not what streams can hold.
    """
    # P = 1 takes its look, so that P = 2 looks as in figures with runs of P = 1.
    looks = figure_style.stream_looks([1, *table["P"]]) if len(table) else {}

    def title(part: str, rows: pd.DataFrame) -> str:
        share = f"{rows['share'].iloc[0]:.1%} of the text" if len(rows) else ""
        return f"{PARTS_OF_TEXT.get(part, part)}\n{share}"

    def draw(axes: Axes, corpus: str, rows: pd.DataFrame) -> None:
        own = None
        if pairs is not None and len(rows):
            own = pairs[(pairs["corpus"] == corpus) & (pairs["part"] == rows["part"].iloc[0])]
        _context_panel(axes, rows, own, looks)

    return change_panels(table, "part", list(dict.fromkeys(table["part"])), title, draw, pairs=pairs)


def _context_panel(
    axes: Axes, rows: pd.DataFrame, pairs: pd.DataFrame | None, looks: Mapping[int, dict[str, Any]]
) -> None:
    """One part of one corpus: a line each P, a little apart."""
    for index, (P, of_P) in enumerate(by_streams(rows)):
        shift = STREAM_SPACING ** (index - (rows["P"].nunique() - 1) / 2)
        bars = None
        if of_P["low"].notna().any():
            bars = np.abs(of_P[["low", "high"]].to_numpy(float).T - of_P["change"].to_numpy(float))
        at, label = of_P["N_one"] * shift, f"$P = {P}$"
        axes.errorbar(at, of_P["change"], yerr=bars, capsize=2, label=label, **looks[P])
        dots(axes, None if pairs is None else pairs[pairs["P"] == P], looks[P], shift)


class FittedK(NamedTuple):
    """k of Eq 5 fitted to all runs of a corpus, its interval, and the coefficients that ended at a bound."""

    k: float
    lower: float
    upper: float
    at_bound: tuple[str, ...] = ()


def pair_k(
    table: pd.DataFrame,
    fitted: Mapping[str, FittedK],
    doubt: str = "",
    verdicts: Mapping[str, Any] | None = None,
) -> Figure:
    """The k of Eq 5 that explains each pair of runs, against N at P = 1: a panel per corpus.

    Args:
        table: of `scaling.selection.paired_gains.k_of_pairs`, whose 95% intervals are bars, or of `gains`, without bars.
        fitted: k of Eq 5 fitted to all runs and its 95% interval, by corpus, drawn as line and band. The legend says
            where that fit ended at a bound.
        doubt: what speaks against the law of P = 1 that gives the pairs' k.
        verdicts: `scaling.verdict` by corpus, whose answer about the law is the title.

    Returns:
        The figure. Eq 5 holds in N if lines are level, and in P if they coincide. Markers are hollow where the size that
        a pair is worth lies beyond the runs at P = 1, so that their law is extrapolated.

    Source: Eq 5 of arXiv 2505.10475.
    """
    shown = table[np.isfinite(table["k"])]
    corpora = list(dict.fromkeys(shown["corpus"]))
    width = figure_style.TEXT_WIDTH if len(corpora) > 1 else figure_style.COLUMN_WIDTH
    figure, panels = figure_style.new_figure(1, max(len(corpora), 1), width=width, height=2.2, sharey=True)
    with figure_style.house_style():
        if not len(shown):
            say_empty(panels[0], "too few sizes at P = 1 to say\nwhat k a pair of runs asks for")
            return figure
        looks = figure_style.stream_looks([1, *shown["P"]])
        for corpus, axes in zip(corpora, panels, strict=True):
            _k_panel(axes, shown[shown["corpus"] == corpus], fitted.get(corpus), looks)
            axes.set_title(corpus_name(str(corpus)) if corpus else "")
            axes.set_xlabel("non-embedding parameters $N$ at $P = 1$" + doubt.replace(" (", "\n(", 1))
        _limit_k_axes(panels[0], shown, fitted)
        panels[0].set_ylabel("$k$ that explains each pair" + ("\n(bars: 95%)" if "k_low" in shown else ""))
        one_legend(figure, lines=answered(verdicts, "law"))
    return figure


def _limit_k_axes(axes: Axes, shown: pd.DataFrame, fitted: Mapping[str, FittedK]) -> None:
    """The pairs' k, the fits' bands and zero are whole. Bars may run out of the frame, as far again."""
    known = [*shown["k"], 0.0, *(end for fit in fitted.values() for end in (fit.lower, fit.upper))]
    ends = np.array(known)[np.isfinite(known)]
    room = 0.5 * float(np.ptp(ends)) if "k_low" in shown else 0.05 * float(np.ptp(ends))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, ends.min() - room), min(high, ends.max() + room))


def _k_panel(axes: Axes, rows: pd.DataFrame, fit: FittedK | None, looks: Mapping[int, Any]) -> None:
    """One corpus: a line each P, and what is fitted to all of them."""
    axes.set_xscale("log")
    axes.axhline(0, color=figure_style.GREY, linewidth=0.8)
    if fit is not None:
        bound = ", ".join(fit.at_bound)
        words = f"fit of all runs, {_ends_drawn(fit.lower, fit.upper)}" + (
            f" ({bound} at a bound)" if bound else ""
        )
        axes.axhline(fit.k, color=figure_style.GREY, linestyle="--", label=words)
        if np.isfinite([fit.lower, fit.upper]).all():
            axes.axhspan(fit.lower, fit.upper, color=figure_style.GREY, alpha=0.2, linewidth=0)
    several = rows["P"].nunique()
    beyond = rows["N"] * (rows["k"] * np.log(rows["P"]) + 1) > rows["N_one"].max()
    if beyond.any():
        axes.plot([], [], "o", color=figure_style.GREY, mfc="white", label="hollow: beyond $P = 1$ runs")
    for index, (P, of_P) in enumerate(by_streams(rows)):
        at = of_P["N_one"] * STREAM_SPACING ** (0.5 * (index - (several - 1) / 2))
        axes.plot(at, of_P["k"], label=f"$P = {P}$", **looks[P])
        if "k_low" in of_P:
            bars = np.abs(of_P[["k_low", "k_high"]].to_numpy(float).T - of_P["k"].to_numpy(float))
            bars = np.where(np.isfinite(bars), bars, 10 * np.nanmax(np.abs(rows["k"])))
            plain: Any = {"linestyle": "none", "color": looks[P]["color"], "elinewidth": 0.6, "alpha": 0.7}
            axes.errorbar(at, of_P["k"], yerr=bars, capsize=1.5, **plain)
        bare: Any = {**looks[P], "linestyle": "none", "markerfacecolor": "white", "zorder": 3}
        axes.plot(at[beyond[of_P.index]], of_P["k"][beyond[of_P.index]], **bare)
    figure_style.size_ticks(axes, sorted(rows["N_one"].unique()))


def ensemble(table: pd.DataFrame) -> Figure:
    """Measured gain of averaging m of a run's streams, and the line of the proposition: a panel per size and corpus.

    Args:
        table: size, P, m, gain and gain_se (nats per token), line (the gain by the proposition, its one slope fitted to
            every m) and rho (what that slope means given a fitted E, missing if there is none).

    Returns:
        The figure. Bars are 95% intervals over validation sequences. Points off their line show that the form of the
        proposition fails.

    Source: Proposition 1 of arXiv 2505.10475, L_1 - L_m = (L_1 - E)(1 - rho)(1 - 1/m).
    """
    named = table.assign(panel=table["size"].astype(str))
    if "corpus" in table and len(set(table["corpus"])) > 1:
        named["panel"] = table["corpus"].astype(str) + ", " + named["panel"]
    sizes = list(dict.fromkeys(named["panel"]))
    columns = min(3, max(len(sizes), 1))
    rows = -(-max(len(sizes), 1) // columns)
    width = figure_style.COLUMN_WIDTH if columns == 1 else figure_style.TEXT_WIDTH
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=2.1 * rows)
    with figure_style.house_style():
        for axes in panels[max(len(sizes), 1) :]:
            axes.set_axis_off()
        if not sizes:
            say_empty(panels[0], "no ensemble was measured")
            return figure
        looks = figure_style.stream_looks([1, *table["P"]])  # as where there are runs of P = 1
        for axes, size in zip(panels, sizes, strict=False):
            head(axes, str(size), _ensemble_panel(axes, named[named["panel"] == size], looks))
        for axes in panels[::columns]:
            axes.set_ylabel("gain over one stream\n($10^{-3}$ nats per token)")
        one_legend(figure)
    return figure


def _ensemble_panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[int, dict[str, Any]]) -> list[str]:
    """One size: every run's points and line. What the lines' slopes mean, in words."""
    words = []
    for P, group in by_streams(rows):
        for _, run in group.groupby("run_id" if "run_id" in group else "P", sort=False):
            slope = float(run["line"].iloc[-1] / (1 - 1 / run["m"].iloc[-1]))
            m = np.geomspace(1, run["m"].max(), 60)
            axes.plot(m, 1e3 * slope * (1 - 1 / m), color=looks[P]["color"], linewidth=1)
            bars = 1.96e3 * run["gain_se"]
            axes.errorbar(run["m"], 1e3 * run["gain"], yerr=bars, linestyle="none", **looks[P])
        axes.plot([], [], **looks[P], label=f"$P = {P}$")
        if group["rho"].notna().any():
            words.append(f"{1 - group['rho'].mean():.2g}")
    figure_style.stream_ticks(axes, sorted({int(m) for m in rows["m"]} & {1, 2, 4, 8, 16, 32, 64} | {1}))
    axes.set_xlabel("streams averaged $m$")
    axes.plot([], [], color=figure_style.GREY, linewidth=1, label="lines: Proposition 1")
    return [r"$1 - \rho$ by $P$: " + ", ".join(words)] if words else []


def _ends_drawn(lower: Any, upper: Any) -> str:
    """What a legend says of a 95% interval: which of its ends there are to draw."""
    low, high = (bool(np.isfinite(np.asarray(end, float)).any()) for end in (lower, upper))
    return "95% interval" + ("" if low and high else ", no end" if not low and not high else
                             ", no upper end" if low else ", no lower end")  # fmt: skip


MARGIN = 1.25  # how far beyond its ends an axis reaches, as a factor


def equivalent_parameters(
    by_law: Mapping[str, pd.DataFrame],
    by_points: Mapping[str, pd.DataFrame] | None = None,
    verdicts: Mapping[str, Any] | None = None,
) -> Figure:
    """The multiple of parameters that P streams replace: a curve per corpus with its interval, and the points alone.

    Args:
        by_law: by corpus, tables of `scaling.selection.equivalent_size.equivalents` at 95% for one size each (in_data may
            be absent). Where P leaves the runs the curve is dashed and its ground shaded.
        by_points: by corpus, tables of `equivalents_by_points`, drawn as open circles, one per size.
        verdicts: `scaling.verdict` by corpus, whose answer about streams is the title.

    Returns:
        The figure, of one panel.
    """
    figure, (axes,) = figure_style.new_figure(width=figure_style.COLUMN_WIDTH, height=2.3)
    with figure_style.house_style():
        axes.set_xlabel(P_LABEL)
        axes.set_ylabel("equivalent parameters / $N$")
        drawn = {name: t for name, t in by_law.items() if len(t)}
        if not drawn:
            say_empty(axes, "no law of P that these runs determine")
            return figure
        for i, (name, table) in enumerate(drawn.items()):
            _curve(axes, table.sort_values("P"), figure_style.CYCLE[i % len(figure_style.CYCLE)], name)
            points = (by_points or {}).get(name, pd.DataFrame())
            if len(points):
                axes.plot(
                    points["P"],
                    points["multiple"],
                    linestyle="none",
                    marker="o",
                    markerfacecolor="none",
                    color=figure_style.CYCLE[i % len(figure_style.CYCLE)],
                    label=labelled(name, "read off the runs"),
                )
        _ground(axes, drawn)
        one_legend(figure, 1, lines=answered(verdicts, "streams"))
    return figure


def _ground(axes: Axes, drawn: Mapping[str, pd.DataFrame]) -> None:
    """Axis limits, ticks, and shading beyond the largest P that was run."""
    every = pd.concat(list(drawn.values()))
    figure_style.stream_ticks(axes, 2.0 ** np.arange(0, np.log2(every["P"].max()) + 1e-9))
    axes.set_xlim(every["P"].min() / MARGIN, every["P"].max() * MARGIN)
    edge = every.loc[every["in_data"], "P"].max() if every["in_data"].any() else every["P"].min()
    if edge < every["P"].max():
        last = every["P"].max() * MARGIN
        axes.axvspan(edge, last, color="#F2F2F2", zorder=0, label="beyond the runs, dashed")
    axes.axhline(1, color=figure_style.GREY, linewidth=0.8)


def _curve(axes: Axes, table: pd.DataFrame, color: str, corpus: str) -> None:
    """One corpus: solid within the runs, dashed beyond, the interval as a band."""
    finite = table[np.isfinite(table["multiple"])]
    inside = finite[finite["in_data"]]
    outside = finite[finite["P"] >= (inside["P"].max() if len(inside) else 0)]
    label = labelled(corpus, f"law at $N$ = {count_text(table['N'].iloc[0])}")
    if table[["lower", "upper"]].notna().to_numpy().any():
        label = f"{label}, {_ends_drawn(table['lower'], table['upper'])}"
        axes.fill_between(
            table["P"],
            table["lower"] / table["N"],
            table["upper"] / table["N"],
            color=color,
            alpha=0.18,
            linewidth=0,
        )
    if len(inside):
        axes.plot(inside["P"], inside["multiple"], color=color, label=label)
    axes.plot(
        outside["P"],
        outside["multiple"],
        color=color,
        linestyle=(0, (4, 2)),
        label=None if len(inside) else label,
    )
