"""Draw the paper's figures, or the same figures for a sweep, as PNG, PDF and SVG."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, SweepFitOptions

EXAMPLES = ("figures --only fig2", "figures runs.csv --columns N=params --out build/figures")


@dataclass(frozen=True, kw_only=True)
class Options(SweepFitOptions):
    """Options of `parscale figures`."""

    source: str | None = argument(f"{RUNS} (default: the paper's numbers)", nargs="?", metavar="RUNS")
    only: str | None = option(None, "only these, e.g. fig2", metavar="NAME,...")
    out: str | None = option(
        None, "folder (default results/figures, or figures/ in the sweep's folder)", metavar="PATH"
    )


def run(options: Options) -> int:
    """Draw the paper's figures or a sweep's, and print where they are."""
    from pathlib import Path

    from analysis.report.sweep_figures import save_figures

    folder = Path("results")
    if options.source is not None:
        folder = Path(options.source) if Path(options.source).is_dir() else Path(options.source).parent
    source = [options.source] if options.source else []
    only = ["--only", options.only] if options.only else []
    files = save_figures(
        options.source,
        out=Path(options.out) if options.out else folder / "figures",
        only=[name.strip() for name in options.only.split(",")] if options.only else None,
        command=options.words("parscale figures", *source, *only),
        objective=options.fitted_by,
        asked=options.asked,
    )
    print(*files, sep="\n")
    return 0
