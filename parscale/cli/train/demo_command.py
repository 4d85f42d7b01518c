"""The whole pipeline on this machine: train the demo grid, fit the law, draw it, say what P is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parscale.cli.options import option

if TYPE_CHECKING:
    import pandas as pd

    from scaling.fitting.result import Fit

EXAMPLES = ("demo", "demo --grid ci --out build/ci")
FIGURES = ("fig2", "equivalents", "training")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale demo`."""

    grid: str = option("demo", "another grid (default demo)")
    workers: str = option("auto", "runs at a time (default auto: one per core)")
    out: str | None = option(None, "the sweep's folder (default results/sweeps/GRID)", metavar="PATH")


def run(options: Options) -> int:
    """Sweep, then fit and draw: the one command that needs every package."""
    from parscale.cli.train import sweep_command
    from sweeps.grids import grids

    grid, folder = grids.find(options.grid), sweep_command.folder_of(options.grid, options.out)
    trained = sweep_command.Options(grid=options.grid, workers=options.workers, out=options.out)
    code = sweep_command.train_grid(grid, grid(), folder, trained)
    if code == 0:
        conclude(folder)
    return code


def conclude(folder: Path) -> None:
    """Fit the sweep in `folder`, save fits and figures into it, and print the results with their warnings."""
    from analysis.report import sweep_figures
    from analysis.sweep import results
    from parscale.cli.output import show
    from scaling.data.query import slug

    seen = results.read_sweep(folder)
    loss = "validation loss: nats per token, with its standard error"
    show(_runs_table(seen.runs), "runs", loss, keys=3)
    (folder / "fits").mkdir(exist_ok=True)
    files = [folder / "runs.parquet"]
    for corpus, fit in seen.parallel.items():
        files.append(folder / "fits" / f"parallel-{slug(corpus)}.json")
        fit.save(files[-1])
        _print_fit(corpus, fit)
    if not seen.parallel:
        print(*seen.missing, sep="\n")
    known = sweep_figures.sweep_figures(seen)
    only = [name for name in FIGURES if name in known]
    files += sweep_figures.save_figures(folder, out=folder / "figures", only=only, command="parscale demo")
    print("", *files, sep="\n")


def _runs_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per run, sizes ascending."""
    import pandas as pd

    runs = runs.sort_values(["corpus", "N", "seed"])
    columns = {
        "corpus": runs["corpus"].astype(str),
        "size": runs["size"].astype(str),
        "P": runs["P"].map("{:.0f}".format),
        "N": runs["N"].map("{:,.0f}".format),
        "tokens": runs["D"].map("{:,.0f}".format),
        "loss": runs["loss"].map("{:.4f}".format),
        "s.e.": runs["loss_se"].map("{:.4f}".format),
        "tokens/s": runs["tokens_per_s"].map("{:,.0f}".format),
        "status": runs["status"].astype(str),
    }
    return pd.DataFrame(columns)


def _print_fit(corpus: str, fit: Fit) -> None:
    """The law, how well it fits, what P is worth by it, and the verdict."""
    from analysis.sweep.fit_tables import goodness, law_table, worth_table
    from parscale.cli.output import say, show

    if fit.determined:
        show(law_table(fit), f"{corpus}: L = E + (A / (N (k ln P + 1)))^alpha")
    say(goodness(fit))
    if fit.determined:
        factor = "k ln P + 1, the factor in N of equal loss"
        show(worth_table(fit), "what P streams are worth", factor)
    say(fit.verdict().text, bold=True)
