"""One self-contained page of a sweep: runs, curves, fits, comparison, costs, provenance."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, SweepFitOptions

EXAMPLES = ("report results/sweeps/demo",)


@dataclass(frozen=True, kw_only=True)
class Options(SweepFitOptions):
    """Options of `parscale report`."""

    source: str = argument(RUNS, metavar="SWEEP")
    out: str | None = option(
        None, "file or folder (default report.html in the sweep's folder)", metavar="PATH"
    )


def run(options: Options) -> int:
    """Write the page of a sweep and print where it is."""
    from analysis.report.sweep_report import write_report

    page = write_report(
        options.source,
        options.out,
        command=options.words("parscale report", options.source),
        objective=options.fitted_by,
        asked=options.asked,
    )
    print(page)
    return 0
