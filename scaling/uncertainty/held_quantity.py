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

STEPS = 200  # of one refit
BACK, AGAIN = 8, 5  # corrections to the surface, and back to it after a step
CHORDS = 2  # of these along the step's own chord, which asks for no slopes
WHOLE, PARTS = (
    np.ones(1),
    np.array([0.25, 0.06, 0.015, 0.004, 0.0]),
)  # of a correction: what is nearest is taken
MEETS = 1e-5  # of the distance to the estimate: a row this near to its value has it
LOOSE = 1e-7  # damping of the step that this is judged by
ARRIVED = 2e-4  # of the threshold: a refit whose next step would gain less has arrived
EXACT = 1e-9  # of the loss: residuals this small are rounding
SOFT = 0.03  # of the noise: the width at which refits see narrow absolute deviations rounded off
WIDER = (0.5, 0.15)  # of the noise: wider roundings that a refit follows first,
KINKS = 1.5  # where they are so many times the objective's own


@dataclass(frozen=True)
class HeldFit:
    """Where refits with a quantity held ended, r rows."""

    theta: Array  # (r, p)
    rise: Array  # of the objective over its minimum, as a share of the threshold, (r,)
    slope: Array  # of that rise by the quantity, at the end, (r,)
    value: Array  # of the quantity, (r,)
    met: Any  # whether the quantity has the value asked for, (r,) bool
    arrived: Any  # whether the refit converged, (r,) bool


def noise_of(problem: Problem, theta: Array) -> float:
    """The robust scale of the residuals about θ (B, p), the median of the batch."""
    r = problem.residual(problem.predict(theta))
    w = np.broadcast_to(problem.w, r.shape)
    return float(np.median(location_scale(problem, r, w, problem.inside(theta).sum(-1))[1]))


