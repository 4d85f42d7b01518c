"""One run regenerates the paper: fits (JSON), tables (CSV, Markdown, LaTeX), figures (PNG, PDF), claims.

    result = reproduce.run(Path("results"))     # what `parscale reproduce` calls
    result.constants, result.claims, result.files

Every artefact names the command and the data that made it; equal input gives equal files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import claims, derived, figures, paper, style, tables
from analysis.cost_ratios import break_even, headline_ratios, ratio, ratio_grid
from analysis.cost_table import cost_table
from analysis.equivalent import equivalents, equivalents_by_points
from analysis.page import Page
from analysis.paper import Inputs
from analysis.published import FOLDER, STACK, read_published
from scaling.files import write_between
from scaling.uncertainty import t_quantile

COMMAND = "parscale reproduce"
RIVALS = {
    "Eq 5: log P": "parallel",
    r"Eq 4: constant $\rho$": "diversity",
    "power of P": "power",
    "additive": "additive",
}
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
    inputs = Inputs(given, paper.fit_all(given.losses))
    files = _save_fits(inputs, base / "fits")
    progress("tables")
    made = table_set(inputs)
    for name, (caption, table, formats) in made.items():
        where = {"caption": caption, "command": COMMAND, "data": str(given.folder)}
        files += tables.write(table, base / "tables" / name, formats=formats, **where)
    made_by = {"command": COMMAND, "data": str(given.folder)}
    drawn: dict[str, tuple[Path, float]] = {}
    for name, draw in figure_set(inputs).items():
        progress(name)
        figure = draw()
        saved = style.save(figure, base / "figures" / name, **made_by)
        drawn[name] = saved[0], figure.get_figwidth()
        files += saved
    progress("page")
    files += [_page(inputs, made, drawn).write(base / "paper.html"), _readme(made, base)]
    progress("done")
    seconds = time.perf_counter() - start
    return Reproduction(base, made["constants"][1], made["claims"][1], files, seconds)


def _save_fits(inputs: Inputs, folder: Path) -> list[Path]:
    """One JSON a fit; law, data hash and versions stand in it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (corpus, law), fitted in inputs.fits.items():
        target = folder / f"{law}-{corpus}.json"
        fitted.save(target)
        written.append(target)
    return written


Formats = dict[str, str]
CAPTIONS = {
    "fig1_2": "Equal loss with fewer parameters: the law's saving from P = 1 to P = 8 (form of Figure 1(2)).",
    "fig1_3": "What each way of scaling adds, batch 1, mean over 64 to 512 tokens (form of Figure 1(3)).",
    "fig2": "Loss against non-embedding parameters with the refitted law (form of Figure 2).",
    "fig3": "Contours of the fitted loss; circles are runs, filled with their own loss (form of Figure 3).",
    "fig4": "Loss against memory and latency at four batch sizes (form of Figure 4).",
    "fig6c": "A frozen backbone with trained streams: the two published points (form of Figure 6(c)).",
    "intervals": "Constants with intervals; the printed ones as bars.",
    "residuals": "What the law of Eq 5 misses, run by run.",
    "profiles": "Profiles: how much worse the fit gets with one constant held off its best.",
    "backtest": "Predictions of runs held out: without the largest P, without the largest third of sizes.",
    "rivals": "Rival laws agree on the runs and part beyond them.",
    "equivalents": "What P streams are worth in parameters, by the law and read off the points.",
    "ratio_latency": "How many times less latency streams add than parameters, 1.6B; framed: they add more.",
    "ratio_memory": "How many times less memory streams add than parameters, 1.6B; framed: they add more.",
}
SHOWN = ("constants", "claims", "comparison", "cost_ratios", "cost_break_even", "equivalents")


