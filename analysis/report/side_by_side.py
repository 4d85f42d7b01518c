"""`parscale report A B`: two or more sweeps on one page, compared by question and by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import scaling
from analysis.output import figure_style
from analysis.output.html_page import Page
from analysis.report import at_a_glance, sweep_figures
from analysis.sweep.results import SweepResults
from scaling.data.groups import corpus_name
from scaling.data.runs import finished_runs
from scaling.data.units import count_text, value_text
from scaling.fitting.summary import baseline_r2, number_text

CONSTANTS = "Constants with 95% intervals, by one objective. In brackets: R2 of the law without P."
LOSSES = "Mean loss over random seeds, nats per token, and its change from P = 1 at the same size and seed."
APART = " No size was run in two of the sweeps, so their losses stand below each other."
FIGURES = {"fig2": "Runs and law", "pair_k": "The k of each pair of runs"}
SHARED = {"fig2": ("x", "y"), "pair_k": ("y",)}  # axes that have one range in all sweeps


def side_page(sweeps: Mapping[str, SweepResults], *, command: str = "parscale report") -> Page:
    """The page of two or more sweeps, by name. Each one's own page has the rest."""
    sources = ", ".join(sweep.source for sweep in sweeps.values())
    page = Page(" beside ".join(sweeps), f"made by: {command}; from: {sources}")
    judged = {
        _named(name, corpus): found for name, one in sweeps.items() for corpus, found in one.verdicts.items()
    }
    defined = next(filter(None, (at_a_glance.streams_text(one.runs) for one in sweeps.values())), "")
    page.text(differences_text(sweeps))
    page.small(defined)
    for name, found in judged.items():
        page.verdict(found, name)
    page.small(at_a_glance.terms_text(judged.values()))
    page.contents()
    page.text(CONSTANTS)
    page.table(constants_table(judged))
    page.missing([f"{name}: {line}" for name, one in sweeps.items() for line in one.missing])
    known = {name: sweep_figures.sweep_figures(one, titled=False) for name, one in sweeps.items()}
    for figure, title in FIGURES.items():
        with page.fold(title), page.beside():
            _figures(page, figure, {name: drawn[figure] for name, drawn in known.items() if figure in drawn})
    with page.fold("Losses, size by size"):
        losses = losses_table(sweeps)
        page.text(LOSSES + (APART if "sweep" in losses else ""))
        page.table(losses, formats={c: _form(c) for c in map(str, losses)})
    return page


def _figures(page: Page, which: str, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """One figure of every sweep, on axes of one range, so that they compare at a glance."""
    drawn: dict[str, Figure] = {}
    for name, make in known.items():
        page.attempt(name, lambda name=name, make=make: drawn.update({name: make()}))  # type: ignore[misc]
    panels = [axes for figure in drawn.values() for axes in figure.axes if axes.has_data()]
    for axis in SHARED[which] if panels else ():
        ends = np.array([getattr(axes, f"get_{axis}lim")() for axes in panels])
        for axes in panels:
            getattr(axes, f"set_{axis}lim")(ends[:, 0].min(), ends[:, 1].max())
            if axis == "x":  # fewer of the ticks have room now
                figure_style.size_ticks(axes, list(axes.get_xticks()))
    tallest = max((figure.get_figheight() for figure in drawn.values()), default=0.0)
    for name, figure in drawn.items():
        figure.set_figheight(tallest)
        page.figure(figure, name)


def differences_text(sweeps: Mapping[str, SweepResults]) -> str:
    """Why sweeps may answer differently: the sizes, streams and tokens of each, in one sentence."""
    told = "; ".join(f"{name} has {_runs_in_words(one)}" for name, one in sweeps.items())
    return f"Where the answers differ, so do the runs: {told}."


def _runs_in_words(sweep: SweepResults) -> str:
    """80 runs, N = 25k to 407k, P = 1 to 8, D = 4M tokens."""
    runs = finished_runs(sweep.runs)
    known = [axis for axis in ("N", "P", "D") if axis in runs and runs[axis].notna().any()]
    parts = [f"{axis} = {_range_text(axis, runs[axis])}" + " tokens" * (axis == "D") for axis in known]
    return ", ".join([sweep.counted, *parts])


def _range_text(axis: str, values: pd.Series) -> str:
    """25k to 407k, or one value."""
    low, high = (value_text(axis, float(end)) for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def sources_by_name(sources: Sequence[str]) -> dict[str, str]:
    """What each source is called on the page: its last name, or all of it where two share one."""
    last = [Path(source).resolve().name for source in sources]
    return {
        source if last.count(name) > 1 else name: source for name, source in zip(last, sources, strict=True)
    }


def _named(name: str, corpus: str) -> str:
    """The name of a corpus of a sweep."""
    return f"{name}, {corpus_name(corpus)}".removesuffix(", ")


def constants_table(judged: Mapping[str, scaling.Verdict]) -> pd.DataFrame:
    """A row a sweep: law, status, runs, each constant with its interval, R2, errors."""
    rows = []
    for name, found in judged.items():
        row: dict[str, Any] = {"sweep": name}
        if found.fit is not None:
            without = baseline_r2(found.fit)
            row |= {
                "law": found.fit.form.__name__,
                "status": str(found.fit.status),
                "runs": found.fit.loss.size,
            }
            row |= _with_intervals(found)
            row["R2"] = f"{found.fit.r2:.4f}" + (f" ({without:.4f})" if without is not None else "")
            row["rmse"] = number_text(found.fit.rmse)
        rows.append(row)
    return pd.DataFrame(rows)


def _with_intervals(found: scaling.Verdict) -> dict[str, str]:
    """Each parameter as text: 0.340 (0.110 to 0.523)."""
    if found.parameters is None:
        return {}
    return {
        str(name): f"{number_text(value)} ({number_text(low)} to {number_text(high)})"
        for name, value, low, high in found.parameters[["estimate", "lower", "upper"]].itertuples()
    }


def _form(column: str) -> str:
    """How a column of `losses_table` is written."""
    return "g" if column == "P" else "+.4f" if column.startswith("change") else ".4f"


def losses_table(sweeps: Mapping[str, SweepResults]) -> pd.DataFrame:
    """Mean loss and change of each sweep, a row each size and P, sizes ascending.

    Each sweep has columns of its own, unless no size is in two of them: then `sweep` is a column.
    """
    parts = []
    for name, one in sweeps.items():
        table = at_a_glance.seeds_table(one)
        if not len(table):
            continue
        where = (
            table["corpus"].map(lambda corpus, name=name: _named(name, corpus)) if "corpus" in table else name
        )
        size = table["size"] if "size" in table else table["N"].map(count_text)
        parts.append(table.assign(sweep=where, size=size.astype(str)))
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    values = [c for c in ("loss", "change") if c in rows]
    rows["level"] = rows["size"].map(rows.groupby("size")["N"].min())
    if len(rows["sweep"].unique()) > 1 and rows.groupby("size")["sweep"].nunique().max() == 1:
        order = rows.sort_values(["level", "P"], kind="stable")
        first = order["sweep"].map({name: place for place, name in enumerate(order["sweep"].unique())})
        return order.loc[first.sort_values(kind="stable").index, ["sweep", "size", "P", *values]]
    wide = rows.pivot_table(index=["level", "size", "P"], columns="sweep", values=values, sort=False)[values]
    wide.columns = pd.Index([", ".join(map(str, pair)) for pair in wide.columns])
    return (
        wide.reset_index().sort_values(["level", "P"], kind="stable", ignore_index=True).drop(columns="level")
    )
