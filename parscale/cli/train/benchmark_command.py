"""Evaluate a checkpoint with the LM evaluation harness: our tasks offline, or any of the harness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parscale.cli.options import argument, option, required
from parscale.cli.table_options import JsonOptions
from parscale.cli.train.checkpoints import load_streams

EXAMPLES = (
    "benchmark results/sweeps/demo/checkpoints/RUN --tasks 'task:hops#hops=1,2' --loops 4",
    "benchmark CHECKPOINT --tasks mine --include tasks/",
)


@dataclass(frozen=True, kw_only=True)
class Options(JsonOptions):
    """Options of `parscale benchmark`."""

    checkpoint: str = argument("a run's folder in a sweep, or any checkpoint", metavar="CHECKPOINT")
    tasks: str = required(
        "task:NAME, files:GLOB#prompt=COLUMN#answer=COLUMN, or tasks of the harness, separated by blanks"
    )
    include: str | None = option(None, "folder with tasks for the harness", metavar="DIR")
    limit: int | None = option(None, "items of a task at most", type=int, metavar="N")
    streams: int | None = option(
        None, "streams (default: the checkpoint's, 1: its backbone)", type=int, metavar="P"
    )
    loops: int | None = option(
        None, "times its looped layers are applied (default as trained)", type=int, metavar="R"
    )


def run(options: Options) -> str | int:
    """Run the tasks, print their metrics, keep them next to the sweep's runs."""
    from parscale.cli.output import as_json, show
    from sweeps.inspect.harness import check_harness, keep_benchmarks, run_harness

    check_harness()
    model = load_streams(options.checkpoint, options.streams, options.loops)
    rows = run_harness(model, options.checkpoint, options.tasks.split(), options.include, options.limit)
    folder = Path(options.checkpoint).resolve()
    sweep = folder.parent.parent
    if folder.parent.name == "checkpoints" and (sweep / "sweep.json").is_file():
        keep_benchmarks(sweep, folder.name, rows)
    if options.json:
        return as_json(rows.to_dict("records"))
    shown = rows.assign(**{name: [f"{x:.4f}" for x in rows[name]] for name in ("value", "value_se")})
    show(shown[["task", "metric", "value", "value_se", "items"]], str(options.checkpoint), keys=2)
    return 0