def table_set(inputs: Inputs) -> dict[str, tuple[str, pd.DataFrame, Formats]]:
    """Every table: name -> (caption, table, number formats of the printed forms)."""
    given, losses = inputs.published, {"N": ",d", "loss": ".4f", "true": ".4f", "predicted": ".4f"}
    out: dict[str, tuple[str, pd.DataFrame, Formats]] = {
        name: (caption, table, {str(c): ".1f" for c in table if c != "P"})
        for name, (caption, table) in tables.paper_tables(given).items()
    }
    signed = {"printed": ".5g", "ours": ".5g", "difference": "+.2%", "lower": ".4g", "upper": ".4g"}
    out |= {
        "constants": (
            "Constants of Eq 5, printed and refitted, with 95% profile intervals",
            tables.constants(inputs.parallel, given.constants),
            signed,
        ),
        "comparison": (
            "Laws of N and P compared on the published losses, least squares",
            paper.comparison_table(inputs),
            {"r2": ".4f", "aicc": ".1f", "delta_aicc": ".1f", "bic": ".1f", "delta_bic": ".1f"},
        ),
        "predictions": (
            "Prediction, true loss and error of every law",
            tables.predictions(inputs.fits, given.losses),
            {**losses, "error": "+.4f"},
        ),
        "equivalents": (
            "One-stream size with the loss of (N, P), 95% interval",
            paper.equivalents_table(inputs),
            {"loss": ".4f"},
        ),
        "backtest": (
            "Held-out runs under Eq 5",
            derived.backtest_table(inputs.parallel, inputs.runs),
            {**losses, "error": "+.4f"},
        ),
    }
    claimed: dict[str, tuple[str, pd.DataFrame, Formats]] = {
        "claims": ("Claims, recomputed", claims.audit(given, inputs.laws), {})
    }
    return out | _cost_tables(inputs, losses) | claimed


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
            paper.cost_rows(given),
            losses,
        ),
        "training_cost": (
            "Training cost of 42B tokens, 1.6B, 8 sequences a device",
            paper.training_rows(given),
            {},
        ),
    }


def figure_set(inputs: Inputs) -> dict[str, Callable[[], Figure]]:
    """Every figure: name -> a function that draws it."""
    given = inputs.published
    stack, losses, laws = given.corpus(STACK), given.losses, inputs.laws
    costs = cost_table(stack, given.architectures)
    grid = ratio_grid(stack, given.architectures)
    drop = float(t_quantile(inputs.parallel[STACK], 0.95) ** 2)
    peft = {"code_avg_pass1_pct": "pass@1", "code_avg_pass10_pct": "pass@10"}
    rivals = {name: inputs.fits[STACK, law].law for name, law in RIVALS.items()}
    dense = stack.loc[stack["P"] == 1, "N"].sort_values().tolist()
    return {
        "fig1_2": lambda: figures.fig1_law(stack, laws[STACK]),
        "fig1_3": lambda: figures.fig1_cost(costs[costs["batch"] == 1], ratio(stack, given.architectures)),
        "fig2": lambda: figures.fig2(losses, laws),
        "fig3": lambda: figures.fig3(losses, laws),
        "fig4": lambda: figures.fig4(costs),
        "fig6c": lambda: figures.against_streams(
            given.peft, peft, label="code average (%)", title="Qwen2.5-3B, frozen"
        ),
        "intervals": lambda: figures.intervals(derived.interval_table(inputs.parallel, given.constants)),
        "residuals": lambda: figures.residuals(derived.residual_table(inputs.parallel, inputs.runs)),
        "profiles": lambda: figures.profiles(derived.profile_table(inputs.parallel), {"95%": drop}),
        "backtest": lambda: figures.backtest(derived.backtest_table(inputs.parallel, inputs.runs)),
        "rivals": lambda: figures.rivals(stack, rivals, sizes=[dense[0], dense[3], dense[-1]]),
        "equivalents": lambda: figures.equivalent_parameters(*_equivalent_curves(inputs)),
        "ratio_latency": lambda: figures.ratio_map(grid),
        "ratio_memory": lambda: figures.ratio_map(grid, column="memory_ratio", what="memory"),
    }


def _equivalent_curves(inputs: Inputs) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Curves out to P = 64 at the size 1.6B, and the points alone, by corpus."""
    streams = np.geomspace(1, 64, 25)  # holds every power of two
    curves, points = {}, {}
    for corpus, fitted in inputs.parallel.items():
        runs = inputs.published.corpus(corpus)
        size = float(runs.loc[(runs["size"] == "1.6B") & (runs["P"] == 1), "N"].iloc[0])
        curves[corpus] = equivalents(fitted, N=size, P=streams, data=runs)
        points[corpus] = equivalents_by_points(runs)
    return curves, points


def _page(
    inputs: Inputs,
    made: Mapping[str, tuple[str, pd.DataFrame, Formats]],
    drawn: Mapping[str, tuple[Path, float]],
) -> Page:
    """Every figure and the main tables on one self-contained page."""
    page = Page("The paper, regenerated", f"made by: {COMMAND}; from: {inputs.published.folder}")
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
        f"Written by `{COMMAND}`: `fits/` (JSON), `tables/` (CSV, Markdown, LaTeX), `figures/` (PNG, PDF), "
        "`paper.html` (all on one page).",
    ]
    for name in ("claims", "constants", "comparison", "cost_ratios"):
        caption, table, formats = made[name]
        parts += [f"## {caption}", tables.markdown(table, formats).rstrip()]
    body = "\n\n".join(parts)
    target = base / "README.md"
    write_between(
        target, (f"<!-- begin: {COMMAND} -->", f"<!-- end: {COMMAND} -->"), f"\n{body}\n", "# Results\n"
    )
    return target
