"""The learning rate and batch size of least loss in each cell of a grid, and their law over N and D."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.option_values import items
from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions

EXAMPLES = (
    "tuned results/published/tables/learning_rate_batch.csv --at N=1.07B,D=100B",
    "tuned results/sweeps/rates --where P=1",
    "tuned runs.csv --of lr,weight_decay,batch_size --where optimizer=muon",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, ColumnOptions):
    """Options of `parscale tuned`."""

    runs: str = argument(RUNS, metavar="RUNS")
    of: str | None = option(
        None,
        "columns of the settings that were tuned (default: what a sweep searched, else lr,batch_size)",
        metavar="COLUMN,...",
    )
    over: str = option("N,D", "axes of the cells and of the law (default N,D)", metavar="AXIS,...")
    near: float = option(
        0.01, "runs within this share of a cell's lowest loss make its surface (default 0.01)", type=float
    )
    at: str | None = option(None, "predict the best settings there: N=1B,D=100B", metavar="AXIS=VALUE,...")


def run(options: Options) -> str:
    """The laws, what the cells tell, and the settings at --at."""
    from parscale.cli.output import as_json
    from scaling.allocation.tuned_optimum import tuned_optimum
    from scaling.data.query import mapping
    from scaling.terminal_text import table, width

    options.check_level()
    of, over = items(options.of), items(options.over) or []
    runs = options.asked.read(options.runs)
    made = tuned_optimum(runs, of=of, over=over, near=options.near, level=options.level)
    there = made.at(**mapping(options.at, "--at")) if options.at else None
    if options.json:
        found = {"laws": made.table.reset_index(), "cells": made.cells}
        found |= {} if there is None else {"at": there.reset_index(names="setting")}
        rows = {name: frame.to_dict("records") for name, frame in found.items()}
        return as_json(rows | {"verdict": made.verdict})
    if there is None:
        return repr(made)
    shown = table(there, width(), float_format="{:.4g}".format)
    return f"{made!r}\n\nat {options.at} ({options.level:.0%} intervals of the law)\n{shown}"
