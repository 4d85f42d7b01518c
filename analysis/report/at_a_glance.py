"""What a stranger reads in ten seconds: the verdict, three figures, one table of means over random seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.output.html_page import Page, as_sentence
from analysis.output.html_table import column_name
from analysis.report.card_notes import card_notes, next_text, price_text
from analysis.report.sweep_figures import Drawing
from analysis.sweep.results import SweepResults
from scaling.data.groups import corpus_name
from scaling.data.levels import size_levels
from scaling.data.runs import finished_runs
from scaling.selection.verdict import Verdict

STREAMS = {
    "P streams": "one model reads each input P times, each time with its own learned prefix, and combines the P outputs.",
    "N": "parameters without embeddings, those of streams included.",
    "Worth 1.4 N": "as good as one stream in a model 1.4 times as large.",
    "Parameter-matched": "one stream in a model as large as that of the P streams.",
    "k": "by the law P streams are worth 1 + k ln P times N.",
}
FITTED = "Loss against N: every run"
WITH_LAW = ", and the fitted law. Shaded: its 95% prediction interval. Dashed and pale: beyond the runs"
FALLING = (
    "Is it one k? Each mark is the k that explains one pair of runs, P = 1 and P at the same size. If the law holds, all marks "
    "lie on one level line."
)
WORTH = (
    "What streams are worth: how many times N one stream needs for the loss of P streams. Circles: read off the runs of P = 1, "
    "for losses that lie between theirs."
)
BARS = " Runs of one size are scored on the same text, so the bars do not bear on differences between P."
REJECTED = " The law is rejected, so it is not drawn far beyond its runs."
HELD_OUT = "Does it extrapolate? Errors on the runs that were held out of the fit."
TERMS = {
    "AICc": ("AICc", "misfit with a price for each parameter, in which 10 above the best is decisive."),
    "(p ": ("p", "how often chance alone would show as much if the law held."),
}
GLANCE = {"fig2": FITTED, "pair_k": FALLING, "equivalents": WORTH, "backtest": HELD_OUT}
SHOWN = 3  # figures
SEEDS = "Means over random seeds. Loss in nats per token."
COLUMNS = {
    "change": "of the loss, from P = 1 at the same size and seed",
    "k": "that of the law which explains the change",
    "by_parameters": "what the parameters that streams add would change alone",
    "spread": "standard deviation of the loss over seeds, which a single run does not have",
    "runs": "how many",
}
FORMS = {"N": ",.0f", "D": ".3g", "P": "g", "loss": ".4f", "spread": ".4f", "k": ".2f"}
ORDER = ("corpus", "size", "N", "D", "P", "loss", "change", "k", "by_parameters", "spread", "runs")
FORMS |= dict.fromkeys(("change", "by_parameters"), "+.4f")


def add_glance(page: Page, sweep: SweepResults, known: Mapping[str, Drawing]) -> list[str]:
    """Verdicts, figures and the table, with what is missing next to it. The names of the drawn figures."""
    several = len(sweep.verdicts) > 1
    for corpus, found in sweep.verdicts.items():
        page.verdict(found, corpus_name(corpus) if several else "", card_notes(found, sweep.of(corpus)))
    for words in filter(None, (next_text(sweep), price_text(sweep.runs))):
        page.text(words)
    page.terms(glossary([sweep.runs], sweep.verdicts.values()))
    names = _draw(page, sweep, known, several)
    table = seeds_table(sweep)
    with page.noted():
        if len(table):
            page.table(table, SEEDS, FORMS)
        for name in (name for name in COLUMNS if name in table):
            page.text(f"{column_name(name)}: {COLUMNS[name]}.")
        page.missing([as_sentence(line) for line in sweep.missing])
    return names


def _draw(page: Page, sweep: SweepResults, known: Mapping[str, Drawing], several: bool) -> list[str]:
    """The first figures, of one height. Of several corpora each is as wide as the page. Their names."""
    names = [name for name in GLANCE if name in known][:SHOWN]
    drawn: dict[str, Figure] = {}
    for name in names:
        page.attempt(name, lambda name=name: drawn.update({name: known[name]()}))  # type: ignore[misc]
    tallest = max((figure.get_figheight() for figure in drawn.values()), default=0.0)
    with page.beside(not several):
        for name, figure in drawn.items():
            if not several:
                figure.set_figheight(tallest)
            page.figure(figure, _caption(name, sweep))
    return names


def glossary(tables: Iterable[pd.DataFrame], verdicts: Iterable[Verdict]) -> dict[str, str]:
    """What the terms of a page mean: those of streams where some runs have them, the others where a verdict says them."""
    streams = any("P" in runs and (runs["P"] > 1).any() for runs in tables)
    said = " ".join(found.text for found in verdicts)
    return (STREAMS if streams else {}) | dict(known for term, known in TERMS.items() if term in said)


def _caption(name: str, sweep: SweepResults) -> str:
    """The caption of a figure, which names only what is drawn."""
    if name == "fig2":
        bars = BARS if "loss_se" in sweep.runs and sweep.runs["loss_se"].notna().any() else ""
        return as_sentence(FITTED + (WITH_LAW if sweep.sound else "")) + bars
    return GLANCE[name] + (REJECTED if name == "equivalents" and sweep.rejected else "")


def seeds_table(sweep: SweepResults) -> pd.DataFrame:
    """Mean and spread of the loss over random seeds, a row each corpus, size, budget and P, sizes ascending.

    Columns corpus, size (else N) and D where there are several, P, loss; of what can be paired change, k and
    by_parameters, as `scaling.gains` has them; then spread, runs, N. What matters comes first: a phone shows so much.
    """
    runs = finished_runs(sweep.runs)
    if not len(runs):
        return pd.DataFrame()
    runs = runs.assign(level=size_levels(runs), corpus=runs.get("corpus", ""))
    named = "size" in runs and bool(runs["size"].notna().all())
    budgets = ["D"] if "D" in runs and len(runs["D"].unique()) > 1 else []
    keys = ["corpus", "level", *(["size"] if named else []), *budgets, "P"]
    groups = runs.groupby(keys, dropna=False)
    table = groups.agg(N=("N", "mean"), runs=("loss", "size"), loss=("loss", "mean"), spread=("loss", "std"))
    table = _with_gains(table.reset_index(), sweep, named)
    one = [c for c in ("corpus",) if table[c].nunique() < 2]
    order = [c for c in ORDER if c in table and c not in one and (c != "N" or "size" not in table)]
    shown = table[[*order, *(["N"] if "size" in table else [])]]
    return shown.dropna(axis="columns", how="all")


def _with_gains(table: pd.DataFrame, sweep: SweepResults, named: bool) -> pd.DataFrame:
    """The table with what streams changed, where runs can be paired by size."""
    try:
        gained = sweep.gained
    except ValueError:  # which the part on gains says
        return table
    if not named or not len(gained):
        return table
    keys = ["corpus", "size", *(["D"] if "D" in table else []), "P"]
    gained = gained.assign(**{c: gained[c].astype(table[c].dtype) for c in keys})
    return table.merge(gained[[*keys, "change", "by_parameters", "k"]], how="left", on=keys)


def by_size(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs in order of corpus, size as a number, P and seed."""
    known = runs.assign(level=_level(runs))
    by = [c for c in ("corpus", "level", "D", "P", "seed") if c in known]
    return known.sort_values(by, kind="stable").drop(columns="level")


def _level(runs: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The size of each run as a number: N of the smallest of its size, its own where none is named."""
    if "size" not in runs or runs["size"].isna().any():
        return runs["N"].to_numpy(float)
    return runs.groupby("size")["N"].transform("min").to_numpy(float)
