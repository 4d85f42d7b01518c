"""What the evaluation harness measured of the second experiment's models, and a law in two steps that predicts it.

The table worth_harness of `python -m results.grids.worth_table`, from the sweep's runs.parquet and the benchmarks.parquet that
`parscale benchmark results/sweeps/worth/checkpoints/*/` wrote, has a row each task and size: how many of the harness's
accuracies equal the run's own exact match (`equal`), how far they are `apart` at most, and their mean (`accuracy`). A run asks
as many items as its time allows, the harness all. `by_N` predicts the accuracy in two steps: each arm's loss by its own line
in N (E = 0), and a sigmoid of the loss, both fitted to the four sizes of the grid. `by_loss` takes the second step alone, at
the loss that a run has, and `inside` counts the accuracies inside its 95% interval of a new model. `slope` and `middle` are
of a sigmoid fitted to the harness's accuracies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.sweep.benchmark_runs import BENCHMARKS, benchmarked_runs
from results.grids.worth import SIZES
from scaling.laws.base import Array


def harness_table(runs: pd.DataFrame, sweep: Path) -> pd.DataFrame:
    """A row each task and size that the harness was given, of `worth_table.named_arms`."""
    rows: list[dict[str, Any]] = []
    for name in pd.read_parquet(sweep / BENCHMARKS)["task"].unique():
        measured = benchmarked_runs(sweep, name)[["run_id", "accuracy", "items"]]
        asked = runs.merge(measured, on="run_id", validate="one_to_one")
        task = asked["task"].iloc[0]
        known = runs[(runs["task"] == task) & runs["size"].isin(SIZES)]
        sigmoid = scaling.accuracy_by_loss(known, accuracy="exact_match", groups="arm")
        own = _of_the_harness(asked)
        for size, some in asked.groupby("size"):
            counts = {"models": len(some), "items": int(some["items"].iloc[0])}
            apart = (some["accuracy"] - some["exact_match"]).abs()
            found = {
                "equal": int((apart == 0).sum()),
                "apart": apart.max(),
                "accuracy": some["accuracy"].mean(),
            }
            found |= _predicted(sigmoid, known, some)
            rows.append({"task": task, "size": size, **counts, **found, **own})
    return pd.DataFrame(rows)


def _of_the_harness(asked: pd.DataFrame) -> dict[str, Any]:
    """Slope and middle of the sigmoid of the harness's own accuracies, each item counted once."""
    fitted = scaling.accuracy_by_loss(asked, items="items")
    ends = {
        f"{name}_{end}" if end != "estimate" else name: fitted.table.loc[name, end]
        for name in ("slope", "middle")
        for end in ("estimate", "lower", "upper")
    }
    return {**ends, "status": fitted.status.value}


def _predicted(sigmoid: scaling.AccuracyFit, known: pd.DataFrame, some: pd.DataFrame) -> dict[str, Any]:
    """Mean accuracy by N and by the runs' losses, and how many lie inside the interval of the latter."""
    ahead = [_line_loss(known[known["arm"] == arm], part) for arm, part in some.groupby("arm")]
    expected = sigmoid.predict(some["loss"])
    inside = some["accuracy"].between(expected["lower"].array, expected["upper"].array)
    by_N = sigmoid.predict(np.concatenate(ahead))["accuracy"]
    return {"by_N": by_N.mean(), "by_loss": expected["accuracy"].mean(), "inside": int(inside.sum())}


def _line_loss(known: pd.DataFrame, some: pd.DataFrame) -> Array:
    """Losses at the N of some runs of an arm, (n,), by a power law of its other sizes."""
    line = scaling.fit("dense", known.assign(N=known["backbone_N"]), fixed={"E": 0.0})
    return np.asarray(line.law.predict(N=some["backbone_N"].to_numpy()))
