"""Measured coverage of every interval method: `python -m benchmarks.coverage`.

Losses are drawn around a known law with noise on the log loss, fitted, and each method's 95% interval
is checked against the truth. Designs:
- the paper's 24 points with the normal noise of its own fit
- a 3 x 3 grid (N, P) with one seed
- 15 small runs so noisy that E or k often ends at its bound
- the paper's points with heavy tails, which no method assumes
- 24 runs about a law so flat that E and alpha form a long curved valley
- the paper's points with three rows each whose noise is mostly shared, as that of checkpoints of one run

All trials of a design are fitted as one batch, from the truth.
Results go to results/tables/coverage.csv a cell at a time, so that an interrupted study resumes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks import ROOT
from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.interval_methods import Quantity, errors_batch, quantity_values, t_of

TABLE = ROOT / "results/tables/coverage.csv"
MARKS = ("<!-- coverage -->", "<!-- end of coverage -->")
LEVEL = 0.95
OBJECTIVES = {"least squares": scaling.LeastSquares(log=True), "Huber 1e-3": scaling.LogHuber(1e-3)}
METHODS = {
    "covariance": scaling.Covariance(),
    "profile": scaling.Profile(),
    "bootstrap normal": scaling.Bootstrap(999, kind="normal"),
    "bootstrap residual": scaling.Bootstrap(999, kind="residual"),
    "bootstrap wild": scaling.Bootstrap(999, kind="wild"),
    "bootstrap percentile": scaling.Bootstrap(999, kind="residual", studentised=False),
}
KEYS = ["design", "objective", "method"]


@dataclass(frozen=True)
class Design:
    """The runs' points, the truth they are drawn from, and the points to predict."""

    law: Law
    N: Array
    P: Array
    noise: float  # standard deviation of the log loss
    points: dict[str, tuple[float, float]]  # name -> (N, P)
    tails: float = np.inf  # degrees of freedom of Student's t: inf is normal noise
    rows: int = 1  # rows a run, sharing 80 % of the noise's variance

    def quantity(self, law: Law) -> Array:
        """Parameters (A on the logarithm) and predictions at the points, (B, K)."""
        values = [np.log(np.maximum(law.A, 1e-300)) if n == "A" else getattr(law, n) for n in law.names()]  # type: ignore[attr-defined]
        N, P = (np.array(v) for v in zip(*self.points.values(), strict=True))
        fields = {n: np.asarray(getattr(law, n))[..., None] for n in law.names()}
        return np.concatenate([np.stack(values, -1), type(law)(**fields).predict(N=N, P=P)], axis=-1)

    @property
    def names(self) -> list[str]:
        """What `quantity` returns."""
        return [*self.law.names(), *self.points]


@cache
def designs() -> dict[str, Design]:
    """The designs that the module's docstring names."""
    runs = scaling.read_runs(ROOT / "results/published/losses.csv")
    stack = runs[runs.corpus == "stack-v2-python"]
    fit = scaling.fit(scaling.ParallelLaw, stack, scaling.LeastSquares(log=True))
    N, P = (np.array(v) for v in zip(*itertools.product((2e5, 8e5, 3.2e6), (1.0, 2.0, 4.0)), strict=True))
    small = scaling.ParallelLaw(E=1.7, A=2.3e5, alpha=0.31, k=0.37)
    sizes = np.geomspace(2.5e4, 4e5, 5)
    five = (np.array(v) for v in zip(*itertools.product(sizes, (1.0, 2.0, 4.0)), strict=True))
    tiny = {"inside": (1e5, 2.0), "N x 4": (1.6e6, 4.0), "P x 4": (2.5e4, 16.0)}
    scarce = scaling.ParallelLaw(E=1.0, A=1e7, alpha=0.17, k=0.2)
    wide = np.array([0.5, 0.7, 1.1, 1.6, 2.8, 4.4]) * 1e9
    valley = tuple(np.array(v) for v in zip(*itertools.product(wide, (1.0, 2.0, 4.0, 8.0)), strict=True))
    flat = (scaling.ParallelLaw(E=0.7, A=1.5e9, alpha=alpha, k=0.3) for alpha in (0.03, 0.08))
    far = {"inside": (1.7e9, 4.0), "N x 4": (1.8e10, 8.0), "P x 4": (5.4e8, 32.0)}
    near = {"inside": (8e5, 2.0), "N x 4": (1.28e7, 4.0), "P x 4": (2e5, 16.0)}
    return {
        "paper, 24 points": Design(fit.law, *fit.problem.x, fit.noise, far),
        "3 x 3 grid, 1 seed": Design(small, N, P, 2e-3, near),
        "paper, t noise (3 dof)": Design(fit.law, *fit.problem.x, fit.noise, far, tails=3.0),
        "15 runs, noise of .02": Design(scarce, *five, 0.02, tiny),
        "24 runs, alpha of .03": Design(next(flat), *valley, 0.005, far),
        "24 runs, alpha of .08": Design(next(flat), *valley, 0.01, far),
        "paper, 3 rows a run": Design(fit.law, *np.repeat(fit.problem.x, 3, 1), fit.noise, far, rows=3),
    }


