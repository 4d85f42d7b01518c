"""The atlas on disk: a table, a figure of each entry and one page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.atlas.curve_entries import DONE, CurveJudged, judged_curves
from analysis.atlas.curve_entries import TABLE as CURVES
from analysis.atlas.entries import ENTRIES, HUBER
from analysis.atlas.exponents import Exponents, all_exponents
from analysis.atlas.judged import FAR, LEVEL, NEAR, Judged, judge
from analysis.output import figure_style
from analysis.output.html_page import Page
from scaling.data.atomic_files import replacing
from scaling.data.query import slug
from scaling.laws.base import Array

COMMAND = "parscale atlas"
FORMS = {"ours": ".6g", "lower": ".4g", "upper": ".4g"}
SPREAD = 0.03  # of the width of the axis: how far points of one size are drawn apart, either way
MANY = 100  # points that are drawn as a picture: a vector each would weigh more than the page
SHOWN = {  # columns of the page's table, and their heads
    "entry": "law", "constants": "constants", "certificate": "certificate", "better_rival": "rival",
    "forecast": "its largest runs",
}  # fmt: skip
INTRO = (
    "Each law is fitted to the runs of its publication with its authors' objective. Its constants are reproduced if ours "
    f"round to the printed digits, or if values that round to the printed ones reach our objective within {NEAR:g}. They "
    f"are close up to {FAR:g}. Rivals are other laws of the same axes, compared by AICc. "
    f"The largest third of the sizes is forecast from the rest, with {LEVEL:.0%} intervals. An error is the observed "
    "loss minus the forecast."
)
ABSENT = (
    "Left out, because their runs are not public as tables: the width and depth law of 2026, loops (six of 116 losses "
    "are printed), routers other than S-Base, and the larger models of Marin's isoFLOP sweeps."
)


@dataclass(frozen=True)
class Atlas:
    """What `write_atlas` wrote: the table and the files."""

    table: pd.DataFrame
    files: list[Path]


def write_atlas(out: Path, progress: Callable[[str], None] = lambda step: None) -> Atlas:
    """Refit every entry and write atlas.csv, atlas.html and a figure of each below `out`.

    progress: called with the name of each entry before it is refitted. Raises OSError where nothing can be written.
    """
    judged: list[Judged] = []
    for entry in ENTRIES:
        progress(entry.name)
        judged.append(judge(entry))
    progress("loss curves")
    curves = judged_curves()
    progress("exponents of optima")
    exponents = all_exponents()
    table = pd.DataFrame(
        [*(one.row for one in judged), *(one.row for one in curves), *(one.row for one in exponents)]
    )
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "atlas.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
    files = [out / "atlas.csv", _page(table, judged, curves, exponents).write(out / "atlas.html")]
    drawn = [(one.entry.name, figure_of(one), one.entry.table) for one in judged]
    drawn += [(one.name, one.figure(), CURVES) for one in curves]
    drawn += [(one.name, one.figure(), one.table) for one in exponents]
    for name, figure, data in drawn:
        files += figure_style.save_figure(figure, out / slug(name).lower(), command=COMMAND, data=data)
    return Atlas(table, files)


def shown_constants(one: Judged) -> pd.DataFrame:
    """Constants as the page shows them: logarithms where those were printed, and nothing where no constant is compared."""
    table = one.constants.copy()
    for i, name in enumerate(table["parameter"]):
        if f"log_{name}" in one.entry.printed:
            table.loc[i, "parameter"] = f"log {name}"
            with np.errstate(divide="ignore"):
                table.loc[i, ["ours", "lower", "upper"]] = np.log(
                    table.loc[i, ["ours", "lower", "upper"]].astype(float)
                )
    compared = (table["printed"] != "") & (not one.entry.doubt)
    rounds = np.where(table.pop("reproduced"), "yes", "no")
    return table.assign(**{"rounds to the printed digits": np.where(compared, rounds, "")})


def figure_of(one: Judged) -> Figure:
    """Observed against fitted losses, and errors of the forecast of the largest runs with its intervals."""
    figure, (left, right) = figure_style.new_figure(1, 2, height=2.7)
    with figure_style.house_style():
        fitted, observed = one.fit.loss - one.fit.misfit, one.fit.loss
        ends = [float(np.min([fitted, observed])), float(np.max([fitted, observed]))]
        left.plot(ends, ends, color=figure_style.GREY, linewidth=0.8)
        left.plot(fitted, observed, "o", ms=2.5, alpha=0.6, rasterized=len(fitted) > MANY)
        left.set(xlabel="fitted loss (nats per token)", ylabel="observed", title="all runs")
        _draw_ahead(right, one.ahead, one.entry.along)
    return figure


def _draw_ahead(axes: Axes, ahead: pd.DataFrame, along: str) -> None:
    """Errors of the forecast along an axis, with intervals."""
    axes.set(title="largest runs, forecast from the rest", xlabel=along, ylabel="observed - forecast (nats)")
    if not len(ahead):
        axes.text(0.5, 0.5, "too few other runs", ha="center", transform=axes.transAxes)
        return
    x, inside, many = (
        _side_by_side(ahead[along].to_numpy(float)),
        ahead["inside"].to_numpy(bool),
        len(ahead) > MANY,
    )
    reach = np.abs(ahead[["lower", "upper"]].to_numpy(float).T - ahead["loss"].to_numpy(float))
    axes.axhline(0, color=figure_style.GREY, linewidth=0.6)
    style: dict[str, Any] = {"color": figure_style.GREY, "linewidth": 0.6, "rasterized": many}
    axes.errorbar(x, 0 * x, reach, fmt="none", label=f"{LEVEL:.0%} interval", **style)
    for rows, label in ((inside, "inside"), (~inside, "outside")):
        if rows.any():
            axes.plot(x[rows], ahead["error"][rows], "o", ms=2.5, label=label, rasterized=many)
    axes.set_xscale("log")
    if along == "N":
        figure_style.size_ticks(axes, sorted(set(ahead[along].round(-6))))
    axes.margins(x=0.1, y=0.3)
    axes.legend(fontsize=7, loc="upper left", ncols=3)


def _side_by_side(x: Array) -> Array:
    """Positions x (n,) with equal ones a little apart, so that each interval is seen."""
    out, room = x.copy(), SPREAD * max(np.log(x.max() / x.min()), 0.5)
    for level in np.unique(x):
        rows = np.flatnonzero(x == level)
        out[rows] *= np.exp(room * np.linspace(-1, 1, len(rows)) * (len(rows) > 1))
    return out


def _page(
    table: pd.DataFrame, judged: list[Judged], curves: list[CurveJudged], exponents: list[Exponents]
) -> Page:
    """The page: every verdict in one table, and each entry's constants, sources and figure folded below."""
    page = Page("Published scaling laws, refitted to their own runs", f"made by {COMMAND}")
    page.text(INTRO)
    page.text(ABSENT)
    page.table(table[[*SHOWN]].fillna("").rename(columns=SHOWN), "What comes out of the runs")
    page.contents()
    for one in judged:
        with page.fold(one.entry.name):
            page.text(
                f"{one.entry.source}. {one.entry.done or 'All rows'}. Objective: {one.fit.problem.objective.name}."
            )
            if one.held_says:
                page.text(f"{one.held_says}.")
            page.table(shown_constants(one), "Constants as printed and as refitted", FORMS)
            page.figure(figure_of(one), f"{one.entry.name}: {one.forecast_says}")
    for law in curves:
        with page.fold(law.name):
            page.text(f"{law.source}. {DONE}. Objective: {HUBER.name}.")
            page.table(law.constants, "Constants as printed and as refitted", FORMS)
            page.figure(law.figure(), f"{law.name}: {law.forecast_says}")
    for other in exponents:
        with page.fold(other.name):
            page.text(f"{other.row['source']}.")
            page.table(other.constants, "Exponents as printed and as refitted", FORMS)
            page.figure(other.figure(), f"{other.name}: {other.says}")
    return page
