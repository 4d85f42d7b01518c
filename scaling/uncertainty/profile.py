"""Profile likelihood: a value is in the interval while refitting around it costs little.

Shapes as in `scaling.optimise.problem`: a batch of B optima, K quantities, two ends each: R = 2 B K rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.estimate import Estimate
from scaling.optimise.multi_start import QUICK, STARTS, SUBSAMPLE
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import minimise, starts
from scaling.uncertainty.condensed import MANY, condensed
from scaling.uncertainty.held_quantity import Held, noise_of, softened
from scaling.uncertainty.interval_methods import (
    Method,
    Quantity,
    expected_moments,
    quantity_values,
    rows_taken_as_independent,
    slopes,
    spread,
    spread_batch,
    standard_errors,
    t_of,
)
from scaling.uncertainty.own_quantity import Part, own_slopes, own_values
from scaling.uncertainty.profile_ends import FAR, Ends, WithExponents

TOGETHER = 100  # quantities of many rows that are searched at once: bounds the memory


@dataclass(frozen=True)
class Profile(Method):
    """Profile likelihood with an F threshold.

    The ends are the extremes of the quantity over {θ: objective(θ) <= minimum + c F(1, n - p)}. A refit with the
    quantity held at an end costs that much. c is the rise that one squared standard error is worth (`spread_batch`).
    Intervals are asymmetric if the data are, and infinite if no value is ruled out.

    Args:
        tolerance: of the ends, relative to the distance from the estimate.
        steps: the most steps per end.
    """

    label = "profile likelihood"
    tolerance: float = 1e-4  # of the distance to the end
    steps: int = 80

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; an end is ±inf where the objective never rises to the threshold.

        Above `condensed.MANY` rows it is the profile of the condensed problem about the same optimum.
        """
        return self.searched(fit, quantity, level)[:3]

    def searched(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array, Array]:
        """As `Method.searched`."""
        return self.at_thresholds(fit, quantity, level)

    def at_thresholds(
        self, fit: Estimate, quantity: Quantity, level: float, thresholds: Array | None = None
    ) -> tuple[Array, Array, Array, Array]:
        """`searched` of `quantity` of `fit` at thresholds of its own, in standard errors, (1, K).

        Without, at Student's t for `level`.
        """
        if fit.problem.y.size > MANY:
            return self._of_cells(fit, quantity, level, thresholds)
        estimate, ends, lost = self._batch(fit.problem, fit.theta[None], quantity, level, thresholds)
        return estimate[0], ends[0, 0], ends[0, 1], lost[0]

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        return rows_taken_as_independent(self) if fit.clustered else ""

    def described(self, fit: Estimate) -> str:
        """As `Method.described`: rows taken together in cells are said to be."""
        rows = fit.problem.y.size
        return f"{self.label}, {rows:,} rows in cells" if rows > MANY else self.label

    def _of_cells(
        self, fit: Estimate, quantity: Quantity, level: float, thresholds: Array | None = None
    ) -> tuple[Array, Array, Array, Array]:
        """`searched` of many rows: ends as far from the estimate as those of the cells from theirs."""
        residual = fit.problem.residual(fit.problem.predict(fit.theta[None]))
        square, slope = expected_moments(fit.problem, fit.theta[None], residual)
        few, start = condensed(fit.problem, fit.theta)
        best = minimise(few, start[None], tolerance=1e-14, warm=True).theta
        with np.errstate(all="ignore"):
            cov, _ = spread_batch(few, best)
            estimate = quantity_values(fit.problem, fit.theta[None], quantity)[0]
            t = np.broadcast_to(
                t_of(fit.problem, level) if thresholds is None else thresholds, (1, estimate.size)
            )
            found = [
                self._ends(few, best, Part(quantity, part), t[:, part], (cov, 0.5 * square / slope))
                for part in (slice(k, k + TOGETHER) for k in range(0, estimate.size, TOGETHER))
            ]
        centre, ends, lost = (np.concatenate(some, axis=-1) for some in zip(*found, strict=True))
        off = np.where(np.isfinite(estimate - centre[0]), estimate - centre[0], 0.0)
        lower, upper = ends[0] + off
        return estimate, np.minimum(lower, estimate), np.maximum(upper, estimate), lost[0]

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
        return self._batch(problem, theta, quantity, level, thresholds)[:2]

    def _batch(
        self, problem: Problem, theta: Array, quantity: Quantity, level: float, thresholds: Array | None
    ) -> tuple[Array, Array, Array]:
        """`batch`, and which ends (B, 2, K) no refit confirmed."""
        t = t_of(problem, level)
        if not np.isfinite(t):
            estimate = quantity_values(problem, theta, quantity)
            shape = (len(theta), 2, estimate.shape[1])
            open_ends = np.array([-np.inf, np.inf])[:, None]
            return estimate, np.broadcast_to(open_ends, shape), np.zeros(shape, bool)
        own: Any = t if thresholds is None else thresholds
        with np.errstate(all="ignore"):
            return self._ends(problem, theta, quantity, own, spread_batch(problem, theta))

    def _ends(
        self,
        problem: Problem,
        theta: Array,
        quantity: Quantity,
        t: Array | float,
        spread: tuple[Array, Array],
    ) -> tuple[Array, Array, Array]:
        """Estimates (B, K) and ends (B, 2, K) at t standard errors, (B, K) or one, where the law is linear.

        Last, which ends no refit confirmed, (B, 2, K).

        spread: covariances (B, p, p) at the optima and the rises (B,) worth one squared standard error.
        """
        estimate = quantity_values(problem, theta, quantity)
        B, K = estimate.shape
        more = WithExponents(quantity, problem.law, K)
        noise = noise_of(problem, theta)
        soft, every = softened(problem, noise), quantity_values(problem, theta, more)
        t = _for_each(t, every.shape)
        climb = _Climb(soft, theta, more, every, t, spread)
        proposed = climb.run(self.steps, self.tolerance)
        lowest = climb.lowest if soft is problem else problem.value(theta)[climb.of]
        held = Held(
            problem.batch(climb.of),
            more,
            climb.k,
            climb.estimate,
            lowest,
            climb.allowed,
            noise,
            climb.problem,
        )
        others = valleys(soft) if B == 1 else theta[:0]
        search = Ends(held, climb.theta, climb.side, climb.se, climb.t, (B, K), others)
        ends = search.run(*proposed)
        return estimate, ends, search.unconfirmed

    def curve(self, fit: Estimate, quantity: Quantity, at: Any) -> Array:
        """Rise of the objective of `fit`, in squared standard errors, one quantity held at values `at` (G,).

        The square root of this against `at` is a straight line where the covariance tells the truth.
        """
        at = np.asarray(at, dtype=np.float64)
        se = standard_errors(fit, quantity)[0]
        unit = max(spread(fit)[1], TINY)  # an exact fit has none
        scale = se if np.isfinite(se) else 0.1 * (np.ptp(at) or 1.0)  # none at a bound
        stiffness = 10 * np.sqrt(unit) / scale
        theta, aim = np.repeat(fit.theta[None], at.size, 0), at.copy()

        def pull(theta: Array, rows: Any) -> tuple[Array, Array]:
            value = quantity_values(fit.problem, theta, quantity)[:, 0] - aim[rows]
            return stiffness * value, stiffness * slopes(fit.problem, theta, quantity)[:, :, 0]

        for _ in range(3):  # method of multipliers: a pull stiff enough to hold at once would stall
            theta = minimise(fit.problem, theta, pull, tolerance=1e-9, iterations=60).theta
            aim += at - quantity_values(fit.problem, theta, quantity)[:, 0]
        return np.asarray(np.maximum(fit.problem.value(theta) - fit.objective_value, 0) / unit)