def softened(problem: Problem, noise: float) -> Problem:
    """The problem with absolute deviations rounded off within SOFT of the noise.

    Newton steps cannot follow narrower kinks. Its rise is off by up to a twentieth: `Held` reports the objective's own.
    """
    delta = getattr(problem.objective, "delta", None)
    return problem if delta is None or delta >= SOFT * noise else _rounded(problem, SOFT * noise)


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
    row's optimum, (R,); allowed: the rise of the objective that counts as 1, (R,); noise: that of the residuals;
    rounded: the problem that the steps are those of, where its objective is not the problem's own.
    """

    def __init__(
        self,
        problem: Problem,
        quantity: Quantity,
        k: Any,
        estimate: Array,
        lowest: Array,
        allowed: Array,
        noise: float = 0.0,
        rounded: Problem | None = None,
    ) -> None:
        self.own, self.problem = problem, rounded or problem
        self.absolute = self.problem.objective is not problem.objective
        self.quantity, self.k = quantity, k
        self.estimate, self.lowest, self.allowed = estimate, lowest, allowed
        delta: Any = getattr(problem.objective, "delta", np.inf)
        self.wider = tuple(_rounded(problem, w * noise) for w in WIDER if w * noise > KINKS * delta)

    def refit(self, theta: Array, target: Array, rows: Any, skipped: int = 0) -> HeldFit:
        """The best fits with the quantities of `rows` (r,) held at target (r,), from θ (r, p).

        skipped: how many of the wider roundings, the widest, are left out. Another path may end in a lower fold.
        """
        for problem in self.wider[skipped:]:
            theta = self._descend(problem, theta, target, rows)[0]
        theta, _, close, arrived, slope, value = self._descend(self.problem, theta, target, rows)
        rise = np.maximum(self._least(theta, rows), 0.0) / self.allowed[rows]
        return HeldFit(theta, rise, slope / self.allowed[rows], value, close, arrived)

    def risen(self, theta: Array, rows: Any) -> Array:
        """The objective of `rows` (r,) at θ (r, p) over their minimum, (r,)."""
        return np.asarray(self.own.batch(rows).value(theta) - self.lowest[rows])

    def _least(self, theta: Array, rows: Any) -> Array:
        """The rise of `risen` where refits of the rounded objective ended, without what the rounding costs, (r,).

        A residual inside the rounding is replaced by the tangent of the own objective with the slope that the
        rounded one has there. Those slopes balance, so that no point near by, with the quantity held, lies below
        the sum of these tangents (the dual value of the linearised problem).
        """
        if not self.absolute:
            return self.risen(theta, rows)
        own: Any = self.own.batch(rows)
        wide: Any = self.problem.objective
        r = own.residual(own.predict(theta))
        at = np.where(np.abs(r) <= wide.delta, r * (own.objective.delta / wide.delta), r)
        value = own.objective.rho(at) + own.objective.psi(at) * (r - at)
        return np.asarray((own.w * value).sum(-1) - self.lowest[rows])

    def _descend(self, problem: Problem, theta: Array, target: Array, rows: Any) -> tuple[Any, ...]:
        """θ (r, p) after reduced-gradient steps and its objective; whether it meets its target, has arrived.

        Then the slope of the objective along the quantity, and the quantity.
        """
        theta, here, close = self._back(theta, target, rows, None)
        f, slope = problem.batch(rows).value(theta), np.full(rows.size, np.nan)
        arrived, damping = np.zeros(rows.size, bool), np.full(rows.size, 1e-6)
        going = np.flatnonzero(close)
        for _ in range(STEPS if going.size else 0):
            at, batch, goal = theta[going], rows[going], target[going]
            step = self._step(problem.batch(batch), at, goal - here[going], batch, damping[going])
            slope[going] = step.slope
            small = step.fall <= ARRIVED * self.allowed[batch]
            arrived[going] = small
            trial, there, near = self._back(at + step.move, goal, batch, step)
            lower = problem.batch(batch).value(trial)
            better = near & (lower <= f[going] * (1 + 1e-13))
            kept = going[better]
            theta[kept], here[kept], f[kept] = trial[better], there[better], lower[better]
            damping[going] = np.where(better, np.maximum(0.2 * damping[going], 1e-10), 6 * damping[going])
            stuck = (
                damping[going] > 1e8
            )  # at a kink no step is a fall, whatever the model of the objective says
            arrived[going] |= stuck & problem.objective.robust
            going = going[~(small | stuck)]
            if not going.size:
                break
        return theta, f, close, arrived, slope, here

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

    def _step(self, problem: Problem, theta: Array, miss: Array, rows: Any, damping: Array) -> _Step:
        """The step along the surface from θ (r, p), whose quantities miss their targets by `miss` (r,)."""
        _, g, H, D, _ = problem.normal(theta)
        a = own_slopes(problem, theta, self.quantity, self.k[rows])
        free = np.broadcast_to(problem.lower < problem.upper, theta.shape)
        for _ in range(theta.shape[1]):  # each time without what would leave the bounds
            metric = _Metric(H, D, free, damping)
            down, along = metric(g), metric(a)
            width = np.maximum((a * along).sum(-1), TINY)
            slope = (a * down).sum(-1) / width
            chord = along / width[:, None]
            move = (miss + (a * down).sum(-1))[:, None] * chord - down
            leaves = free & ~self._movable(theta, move)
            if not leaves.any():
                break
            free = free & ~leaves
        loose = _Metric(H, D, free, np.minimum(damping, LOOSE))
        down, along = loose(g), loose(a)
        fall = 0.5 * ((g * down).sum(-1) - (a * down).sum(-1) ** 2 / np.maximum((a * along).sum(-1), TINY))
        fall = np.where(np.isfinite(fall), np.maximum(fall, 0.0), np.inf)
        return _Step(move, fall, slope, chord, metric)

    def _back(self, theta: Array, target: Array, rows: Any, by: _Step | None) -> tuple[Array, Array, Any]:
        """θ (r, p) moved to where the quantity has its target, the quantity, and which rows are there.

        First along the chord of the step that led here, then along slopes of its own.
        """
        theta = np.clip(theta, self.problem.lower, self.problem.upper)
        tolerance = MEETS * np.abs(target - self.estimate[rows])
        here = own_values(self.problem.batch(rows), theta, self.quantity, self.k[rows])
        go = np.flatnonzero(~(np.abs(target - here) <= tolerance))
        metric = by.metric if by else None
        for turn in range((AGAIN if by else BACK) if go.size else 0):
            batch, at, miss = rows[go], theta[go], target[go] - here[go]
            if by and turn < CHORDS:
                step = miss[:, None] * by.chord[go]
                step = step * self._movable(at, step)
            else:
                metric = metric or self._metric(theta, rows)
                step = self._towards(at, miss, batch, metric, go)
            theta[go], here[go] = self._shorter(at, step, here[go], target[go], batch)
            go = go[~(np.abs(target[go] - here[go]) <= tolerance[go])]
            if not go.size:
                break
        return theta, here, np.abs(target - here) <= tolerance

    def _towards(self, theta: Array, miss: Array, rows: Any, metric: _Metric, go: Any) -> Array:
        """The step from θ (r, p) that changes quantities by `miss` (r,) and the objective least.

        What would pass its bound goes to it, and the others make up for that. Clipped, such a step may take the
        quantity the wrong way, and the shorter steps that do not would never reach the bound.
        """
        a = own_slopes(self.problem.batch(rows), theta, self.quantity, self.k[rows])
        step, free = np.zeros_like(theta), np.broadcast_to(True, theta.shape)
        for _ in range(theta.shape[1]):
            along = metric.part(go, free)(a)
            left = miss - np.nan_to_num(a * step).sum(-1)
            move = step + (left / np.maximum((a * along).sum(-1), TINY))[:, None] * along
            ends = np.clip(theta + move, self.problem.lower, self.problem.upper)
            passes = free & (ends != theta + move)
            if not passes.any():
                return np.asarray(move)
            free = free & ~passes
            step = np.where(free, 0.0, np.where(passes, ends - theta, step))
        return step

    def _metric(self, theta: Array, rows: Any) -> _Metric:
        """The metric of the objective at θ (r, p)."""
        _, _, H, D, _ = self.problem.batch(rows).normal(theta)
        return _Metric(H, D, np.broadcast_to(True, theta.shape), np.full(rows.size, 1e-4))

    def _shorter(
        self, theta: Array, step: Array, here: Array, target: Array, rows: Any
    ) -> tuple[Array, Array]:
        """θ (r, p) after as much of a step as brings the quantity nearest to its target, and the quantity."""
        best, value = self._moved(theta, step, target, rows, WHOLE)
        short = np.flatnonzero(~(np.abs(target - value) < np.abs(target - here)))
        if short.size:
            some = theta[short], step[short], target[short], rows[short]
            best[short], value[short] = self._moved(*some, PARTS)
        return best, value

    def _moved(
        self, theta: Array, step: Array, target: Array, rows: Any, shares: Array
    ) -> tuple[Array, Array]:
        """θ (r, p) after the best of some shares of a step, and the quantity there."""
        trial = theta + shares[:, None, None] * np.nan_to_num(step)
        trial = np.clip(trial, self.problem.lower, self.problem.upper)
        every = np.tile(rows, shares.size)
        flat = trial.reshape(-1, theta.shape[1])
        got = own_values(self.problem.batch(every), flat, self.quantity, self.k[every]).reshape(
            shares.size, -1
        )
        off = np.abs(target - got)
        best = np.where(np.isnan(off), np.inf, off).argmin(0), np.arange(rows.size)
        return trial[best], got[best]


@dataclass(frozen=True)
class _Step:
    """A step along the surface, r rows: where to, (r, p), and the fall of the objective it promises, (r,)."""

    move: Array
    fall: Array
    slope: Array  # of the objective along the quantity, (r,)
    chord: Array  # the way back to the surface that changes the objective least, for a unit of the quantity, (r, p)
    metric: _Metric


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
