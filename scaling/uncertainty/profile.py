"""Profile likelihood: a value is in the interval while refitting around it costs little.

Shapes as in `scaling.optimise.problem`: a batch of B optima, K quantities, two ends each: R = 2 B K rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.base import (
    Method,
    Quantity,
    evaluate,
    rows_taken_as_independent,
    slopes,
    spread,
    spread_batch,
    standard_errors,
    t_of,
)

FAR = 1e4  # standard errors from the estimate at which an end counts as infinite


@dataclass(frozen=True)
class Profile(Method):
    """Profile likelihood with an F threshold.

    The ends are the extremes of the quantity over {θ: objective(θ) <= minimum + c F(1, n - p)}, which is
    where a refit with the quantity held costs that much; c is the rise one squared standard error is
    worth (`spread_batch`). Asymmetric where the data are; infinite where no value is ruled out.
    """

    label = "profile likelihood"
    tolerance: float = 1e-4  # of the distance to the end
    steps: int = 200

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; an end is ±inf where the objective never rises to the threshold."""
        estimate, ends = self.batch(fit.problem, fit.theta[None], quantity, level)
        return estimate[0], ends[0, 0], ends[0, 1]

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        return rows_taken_as_independent(self) if fit.clustered else ""

    def batch(
        self,
        problem: Problem,
        theta: Array,
        quantity: Quantity,
        level: float,
        thresholds: Array | None = None,
    ) -> tuple[Array, Array]:
        """Estimates (B, K) of a quantity and ends (B, 2, K) at `level`, of a problem's optima theta.

        thresholds: in standard errors, (B, K), in place of Student's t.
        """
        estimate = evaluate(problem, theta, quantity)
        B, K = estimate.shape
        t = np.full((B, K), t_of(problem, level)) if thresholds is None else thresholds
        if not np.isfinite(t).all():
            return estimate, np.broadcast_to(np.array([-np.inf, np.inf])[:, None], (B, 2, K))
        with np.errstate(all="ignore"):
            climb = _Climb(problem, theta, quantity, estimate, t)
            return estimate, climb.run(self.steps, self.tolerance).reshape(B, 2, K)

    def curve(self, fit: Estimate, quantity: Quantity, at: Any) -> Array:
        """Rise of the objective of `fit`, in squared standard errors, one quantity held at values `at` (G,).

        The square root of this against `at` is a straight line where the covariance tells the truth.
        """
        at = np.asarray(at, dtype=np.float64)
        se = standard_errors(fit, quantity)[0]
        _, unit = spread(fit)
        scale = se if np.isfinite(se) else 0.1 * (np.ptp(at) or 1.0)  # none at a bound
        stiffness = 10 * np.sqrt(max(unit, TINY)) / scale
        theta, aim = np.repeat(fit.theta[None], at.size, 0), at.copy()

        def pull(theta: Array, rows: Any) -> tuple[Array, Array]:
            value = evaluate(fit.problem, theta, quantity)[:, 0] - aim[rows]
            return stiffness * value, stiffness * slopes(fit.problem, theta, quantity)[:, :, 0]

        for _ in range(3):  # method of multipliers: a pull stiff enough to hold at once would stall
            theta = minimise(fit.problem, theta, pull, tolerance=1e-9, iterations=60).theta
            aim += at - evaluate(fit.problem, theta, quantity)[:, 0]
        return np.asarray(np.maximum(fit.problem.value(theta) - fit.objective_value, 0) / unit)


