"""simple-scaling-laws' prediction of the splits, run by a Python that has it: JSON in, JSON out.

`python -m benchmarks.forecast --peer /path/to/its/python` calls this file. Its additive law of N and D,
separable-power, each run a training run of its own, with the package's own defaults.
"""

from __future__ import annotations

import json
import sys


def predicted(task: dict[str, list[list[float]]]) -> list[list[float]] | str:
    """Lower and upper ends of one split, or why there are none."""
    import polars as pl
    from simple_scaling_laws import fit

    N, D, loss = task["fitted"]
    frame = pl.DataFrame(
        {
            "training_run_id": [f"run-{i}" for i in range(len(N))],
            "train_set_id": ["train"] * len(N),
            "test_set_id": ["test"] * len(N),
            "optimizer_seed": list(range(len(N))),
            "model_size__n_params": N,
            "dataset_size__n_tokens": D,
            "test_loss__nats": loss,
        }
    )
    points = pl.DataFrame(
        {
            "point_id": [str(i) for i in range(len(task["asked"][0]))],
            "model_size__n_params": task["asked"][0],
            "dataset_size__n_tokens": task["asked"][1],
        }
    )
    try:
        model = fit(frame, law="separable-power", seed=0)
        rows = model.predict(points, quantiles=[0.025, 0.5, 0.975]).sort(pl.col("point_id").cast(pl.Int64))
    except Exception as error:  # whatever the package refuses is reported, not hidden
        return f"{type(error).__name__}: {error}"
    return [rows["test_loss__nats__q025"].to_list(), rows["test_loss__nats__q975"].to_list()]


if __name__ == "__main__":
    json.dump([predicted(task) for task in json.load(sys.stdin)], sys.stdout)
