"""One self-contained page of a sweep: verdict, figures, means over seeds, the rest folded. Several side by side."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, SweepFitOptions

EXAMPLES = (
    "report results/sweeps/demo",
    "report results/sweeps/gpu results/sweeps/laptop --out compared.html",
    "report results/fits/DepthLaw-shapes.json --law depth.py:DepthLaw",
)


@dataclass(frozen=True, kw_only=True)
class Options(SweepFitOptions):
    """Options of `parscale report`."""

    sources: tuple[str, ...] = argument(
        f"{RUNS}, or a fit file (several share one page, side by side)", nargs="+", metavar="SWEEP"
    )
    law: str | None = option(None, "your own law, if the fit is of one", metavar="FILE.py:CLASS")
    out: str | None = option(
        None,
        "file or folder (default report.html in the sweep's folder, of several or a fit here)",
        metavar="PATH",
    )


def run(options: Options) -> int:
    """Write the page of a sweep, or of several, and print where it is."""
    from analysis.report.sweep_report import write_report
    from scaling.fitting.result import Fit

    one = options.sources[0] if len(options.sources) == 1 else ""
    page = write_report(
        Fit.load(one, options.law) if one.endswith(".json") else options.sources,
        options.out,
        command=options.words("parscale report", *options.sources),
        objective=options.fitted_by,
        asked=options.asked,
    )
    print(page)
    return 0
