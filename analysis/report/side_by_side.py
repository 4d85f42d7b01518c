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
from analysis.report import at_a_glance, joint_answer, sweep_figures
from analysis.report.card_notes import card_notes, next_text
from analysis.sweep.results import SweepResults
from scaling.data.groups import corpus_name
from scaling.data.runs import finished_runs
from scaling.data.units import count_text
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
    rows = joint_answer.judged_rows(sweeps)
    judged = {name: found for name, (found, _) in rows.items()}
    page.text(joint_answer.joint_text(rows, sweeps))
    page.table(joint_answer.joint_table(judged), joint_answer.NUMBERS)
    for name, (found, runs) in rows.items():
        page.verdict(found, f"{name}: {joint_answer.contents_text(runs)}", card_notes(found, runs))
    for name, one in sweeps.items():
        page.text(f"{_runs_in_words(name, one)} {next_text(one)}")
    page.terms(at_a_glance.glossary([one.runs for one in sweeps.values()], judged.values()))
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


def _runs_in_words(name: str, sweep: SweepResults) -> str:
    """gpu: 80 runs, P = 1 to 8, D = 4M tokens."""
    runs = finished_runs(sweep.runs)
    known = [(axis, joint_answer.range_text(axis, runs)) for axis in ("P", "D")]
    parts = [f"{axis} = {told}" + " tokens" * (axis == "D") for axis, told in known if told]
    return f"{name}: {', '.join([sweep.counted, *parts])}."


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
    """A row a sweep: k and the other constants with intervals, R2, error, runs, law, status."""
    rows = []
    for name, found in judged.items():
        row: dict[str, Any] = {"sweep": name}
        if found.fit is not None:
            without = baseline_r2(found.fit)
            row |= _with_intervals(found)
            row["R2"] = f"{found.fit.r2:.4f}" + (f" ({without:.4f})" if without is not None else "")
            row["rmse"] = number_text(found.fit.rmse)
            row |= {"runs": found.fit.loss.size, "law": found.fit.form.__name__}
            row["status"] = str(found.fit.status)
        rows.append(row)
    return pd.DataFrame(rows)


def _with_intervals(found: scaling.Verdict) -> dict[str, str]:
    """Each parameter as text, k first: 0.340 (0.110 to 0.523)."""
    if found.parameters is None:
        return {}
    told = {
        str(name): f"{number_text(value)} ({number_text(low)} to {number_text(high)})"
        for name, value, low, high in found.parameters[["estimate", "lower", "upper"]].itertuples()
    }
    return {name: told[name] for name in sorted(told, key=lambda name: name != "k")}


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
