"""The runs of a sweep with their accuracy on a benchmark, from what `parscale benchmark` wrote next to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.sweep.sweep_folder import table_folder
from scaling.data.query import Asked
from scaling.data.runs import finished_runs
from scaling.data.table_files import load_table

BENCHMARKS = "benchmarks.parquet"
USUAL = ("acc", "exact_match")  # the metric of a task where none is named
LEAST = 3  # models that a sigmoid of two parameters takes, with one to judge it by


def benchmarked_runs(sweep: Path | str, benchmark: str, where: str | None = None) -> pd.DataFrame:
    """The finished runs of a sweep that have an accuracy at the P and r of their loss.

    Rows at another P or r are left out, because the loss of such a model is not in the runs table.

    Args:
        sweep: its folder, with runs.parquet and benchmarks.parquet.
        benchmark: a task of the harness, as the table names it, or TASK:METRIC. The metric is by default acc, else
            exact_match, else the only one.
        where: only these runs, "COLUMN=VALUE,...".

    Returns:
        The columns of the runs table (loss in nats per token), and accuracy, accuracy_se (shares) and items.
        `attrs["left_out"]` counts the evaluations of these runs at another P or r.

    Raises:
        ValueError: no benchmarks.parquet, a task or metric that is not in it, a metric that is no share, or fewer
            than LEAST runs.
    """
    path = Path(sweep)
    runs = finished_runs(Asked(None, where).read(path))
    file = table_folder(path) / BENCHMARKS
    if not file.is_file():
        raise ValueError(
            f"{file} is not there: `parscale benchmark {file.parent}/checkpoints/RUN --tasks ...` writes it"
        )
    if "run_id" not in runs:
        raise ValueError(f"{path}: its runs have no run_id, which {BENCHMARKS} knows them by")
    rows = _measured(load_table(file), benchmark, file)
    of_these = rows[rows["run_id"].isin(runs["run_id"])]
    found = _joined(runs, of_these)
    if len(found) < LEAST:
        others = f", {len(of_these) - len(found)} at another" * (len(of_these) > len(found))
        raise ValueError(
            f"{file}: {benchmark} is known of {len(found)} finished runs at their own P and r{others}, and a "
            f"sigmoid takes at least {LEAST}. Evaluate more checkpoints with `parscale benchmark`"
        )
    found.attrs["left_out"] = len(of_these) - len(found)
    return found


def _measured(table: pd.DataFrame, benchmark: str, file: Path) -> pd.DataFrame:
    """The rows of a task and metric. ValueError for one that is not there, with those that are."""
    tasks = list(dict.fromkeys(table["task"]))
    task, _, metric = (benchmark, "", "") if benchmark in tasks else benchmark.rpartition(":")
    if task not in tasks:
        raise ValueError(f"{file} has no task {task or benchmark!r}. There are {', '.join(tasks)}")
    rows = table[table["task"] == task]
    metric = metric or _usual_metric(task, rows["metric"].unique())
    if metric not in set(rows["metric"]):
        known = ", ".join(rows["metric"].unique())
        raise ValueError(f"{file}: {task} has no metric {metric!r}. There are {known}")
    rows = rows[rows["metric"] == metric]
    if (rows["value"] > 1).any():
        raise ValueError(
            f"{file}: {metric} of {task} goes up to {rows['value'].max():.4g} and is no share. Name an accuracy"
        )
    return rows


def _usual_metric(task: str, metrics: Iterable[Any]) -> str:
    """The metric of a task where the user named none."""
    known = [str(name) for name in metrics]
    found = [name for name in USUAL if name in known] or (known if len(known) == 1 else [])
    if not found:
        raise ValueError(f"{task} has the metrics {', '.join(known)}. Name one: {task}:{known[0]}")
    return found[0]


def _joined(runs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The runs with the accuracies at their own P and r."""
    names = {"value": "accuracy", "value_se": "accuracy_se", "items": "items"}
    known = runs.drop(columns=[name for name in names.values() if name in runs])
    loops = known["r"].fillna(1) if "r" in known else 1
    wanted = rows[["run_id", "P", "r", *names]].rename(columns=names)
    return known.assign(r=loops).merge(wanted, on=["run_id", "P", "r"])
