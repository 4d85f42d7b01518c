"""`parscale report SWEEP`: one self-contained page with all there is to say of a sweep.

write_report("results/sweeps/demo")            # results/sweeps/demo/report.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

import scaling
from analysis.output.html_page import Page, page_path
from analysis.report import report_sections, sweep_figures
from analysis.sweep.results import SweepResults, read_sweep
from scaling.data.groups import corpus_name
from scaling.data.query import WHOLE, Asked
from scaling.fitting.summary import notes_under
from scaling.optimise.objectives import Objective
from scaling.selection.compare import laws_of
from scaling.selection.equivalent_size import beside_points

_RUNS = [
    "corpus",
    "recipe",
    "size",
    "N",
    "P",
    "D",
    "C",
    "loss",
    "loss_se",
    "train_loss",
    "seed",
    "steps",
    "lr",
    "status",
]
_COMPARED = [
    "law",
    "parameters",
    "status",
    "r2",
    "rmse",
    "delta_aicc",
    "delta_bic",
    "loo_rmse",
    "holdout_rmse",
]

FITTED = (
    "Loss against non-embedding parameters, with the fitted law and its 95% prediction interval. Beyond the runs that is "
    "a forecast by this law alone, widened by the drift that windows inside the runs show."
)
RIVALS = (
    "Rival laws fitted to the same runs, drawn out to many streams. The band is the 95% prediction interval by the law of "
    "Eq 5, beyond the runs a forecast."
)
WORTH = "The multiple of N that P streams replace, with its 95% interval; beyond the runs it is widened by the law's drift."


def write_report(
    source: Path | str,
    out: Path | str | None = None,
    *,
    command: str = "parscale report",
    objective: Objective | None = None,
    asked: Asked = WHOLE,
) -> Path:
    """Write the page of a sweep folder or runs table; return its path.

    out: a file, or a folder to put report.html in; the sweep's own folder unless told. What a sweep
    lacks for a part of the page is said there, and the rest is shown. asked: which columns and rows.
    """
    given = Path(source)
    where = Path(out) if out is not None else (given if given.is_dir() else given.parent)
    return report_page(read_sweep(given, objective, asked), command=command).write(
        page_path(where, "report.html")
    )


def report_page(sweep: SweepResults, *, command: str = "parscale report") -> Page:
    """The page of a sweep."""
    name = Path(sweep.source).name or sweep.source
    page = Page(f"Sweep {name}", f"made by: {command}; from: {sweep.source}")
    done = sum(len(sweep.of(corpus)) for corpus in sweep.fits)
    page.text(f"{len(sweep.runs)} runs, {done} finished; corpora: {_listed(sweep)}.")
    for corpus, verdict in sweep.verdicts.items():
        page.text(f"{corpus_name(corpus)}: {' '.join(verdict.lines)}".removeprefix(": "))
    page.missing(sweep.missing)
    known = sweep_figures.sweep_figures(sweep)
    _runs(page, sweep, known)
    _fits(page, sweep, known)
    page.attempt("streams beside one", lambda: report_sections.add_gains(page, sweep, known))
    if "context" in known:
        page.attempt("context", lambda: report_sections.add_gains_by_context(page, sweep, known))
    page.attempt("comparison of laws", lambda: _laws(page, sweep, known))
    page.attempt("backtest", lambda: _backtest(page, sweep, known))
    page.attempt("equivalent parameters", lambda: _equivalents(page, sweep, known))
    if "ensemble" in known:
        page.attempt("streams", lambda: report_sections.add_averaged_streams(page, known))
    page.attempt("costs", lambda: report_sections.add_training_costs(page, sweep))
    page.attempt("cost of inference", lambda: report_sections.add_serving_costs(page, sweep))
    _provenance(page, sweep)
    return page


def _listed(sweep: SweepResults) -> str:
    """Corpora by name."""
    return ", ".join(corpus_name(corpus) or "not named" for corpus in sweep.fits)


def _runs(page: Page, sweep: SweepResults, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """The runs and their curves."""
    page.heading("Runs")
    shown = sweep.table[[c for c in _RUNS if c in sweep.table]].astype(
        {c: "int64" for c in ("N", "P") if sweep.table[c].notna().all()}
    )
    page.table(shown, formats={"loss": ".4f", "loss_se": ".4f", "train_loss": ".4f", "D": ".3g", "C": ".3g"})
    report_sections.add_training_curves(page, sweep, known)
    page.attempt("P chosen on one backbone", lambda: report_sections.add_tuned_backbones(page, sweep, known))


def _fits(page: Page, sweep: SweepResults, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """Eq 5 with intervals, its certificate and the baseline that knows no P."""
    page.heading("The law of Eq 5")
    if "fig2" in known:
        page.figure(known["fig2"](), FITTED)
    for corpus, fitted in sweep.parallel.items():
        dense = sweep.fits[corpus].get("dense")
        base = f"{dense.r2:.4f}" if dense is not None else "not fitted"
        page.text(
            f"{corpus_name(corpus) or 'All runs'}: {fitted.status}. {fitted.certificate.detail}. "
            f"R² {fitted.r2:.4f} (without P: {base}), RMSE {fitted.rmse:.2g}, condition number "
            f"{fitted.condition_number:.3g}."
        )
        for note in fitted.notes:
            page.text(f"{note[0].upper()}{note[1:]}.")
        if not fitted.determined:
            continue
        page.attempt("intervals", lambda fitted=fitted: _interval_table(page, fitted))  # type: ignore[misc]
    if sweep.sound:
        page.figure(known["intervals"](), "Constants with intervals by two methods; one-sided at a bound.")
        page.figure(known["profiles"](), "Profiles: how much worse the fit gets off the best value.")
    if "residuals" in known:
        page.figure(known["residuals"](), "What the law misses: observed minus fitted loss.")
        page.figure(known["fig3"](), "Contours of the fitted loss; circles are runs, filled with their own.")


def _interval_table(page: Page, fitted: scaling.Fit) -> None:
    """Coefficients with 95% intervals, and what is to be said of these."""
    table = fitted.intervals(0.95)
    page.table(table.rename_axis("coefficient").reset_index(), "95% profile intervals")
    for words in filter(None, notes_under(fitted, table)):
        page.text(f"{words[0].upper()}{words[1:]}.")


def _laws(page: Page, sweep: SweepResults, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """Laws ranked, and where they part."""
    page.heading("Comparison of laws")
    if not sweep.parallel:
        page.missing(["no law of N and P could be fitted: see what is missing above"])
    for corpus in sweep.parallel:
        page.attempt("a comparison", lambda c=corpus: _ranked(page, sweep, c))  # type: ignore[misc]
    for name, make in known.items():
        if name.startswith("rivals"):
            page.figure(make(), RIVALS)


def _ranked(page: Page, sweep: SweepResults, corpus: str) -> None:
    """Every law that a corpus' runs allow, those of D too."""
    runs = sweep.of(corpus)
    found = scaling.compare(laws_of(runs), runs, sweep.objective)
    table = found.table.rename_axis("law").reset_index()
    short = {"r2": ".4f", "parameters": ".0f", "delta_aicc": ".1f", "delta_bic": ".1f", "rmse": ".2g"}
    page.table(table[[c for c in _COMPARED if c in table]], corpus_name(corpus), short)
    page.verbatim(found.verdict)


