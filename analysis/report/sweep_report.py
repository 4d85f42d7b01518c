"""`parscale report SWEEP`: one self-contained page with all there is to say of a sweep.

write_report("results/sweeps/demo")            # results/sweeps/demo/report.html
write_report(["results/sweeps/gpu", "results/sweeps/laptop"], "both.html")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import scaling
from analysis.output.html_page import Page, as_sentence, page_path
from analysis.output.html_table import said_once
from analysis.report import at_a_glance, report_sections, sweep_figures
from analysis.report.fit_report import fit_page
from analysis.report.joint_answer import contents_text
from analysis.report.side_by_side import side_page, sources_by_name
from analysis.sweep.results import SweepResults, read_sweep
from scaling.data.groups import corpus_name
from scaling.data.query import WHOLE, Asked
from scaling.fitting import summary
from scaling.optimise.objectives import Objective
from scaling.selection.equivalent_size import beside_points

Figures = Mapping[str, sweep_figures.Drawing]

_RUNS = (
    "corpus",
    "recipe",
    "size",
    "P",
    "seed",
    "loss",
    "loss_se",
    "train_loss",
    "N",
    "D",
    "C",
    "steps",
    "lr",
    "status",
)
_FACTS = ("law", "status", "R2", "condition")
_FITTED = {
    "intervals": "Constants with intervals by two methods; one-sided at a bound.",
    "profiles": "Profiles: how much worse the fit gets off the best value.",
    "residuals": "What the law misses: observed minus fitted loss.",
    "fig3": "Contours of the fitted loss; circles are runs, filled with their own.",
}
_COMPARED = [
    "law",
    "delta_aicc",
    "status",
    "holdout_rmse",
    "loo_rmse",
    "r2",
    "rmse",
    "delta_bic",
    "parameters",
]
BY_LAW = (
    "the one-stream N with the same loss by ParallelLaw, its 95% interval, and the same N read off the runs"
)
RIVALS = (
    "Rival laws fitted to the same runs, drawn out to many streams. Beyond the runs they part. A band, if drawn, is the "
    "95% prediction interval of ParallelLaw (Eq 5 of the paper), beyond the runs a forecast."
)


def write_report(
    source: Path | str | scaling.Fit | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    command: str = "parscale report",
    objective: Objective | None = None,
    asked: Asked = WHOLE,
) -> Path:
    """Write the page of a sweep folder, a runs table or a fit of any law, or of several sweeps side by side.

    Args:
        source: the folder, table or fit, or several folders or tables.
        out: a file, or a folder for report.html. By default the sweep's own folder, or the current one for several.
        command: named on the page.
        objective: of the fits, as of `scaling.fit`.
        asked: which columns and rows to use.

    Returns:
        The path of the page. The page says what a sweep lacks and shows the rest.

    Raises:
        ValueError: for a file that is no runs table, no fit and no sweep, and a sweep without a finished run.

    Examples:
        >>> import scaling
        >>> from analysis.report import write_report
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> write_report(scaling.fit("parallel", pile, objective="least-squares"), "pile.html").name
        'pile.html'
    """
    if isinstance(source, scaling.Fit):
        return fit_page(source, command=command).write(page_path(Path(out or ""), "report.html"))
    sources = [source] if isinstance(source, Path | str) else list(source)
    first = Path(sources[0])
    home = Path() if len(sources) > 1 else first if first.is_dir() else first.parent
    read = {
        name: read_sweep(one, objective, asked)
        for name, one in sources_by_name([str(s) for s in sources]).items()
    }
    one = next(iter(read.values()))
    page = side_page(read, command=command) if len(read) > 1 else report_page(one, command=command)
    return page.write(page_path(Path(out) if out is not None else home, "report.html"))


def report_page(sweep: SweepResults, *, command: str = "parscale report") -> Page:
    """The page of a sweep: what a stranger reads in ten seconds, contents, and the rest folded."""
    name = Path(sweep.source).name or sweep.source
    what = contents_text(sweep.runs)
    page = Page(f"Sweep {name}: {what}".removesuffix(": "), f"made by: {command}; from: {sweep.source}")
    page.text(f"{sweep.counted}.")
    known = sweep_figures.sweep_figures(sweep, titled=False)
    drawn = at_a_glance.add_glance(page, sweep, known)
    page.contents()
    rest = {name: make for name, make in known.items() if name not in drawn}
    for title, make in _sections(page, sweep, rest).items():
        with page.fold(title):
            page.attempt(title, make)
    return page


def _sections(page: Page, sweep: SweepResults, known: Figures) -> dict[str, Callable[[], None]]:
    """What is folded, in order: title -> a function that adds it."""
    parts: dict[str, Callable[[], None]] = {
        "Constants and how they were fitted": lambda: _fits(page, sweep, known),
        "What streams gained at each size": lambda: report_sections.add_gains(page, sweep, known),
        "Comparison of laws": lambda: _laws(page, sweep, known),
        "Backtest": lambda: _backtest(page, sweep, known),
        "Equivalent parameters": lambda: _equivalents(page, sweep, known),
        "Training curves": lambda: report_sections.add_training_curves(page, sweep, known),
        "P chosen on one backbone": lambda: report_sections.add_tuned_backbones(page, sweep, known),
    }
    if "context" in known:
        parts["Where in the text streams gain"] = lambda: report_sections.add_gains_by_context(
            page, sweep, known
        )
    if "ensemble" in known:
        parts["Streams averaged"] = lambda: report_sections.add_averaged_streams(page, known)
    if any(name.startswith("searched") for name in known):
        parts["Settings searched"] = lambda: report_sections.add_search(page, sweep, known)
    if "ended_why" in sweep.table and sweep.table["ended_why"].notna().any():
        parts["Runs that ended early"] = lambda: report_sections.add_early_ends(page, sweep)
    return parts | {
        "Costs of training": lambda: report_sections.add_training_costs(page, sweep),
        "Costs of serving": lambda: report_sections.add_serving_costs(page, sweep),
        "Every run": lambda: _runs(page, sweep),
        "Provenance": lambda: _provenance(page, sweep),
    }


def _runs(page: Page, sweep: SweepResults) -> None:
    """The runs, sizes ascending."""
    whole = {c: "int64" for c in ("N", "P") if c in sweep.table and sweep.table[c].notna().all()}
    shown = at_a_glance.by_size(sweep.table)[[c for c in _RUNS if c in sweep.table]].astype(whole)
    fractions = dict.fromkeys(("loss", "loss_se", "train_loss"), ".4f")
    table, same = said_once(shown, fractions, ("size", "P", "seed", "loss"))
    page.table(table, same, fractions)


def _fits(page: Page, sweep: SweepResults, known: Figures) -> None:
    """The constants with intervals, how the fit ended, and its errors compared with the law without P."""
    for corpus, found in sweep.verdicts.items():
        fitted = found.fit
        if fitted is None:
            page.missing([f"{corpus_name(corpus) or 'All runs'}: {found.law.text}"])
            continue
        facts = [(key, words) for key, words in summary.facts(fitted) if key in _FACTS]
        page.table(pd.DataFrame(facts, columns=["what", "value"]), corpus_name(corpus) or "All runs")
        for note in fitted.notes:
            page.text(as_sentence(note))
        if found.parameters is not None:
            _constants(page, fitted, found.parameters)
    for name, caption in _FITTED.items():
        if name in known:
            page.attempt(name, lambda name=name, caption=caption: page.figure(known[name](), caption))  # type: ignore[misc]


def _constants(page: Page, fitted: scaling.Fit, table: pd.DataFrame) -> None:
    """Coefficients with 95% intervals, and what is to be said of these."""
    shown = table.rename_axis("coefficient").reset_index()
    numbers = shown.columns[1:]
    page.table(shown.assign(**{c: shown[c].map(summary.number_text) for c in numbers}), "95% intervals")
    for words in filter(None, summary.notes_under(fitted, table)):
        page.text(as_sentence(words))


def _laws(page: Page, sweep: SweepResults, known: Figures) -> None:
    """Laws ranked, and where they part."""
    errors = dict.fromkeys(("r2", "rmse", "loo_rmse", "holdout_rmse"), ".4f")
    short = errors | {"parameters": ".0f", "delta_aicc": ".1f", "delta_bic": ".1f"}
    for corpus, judged in sweep.verdicts.items():
        if judged.comparison is None:
            page.missing([f"{corpus_name(corpus) or 'All runs'}: no comparison, {judged.law.text}"])
            continue
        table = judged.comparison.table.rename_axis("law").reset_index()
        page.table(table[[c for c in _COMPARED if c in table]], corpus_name(corpus), short)
        page.text(judged.comparison.verdict)
    for name, make in known.items():
        if name.startswith("rivals"):
            page.attempt(name, lambda make=make: page.figure(make(), RIVALS))  # type: ignore[misc]


def _backtest(page: Page, sweep: SweepResults, known: Figures) -> None:
    """Predictions of runs that were held out."""
    for corpus, judged in sweep.verdicts.items():
        where = f"{corpus_name(corpus)}: ".removeprefix(": ")
        if judged.backtest is None:
            page.missing([f"{where}no backtest, {judged.extrapolates.text}"])
            continue
        page.text(f"{where}{judged.backtest.verdict}")
        if judged.fit is not None and "P" in judged.fit.axes:
            page.attempt(f"{where}along P", lambda one=judged.fit, c=corpus: page.text(  # type: ignore[misc]
                scaling.backtest(one.form, sweep.of(c), "P", sweep.objective, once=True).verdict))  # fmt: skip
    if "backtest" in known:
        page.figure(known["backtest"](), at_a_glance.HELD_OUT)


def _equivalents(page: Page, sweep: SweepResults, known: Figures) -> None:
    """What streams are worth in parameters, by ParallelLaw."""
    if not sweep.determined:
        page.missing(["no law of P that these runs determine: see what is missing above"])
        return
    if "equivalents" in known:
        page.figure(known["equivalents"](), at_a_glance.WORTH)
    for corpus, fitted in sweep.determined.items():
        by: Any = fitted if corpus in sweep.sound else fitted.law
        table = beside_points(by, sweep.of(corpus))
        if not len(table):
            continue
        sizes = dict.fromkeys(("N", "equivalent_N", "lower", "upper", "by_points"), ",.0f")
        page.table(
            table,
            ": ".join(filter(None, (corpus_name(corpus), BY_LAW))),
            {**sizes, "P": "g", "loss": ".4f", "multiple": ".3f"},
        )


def _provenance(page: Page, sweep: SweepResults) -> None:
    """Where the runs and fits come from."""
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
