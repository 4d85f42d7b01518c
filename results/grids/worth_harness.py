"""What the evaluation harness measured of the second experiment's models, and a law in two steps that predicts it.

    parscale benchmark results/sweeps/worth/checkpoints/*/
    python -m results.grids.worth_harness results/sweeps/worth

Reads runs.parquet and benchmarks.parquet and writes results/tables/worth_harness (CSV, Markdown, LaTeX), a row each task and
size: how many of the harness's accuracies equal the run's own exact match (`equal`), how far they are `apart` at most, and their
mean (`accuracy`). A run asks as many items as its time allows, the harness all. `by_N` predicts the accuracy in two steps: each
arm's loss by its own line in N (E = 0), and a sigmoid of the loss, both fitted to the four sizes of the grid. `by_loss` takes the
second step alone, at the loss that a run has, and `inside` counts the accuracies inside its 95% interval of a new model. `slope`
and `middle` are of a sigmoid fitted to the harness's accuracies.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.output.formatted_tables import write_tables
from analysis.sweep.benchmark_runs import BENCHMARKS, benchmarked_runs
from results.grids.worth import SIZES
from results.grids.worth_table import named_arms
from scaling.laws.base import Array


def harness_table(sweep: Path) -> pd.DataFrame:
    """A row each task and size that the harness was given."""
    runs = named_arms(scaling.read_runs(sweep / "runs.parquet"))
    rows: list[dict[str, Any]] = []
    for name in pd.read_parquet(sweep / BENCHMARKS)["task"].unique():
        asked = named_arms(benchmarked_runs(sweep, name))
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


def main() -> None:
    """Write the table and print it."""
    parser = argparse.ArgumentParser(
        "python -m results.grids.worth_harness", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("sweep", nargs="?", default="results/sweeps/worth", help="the grid's folder")
    parser.add_argument(
        "--out", default="results/tables", help="folder of the table (default results/tables)"
    )
    args = parser.parse_args()
    table = harness_table(Path(args.sweep))
    made = {
        "command": f"python -m results.grids.worth_harness {args.sweep}",
        "data": f"{args.sweep}/{BENCHMARKS}",
    }
    caption = "Accuracies of the evaluation harness, by the runs' losses and by N in two steps"
    write_tables(table, Path(args.out) / "worth_harness", caption=caption, **made)
    print(table.to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
