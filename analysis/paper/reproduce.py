"""One run regenerates the paper: fits (JSON), tables (CSV, Markdown, LaTeX), figures (PNG, PDF, SVG), claims.

    result = reproduce.run(Path("results"))     # what `parscale reproduce` calls
    result.constants, result.claims, result.files

Every artefact names the command and the data that made it; equal input gives equal files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from analysis.costs.cost_ratios import break_even, headline_ratios, ratio_grid
from analysis.output import figure_style, formatted_tables
from analysis.output.html_page import Page
from analysis.paper import accuracy_claims, claims, refit
from analysis.paper.paper_figures import CAPTIONS, figure_set
from analysis.paper.published_numbers import FOLDER, STACK, read_published
from analysis.paper.refit import Inputs
from analysis.sweep import figure_tables
from scaling.data.atomic_files import write_between
from scaling.data.groups import corpus_name

COMMAND = "parscale reproduce"
Progress = Callable[[str], None]


@dataclass
class Reproduction:
    """What was made: tables to print, and the paths of every file."""

    out: Path
    constants: pd.DataFrame
    claims: pd.DataFrame
    files: list[Path] = field(default_factory=list)
    seconds: float = 0.0


def run(
    out: Path | str = "results",
    *,
    published: Path | str = FOLDER,
    progress: Progress = lambda _: None,
) -> Reproduction:
    """Fit, tabulate, draw and audit into `out`/fits, tables and figures; `progress` hears of each step."""
    start = time.perf_counter()
    base = Path(out)
    given = read_published(published)
    progress("fits")
    inputs = Inputs(given, refit.fit_all(given.losses))
    files = _save_fits(inputs, base / "fits")
    progress("tables")
    made = table_set(inputs)
    for name, (caption, table, formats) in made.items():
        where = {"caption": caption, "command": COMMAND, "data": str(given.folder)}
        files += formatted_tables.write_tables(table, base / "tables" / name, formats=formats, **where)
    made_by = {"command": COMMAND, "data": str(given.folder)}
    drawn: dict[str, tuple[Path, float]] = {}
    for name, draw in figure_set(inputs).items():
        progress(name)
        figure = draw()
        saved = figure_style.save_figure(figure, base / "figures" / name, **made_by)
        drawn[name] = saved[0], figure.get_figwidth()
        files += saved
    progress("page")
    files += [_page(inputs, made, drawn).write(base / "paper.html"), _readme(made, base)]
    progress("done")
    seconds = time.perf_counter() - start
    return Reproduction(base, made["constants"][1], made["claims"][1], files, seconds)


def _save_fits(inputs: Inputs, folder: Path) -> list[Path]:
    """One JSON for each fit, with law, data hash and versions."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (corpus, law), fitted in inputs.fits.items():
        target = folder / f"{law}-{corpus}.json"
        fitted.save(target)
        written.append(target)
    return written


Formats = dict[str, str]
SHOWN = ("constants", "claims", "comparison", "cost_ratios", "cost_break_even", "equivalents")


def table_set(inputs: Inputs) -> dict[str, tuple[str, pd.DataFrame, Formats]]:
    """Every table: name -> (caption, table, number formats of the printed forms)."""
    losses = {"N": ",d", "loss": ".4f", "true": ".4f", "predicted": ".4f"}
    printed: dict[str, tuple[str, pd.DataFrame, Formats]] = {
        name: (caption, table, {str(c): ".1f" for c in table if c != "P"})
        for name, (caption, table) in formatted_tables.paper_tables(inputs.published).items()
    }
    told = [asdict(row) for row in accuracy_claims.accuracy_claims(inputs.published)]
    audit = pd.concat([claims.audit(inputs.published, inputs.laws), pd.DataFrame(told)], ignore_index=True)
    claimed: dict[str, tuple[str, pd.DataFrame, Formats]] = {"claims": ("Claims, recomputed", audit, {})}
    return printed | _law_tables(inputs, losses) | _cost_tables(inputs, losses) | _accuracy(inputs) | claimed


