"""One self-contained page of one fit, of any law over any axes: verdict, figures, constants, backtest, provenance."""

from __future__ import annotations

import scaling
from analysis.output.figure_style import house_style
from analysis.output.html_page import Page, as_sentence
from scaling.fitting import summary

SAYS = {
    "plot": "Losses and the fitted law along its first axis, with the residuals below.",
    "plot_residuals": "What the law misses along each axis: observed minus fitted loss.",
}


def fit_page(fit: scaling.Fit, *, source: str = "a fit", command: str = "parscale report") -> Page:
    """The page of a fit. source: where it comes from, for its first line."""
    page = Page(f"{fit.form.__name__}", f"made by: {command}; from: {source}")
    axes = ", ".join(f"{axis} {x.min():.4g} to {x.max():.4g}" for axis, x in fit.axes.items())
    page.text(f"{fit.loss.size} runs; {axes}.")
    page.verdict(fit.verdict())
    with page.beside(), house_style():  # the reader's own settings may name a font that is not there
        for name, words in SAYS.items():
            page.figure(getattr(fit, name)(), words)
    page.missing(list(fit.notes))
    page.contents()
    for title, make in {"Constants": _constants, "Backtest": _backtest, "How it was fitted": _facts}.items():
        with page.fold(title):
            page.attempt(title, lambda make=make: make(page, fit))  # type: ignore[misc]
    return page


def _constants(page: Page, fit: scaling.Fit) -> None:
    """Parameters with 95% intervals, and what is to be said of these."""
    table = fit.intervals()
    page.table(table.rename_axis("parameter").reset_index(), f"95% {table.attrs['method']}")
    for words in filter(None, summary.notes_under(fit, table)):
        page.text(as_sentence(words))


def _backtest(page: Page, fit: scaling.Fit) -> None:
    """How the law would have predicted its larger runs, from the smaller ones."""
    how = {"objective": fit.problem.objective, "weights": fit.problem.w, "groups": fit.groups}
    found = scaling.backtest(fit.form, runs_of_fit(fit), **how)
    page.text(found.verdict)
    page.table(found.table.reset_index())
    with house_style():
        page.figure(found.plot(), "Runs that were held out, and how the law predicted them.")


def runs_of_fit(fit: scaling.Fit) -> dict[str, object]:
    """The runs of a fit as a table, categories by name."""
    levels = {axis: fit.law.axis_rule(axis) for axis in fit.law.axes}
    named = {a: rule.labels(fit.axes[a]) for a, rule in levels.items() if hasattr(rule, "labels")}
    return {**fit.axes, **named, "loss": fit.loss}


def _facts(page: Page, fit: scaling.Fit) -> None:
    """Law, source, objective, status and checks, a paragraph each."""
    for key, words in summary.facts(fit):
        page.text(as_sentence(f"{key}: {words}"))