def simulate(design: Design, objective: scaling.Objective, trials: int, seed: int) -> tuple[Problem, Array]:
    """Problems with y (T, n) drawn from the design's truth, and their optima θ (T, p)."""
    rng = np.random.default_rng(seed)
    truth = np.asarray(design.law.predict(N=design.N, P=design.P))
    shape = (trials, truth.size)
    unit = rng.standard_normal(shape) if np.isinf(design.tails) else rng.standard_t(design.tails, shape)
    if design.rows > 1:
        shared = rng.standard_normal((trials, truth.size // design.rows))
        unit = np.sqrt(0.8) * np.repeat(shared, design.rows, 1) + np.sqrt(0.2) * unit
    y = truth * np.exp(design.noise * unit)
    problem = Problem(type(design.law), (design.N, design.P), y, np.ones(truth.size), objective)
    start = np.repeat(problem.internal(design.law)[None], trials, 0)
    return problem, minimise(problem, start, tolerance=1e-12).theta


def intervals(
    method: Any, problem: Problem, theta: Array, quantity: Quantity, rows: int = 1
) -> tuple[Array, Array]:
    """Lower and upper ends, (T, K), of every trial."""
    if isinstance(method, scaling.Profile):
        _, ends = method.batch(problem, theta, quantity, LEVEL)
        return ends[:, 0], ends[:, 1]
    if isinstance(method, scaling.Covariance):
        half = t_of(problem, LEVEL) * errors_batch(problem, theta, quantity)
        estimate = quantity_values(problem, theta, quantity)
        return estimate - half, estimate + half
    base = scaling.fit(
        problem.law, dict(zip("NP", problem.x, strict=True)) | {"loss": problem.y[0]}, problem.objective
    )
    ends = []
    for i in range(len(theta)):
        law = problem.law.from_vector(problem.named(theta[i : i + 1])[0])
        groups = np.arange(base.loss.size) // rows if rows > 1 else None
        one = replace(base, law=law, problem=replace(problem, y=problem.y[i]), theta=theta[i], groups=groups)
        ends.append(replace(method, seed=i).interval(one, quantity, LEVEL)[1:])
    low, high = (np.stack(side) for side in zip(*ends, strict=True))
    return low, high


def cell(name: str, objective: str, method: str, trials: int, seed: int = 20260) -> pd.DataFrame:
    """Coverage of one method for one objective at one design, one row per quantity."""
    design = designs()[name]
    problem, theta = simulate(design, OBJECTIVES[objective], trials, seed)
    low, high = intervals(METHODS[method], problem, theta, design.quantity, design.rows)
    truth = design.quantity(type(design.law).from_vector(design.law.vector[None]))
    held = (low <= truth) & (truth <= high)
    length = np.where(np.isfinite(high - low), high - low, np.nan)
    rate = held.mean(0)
    return pd.DataFrame(
        {"design": name, "objective": objective, "method": method, "quantity": design.names, "coverage": rate,
         "below": (high < truth).mean(0), "above": (low > truth).mean(0),
         "standard_error": np.sqrt(rate * (1 - rate) / trials), "median_length": np.nanmedian(length, 0),
         "infinite": (~np.isfinite(high - low)).mean(0), "trials": trials}
    )  # fmt: skip


def study(cells: Iterable[tuple[str, str, str]], trials: int, table: Path, again: bool) -> pd.DataFrame:
    """Measure what the table lacks, or `again` all that is asked for, and write it after each cell."""
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=[*KEYS, "trials"])
    for name, objective, method in cells:
        same = (done[KEYS] == [name, objective, method]).all(axis=1)
        if same.any() and done.trials[same].min() >= trials and not again:
            continue
        fresh = cell(name, objective, method, trials)
        done = pd.concat([done[~same], fresh], ignore_index=True) if len(done) else fresh
        table.parent.mkdir(parents=True, exist_ok=True)
        done.to_csv(table, index=False, float_format="%.6g")
    return done


def markdown(table: pd.DataFrame) -> str:
    """Coverage in per cent, one row a design, objective and method."""
    order = [*designs(), *OBJECTIVES, *METHODS]
    head = "| design | objective | method | trials | E | A | alpha | k | inside | N x 4 | P x 4 |"
    lines = [head, "|---" * 11 + "|"]
    parts = dict(tuple(table.groupby(KEYS, sort=False)))
    for keys in sorted(parts, key=lambda k: tuple(order.index(part) for part in k)):
        cells = " | ".join(f"{100 * rate:.1f}" for rate in parts[keys].coverage)
        lines.append(f"| {' | '.join(keys)} | {parts[keys].trials.min()} | {cells} |")
    return "\n".join(lines)
