"""Profile likelihood: a value is in the interval while refitting around it costs little.

Shapes as in `scaling.problem`; K quantities have 2 K ends, one row of the batch each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling.law import Array
from scaling.method import Method, Quantity, evaluate, slopes, spread, standard_errors, t_quantile
from scaling.solver import minimise

if TYPE_CHECKING:
    from scaling.result import Fit


@dataclass(frozen=True)
class Profile(Method):
    """Profile likelihood with an F threshold: a value is in while refitting around it costs little.

    The end points solve  min{objective: quantity = t} = minimum + c F(1, n - p), where c is the rise one
    squared standard error is worth (`spread`). Asymmetric where the data are; inf where no value is
    ruled out.
    """

    tolerance: float = 1e-3  # of the threshold, on the scale of standard errors
    steps: int = 40

    def interval(self, fit: Fit, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; an end is ±inf where the objective never rises to the threshold."""
        se = standard_errors(fit, quantity)
        target = t_quantile(fit, level)
        estimate = evaluate(fit.problem, fit.theta[None], quantity)[0]
        if not np.isfinite(target):
            return estimate, np.full_like(estimate, -np.inf), np.full_like(estimate, np.inf)
        ends = _profile_ends(fit, quantity, estimate, se, target, self)
        return estimate, ends[0], ends[1]

    def curve(self, fit: Fit, quantity: Quantity, at: Any) -> Array:
        """Rise of the objective, in squared standard errors, with one quantity held at values `at` (G,).

        The square root of this against `at` is a straight line where the covariance tells the truth.
        """
        at = np.asarray(at, dtype=np.float64)
        se = standard_errors(fit, quantity)[:1]
        theta = np.repeat(fit.theta[None], at.size, 0)
        search = _Search(
            fit, quantity, np.zeros(at.size, int), np.where(np.isfinite(se), se, 0.1)[[0] * at.size]
        )
        _, rise, _ = search.at(theta, at)
        return np.asarray(rise**2)


class _Search:
    """Refits with quantity k_i held near t_i by a stiff pull, one row i a side of an interval."""

    def __init__(self, fit: Fit, quantity: Quantity, k: Any, se: Array) -> None:
        self.problem, self.quantity, self.k = fit.problem, quantity, k
        _, self.unit = spread(fit)
        self.lowest = fit.objective_value
        self.stiffness = 300 * np.sqrt(max(self.unit, 1e-300)) / se

    def at(self, theta: Array, t: Array, rows: Any = slice(None)) -> tuple[Array, Array, Array]:
        """θ, rise in standard errors and the quantity reached, with rows held at t."""
        k, stiffness = self.k[rows], self.stiffness[rows]

        def pull(at: Array, some: Any) -> tuple[Array, Array]:
            pick = np.arange(len(at)), k[some]
            value = evaluate(self.problem, at, self.quantity)[pick]
            gradient = slopes(self.problem, at, self.quantity)[pick[0], :, pick[1]]
            return stiffness[some] * (value - t[some]), stiffness[some][:, None] * gradient

        end = minimise(self.problem, theta, pull, tolerance=1e-9, iterations=60).theta
        rise = np.sqrt(np.maximum(self.problem.value(end) - self.lowest, 0) / self.unit)
        return end, rise, evaluate(self.problem, end, self.quantity)[np.arange(len(end)), k]


def _profile_ends(
    fit: Fit, quantity: Quantity, estimate: Array, se: Array, target: float, how: Profile
) -> Array:
    """Both end points of K quantities, (2, K), by a bracketed secant on (distance, rise)."""
    K = estimate.size
    k, side = np.tile(np.arange(K), 2), np.repeat([-1.0, 1.0], K)
    start = np.where(np.isfinite(se), se, 0.1 * np.maximum(np.abs(estimate), 1e-3))[k]
    search = _Search(fit, quantity, k, start)
    theta = np.repeat(fit.theta[None], 2 * K, 0)
    inner, z_inner = np.zeros(2 * K), np.zeros(2 * K)  # distance and rise known to be inside
    outer, z_outer = np.full(2 * K, np.inf), np.full(2 * K, np.inf)
    d, found = target * start, np.full(2 * K, np.nan)
    for _ in range(how.steps):
        rows = np.flatnonzero(np.isnan(found))
        if not rows.size:
            break
        theta[rows], z, reached = search.at(theta[rows], estimate[k[rows]] + side[rows] * d[rows], rows)
        went = side[rows] * (reached - estimate[k[rows]])  # the distance really reached
        stuck = (went < 0.9 * d[rows]) & (z < target)  # a bound of the law stops the quantity here
        done = (np.abs(z - target) <= how.tolerance * target) | stuck
        found[rows[done]] = reached[done]
        far = ~done & (d[rows] > 1e4 * start[rows]) & (z < target)
        found[rows[far]] = side[rows[far]] * np.inf
        low = z < target
        inner[rows] = np.where(low, np.maximum(went, inner[rows]), inner[rows])
        z_inner[rows] = np.where(low, z, z_inner[rows])
        outer[rows] = np.where(low, outer[rows], went)
        z_outer[rows] = np.where(low, z_outer[rows], z)
        d[rows] = _next_distance(inner[rows], z_inner[rows], outer[rows], z_outer[rows], went, z, target)
    d = np.where(np.isnan(found), np.where(np.isfinite(outer), outer, np.inf), 0)
    return np.where(np.isnan(found), estimate[k] + side * d, found).reshape(2, K)


def _next_distance(
    inner: Array, z_inner: Array, outer: Array, z_outer: Array, went: Array, z: Array, target: float
) -> Array:
    grow = went * np.clip(1.05 * target / np.maximum(z, 1e-12), 1.3, 5.0)
    with np.errstate(invalid="ignore"):
        share = np.clip((target - z_inner) / (z_outer - z_inner), 0.02, 0.98)
        between = inner + share * (outer - inner)
    return np.where(np.isfinite(outer), between, np.maximum(grow, 1e-300))