class _Climb:
    """Pushes each quantity to its extreme inside its likelihood region, all rows (R,) at once.

    A step solves  max ±aᵀδ  subject to  g·δ + ½ δᵀHδ = room  (a the quantity's slope, g the objective's,
    room what is left under the threshold): δ = -H⁻¹g ± H⁻¹a sqrt((2 room + gᵀH⁻¹g) / aᵀH⁻¹a).
    H is the Hessian of the reweighted least squares: a parabola through a robust loss that lies nowhere
    below it, so that a step stays inside the region and the quantity only rises. With the loss's expected
    curvature in its place the steps of a narrow Huber run in circles around its kinks. Fixed points are
    those of Venzon and Moolgavkar 1988; no second derivative of the law is needed.
    """

    def __init__(self, problem: Problem, theta: Array, quantity: Quantity, estimate: Array, t: Array) -> None:
        B, K = estimate.shape
        b, side, k = (v.ravel() for v in np.meshgrid(np.arange(B), [-1.0, 1.0], np.arange(K), indexing="ij"))
        cov, unit = spread_batch(problem, theta)
        self.problem, self.quantity, self.k, self.side = problem.batch(b), quantity, k, side
        self.theta, self.estimate = theta[b], estimate[b, k]
        self.allowed = t[b, k] ** 2 * unit[b]
        self.lowest = problem.value(theta)[b]
        gradient = slopes(problem, theta, quantity)
        se = np.sqrt(np.maximum(np.einsum("bpk,bpq,bqk->bk", gradient, cov, gradient), 0))[b, k]
        # A quantity at its bound has no standard error; off the bound the first step tells its scale.
        delta, slope = self._aim(self.theta, np.arange(self.k.size), np.zeros(self.k.size))
        first = np.abs((slope * delta).sum(-1)) / t[b, k]
        least = 0.1 * np.maximum(np.abs(self.estimate), 1e-3)
        self.se = np.where(se > 0, se, np.where(np.isfinite(first), np.maximum(first, least), least))

    def run(self, steps: int, tolerance: float) -> Array:
        """The ends, (R,)."""
        reached = np.full(self.k.size, np.nan)  # the furthest value seen inside the region
        last, trust = self.estimate.copy(), np.ones(self.k.size)
        rows = np.arange(self.k.size)
        theta, rise = self.theta.copy(), np.zeros(self.k.size)
        for _ in range(steps):
            trial = self._step(theta[rows], rows, rise[rows], trust[rows])
            up = self.problem.batch(rows).value(trial) - self.lowest[rows]
            allowed = self.allowed[rows]
            inside = up <= 1.5 * allowed  # further out the quadratic is no guide: try half the step
            trust[rows] = np.where(inside, np.minimum(1.0, 2 * trust[rows]), 0.4 * trust[rows])
            moved = rows[inside]
            theta[moved], rise[moved] = trial[inside], up[inside]
            value = evaluate(self.problem.batch(rows), theta[rows], self.quantity)[
                np.arange(rows.size), self.k[rows]
            ]
            out = self.side[rows] * (value - self.estimate[rows])
            change = np.abs(value - last[rows])
            close = np.abs(rise[rows] - allowed) <= 2 * tolerance * allowed
            settled = (
                inside & (trust[rows] == 1) & (change <= tolerance * np.maximum(out, 1e-9 * self.se[rows]))
            )
            last[rows] = reached[rows] = value
            stuck = trust[rows] < 1e-6
            done = (settled & (close | (rise[rows] < allowed))) | stuck
            far = (out > FAR * self.se[rows]) | ~np.isfinite(value) | (stuck & (rise[rows] < 0.5 * allowed))
            reached[rows[far]] = self.side[rows[far]] * np.inf
            rows = rows[~(done | far)]
            if not rows.size:
                break
        return reached

    def _step(self, theta: Array, rows: Any, rise: Array, trust: Array) -> Array:
        """θ after one step of size `trust`, (r, p), clipped to the law's bounds."""
        delta, _ = self._aim(theta, rows, rise)
        return np.clip(theta + trust[:, None] * delta, self.problem.lower, self.problem.upper)

    def _aim(self, theta: Array, rows: Any, rise: Array) -> tuple[Array, Array]:
        """The whole step of each row and its quantity's slope, (r, p) both; none through a bound."""
        problem = self.problem.batch(rows)
        slope = slopes(problem, theta, self.quantity)[np.arange(rows.size), :, self.k[rows]]
        r, J = problem.linearised(theta)
        a = self.side[rows, None] * slope
        _, psi, _, weight = problem.objective.parts(r)
        g = np.matmul(J, (problem.w * psi)[..., None])[..., 0]
        H = np.matmul(J * (problem.w * weight)[:, None], J.swapaxes(1, 2))
        room = self.allowed[rows] - rise
        free = np.ones_like(theta, dtype=bool)
        for _ in range(2):  # the second time without what would leave the bounds
            free &= problem.lower < problem.upper
            delta = _extreme(a * free, g * free, H, free, room)
            free &= ~((theta <= problem.lower) & (delta < 0) | (theta >= problem.upper) & (delta > 0))
        return delta, slope


def _extreme(a: Array, g: Array, H: Array, free: Any, room: Array) -> Array:
    """δ (R, p) that takes aᵀδ furthest on the model's contour."""
    scale = np.sqrt(np.maximum(np.einsum("bii->bi", H), TINY))
    scale = np.maximum(scale, 1e-6 * scale.max(-1, keepdims=True))  # what changes nothing still has a step
    scaled = H / scale[:, :, None] / scale[:, None] * free[:, :, None] * free[:, None]
    diagonal = np.einsum("bii->bi", scaled)  # a view
    diagonal += np.where(free, 1e-10, 1.0)
    both = np.linalg.solve(scaled, np.stack([g / scale, a / scale], axis=-1))
    down, along = both[..., 0] / scale, both[..., 1] / scale
    reach = np.maximum(2 * room + (g * down).sum(-1), 0) / np.maximum((a * along).sum(-1), TINY)
    return np.asarray((np.sqrt(reach)[:, None] * along - down) * free)
