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
    internal_condition,
    scaled_jacobian,
    worst_direction,
)
from scaling.law import Array, Law
from scaling.objectives import LogHuber, Objective
from scaling.problem import TINY, Problem
from scaling.result import Fit
from scaling.solver import Solution, minimise, starts

STARTS = 16
QUICK = 30  # steps of a start; stragglers go on only if no two starts agree by then
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
    with np.errstate(all="ignore"):  # what overflows is refused or ends in the status
        return _certified(problem, start, excluded, groups)


def _certified(problem: Problem, start: int, excluded: int, groups: Any) -> Fit:
    small = _subsample(problem)
    begin = starts(small, start)
    rough = minimise(small, begin, tolerance=1e-7, iterations=QUICK)
    if agreement(rough) < 2:
        rough = minimise(small, rough.theta, tolerance=1e-7, warm=True)
    lowest, agreeing = int(np.argmin(rough.value)), agreement(rough)
    warm = len(problem.objective.smoother) < 2  # a narrow one is approached through all its widths again
    exact = 1e-15 if small is problem else 1e-12  # of a sum over many rows no more digits are known
    best = minimise(problem, rough.theta[lowest : lowest + 1], tolerance=exact, warm=warm)
    best, name, gap = _cross_check(problem, begin[min(1, len(begin) - 1)], best)
    law = problem.law.from_vector(problem.named(best.theta)[0])
    condition = internal_condition(problem, best.theta)
    status, detail, at_bound = find_status(problem, best, condition, agreeing, len(rough.value))
    own, worst = worst_direction(law, *scaled_jacobian(problem, law))
    certificate = Certificate(
        status, detail, len(rough.value), agreeing, float(best.slope[0]), own, worst, name, gap,
        at_bound, axis_notes(problem),
    )  # fmt: skip
    return Fit(law, problem, best.theta[0], certificate, excluded, groups)


def agreement(ends: Solution) -> int:
    """Starts that ended at the best objective."""
    return int((ends.value <= ends.value.min() * (1 + AGREE) + 1e-26).sum())


def _subsample(problem: Problem) -> Problem:
    """Evenly spaced rows in order of loss, enough to find the basin of attraction on."""
    n = problem.y.size
    if n <= SUBSAMPLE:
        return problem
    rows = np.argsort(problem.y, kind="stable")[np.linspace(0, n - 1, SUBSAMPLE).astype(int)]
    scale = problem.scale[rows] if isinstance(problem.scale, np.ndarray) else problem.scale
    x = tuple(a[rows] for a in problem.x)
    return replace(problem, x=x, y=problem.y[rows], w=problem.w[rows], scale=scale)


def _cross_check(problem: Problem, start: Array, ours: Solution) -> tuple[Solution, str, float]:
    """Minimise again with scipy's L-BFGS-B from a start of the grid, (p,); keep whichever ends lower."""
    name = "scipy L-BFGS-B"
    value = max(float(ours.value[0]), 1e-26)
    if problem.y.size > CROSS_CHECK_ROWS:
        return ours, f"{name}: not run on more than {CROSS_CHECK_ROWS:,} rows", float("nan")
    from scipy.optimize import minimize as scipy_minimise

    to_theta, bounds = _whitened(problem, ours.theta, value)

    def scaled(z: Array) -> tuple[float, Array]:
        f, g = problem.slope(to_theta @ z)
        return f / value, to_theta.T @ g / value

    begin = np.linalg.solve(to_theta, start)
    options = {"maxiter": 200, "ftol": 1e-7, "gtol": 1e-7}
    other = scipy_minimise(scaled, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    gap = float(other.fun) - 1.0
    if gap < -1e-9:
        better = minimise(problem, (to_theta @ other.x)[None], warm=True)
        if better.value[0] < ours.value[0]:
            ours = better
    return ours, name, gap


def _whitened(problem: Problem, theta: Array, value: float) -> tuple[Array, Any]:
    """θ = T z in which the objective, in units of its least value, curves alike in every direction.

    scipy's tests are absolute, and its first step is a unit step. At a bound the axes stay apart, so
    that bounds remain bounds.
    """
    _, _, H, D, _ = problem.normal(theta)
    size = 1 / np.sqrt(np.maximum(D[0] / value, TINY))
    held = (theta[0] <= problem.lower) | (theta[0] >= problem.upper)
    scaled = H[0] / value * size[:, None] * size
    if held.any() or not np.linalg.cond(scaled) < 1e10:
        return np.diag(size), list(zip(problem.lower / size, problem.upper / size, strict=True))
    half = np.linalg.cholesky(scaled)
    return size[:, None] * np.linalg.inv(half).T, None
