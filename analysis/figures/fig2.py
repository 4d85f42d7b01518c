"""Loss against N for every P with the fitted law (the form of Figure 2 of arXiv 2505.10475)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.common import LOSS_LABEL, N_LABEL, by_streams, goodness, law_text, note, say_empty
from analysis.output import figure_style
from scaling.data.groups import backbones, corpus_name, split_by_corpus
from scaling.data.runs import finished_runs


def fig2(
    table: pd.DataFrame,
    laws: Mapping[str, Any],
    *,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """A panel a corpus: runs as markers, one a P; the fitted law as curves, its constants and R2 written in.

    table: N, P, loss, and if there corpus, loss_se (drawn as 95% bars), status. laws: the fitted law of
    N and P by corpus (key "" without that column); a corpus that has none shows its points. notes:
    lines under the law of a corpus, e.g. the status of a fit that is in doubt.
    """
    groups = split_by_corpus(table)
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    width = figure_style.TEXT_WIDTH if columns > 1 else 4.6
    figure, panels = figure_style.new_figure(rows, columns, width=width, height=3.1 * rows + 0.25)
    looks = figure_style.stream_looks([1, *finished_runs(table)["P"]]) if len(finished_runs(table)) else {}
    with figure_style.context():
        for axes, (corpus, runs) in zip(panels, groups.items(), strict=False):
            _panel(axes, runs, laws.get(corpus), looks, (notes or {}).get(corpus, ""))
            axes.set_title(corpus_name(corpus))
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        for axes in panels[::columns]:
            axes.set_ylabel(LOSS_LABEL)
        there = set(finished_runs(table)["P"])
        handles = [Line2D([], [], **look, label=f"$P = {P}$") for P, look in looks.items() if P in there]
        if handles:
            figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4 * columns))
    return figure


def _panel(
    axes: Axes, runs: pd.DataFrame, law: Any, looks: Mapping[int, dict[str, Any]], remark: str
) -> None:
    """One corpus."""
    good = finished_runs(runs)
    if not len(good):
        say_empty(axes, f"no finished run among {len(runs)} row{'s' * (len(runs) != 1)}")
        return
    pad = 1.08
    for P, rows in by_streams(good):
        look = looks[P]
        bars = 1.96 * rows["loss_se"] if "loss_se" in rows and rows["loss_se"].notna().any() else None
        axes.errorbar(
            rows["N"],
            rows["loss"],
            yerr=bars,
            linestyle="none",
            elinewidth=0.8,
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=4,
            **look,
        )
        if law is not None:
            N = np.geomspace(good["N"].min() / pad, good["N"].max() * pad, 120)
            curve = np.asarray(law.predict(N=N, P=np.full_like(N, P)))
            axes.plot(N, curve, color=look["color"], linewidth=1.2, zorder=3)
    figure_style.size_ticks(axes, backbones(good))
    axes.set_xlabel(N_LABEL)
    lines = [line for line in (*_law_lines(law, good), *remark.split("\n"), _left_out(runs, good)) if line]
    low, high = axes.get_ylim()
    room = 0.08 + 0.075 * len(lines)  # for the law, in the corner the curves leave free
    axes.set_ylim(low, high + room * (high - low))
    note(axes, "\n".join(lines))


def _law_lines(law: Any, good: pd.DataFrame) -> tuple[str, ...]:
    """The law and how well it fits."""
    if law is None:
        return (f"no law fitted ({len(good)} runs)",)
    r2, rmse = goodness(law, good)
    return law_text(law), f"$R^2 = {r2:.4f}$,  RMSE {rmse:.2g},  {len(good)} runs"


def _left_out(runs: pd.DataFrame, good: pd.DataFrame) -> str:
    """How many runs are not drawn, and why."""
    gone = len(runs) - len(good)
    return f"{gone} diverged or unfinished, not drawn" if gone else ""
