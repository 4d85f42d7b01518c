"""Laws put to the test: extrapolation backtests, rivals and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.common import LOSS_LABEL, N_LABEL, P_LABEL, note, say_empty
from analysis.output import figure_style
from scaling.data.groups import backbones, labelled, split_by_corpus
from scaling.data.levels import size_levels
from scaling.data.runs import finished_runs
from scaling.data.units import count_labels


def backtest(table: pd.DataFrame) -> Figure:
    """Fit the cheaper runs, predict the dearer: error of each prediction, a panel a split.

    table: split (what was held out, in words), corpus, N, P, error (observed minus predicted), held_out
    (bool). Open markers were fitted, filled ones predicted; a one-sided cloud of filled ones is bias.
    """
    splits = list(dict.fromkeys(table["split"]))
    figure, panels = figure_style.new_figure(1, max(len(splits), 1), height=2.9, sharey=True)
    with figure_style.context():
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
            note(axes, labelled(corpus, f"mean error {mean}"), x=0.03, y=0.97 - 0.08 * i, ha="left")
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
) -> Figure:
    """Predicted loss against P for rival laws fitted to the same runs, a panel a size, out to `up_to`.

    table: N, P, loss of one corpus and perhaps size; laws: name -> fitted law; sizes: N at the smallest
    P. The runs of a size are drawn, and the curves follow its N, to which every
    stream adds ParScale's own parameters. The laws agree where there are runs; the panels show where,
    and by how much, they part.
    """
    runs = finished_runs(table)
    sizes = sizes if laws and len(runs) else []
    figure, panels = figure_style.new_figure(1, max(len(sizes), 1), height=2.9)
    with figure_style.context():
        if not len(sizes):
            say_empty(panels[0], "no law that these runs determine")
            return figure
        P = np.geomspace(1, up_to, 80)
        for axes, N, label in zip(panels, sizes, count_labels(sizes), strict=True):
            ends = []
            near = _of_size(runs, N)
            sized = _size_along(near, N, P)
            for i, (name, law) in enumerate(laws.items()):
                loss = np.asarray(law.predict(N=sized, P=P))
                dash = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))[i % 4]
                axes.plot(
                    P, loss, color=figure_style.CYCLE[i % len(figure_style.CYCLE)], linestyle=dash, label=name
                )
                ends.append(loss[-1])
            axes.plot(near["P"], near["loss"], "o", color=figure_style.BLACK, zorder=5, label="runs")
            axes.axvspan(runs["P"].max(), up_to * 1.2, color="#F2F2F2", zorder=0)
            figure_style.stream_ticks(axes, 2.0 ** np.arange(0, np.log2(up_to) + 1e-9))
            axes.set_xlim(0.85, up_to * 1.2)
            axes.set_xlabel(P_LABEL)
            axes.set_title(f"$N$ = {label}")
            note(axes, f"apart at $P = {up_to:g}$:\n{np.ptp(ends):.3f} nats")
        panels[0].set_ylabel(LOSS_LABEL)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 5))
    return figure