def _backtest(page: Page, sweep: SweepResults, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """Predictions of runs that were held out."""
    page.heading("Backtest")
    if not sweep.sound:
        page.missing(["no fit of Eq 5 that could be relied on: nothing is predicted from it"])
        return
    for corpus in sweep.sound:
        for by in ("N", "P"):
            page.attempt(f"along {by}", lambda by=by, c=corpus: page.verbatim(  # type: ignore[misc]
                scaling.backtest(scaling.ParallelLaw, sweep.of(c), by, sweep.objective).verdict))  # fmt: skip
    if "backtest" in known:
        page.figure(known["backtest"](), "Errors on runs not fitted.")


def _equivalents(page: Page, sweep: SweepResults, known: Mapping[str, sweep_figures.Drawing]) -> None:
    """What streams are worth in parameters."""
    page.heading("Equivalent parameters")
    if "equivalents" not in known:
        page.missing(["no law of P that these runs determine: see what is missing above"])
        return
    page.figure(known["equivalents"](), WORTH)
    for corpus, fitted in sweep.determined.items():
        by: Any = fitted if corpus in sweep.sound else fitted.law
        table = beside_points(by, sweep.of(corpus))
        if not len(table):
            continue
        sizes = dict.fromkeys(("N", "equivalent_N", "lower", "upper", "by_points"), ",.0f")
        page.table(table, corpus_name(corpus), {**sizes, "P": "g", "loss": ".4f", "multiple": ".3f"})


def _provenance(page: Page, sweep: SweepResults) -> None:
    """Where the runs and fits come from."""
    page.heading("Provenance")
    rows = [("runs", sweep.source)]
    for corpus, fitted in sweep.parallel.items():
        rows.append((f"data hash, {corpus_name(corpus)}".removesuffix(", "), fitted.data_hash))
    for column in ("git_commit", "sweep"):
        if column in sweep.runs:
            rows.append((column, ", ".join(sorted(set(sweep.runs[column].dropna().astype(str))))))
    if "started_at" in sweep.runs and sweep.runs["started_at"].notna().any():
        when = sweep.runs["started_at"].dropna().astype(str)
        rows.append(("first and last run started", f"{when.min()}, {when.max()}"))
    if "versions" in sweep.runs:
        counts = sweep.runs["versions"].dropna().map(_one_line).value_counts(sort=False).sort_index()
        rows += [("versions", f"{text} ({count} runs)") for text, count in counts.items()]
    page.table(pd.DataFrame(rows, columns=["what", "value"]))


def _one_line(text: Any) -> str:
    """Versions, held as JSON, as a line."""
    try:
        known = json.loads(text)
    except (TypeError, ValueError):
        return str(text)
    return ", ".join(f"{k} {v}" for k, v in known.items()) if isinstance(known, dict) else str(text)
