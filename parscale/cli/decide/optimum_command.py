"""The compute-optimal N and D for a budget by three estimates: isoFLOP minima, envelope, parametric fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.options import argument, option, required
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions

if TYPE_CHECKING:
    from scaling.allocation.compute_optimum import Optimum

EXAMPLES = (
    "optimum results/published/runs/chinchilla_kyo.csv --flops 5.76e23",
    "optimum results/published/runs/chinchilla_kyo.csv --flops 1e22 --figure isoflop.png",
    "optimum runs.csv --flops 1e22 --where P=4 --units C=PF-days,D=billions",
)
FIGURES = (".png", ".pdf", ".svg")


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, ColumnOptions):
    """Options of `parscale optimum`."""

    runs: str = argument(RUNS, metavar="RUNS")
    flops: str = required("training FLOPs to spend, every stream counted, e.g. 1e22", metavar="C")
    law: str = option("chinchilla", "law of N and D for the third estimate (default chinchilla)")
    units: str | None = option(
        None,
        "units of the table, e.g. C=PF-days,N=millions,D=billions (C=own takes C as it is)",
        metavar="AXIS=UNIT,...",
    )
    figure: str | None = option(None, "draw the isoFLOP figure: a .png, .pdf or .svg", metavar="PATH")


def run(options: Options) -> str:
    """Estimate the optimum three ways, and draw it if --figure is given."""
    from scaling.allocation.compute_optimum import optimum
    from scaling.data.query import mapping

    options.check_level()
    _check_figure(options.figure)
    table = options.asked.read(options.runs)
    units = mapping(options.units, "--units")
    made = optimum(table, flops=options.flops, level=options.level, law=options.law, units=units)
    drawn = ""
    if options.figure:
        made.plot().savefig(options.figure)
        drawn = f"\nfigure: {options.figure}"
    return _json(made) if options.json else f"{made!r}{drawn}"


def _check_figure(path: str | None) -> None:
    """Refuse a figure that cannot be written before anything is computed."""
    if path is None:
        return
    if Path(path).suffix.lower() not in FIGURES:
        raise ValueError(f"--figure {path}: give a file ending in {', '.join(FIGURES)}")
    if not Path(path).resolve().parent.is_dir():
        raise ValueError(
            f"--figure {path}: there is no folder {Path(path).parent}. Create it or choose another."
        )


def _json(made: Optimum) -> str:
    """Every number behind the text."""
    from parscale.cli.output import as_json

    rows: dict[str, Any] = {
        str(row.pop("estimate")): row for row in made.table.reset_index().to_dict("records")
    }
    budgets = made.budgets.to_dict("records")
    return as_json(
        {
            "flops": made.flops,
            "level": made.level,
            "estimates": rows,
            "budgets": budgets,
            "verdict": made.verdict,
        }
    )
