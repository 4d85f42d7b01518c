"""Measured coverage of every interval method: `python -m benchmarks.coverage [--trials 2000]`.

Losses are drawn around a known law with normal noise on the log loss, fitted, and each method's 95%
interval is checked against the truth. Designs: the paper's 24 points with the noise of its own fit, and
a 3 x 3 grid (N, P) with one seed. Writes results/tables/coverage.csv and docs/coverage.md.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import scaling
from scaling.law import Array
from scaling.uncertainty import Method, at_points

LEVEL = 0.95
OBJECTIVES = {"least squares": scaling.LeastSquares(log=True), "Huber 1e-3": scaling.LogHuber(1e-3)}
METHODS: dict[str, Method] = {
    "covariance": scaling.Covariance(),
    "profile": scaling.Profile(),
    "bootstrap residual": scaling.Bootstrap(999, kind="residual"),
    "bootstrap wild": scaling.Bootstrap(999, kind="wild"),
    "bootstrap case": scaling.Bootstrap(999, kind="case"),
    "bootstrap residual, percentile": scaling.Bootstrap(999, kind="residual", studentised=False),
}


@dataclass(frozen=True)
class Design:
    """Where runs are taken, the truth they are drawn from, and where it is predicted."""

    law: scaling.Law
    N: Array
    P: Array
    noise: float  # standard deviation of the log loss
    points: dict[str, tuple[float, float]]  # name -> (N, P)


def designs() -> dict[str, Design]:
    """The paper's design with its own law and noise, and a small grid."""
    runs = scaling.read_runs(Path(__file__).parents[1] / "results/published/losses.csv")
    stack = runs[runs.corpus == "stack-v2-python"]
    fit = scaling.fit(scaling.ParallelLaw, stack, scaling.LeastSquares(log=True))
    sizes, streams = (np.array(v) for v in zip(*itertools.product((2e5, 8e5, 3.2e6), (1.0, 2.0, 4.0)), strict=True))
    small = scaling.ParallelLaw(E=1.7, A=2.3e5, alpha=0.31, k=0.37)
    return {
        "paper, 24 points": Design(
            fit.law, *fit.problem.x, fit.noise, {"inside": (1.7e9, 4.0), "N x 4": (1.8e10, 8.0), "P x 4": (5.4e8, 32.0)}
        ),
        "3 x 3 grid, 1 seed": Design(
            small, sizes, streams, 2e-3, {"inside": (8e5, 2.0), "N x 4": (1.28e7, 4.0), "P x 4": (2e5, 16.0)}
        ),
    }


def trial(job: tuple[str, str, int, tuple[str, ...]]) -> list[dict[str, object]]:
    """One simulated experiment: whether each method's interval of each quantity holds the truth."""
    name, objective, seed, methods = job
    design = designs()[name]
    rng = np.random.default_rng(seed)
    truth = design.law.predict(N=design.N, P=design.P)
    loss = truth * np.exp(design.noise * rng.standard_normal(truth.size))
    fit = scaling.fit(type(design.law), {"N": design.N, "P": design.P, "loss": loss}, OBJECTIVES[objective])
    N, P = (np.array(v) for v in zip(*design.points.values(), strict=True))
    quantity = at_points({"N": N, "P": P}, fit.law.axes)
    expected = np.concatenate([[getattr(design.law, p) for p in fit.law.free()], design.law.predict(N=N, P=P)])
    rows = []
    for method in methods:
        table = METHODS[method].parameters(fit, LEVEL)
        _, low, high = METHODS[method].interval(fit, quantity, LEVEL)
        low, high = np.concatenate([table.lower, low]), np.concatenate([table.upper, high])
        for what, lo, hi, true in zip([*table.index, *design.points], low, high, expected, strict=True):
            known = np.isfinite(lo) and np.isfinite(hi)
            rows.append(
                {"design": name, "objective": objective, "method": method, "quantity": what, "status": str(fit.status),
                 "covered": bool(lo <= true <= hi), "length": hi - lo if known else np.nan}
            )  # fmt: skip
    return rows


def study(trials: int, methods: tuple[str, ...], workers: int) -> pd.DataFrame:
    """Coverage and median length, one row a design, objective, method and quantity."""
    jobs = [(d, o, s, methods) for d, o in itertools.product(designs(), OBJECTIVES) for s in range(trials)]
    with multiprocessing.Pool(workers) as pool:
        rows = [row for part in pool.imap_unordered(trial, jobs, chunksize=8) for row in part]
    keys = ["design", "objective", "method", "quantity"]
    grouped = pd.DataFrame(rows).groupby(keys, sort=False)
    out = grouped.agg(coverage=("covered", "mean"), length=("length", "median"), trials=("covered", "size"))
    out["standard_error"] = np.sqrt(out.coverage * (1 - out.coverage) / out.trials)
    return out.reset_index()


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1])
    args = parser.parse_args()
    table = study(args.trials, tuple(args.methods.split(",")), args.workers)
    (args.out / "results/tables").mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / "results/tables/coverage.csv", index=False)
    wide = table.pivot_table(index=["design", "objective", "method"], columns="quantity", values="coverage", sort=False)
    print((100 * wide).round(1).to_string())


if __name__ == "__main__":
    main()
