"""The solver: bounded Levenberg-Marquardt with variable projection on a whole batch of problems at once.

Knows no law and no statistics. Shapes as in `scaling.problem`: batch B, rows n, terms m, parameters p.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling.law import Array
from scaling.problem import TINY, Problem

PROJECTED = 5  # first steps of a descent that re-solve the coefficients (variable projection)
Constraint = Callable[[Array, Any], tuple[Array, Array]]  # θ (B, p), rows -> pull (B,), its gradient (B, p)


@dataclass(frozen=True)
class Solution:
    """Where each row of a batch ended."""

    theta: Array  # (B, p)
    value: Array  # (B,)
    slope: Array  # (B,): the largest cosine between the residuals and a free column; 0 at an optimum
    converged: Any  # (B,) bool


def starts(problem: Problem, keep: int) -> Array:
    """Start points θ (S, p): a grid of η, coefficients solved for; the best and a spread of the rest."""
    grids = [r.starts() for r in problem.law.nonlinear.values()]
    eta = np.array(list(itertools.product(*grids))).reshape(-1, len(grids))
    psi, _ = problem.basis(eta)
    w = problem.w * np.square(problem.scale / problem.y if problem.objective.log else problem.scale)
    b = _linear_fit(psi, w, problem.y)
    r = np.matmul(b[:, None], psi)[:, 0] - problem.y
    order = np.argsort((w * r * r).sum(-1), kind="stable")
    best = min(len(order), max(1, keep // 2))
    spread = (
        np.linspace(best, len(order) - 1, keep - best).astype(int) if len(order) > keep else order[best:] * 0
    )
    chosen = order[np.unique(np.concatenate([np.arange(best), spread]))]
    return np.asarray(np.concatenate([b, eta], axis=1)[chosen])


def _linear_fit(psi: Array, w: Array, y: Array) -> Array:
    """Coefficients b >= 0 (S, m) of the weighted least-squares fit of y on the basis (S, m, n)."""
    weighted = psi * (w if w.ndim == 1 else w[:, None])
    return _nonnegative(
        np.matmul(weighted, psi.swapaxes(1, 2)), (weighted * (y if y.ndim == 1 else y[:, None])).sum(-1)
    )


def _coefficients(problem: Problem, theta: Array, eta: Array) -> Array:
    """Coefficients at new η: one reweighted least-squares step with the weights of the residuals at θ.

    Variable projection: with the coefficients eliminated, the long curved valley between E and the
    exponents is gone and far starts take tens of steps fewer.
    """
    predicted = problem.predict(theta)
    r = problem.residual(predicted)
    w = problem.w * problem.objective.psi(r) / np.where(r == 0, 1.0, r)
    w = np.where(r == 0, problem.w * problem.objective.curvature(r), w)
    psi, _ = problem.basis(eta)
    unit = problem.scale / predicted if problem.objective.log else problem.scale
    return _linear_fit(psi, w * np.square(unit), problem.y)


def _nonnegative(gram: Array, moment: Array) -> Array:
    """Least squares with coefficients >= 0, (S, m), by trying every set of them: m is small."""
    m = moment.shape[-1]
    ridge = 1e-12 * np.einsum("sii->si", gram).max(-1)[:, None, None] * np.eye(m)
    b = np.linalg.solve(gram + ridge, moment[..., None])[..., 0]
    bad = np.flatnonzero((b < 0).any(-1))
    if not len(bad):
        return np.asarray(b)
    gram, moment, best = gram[bad] + ridge[bad], moment[bad], np.zeros((len(bad), m))
    lowest = np.zeros(len(bad))
    for size in range(m - 1, 0, -1):
        for some in itertools.combinations(range(m), size):
            ix = np.array(some)
            part = np.linalg.solve(gram[:, ix[:, None], ix], moment[:, ix, None])[..., 0]
            gain = -(part * moment[:, ix]).sum(-1)
            better = (part >= 0).all(-1) & (gain < lowest)
            lowest[better] = gain[better]
            best[better] = 0.0
            best[np.ix_(better, ix)] = part[better]
    b[bad] = best
    return np.asarray(b)


def minimise(
    problem: Problem,
    theta: Array,
    constraint: Constraint | None = None,
    tolerance: float = 1e-15,
    iterations: int = 200,
) -> Solution:
    """Minimise each row from θ (B, p) until a step would gain less than `tolerance` of the value.

    A constraint adds a pull on each row.
    """
    with np.errstate(
        all="ignore"
    ):  # a trial step that overflows has an objective of nan or inf and is refused
        for objective, close in problem.objective.smoother:
            smooth = replace(problem, objective=objective)
            theta = _descend(smooth, theta, constraint, close, iterations).theta
        return _descend(problem, theta, constraint, tolerance, iterations)


def _descend(
    problem: Problem, theta: Array, constraint: Constraint | None, tolerance: float, iterations: int
) -> Solution:
    theta = np.clip(theta, problem.lower, problem.upper)
    rows = np.arange(len(theta))
    damping = np.full(len(theta), 1e-3)
    value, slope, done = np.full(len(theta), np.inf), np.full(len(theta), np.inf), np.zeros(len(theta), bool)
    state = _normal(problem, theta, rows, constraint)
    for turn in range(iterations):
        f, g, H, D = state
        at = theta[rows]
        free = ~(
            (at <= problem.lower) & (g > 0)
            | (at >= problem.upper) & (g < 0)
            | (problem.lower == problem.upper)
        )
        cosine = (np.abs(g) * free / np.sqrt(np.maximum(D * f[:, None], TINY))).max(-1)
        step = _step(g * free, H, D, free, damping[rows])
        predicted = -(g * free * step).sum(-1)
        finished = (cosine < 1e-11) | (predicted <= tolerance * f) | (f < 1e-26)
        value[rows], slope[rows], done[rows] = f, cosine, finished
        stop = finished | (damping[rows] > 1e13)
        if stop.all():
            break
        keep = ~stop
        rows, at, step = rows[keep], at[keep], step[keep]
        f, state = f[keep], tuple(s[keep] for s in state)
        trial = np.clip(at + step, problem.lower, problem.upper)
        if constraint is None and turn < PROJECTED:
            trial[:, : problem.m] = _coefficients(problem.rows(rows), at, trial[:, problem.m :])
        new = _normal(problem, trial, rows, constraint)
        better = new[0] <= f
        theta[rows[better]] = trial[better]
        damping[rows] = np.where(better, np.maximum(damping[rows] * 0.1, 1e-12), damping[rows] * 8)
        state = tuple(
            np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(new, state, strict=True)
        )
    return Solution(theta, value, slope, done)


def _normal(problem: Problem, theta: Array, rows: Any, constraint: Constraint | None) -> tuple[Array, ...]:
    f, g, H, D = problem.rows(rows).normal(theta)
    if constraint is None:
        return f, g, H, D
    pull, grad = constraint(theta, rows)
    return (
        f + 0.5 * pull**2,
        g + pull[:, None] * grad,
        H + grad[:, :, None] * grad[:, None],
        D + grad**2,
    )


def _step(g: Array, H: Array, D: Array, free: Any, damping: Array) -> Array:
    """The damped Newton step of the free coordinates, scaled to a unit diagonal before it is solved."""
    scale = np.sqrt(np.maximum(np.maximum(D, np.einsum("bii->bi", H)), TINY))
    scaled = H / scale[:, :, None] / scale[:, None] * free[:, :, None] * free[:, None]
    diagonal = np.einsum("bii->bi", scaled)  # a view
    diagonal += np.where(free, damping[:, None] + 1e-14, 1.0)
    return np.asarray(np.linalg.solve(scaled, -(g / scale)[..., None])[..., 0] / scale)
