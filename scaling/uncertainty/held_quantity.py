"""The best fit with one quantity held at a value, for a whole batch of rows at once.

Reduced-gradient steps: each is the damped Newton step along the surface on which the quantity has its
value, followed by corrections back to that surface, and is kept only if the objective falls. No penalty is
involved, so a row that comes back meets its value. Shapes as in `scaling.problem`: R rows, each with a
quantity of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.objectives import LogHuber
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.robust_scale import location_scale
from scaling.uncertainty.interval_methods import Quantity
from scaling.uncertainty.own_quantity import own_slopes, own_values

STEPS = 60  # of one refit
BACK = 8  # corrections back to the surface
MEETS = 1e-5  # of the distance to the estimate: a row this near to its value has it
ARRIVED = 2e-4  # of the threshold: a refit whose next step would gain less has arrived
EXACT = 1e-9  # of the loss: residuals this small are rounding
SOFT = 0.05  # of the noise: the width at which narrow absolute deviations are rounded off
WIDER = (10.0, 3.0)  # times that width: what a refit of such deviations follows first


@dataclass(frozen=True)
class HeldFit:
    """Where refits with a quantity held ended, r rows."""

    theta: Array  # (r, p)
    rise: Array  # of the objective over its minimum, as a share of the threshold, (r,)
    value: Array  # of the quantity, (r,)
    met: Any  # whether the quantity has the value asked for, (r,) bool
    arrived: Any  # whether the refit converged, (r,) bool


def softened(problem: Problem, theta: Array) -> Problem:
    """The problem with absolute deviations rounded off within SOFT of the noise about θ (B, p).

    Newton steps cannot follow narrower kinks. The rise of the objective changes by less than a hundredth.
    """
    delta = getattr(problem.objective, "delta", None)
    if delta is None:
        return problem
    r = problem.residual(problem.predict(theta))
    w = np.broadcast_to(problem.w, r.shape)
    width = SOFT * float(np.median(location_scale(problem, r, w, problem.inside(theta).sum(-1))[1]))
    return _rounded(problem, width) if width > delta else problem


def _rounded(problem: Problem, width: float) -> Problem:
    """The problem with another width of its rounding, its slope far out the same."""
    objective: Any = problem.objective
    if isinstance(objective, LogHuber):  # whose slope there is delta
        share = objective.delta / width
        return replace(problem, objective=type(objective)(width, objective.log), w=problem.w * share)
    return replace(problem, objective=replace(objective, delta=width))


class Held:
    """Refits of R rows, each with its own quantity held.

    k: which of the quantities a row holds, (R,); estimate and lowest: the quantity and the objective at the
    row's optimum, (R,); allowed: the rise of the objective that counts as 1, (R,).
    """

    def __init__(
        self,
        problem: Problem,
        quantity: Quantity,
        k: Any,
        estimate: Array,
        lowest: Array,
        allowed: Array,
        narrow: bool = False,
    ) -> None:
        self.problem, self.quantity, self.k = problem, quantity, k
        self.estimate, self.lowest, self.allowed = estimate, lowest, allowed
        delta: Any = getattr(problem.objective, "delta", None)
        self.wider = tuple(_rounded(problem, delta * more) for more in WIDER) if narrow else ()

    def refit(self, theta: Array, target: Array, rows: Any) -> HeldFit:
        """The best fits with the quantities of `rows` (r,) held at target (r,), from θ (r, p)."""
        for problem in self.wider:
            theta = self._descend(problem, theta, target, rows)[0]
        out_theta, out_f, close, arrived = self._descend(self.problem, theta, target, rows)
        value = own_values(self.problem.batch(rows), out_theta, self.quantity, self.k[rows])
        rise = np.maximum(out_f - self.lowest[rows], 0.0) / self.allowed[rows]
        return HeldFit(out_theta, rise, value, close, arrived)

    def _descend(self, problem: Problem, theta: Array, target: Array, rows: Any) -> tuple[Any, ...]:
        """θ (r, p) after reduced-gradient steps, its objective, whether it meets its target, has arrived."""
        theta, close = self._back(theta, target, rows, None)
        out_theta, out_f = theta.copy(), problem.batch(rows).value(theta)
        arrived, damping = np.zeros(rows.size, bool), np.full(rows.size, 1e-4)
        going = np.flatnonzero(close)
        for _ in range(STEPS if going.size else 0):
            at, batch = out_theta[going], rows[going]
            step, fall, metric = self._step(problem.batch(batch), at, target[going], batch, damping[going])
            small = fall <= ARRIVED * self.allowed[batch]
            arrived[going] = small
            trial, near = self._back(at + step, target[going], batch, metric)
            f = problem.batch(batch).value(trial)
            better = near & (f <= out_f[going] * (1 + 1e-13))
            kept = going[better]
            out_theta[kept], out_f[kept] = trial[better], f[better]
            damping[going] = np.where(better, np.maximum(0.2 * damping[going], 1e-10), 6 * damping[going])
            going = going[~(small | (damping[going] > 1e8))]
            if not going.size:
                break
        return out_theta, out_f, close, arrived

    def exact(self) -> Any:
        """Rows whose threshold is lost in the rounding of the losses, (R,) bool."""
        problem, w = self.problem, self.problem.w
        one = problem.scale if problem.objective.log else problem.scale * problem.y
        return self.allowed <= (w * problem.objective.rho(EXACT * one * np.ones_like(problem.y))).sum(-1)

    def gain(self, theta: Array, side: Array, room: Array, rows: Any) -> Array:
        """How much further a quantity could go from θ (r, p) with `room` (r,) of the threshold."""
        a = side[:, None] * own_slopes(self.problem.batch(rows), theta, self.quantity, self.k[rows])
        _, _, H, D, _ = self.problem.batch(rows).normal(theta)
        free = self._movable(theta, a)
        solve = _Metric(H, D, free, np.full(rows.size, 1e-9))
        along = np.maximum((a * solve(a)).sum(-1), 0.0)
        return np.asarray(np.sqrt(2 * np.maximum(room, 0.0) * self.allowed[rows] * along))

    def _movable(self, theta: Array, step: Array) -> Any:
        """Which coordinates can follow a step (r, p): not fixed, and not through a bound."""
        problem = self.problem
        out = problem.at_lower(theta) & (step < 0) | problem.at_upper(theta) & (step > 0)
        return ~out & (problem.lower < problem.upper)

    def _step(
        self, problem: Problem, theta: Array, target: Array, rows: Any, damping: Array
    ) -> tuple[Array, Array, Any]:
        """A step (r, p) along the surface, the fall of the objective it promises, and its metric."""
        _, g, H, D, _ = problem.normal(theta)
        a = own_slopes(problem, theta, self.quantity, self.k[rows])
        miss = target - own_values(problem, theta, self.quantity, self.k[rows])
        free = np.broadcast_to(problem.lower < problem.upper, theta.shape)
        for _ in range(theta.shape[1]):  # each time without what would leave the bounds
            metric = _Metric(H, D, free, damping)
            down, along = metric(g), metric(a)
            width = np.maximum((a * along).sum(-1), TINY)
            pull = (miss + (a * down).sum(-1)) / width
            step = pull[:, None] * along - down
            leaves = free & ~self._movable(theta, step)
            if not leaves.any():
                break
            free = free & ~leaves
        fall = 0.5 * ((g * down).sum(-1) - (a * down).sum(-1) ** 2 / width)
        return step, np.where(np.isfinite(fall), np.maximum(fall, 0.0), np.inf), metric

    def _back(self, theta: Array, target: Array, rows: Any, metric: Any) -> tuple[Array, Any]:
        """θ (r, p) moved to where the quantity has its target, and which rows are there."""
        theta = np.clip(theta, self.problem.lower, self.problem.upper)
        if metric is None:
            _, _, H, D, _ = self.problem.batch(rows).normal(theta)
            metric = _Metric(H, D, np.broadcast_to(True, theta.shape), np.full(rows.size, 1e-4))
        tolerance = MEETS * np.abs(target - self.estimate[rows])
        here = own_values(self.problem.batch(rows), theta, self.quantity, self.k[rows])
        go = np.flatnonzero(~(np.abs(target - here) <= tolerance))
        for _ in range(BACK if go.size else 0):
            batch, at = rows[go], theta[go]
            a = own_slopes(self.problem.batch(batch), at, self.quantity, self.k[batch])
            miss = target[go] - here[go]
            free = self._movable(at, a * np.sign(miss)[:, None])
            along = metric.part(go, free)(a)
            step = (miss / np.maximum((a * along).sum(-1), TINY))[:, None] * along
            theta[go], here[go] = self._shorter(at, step, here[go], target[go], batch)
            go = go[~(np.abs(target[go] - here[go]) <= tolerance[go])]
            if not go.size:
                break
        return theta, np.abs(target - here) <= tolerance

    def _shorter(
        self, theta: Array, step: Array, here: Array, target: Array, rows: Any
    ) -> tuple[Array, Array]:
        """θ (r, p) after as much of a step as brings the quantity nearer to its target, and the quantity."""
        best, value = theta.copy(), here.copy()
        open_rows, share = np.arange(rows.size), 1.0
        for _ in range(6):
            trial = theta[open_rows] + share * np.nan_to_num(step[open_rows])
            trial = np.clip(trial, self.problem.lower, self.problem.upper)
            got = own_values(
                self.problem.batch(rows[open_rows]), trial, self.quantity, self.k[rows[open_rows]]
            )
            nearer = np.abs(target[open_rows] - got) < np.abs(target[open_rows] - here[open_rows])
            best[open_rows[nearer]], value[open_rows[nearer]] = trial[nearer], got[nearer]
            open_rows, share = open_rows[~nearer], share / 4
            if not open_rows.size:
                break
        return best, value


class _Metric:
    """The damped Hessian H + damping D of the free coordinates, (r, p, p), as a solver of systems."""

    def __init__(self, H: Array, D: Array, free: Any, damping: Array) -> None:
        scale = np.sqrt(np.maximum(np.maximum(D, H.diagonal(axis1=1, axis2=2)), TINY))
        least = 1e-6 * scale.max(-1, keepdims=True)  # what changes nothing still has a step
        scale = np.maximum(scale, least)
        self.H, self.D, self.damping, self.unit = H, D, damping, free / scale
        self.matrix = H * (self.unit[:, :, None] * self.unit[:, None])
        diagonal = np.einsum("bii->bi", self.matrix)  # a view
        diagonal += np.where(free, damping[:, None] + 1e-12, 1.0)

    def __call__(self, v: Array) -> Array:
        """The solution (r, p) for right-hand sides v (r, p); 0 where a coordinate is not free."""
        v = np.nan_to_num(v * self.unit)
        return np.asarray(np.linalg.solve(self.matrix, v[..., None])[..., 0] * self.unit)

    def part(self, rows: Any, free: Any) -> _Metric:
        """The metric of some rows with other free coordinates."""
        return _Metric(self.H[rows], self.D[rows], free, self.damping[rows])
