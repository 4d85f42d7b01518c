"""Fitting a law to runs: one call in, one value out, with its certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scaling.certificate import (
    AGREE,
    Certificate,
    axis_notes,
    find_status,
    scaled_jacobian,
    worst_direction,
)
from scaling.law import Array, Law
from scaling.objectives import LogHuber, Objective
from scaling.problem import Problem
from scaling.result import Fit
from scaling.solver import Solution, minimise, starts

STARTS = 16
SUBSAMPLE = 2_000  # rows that starts are tried on; the best is polished on all
CROSS_CHECK_ROWS = 20_000  # above this the second algorithm would cost more than the fit


class FitError(ValueError):
    """No usable answer: the message says what is missing."""


def fit(
    law: type[Law],
    table: Any,
    objective: Objective | None = None,
    *,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    start: int = STARTS,
) -> Fit:
    """Fit a law class to a runs table (DataFrame or mapping with the law's axes and `loss`).

    objective: LogHuber(1e-3) unless told (the published procedure's; arXiv 2505.10475).
    weights: how much each row counts, a column name or (n,), >= 0. se: standard error of each row's
    loss in nats per token, a column name or (n,); residuals are divided by it. groups: column name or
    labels of the configuration or run a row belongs to (checkpoints of one run are one cluster).
    Deterministic. Raises ValueError naming the first bad row and value, FitError where there are fewer
    rows than parameters. A doubtful answer is returned with a status, not raised.
    """
    from scaling.data import arrays, usable

    data, excluded = arrays(table, law.axes)
    keep = usable(table)
    y = data.pop("loss")
    n, p = y.size, len(law.free())
    if n < p:
        raise FitError(
            f"{n} usable rows for the {p} parameters of {law.__name__}: add runs or take a smaller law"
        )
    problem = Problem(
        law,
        tuple(data.values()),
        y,
        _column(table, weights, keep, "weights", zero=True),
        objective or LogHuber(),
    )
    if se is not None:
        spread = _column(table, se, keep, "se") / (y if problem.objective.log else 1.0)
        problem = replace(problem, scale=np.exp(np.log(spread).mean()) / spread)
    labels = (
        None if groups is None else np.asarray(table[groups] if isinstance(groups, str) else groups)[keep]
    )
    return solve(problem, start, excluded, labels)


def _column(table: Any, given: Any, keep: Any, name: str, zero: bool = False) -> Array:
    if given is None:
        return np.ones(int(keep.sum()))
    values = np.asarray(table[given] if isinstance(given, str) else given, dtype=np.float64)
    if values.shape != keep.shape:
        raise ValueError(f"{name} has shape {values.shape} for {keep.size} rows")
    values = values[keep]
    bad = ~(np.isfinite(values) & (values >= 0 if zero else values > 0))
    if bad.any() or not values.any():
        row = int(np.flatnonzero(bad)[0]) if bad.any() else 0
        raise ValueError(
            f"{name}: row {row + 1} is {values[row]:g}; it must be {'>= 0, not all 0' if zero else '> 0'}"
        )
    return np.asarray(values)


def solve(problem: Problem, start: int = STARTS, excluded: int = 0, groups: Any = None) -> Fit:
    """Minimise a problem from many starts, cross-check it and certify the answer."""
    if (problem.w == 0).any():  # a weight of zero leaves the row out, of the counts and centres too
        used = problem.w > 0
        scale = problem.scale[used] if isinstance(problem.scale, np.ndarray) else problem.scale
        x = tuple(a[used] for a in problem.x)
        problem = replace(problem, x=x, y=problem.y[used], w=problem.w[used], scale=scale)
        groups = None if groups is None else groups[used]
        excluded += int((~used).sum())
    small = _subsample(problem)
    rough = minimise(small, starts(small, start), tolerance=1e-7)
    order = np.argsort(rough.value, kind="stable")
    best = minimise(problem, rough.theta[order[:1]])
    agreeing = int((rough.value <= rough.value[order[0]] * (1 + AGREE) + 1e-26).sum())
    best, name, gap = _cross_check(problem, rough.theta[order[-1:]], best)
    law = problem.law.from_vector(problem.named(best.theta)[0])
    _, J = problem.linearised(best.theta)
    length = np.sqrt((J[0] ** 2).sum(-1))
    live = problem.lower < problem.upper
    unit = (J[0] / np.where(length > 0, length, 1.0)[:, None])[live]
    condition = float(np.linalg.cond(unit.T)) if (length[live] > 0).all() else float("inf")
    status, detail, at_bound = find_status(problem, best, condition, agreeing, len(rough.value))
    own, worst = worst_direction(law, *scaled_jacobian(problem, law))
    certificate = Certificate(
        status, detail, len(rough.value), agreeing, float(best.slope[0]), own, worst, name, gap,
        at_bound, axis_notes(problem),
    )  # fmt: skip
    return Fit(law, problem, best.theta[0], certificate, excluded, groups)


def _subsample(problem: Problem) -> Problem:
    """Evenly spaced rows in order of loss, enough to find the basin of attraction on."""
    n = problem.y.size
    if n <= SUBSAMPLE:
        return problem
    rows = np.argsort(problem.y, kind="stable")[np.linspace(0, n - 1, SUBSAMPLE).astype(int)]
    scale = problem.scale[rows] if isinstance(problem.scale, np.ndarray) else problem.scale
    x = tuple(a[rows] for a in problem.x)
    return replace(problem, x=x, y=problem.y[rows], w=problem.w[rows], scale=scale)


def _cross_check(problem: Problem, theta: Array, ours: Solution) -> tuple[Solution, str, float]:
    """Minimise again with scipy's L-BFGS-B from another start; keep whichever ends lower."""
    name = "scipy L-BFGS-B"
    value = max(float(ours.value[0]), 1e-26)
    if problem.y.size > CROSS_CHECK_ROWS:
        return ours, f"{name}: not run on more than {CROSS_CHECK_ROWS:,} rows", float("nan")
    from scipy.optimize import minimize

    # In units of the curvature at our answer; scipy's tests are absolute, so the value is scaled too.
    unit = 1 / np.sqrt(np.maximum(problem.normal(ours.theta)[3][0] / value, 1e-300))

    def scaled(z: Array) -> tuple[float, Array]:
        f, g, _, _ = problem.normal((z * unit)[None])
        return float(f[0]) / value, g[0] * unit / value

    with np.errstate(all="ignore"):
        bounds = list(zip(problem.lower / unit, problem.upper / unit, strict=True))
        other = minimize(
            scaled, theta[0] / unit, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300}
        )
    gap = float(other.fun) - 1.0
    if gap < -1e-9:
        better = minimise(problem, other.x[None] * unit)
        if better.value[0] < ours.value[0]:
            ours = better
    return ours, name, gap
