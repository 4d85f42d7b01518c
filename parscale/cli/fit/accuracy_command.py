"""From loss to accuracy: a sigmoid with its floor at chance, and the accuracy at other losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option
from parscale.cli.table_options import LevelOptions

if TYPE_CHECKING:
    import pandas as pd

FILE = "results/published/tables/loss_and_accuracy.csv"
EXAMPLES = (
    f"accuracy {FILE} --where tasks=code --at 0.95,1.0",
    f"accuracy {FILE} --where tasks=general,P=1 --chance 0.3333 --groups size --at 1.8",
    "accuracy results/sweeps/demo --benchmark arc_easy:acc --chance 0.25 --where corpus=text",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions):
    """Options of `parscale accuracy`."""

    file: str = argument(
        "table with a loss and an accuracy per model, or a sweep folder with --benchmark", metavar="TABLE"
    )
    benchmark: str | None = option(
        None,
        "task in the sweep's benchmarks.parquet, which `parscale benchmark` writes (default metric acc or exact_match)",
        metavar="TASK[:METRIC]",
    )
    loss: str = option("loss", "column of the loss, nats per token", metavar="COLUMN")
    accuracy: str = option("accuracy", "column of the accuracy, shares or per cent", metavar="COLUMN")
    items: str | None = option(
        None,
        "column of the questions behind each accuracy, its weight (--benchmark has it)",
        metavar="COLUMN",
    )
    chance: float = option(0.0, "accuracy of a guess, 0.25 for four choices (default 0)", type=float)
    ceiling: float = option(1.0, "accuracy of the best model (default 1)", type=float)
    groups: str | None = option(None, "column of rows that share an offset, e.g. size", metavar="COLUMN")
    where: str | None = option(None, "only these rows, e.g. tasks=code", metavar="COLUMN=VALUE,...")
    at: str | None = option(None, "losses to give the accuracy of", metavar="X,...")


def run(options: Options) -> str:
    """The sigmoid, and accuracies at --at."""
    from parscale.cli.output import as_json
    from scaling.accuracy import accuracy_by_loss
    from scaling.data.query import values
    from scaling.terminal_text import table, width

    options.check_level()
    rows = _models(options)
    made = accuracy_by_loss(
        rows, loss=options.loss, accuracy=options.accuracy, chance=options.chance, ceiling=options.ceiling,
        groups=options.groups, items="items" if options.benchmark else options.items, level=options.level,
    )  # fmt: skip
    left = rows.attrs.get("left_out", 0)
    said = f"\nEvaluations left out, at another P or r than the run's: {left}." * bool(left)
    there = made.predict(values(options.at, "--at")) if options.at else None
    if options.json:
        found = {"status": made.status.value, "table": made.table.reset_index().to_dict("records")}
        found |= {"at": [] if there is None else there.to_dict("records"), "verdict": made.verdict + said}
        return as_json(found)
    if there is None:
        return repr(made) + said
    shown = table(there, width(), float_format="{:.4g}".format)
    return f"{made!r}{said}\n\nat --at ({options.level:.0%} intervals of one new model)\n{shown}"


def _models(options: Options) -> pd.DataFrame:
    """The rows of the table, or the benchmarked runs of the sweep."""
    from analysis.sweep.benchmark_runs import benchmarked_runs
    from parscale.cli.fit.curves_command import narrowed

    if options.benchmark is None:
        return narrowed(options.file, options.where)
    own = {"--accuracy": options.accuracy != "accuracy", "--items": options.items is not None}
    if given := [name for name, there in own.items() if there]:
        raise ValueError(f"{given[0]} names a column of a table: with --benchmark leave it out")
    return benchmarked_runs(options.file, options.benchmark, options.where)