def _accuracy(inputs: Inputs) -> dict[str, tuple[str, pd.DataFrame, Formats]]:
    by_run = accuracy_claims.accuracy_by_run(inputs.published)
    points = {"printed": ".1f", "expected": ".1f", "lower": ".1f", "upper": ".1f", "excess": "+.1f"}
    return {
        "accuracy": (
            "Accuracy by loss: printed, and expected of a P = 1 model",
            by_run,
            {"loss": ".4f", **points},
        ),
        "accuracy_excess": (
            "Accuracy beyond what the loss says, mean over the sizes, points",
            accuracy_claims.excess_by_streams(by_run),
            {"excess": "+.2f", "lower": "+.2f", "upper": "+.2f"},
        ),
    }


def _law_tables(inputs: Inputs, losses: Formats) -> dict[str, tuple[str, pd.DataFrame, Formats]]:
    given = inputs.published
    signed = {"printed": ".5g", "ours": ".5g", "difference": "+.2%", "lower": ".4g", "upper": ".4g"}
    return {
        "constants": (
            "Constants of Eq 5, printed and refitted, with 95% profile intervals",
            formatted_tables.constants(inputs.parallel, given.constants),
            signed,
        ),
        "comparison": (
            "Laws of N and P compared on the published losses (AICc and BIC by least squares)",
            refit.comparison_table(inputs),
            {"r2": ".4f", "aicc": ".1f", "delta_aicc": ".1f", "bic": ".1f", "delta_bic": ".1f"},
        ),
        "predictions": (
            "Prediction, true loss and error of every law",
            formatted_tables.predictions(inputs.fits, given.losses),
            {**losses, "error": "+.4f"},
        ),
        "equivalents": (
            "One-stream size with the loss of (N, P), 95% interval",
            refit.equivalents_table(inputs),
            {"loss": ".4f"},
        ),
        "backtest": (
            "Held-out runs under Eq 5",
            figure_tables.backtest_table(inputs.parallel, inputs.runs),
            {**losses, "error": "+.4f"},
        ),
    }


def _cost_tables(inputs: Inputs, losses: Formats) -> dict[str, tuple[str, pd.DataFrame, Formats]]:
    given = inputs.published
    stack = given.corpus(STACK)
    grid = ratio_grid(stack, given.architectures)
    return {
        "cost_ratios": (
            "Increase in cost of parameters over that of streams at equal loss, 1.6B at P = 8",
            headline_ratios(stack, given.architectures),
            {"linear": ".2f", "log_cost": ".2f"},
        ),
        "cost_break_even": (
            "Batch size from which parallel scaling adds more latency, 1.6B",
            break_even(grid),
            {},
        ),
        "inference_cost": (
            "Inference cost, mean over 64 to 512 tokens in and out",
            refit.cost_rows(given),
            losses,
        ),
        "training_cost": (
            "Training cost of 42B tokens, 1.6B, 8 sequences a device",
            refit.training_rows(given),
            {},
        ),
    }


def _page(
    inputs: Inputs,
    made: Mapping[str, tuple[str, pd.DataFrame, Formats]],
    drawn: Mapping[str, tuple[Path, float]],
) -> Page:
    """Every figure and the main tables on one self-contained page."""
    page = Page("The paper, regenerated", f"made by: {COMMAND}; from: {inputs.published.folder}")
    for corpus, verdict in inputs.verdicts.items():
        page.text(f"{corpus_name(corpus)}: {' '.join(verdict.lines)}")
    for name in SHOWN:
        caption, table, formats = made[name]
        page.heading(caption)
        page.table(table, formats=formats)
    page.heading("Figures")
    for name, (file, width) in drawn.items():
        page.picture(file, width, CAPTIONS[name])
    return page


def _readme(made: Mapping[str, tuple[str, pd.DataFrame, Formats]], base: Path) -> Path:
    """The claims, and published against ours, where one opens the folder; words of others there stay."""
    parts = [
        f"Written by `{COMMAND}`: `fits/` (JSON), `tables/` (CSV, Markdown, LaTeX), `figures/` (PNG, PDF, SVG), "
        "`paper.html` (all on one page).",
    ]
    for name in ("claims", "constants", "comparison", "cost_ratios"):
        caption, table, formats = made[name]
        parts += [f"## {caption}", formatted_tables.markdown(table, formats).rstrip()]
    body = "\n\n".join(parts)
    target = base / "README.md"
    write_between(
        target, (f"<!-- begin: {COMMAND} -->", f"<!-- end: {COMMAND} -->"), f"\n{body}\n", "# Results\n"
    )
    return target
