"""The atlas on disk: a table, a figure of each entry and one page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.atlas.entries import ENTRIES
from analysis.atlas.exponents import Exponents, all_exponents
from analysis.atlas.judged import LEVEL, Judged, judge
from analysis.output import figure_style
from analysis.output.html_page import Page
from scaling.data.atomic_files import replacing
from scaling.data.query import slug

COMMAND = "parscale atlas"
FORMS = {"ours": ".6g", "lower": ".4g", "upper": ".4g"}
MANY = 100  # points that are drawn as a picture: a vector each would weigh more than the page
SHOWN = ["entry", "constants", "certificate", "better_rival", "forecast"]  # columns of the page's table
ABSENT = (
    "Not here, for their runs are not public as tables: the law of width and depth of 2026, loops (six of 116 losses "
    "are printed), routers beside S-Base, the larger models of Marin's isoFLOP sweeps."
)


@dataclass(frozen=True)
class Atlas:
    """What `write_atlas` wrote: the table and the files."""

    table: pd.DataFrame
    files: list[Path]


def write_atlas(out: Path, progress: Callable[[str], None] = lambda step: None) -> Atlas:
    """Refit every entry and write atlas.csv, atlas.html and a figure of each below `out`.

    progress: is told the entry that is looked at. Raises OSError where nothing can be written.
    """
    judged: list[Judged] = []
    for entry in ENTRIES:
        progress(entry.name)
        judged.append(judge(entry))
    progress("exponents of optima")
    exponents = all_exponents()
    table = pd.DataFrame([*(one.row for one in judged), *(one.row for one in exponents)])
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "atlas.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
    files = [out / "atlas.csv", _page(table, judged, exponents).write(out / "atlas.html")]
    for one in judged:
        progress(f"figure of {one.entry.name}")
        name = slug(one.entry.name).lower()
        files += figure_style.save_figure(figure_of(one), out / name, command=COMMAND, data=one.entry.table)
    return Atlas(table, files)


def figure_of(one: Judged) -> Figure:
    """Observed against fitted losses, and errors of the forecast of the largest runs with its intervals."""
    figure, (left, right) = figure_style.new_figure(1, 2, height=2.7)
    ahead, along = one.ahead, one.entry.along
    with figure_style.house_style():
        fitted, observed = one.fit.loss - one.fit.misfit, one.fit.loss
        ends = [float(np.min([fitted, observed])), float(np.max([fitted, observed]))]
        left.plot(ends, ends, color=figure_style.GREY, linewidth=0.8)
        left.plot(fitted, observed, "o", ms=2.5, alpha=0.6, rasterized=len(fitted) > MANY)
        left.set(xlabel="fitted loss (nats per token)", ylabel="observed", title="all runs")
        right.set(
            title="largest runs, forecast from the rest", xlabel=along, ylabel="observed - forecast (nats)"
        )
        if not len(ahead):
            right.text(0.5, 0.5, "too few other runs", ha="center", transform=right.transAxes)
            return figure
        x = ahead[along].to_numpy(float)
        reach = np.abs(ahead[["lower", "upper"]].to_numpy(float).T - ahead["loss"].to_numpy(float))
        right.errorbar(
            x, 0 * x, reach, fmt="none", color=figure_style.GREY, linewidth=0.8, label=f"{LEVEL:.0%} interval",
            rasterized=len(x) > MANY,
        )  # fmt: skip
        right.plot(x, ahead["error"], "o", ms=2.5, label="observed", rasterized=len(x) > MANY)
        right.set_xscale("log")
        if along == "N":
            figure_style.size_ticks(right, sorted(set(x.round(-6))))
        right.margins(x=0.1, y=0.3)
        right.legend(fontsize=7, loc="upper left", ncols=2)
    return figure


def _page(table: pd.DataFrame, judged: list[Judged], exponents: list[Exponents]) -> Page:
    """The page: every verdict in one table, and each entry's constants, sources and figure folded below."""
    page = Page("Published scaling laws, refitted to their own runs", f"made by {COMMAND}")
    page.text(
        "Each law is fitted to the runs that its publication shows, by what its authors minimised. A constant is "
        "reproduced where ours rounds to the digits as printed. Rivals are other laws of the same axes, by AICc of "
        f"least squares. The largest third of the sizes is forecast from the rest, with {LEVEL:.0%} intervals."
    )
    page.text(ABSENT)
    page.table(table[SHOWN].fillna(""), "What comes out of the runs")
    page.contents()
    for one in judged:
        with page.fold(one.entry.name):
            page.text(
                f"{one.entry.source}. {one.entry.done or 'All rows'}. Objective: {one.fit.problem.objective.name}."
            )
            if one.held_says:
                page.text(f"{one.held_says}.")
            page.table(one.constants, "Constants as printed and as refitted", FORMS)
            page.figure(figure_of(one), f"{one.entry.name}: {one.forecast_says}")
    for other in exponents:
        with page.fold(other.name):
            page.text(f"{other.row['source']}.")
            page.table(other.constants, "Exponents as printed and as refitted", FORMS)
    return page
