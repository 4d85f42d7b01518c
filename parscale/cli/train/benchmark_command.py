"""Evaluate checkpoints with the LM evaluation harness: our tasks offline, or any of the harness."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option
from parscale.cli.table_options import JsonOptions
from parscale.cli.train.checkpoints import load_streams

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = (
    "benchmark results/sweeps/demo/checkpoints/RUN --tasks 'task:hops#hops=1,2' --loops 4",
    "benchmark results/sweeps/demo/checkpoints/*/",
    "benchmark CHECKPOINT --tasks mine --include tasks/",
)


@dataclass(frozen=True, kw_only=True)
class Options(JsonOptions):
    """Options of `parscale benchmark`."""

    checkpoints: tuple[str, ...] = argument(
        "runs' folders in a sweep, or any checkpoints", nargs="+", metavar="CHECKPOINT"
    )
    tasks: str = option(
        "",
        "task:NAME, files:GLOB#prompt=COLUMN#answer=COLUMN, or tasks of the harness, separated by blanks "
        "(default: the task that a run was trained on)",
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
    """Run the tasks, print their metrics, keep those of a sweep's runs next to them, one checkpoint after another."""
    import pandas as pd

    from parscale.cli.output import as_json, show
    from sweeps.inspect.harness import check_harness

    check_harness()
    tasks = {one: options.tasks.split() or [_trained_on(one)] for one in options.checkpoints}
    found = []
    for place, (checkpoint, wanted) in enumerate(tasks.items(), 1):
        if len(tasks) > 1:
            print(f"{place} of {len(tasks)}: {checkpoint}", file=sys.stderr, flush=True)
        found.append(_evaluated(checkpoint, wanted, options).assign(checkpoint=checkpoint))
    rows = pd.concat(found, ignore_index=True)
    if options.json:
        return as_json(rows.to_dict("records"))
    shown = rows.assign(**{name: [f"{x:.4f}" for x in rows[name]] for name in ("value", "value_se")})
    shown = shown[["task", "metric", "value", "value_se", "items"]]
    if len(tasks) == 1:
        show(shown, options.checkpoints[0], keys=2)
    else:
        shown.insert(0, "checkpoint", [Path(name).name for name in rows["checkpoint"]])
        show(shown, f"{len(tasks)} checkpoints", keys=3)
    return 0


def _trained_on(checkpoint: str) -> str:
    """The task that a run of a sweep was trained on. ValueError for any other checkpoint or corpus."""
    from sweeps.inspect.harness import is_local
    from sweeps.store.store import Store

    sweep, folder = _sweep_of(checkpoint), Path(checkpoint).resolve()
    if sweep is None:
        raise ValueError(f"{checkpoint} is no run of a sweep, so --tasks must say what to ask it")
    try:
        corpus = Store(sweep).config(folder.name).corpus
    except FileNotFoundError:
        raise ValueError(f"{sweep} has no run {folder.name}") from None
    if not is_local(corpus):
        raise ValueError(f"{checkpoint} was trained on {corpus}, which asks nothing. Give --tasks")
    return corpus


def _sweep_of(checkpoint: str) -> Path | None:
    """The folder of the sweep that a checkpoint is a run of, if it is one."""
    folder = Path(checkpoint).resolve()
    sweep = folder.parent.parent
    return sweep if folder.parent.name == "checkpoints" and (sweep / "sweep.json").is_file() else None


def _evaluated(checkpoint: str, tasks: list[str], options: Options) -> pd.DataFrame:
    """The metrics of a checkpoint, kept in its sweep's table where it is a run of one."""
    from sweeps.inspect.harness import keep_benchmarks, run_harness

    model = load_streams(checkpoint, options.streams, options.loops)
    rows = run_harness(model, checkpoint, tasks, options.include, options.limit)
    if sweep := _sweep_of(checkpoint):
        keep_benchmarks(sweep, Path(checkpoint).resolve().name, rows)
    return rows