_VALLEYS: WeakKeyDictionary[Problem, Array] = WeakKeyDictionary()


def valleys(problem: Problem) -> Array:
    """Optima of a problem from its grid of starts, (V, p), none twice; kept as long as the problem is.

    Two terms of a law may change places, and a confidence set has then two parts.
    """
    if problem not in _VALLEYS:
        if problem.y.size > SUBSAMPLE:
            return np.zeros((0, problem.lower.size))
        found = minimise(problem, starts(problem, STARTS, far=True), tolerance=1e-7, iterations=QUICK).theta
        _VALLEYS[problem] = found[np.unique(found.round(3), axis=0, return_index=True)[1]]
    return _VALLEYS[problem]


def _for_each(t: Array | float, shape: tuple[int, int]) -> Array:
    """Thresholds of quantities and of the parameters after them, (B, K + the parameters).

    A parameter only guides the search, its ends are not given: it has the quantities' median.
    """
    own = np.atleast_2d(t)
    guides = np.repeat(np.median(own, axis=1, keepdims=True), shape[1] - own.shape[1], axis=1)
    return np.asarray(np.broadcast_to(np.concatenate([own, guides], axis=1), shape))


class _Climb:
    """Pushes each quantity to its extreme inside its likelihood region, all rows (R,) at once.

    A step solves  max ±aᵀδ  subject to  g·δ + ½ δᵀHδ = room  (a the quantity's slope, g the objective's,
    room what is left under the threshold): δ = -H⁻¹g ± H⁻¹a sqrt((2 room + gᵀH⁻¹g) / aᵀH⁻¹a).
    H is the Hessian of the reweighted least squares: a parabola through a robust loss that lies nowhere
    below it, so that a step stays inside the region and the quantity only rises. With the loss's expected
    curvature in its place the steps of a narrow Huber run in circles around its kinks. Fixed points are
    those of Venzon and Moolgavkar 1988; no second derivative of the law is needed.
    """

    def __init__(
        self,
        problem: Problem,
        theta: Array,
        quantity: Quantity,
        estimate: Array,
        t: Array,
        spread: tuple[Array, Array],
    ) -> None:
        B, K = estimate.shape
        b, side, k = (v.ravel() for v in np.meshgrid(np.arange(B), [-1.0, 1.0], np.arange(K), indexing="ij"))
        cov, unit = spread
        self.of, self.problem, self.quantity, self.k, self.side = b, problem.batch(b), quantity, k, side
        self.theta, self.estimate = theta[b], estimate[b, k]
        self.allowed = t[b, k] ** 2 * unit[b]
        self.lowest = minimise(problem, theta, warm=True, iterations=60).value[b]
        self.t = t[b, k]
        gradient = slopes(problem, theta, quantity)
        se = np.sqrt(np.maximum(np.einsum("bpk,bpq,bqk->bk", gradient, cov, gradient), 0))[b, k]
        # A quantity at its bound has no standard error; off the bound the first step tells its scale.
        delta, slope = self._aim(self.theta, np.arange(self.k.size), np.zeros(self.k.size))
        first = np.abs((slope * delta).sum(-1)) / self.t
        least = 0.1 * np.maximum(np.abs(self.estimate), 1e-3)
        self.se = np.where(se > 0, se, np.where(np.isfinite(first), np.maximum(first, least), least))

    def run(self, steps: int, tolerance: float) -> tuple[Array, Array]:
        """Proposals for the ends, (R,), and where they are, (R, p): to be checked, they may be wrong."""
        reached = self.estimate.copy()
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
            value = own_values(self.problem.batch(rows), theta[rows], self.quantity, self.k[rows])
            out = self.side[rows] * (value - self.estimate[rows])
            change = np.abs(value - last[rows])
            close = np.abs(rise[rows] - allowed) <= 2 * tolerance * allowed
            settled = (
                inside & (trust[rows] == 1) & (change <= tolerance * np.maximum(out, 1e-9 * self.se[rows]))
            )
            last[rows] = reached[rows] = value
            stuck = trust[rows] < 1e-6
            done = (settled & (close | (rise[rows] < allowed))) | stuck
            far = (out > FAR * self.se[rows]) | ~np.isfinite(value)
            rows = rows[~(done | far)]
            if not rows.size:
                break
        return reached, theta

    def _step(self, theta: Array, rows: Any, rise: Array, trust: Array) -> Array:
        """θ after one step of size `trust`, (r, p), clipped to the law's bounds."""
        delta, _ = self._aim(theta, rows, rise)
        return np.clip(theta + trust[:, None] * delta, self.problem.lower, self.problem.upper)

    def _aim(self, theta: Array, rows: Any, rise: Array) -> tuple[Array, Array]:
        """The whole step of each row and its quantity's slope, (r, p) both; none through a bound."""
        problem = self.problem.batch(rows)
        slope = own_slopes(problem, theta, self.quantity, self.k[rows])
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
            free &= ~(problem.at_lower(theta) & (delta < 0) | problem.at_upper(theta) & (delta > 0))
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
