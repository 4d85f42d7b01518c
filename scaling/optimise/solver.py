"""The solver: bounded Levenberg-Marquardt with variable projection on a whole batch of problems at once.

Knows no law and no statistics. Shapes as in `scaling.optimise.problem`: batch B, rows n, terms m, parameters p.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from scaling.laws.arm_form import ArmForm
from scaling.laws.base import Array, Range
from scaling.laws.constrained import ConstrainedLaw
from scaling.optimise.problem import TINY, MovingBasis, Problem

SMOOTHING = 12  # steps a smoother objective is followed at most: it only has to bring the start near
NEARLY = 1e-6  # tolerance above which a smoother objective is only passed through
PROJECTED, AGAIN = 8, 2  # first steps that re-solve the coefficients, of a descent and of one that goes on
# Damping of the first step: from a start, from where starts met, from near the answer.
FAR, CLOSE, NEAR = 1e-3, 1e-5, 1e-7
MET = 0.1  # of a coordinate: starts that are further apart have not met
PROMISED = 0.05  # of the slope along a step: a parabola falls by half of it, what falls by that, to this, is like one
ROUNDING = 1e-13  # relative rise of an objective that is no rise: residuals are small differences
TURNS = 20  # Newton steps at most
SHORTER = 0.25 ** np.arange(6)  # shares of a Newton step that are tried
NUDGE = 1e-5  # of a coordinate: the step of the differences of gradients
Constraint = Callable[[Array, Any], tuple[Array, Array]]  # θ (B, p), rows -> pull (B,), its gradient (B, p)


@dataclass(frozen=True)
class Solution:
    """Where each row of a batch ended."""

    theta: Array  # (B, p)
    value: Array  # (B,)
    slope: Array  # (B,): the largest cosine between the residuals and a free column, 0 at an optimum
    converged: Any  # (B,) bool

    def part(self, rows: Any) -> Solution:
        """Where some rows of the batch ended."""
        return Solution(self.theta[rows], self.value[rows], self.slope[rows], self.converged[rows])


@cache
def _grid(ranges: tuple[Range, ...]) -> Array:
    """Every combination of start values, (S, q)."""
    grids = [r.starts() for r in ranges]
    found = list(itertools.product(*grids))
    return np.array(found, dtype=float).reshape(len(found), len(grids))


def starts(problem: Problem, keep: int, far: bool = False) -> Array:
    """Start points θ (S, p): a grid of η, coefficients solved for, the best and a spread of the rest.

    far: spread over the whole grid, for what lies away from the optimum. A search of the optimum needs the better quarter.
    """
    w = problem.w * np.square(problem.scale / problem.y if problem.objective.log else problem.scale)
    eta = _coordinates(problem, w)
    psi, _ = problem.basis(eta)
    y = problem.y - problem.rest(eta)
    b = _nonnegative(*_linear_fit(psi, w, y))
    r = np.matmul(b[:, None], psi)[:, 0] - y
    order = np.argsort((w * r * r).sum(-1), kind="stable")
    return np.asarray(np.concatenate([b, eta], axis=1)[order[_places(len(order), keep, far)]])


@cache
def _places(count: int, keep: int, far: bool) -> Any:
    """Which places of a ranking of `count` starts to keep: the first, and an even spread over the better quarter, or all.

    The spread takes in all where there are few. Farther starts end at the same optimum, after up to three times as many steps.
    """
    best = min(count, max(1, keep // 2))
    last = count - 1 if far else min(count, max(count // 4, 2 * keep)) - 1
    spread = np.linspace(best, last, keep - best).astype(int)  # the rest whole, if there is no more
    return np.unique(np.minimum(np.concatenate([np.arange(best), spread]), count - 1))


def _coordinates(problem: Problem, w: Array) -> Array:
    """The grid of η, (S, q). Constrained coefficients are as the law without constraints has them there."""
    held = problem.law
    if isinstance(held.whole, ArmForm):
        return arm_starts(problem, held.whole)
    if not isinstance(held, ConstrainedLaw) or not held.promoted:
        return _grid(tuple(held.nonlinear.values()))
    eta = _grid(tuple(known for name, known in held.nonlinear.items() if name not in held.promoted))
    whole = replace(problem, law=held.law)
    b = _nonnegative(*_linear_fit(whole.basis(eta)[0], w, problem.y))
    fields = dict(zip(held.names(), whole.named(np.concatenate([b, eta], axis=1)).T, strict=True))
    return np.concatenate([eta, *(held.coordinate(n, fields[n])[:, None] for n in held.promoted)], axis=1)


def arm_starts(problem: Problem, form: ArmForm) -> Array:
    """Starts of a law with arms, (S, q): from its law fitted to each arm alone and to all rows together.

    Each own parameter begins at its arm's value, a shared one at the pooled value, at the arms' mean, or at one
    arm's. The rest are these, moved by up to 20% (seeded).
    """
    plain = [replace(problem, law=_plain(problem.law, form), x=problem.x[:-1])]
    plain += [plain[0].take(problem.x[-1] == code) for code in form.rule.codes]
    pooled, *alone = (_quick(one) for one in plain)
    middle = {name: float(np.mean([one[name] for one in alone])) for name in pooled}
    own = {
        f"{name}[{arm}]": one[name] for name in form.own for arm, one in zip(form.arms, alone, strict=True)
    }
    begins = [{**pooled, **own}, {**middle, **own}, *({**one, **own} for one in alone)]
    begins.append({one: pooled[name] for name in pooled for one in form.of_parameter(name)})
    rows = np.array([[begin[name] for name in form.names()] for begin in begins])
    moved = np.random.default_rng(0).uniform(0.8, 1.25, (2 * len(rows), rows.shape[1]))
    rows = np.concatenate([rows, moved * np.tile(rows, (2, 1))])
    eta = np.stack(problem.law.coordinates(form.from_vector(rows))[1], -1)
    eta = np.clip(eta, problem.lower[problem.m :], problem.upper[problem.m :])
    once = np.unique(eta, axis=0, return_index=True)[1]  # equal starts would agree with each other
    return np.asarray(eta[np.sort(once)])


def _plain(law: Any, form: ArmForm) -> Any:
    """The law of one arm, what is fixed held: of a parameter that some arms have fixed, its value there.

    A parameter that only arms tell from the shared ones, as an efficiency from a prefactor, is not free in one arm.
    """
    fixed = {
        n: [law.fixed[one] for one in form.of_parameter(n) if one in law.fixed] for n in form.law.names()
    }
    held = {name: float(np.mean(values)) for name, values in fixed.items() if values}
    return form.law.with_fixed(**held) if held else form.law


def _quick(problem: Problem) -> dict[str, float]:
    """A law's parameters by name from a few starts, a narrow objective at its widest: near enough to begin from."""
    widest = next((objective for objective, _ in problem.objective.smoother), problem.objective)
    problem = replace(problem, objective=widest)
    ends = minimise(problem, starts(problem, 8), tolerance=1e-7, iterations=50)
    best = ends.theta[int(np.nanargmin(ends.value))][None]
    return dict(zip(problem.law.names(), map(float, problem.named(best)[0]), strict=True))


def _linear_fit(psi: Array, w: Array, y: Array) -> tuple[Array, Array, Array]:
    """Coefficients b (S, m) of the weighted least-squares fit of y on the basis (S, m, n), their
    matrix (S, m, m) and its right-hand side (S, m). All without S for one basis (m, n).
    """
    if not psi.shape[-2]:  # every coefficient is constrained
        return psi[..., 0], psi[..., :0], psi[..., 0]
    weighted = psi * w[..., None, :]
    gram, moment = np.matmul(weighted, psi.swapaxes(-1, -2)), np.matmul(weighted, y[..., None])
    diagonal = _diagonal(gram)
    diagonal *= 1 + 1e-12  # terms may be equal
    diagonal += TINY  # or 0
    return np.linalg.solve(gram, moment)[..., 0], gram, moment[..., 0]


def _diagonal(matrices: Array) -> Array:
    """The diagonals (..., p) of matrices (..., p, p): a view."""
    return matrices.reshape(*matrices.shape[:-2], -1)[..., :: matrices.shape[-1] + 1]


def _nonnegative(b: Array, gram: Array, moment: Array) -> Array:
    """The fit with coefficients >= 0, (S, m), by trying every set of them: m is small."""
    m = moment.shape[-1]
    bad = np.flatnonzero(np.minimum.reduce(b, -1, initial=0.0) < 0)
    if not bad.size:
        return b
    gram, moment, best, rows = gram[bad], moment[bad], np.zeros((len(bad), m)), np.arange(len(bad))
    alone = np.maximum(moment, 0.0) / gram.diagonal(axis1=1, axis2=2)
    first = np.argmax(alone * moment, axis=-1)
    best[rows, first] = alone[rows, first]
    lowest = -(best * moment).sum(-1)
    for size in range(m - 1, 1, -1):
        for some in itertools.combinations(range(m), size):
            ix = np.array(some)
            part = np.linalg.solve(gram[:, ix[:, None], ix], moment[:, ix, None])[..., 0]
            gain = -(part * moment[:, ix]).sum(-1)
            better = (part >= 0).all(-1) & (gain < lowest)
            lowest[better] = gain[better]
            best[better] = 0.0
            best[np.ix_(better, ix)] = part[better]
    b[bad] = best
    return b


def minimise(
    problem: Problem,
    theta: Array,
    constraint: Constraint | None = None,
    tolerance: float = 1e-15,
    iterations: int = 200,
    warm: bool = False,
) -> Solution:
    """Minimise each row from θ (B, p) until a step would gain less than `tolerance` of the value.

    A constraint adds a pull on each row. `warm`: θ is near the answer, nothing needs smoothing first.
    """
    projected = 0 if warm or constraint is not None else PROJECTED
    with np.errstate(all="ignore"):  # a trial step that overflows is refused: its objective is inf or nan
        for objective, close in () if warm else problem.objective.smoother:
            steps = SMOOTHING if close > NEARLY else iterations
            smooth = _Descent(replace(problem, objective=objective), theta, constraint)
            theta, projected = smooth.run(close, steps, projected).theta, min(projected, AGAIN)
        found = _Descent(problem, theta, constraint).run(
            tolerance, iterations, projected, NEAR if warm else FAR
        )
    return replace(found, theta=problem.snapped(found.theta))


def explore(problem: Problem, begin: Array, tolerance: float, exact: float, iterations: int) -> Solution:
    """Where starts (S, p) of one problem end. Starts that meet under a smoother objective go on as one.

    The best goes on for all that have met it: to `exact` if these are all, else to `tolerance` as the others do.
    """
    at, place, projected = begin, np.arange(len(begin)), PROJECTED
    for objective, close in problem.objective.smoother:
        smooth = replace(problem, objective=objective)
        ends = _Descent(smooth, at).run(close, SMOOTHING if close > NEARLY else iterations, projected)
        best = int(np.argmin(np.where(np.isnan(ends.value), np.inf, ends.value)))
        others = np.flatnonzero(~_met(smooth, ends, best, close))
        going = np.concatenate([[best], others])
        where = np.zeros(len(at), int)
        where[others] = np.arange(1, len(going))
        at, place, projected = ends.theta[going], where[place], AGAIN
    alone = len(at) == 1
    found = _Descent(problem, at).run(
        exact if alone else tolerance, iterations, projected, CLOSE if alone else FAR
    )
    return replace(found, theta=problem.snapped(found.theta)).part(place)


def newton(problem: Problem, theta: Array) -> Array:
    """Ends θ (B, p) after Newton steps with the whole Hessian, for a smooth objective.

    Where residuals are large and the law bends, the Gauss-Newton matrix is far from the Hessian: its steps overshoot,
    or become very short under their damping.
    """
    with np.errstate(all="ignore"):  # as in `minimise`
        value = problem.value(theta)
        for _ in range(TURNS):
            tried = theta + SHORTER[:, None, None] * _newton_step(problem, theta)
            tried = np.clip(tried, problem.lower, problem.upper)
            values = problem.value(tried.reshape(-1, theta.shape[1])).reshape(tried.shape[:2])
            best = np.argmin(np.where(np.isnan(values), np.inf, values), axis=0)
            rows = np.arange(len(theta))
            lower = values[best, rows] < value
            if not lower.any():
                break
            theta, value = _taken(lower, (tried[best, rows], values[best, rows]), (theta, value))
    return theta


def _newton_step(problem: Problem, theta: Array) -> Array:
    """Where the parabola of the Hessian, made convex, has its minimum: from θ (B, p), by differences of gradients."""
    B, p = theta.shape
    nudge = NUDGE * np.maximum(np.abs(theta), 1e-3)[:, None] * np.eye(p)  # (B, p, p)
    around = np.concatenate([theta[:, None] + nudge, theta[:, None] - nudge], axis=1)
    up, down = np.split(problem.normal(around.reshape(-1, p))[1].reshape(B, 2 * p, p), 2, axis=1)
    _, g, _, D, _ = problem.normal(theta)
    held = (theta <= problem.lower) & (g > 0) | (theta >= problem.upper) & (g < 0)
    unit = np.where(held, 0.0, 1 / np.sqrt(np.maximum(D, TINY)))
    H = unit[:, :, None] * (up - down) / (2 * nudge.sum(1))[:, :, None] * unit[:, None]
    size, axes = np.linalg.eigh(np.nan_to_num(H + H.swapaxes(1, 2)) / 2)
    size = np.maximum(np.abs(size), 1e-6 * np.abs(size).max(-1, keepdims=True) + TINY)
    along = np.matmul(axes.swapaxes(1, 2), (g * unit)[..., None]) / size[..., None]
    return np.asarray(-np.matmul(axes, along)[..., 0] * unit)


def _met(problem: Problem, ends: Solution, best: int, close: float) -> Any:
    """Which ends have met the best one, (S,) bool: they have its coordinates, nearly, and its predictions.

    Two ends within a relative gain `close` of one minimum predict with a difference of four times that at most.
    """
    theta = ends.theta
    met = (np.abs(theta - theta[best]) <= MET * np.abs(theta[best])).all(-1)
    r = problem.residual(problem.predict(theta))
    apart = np.square(r - r[best]) @ (problem.w * problem.objective.parts(r[best])[3])
    met &= 0.5 * apart <= 4 * close * ends.value[best]
    met[best] = True
    return met


def _eased(fall: Array, slope: Array) -> Array:
    """What damping is multiplied by after a step with that slope, (B,): a thousandth where the fall is a parabola's."""
    return np.where(np.abs(fall / slope - 0.5) <= PROMISED, 1e-3, 0.1)


def _taken(better: Any, new: Sequence[Array], old: Sequence[Array]) -> tuple[Array, ...]:
    """The new arrays in the rows that are better, (B,), the old ones in the others."""
    pairs = zip(new, old, strict=True)
    return tuple(np.where(better[(..., *[None] * (a.ndim - better.ndim))], a, b) for a, b in pairs)


class _Descent:
    """The iteration: rows that have not arrived step together. One row alone is a point: its arrays lack B, and are faster."""

    def __init__(self, problem: Problem, theta: Array, constraint: Constraint | None = None) -> None:
        self.problem, self.constraint = problem, constraint
        alone = len(theta) == problem.y.ndim == problem.w.ndim == 1 and constraint is None
        self.theta = self.within(theta[0] if alone else theta)

    def within(self, theta: Array) -> Array:
        """The nearest point within the bounds."""
        return np.minimum(np.maximum(theta, self.problem.lower), self.problem.upper)

    def run(self, tolerance: float, iterations: int, projected: int, damped: float = FAR) -> Solution:
        """Descend until every row has arrived. The first `projected` steps re-solve the coefficients."""
        at, shape = self.theta, self.theta.shape[:-1]
        theta, value, slope, done = np.empty_like(at), np.empty(shape), np.empty(shape), np.zeros(shape, bool)
        rows: Any = np.arange(len(at)) if shape else ...
        damping, promised, state = np.full(shape, damped), np.zeros(shape), [*self.state(at, rows)]
        for turn in range(iterations):
            f, before = state[0], promised
            step, promised, cosine = self.step(at, state, damping)
            finished = (promised <= tolerance * f) | (cosine < 1e-11) | (f <= self.problem.rounding)
            if not shape and promised <= ROUNDING * f and promised**2 <= tolerance * f * before:
                at, finished = self.within(at - step), ~done  # f would not tell, and the next gains nothing
            leaving = finished | (damping > 1e13)
            if np.count_nonzero(leaving) or turn + 1 == iterations:
                theta[rows], value[rows], slope[rows], done[rows] = at, f, cosine, finished
                keep = ~leaving
                if turn + 1 == iterations or not keep.any():
                    break
                rows, at, step, damping, promised = (a[keep] for a in (rows, at, step, damping, promised))
                state = [s[keep] for s in state]
            trial = self.within(at - step)
            basis = self.project(trial, state[4], rows) if turn < projected else None
            new = self.state(trial, rows, basis)
            better = new[0] <= state[0] * (1 + ROUNDING)
            ease = _eased(state[0] - new[0], promised) if tolerance > NEARLY else 0.1
            eased = np.maximum(damping * ease, 1e-12)
            if np.count_nonzero(better) == better.size:
                at, state, damping = trial, [*new], eased
                continue
            old = at, damping * 8, promised * 0, *state
            at, damping, promised, *state = _taken(better, (trial, eased, promised, *new), old)
        return Solution(*(part if shape else part[None] for part in (theta, value, slope, done)))

    def state(self, theta: Array, rows: Any, basis: MovingBasis | None = None) -> tuple[Array, ...]:
        """`Problem.normal` with the constraint's pull added."""
        f, g, H, D, weight = self.problem.batch(rows).normal(theta, basis)
        if self.constraint is None:
            return f, g, H, D, weight
        pull, grad = self.constraint(theta, rows)
        H = H + grad[:, :, None] * grad[:, None]
        return f + 0.5 * pull**2, g + pull[:, None] * grad, H, D + grad**2, weight

    def step(self, at: Array, state: Sequence[Array], damping: Array) -> tuple[Array, Array, Array]:
        """What a damped Newton step subtracts, the fall it promises, the largest cosine of the residuals with a free column.

        The matrix is scaled to a unit diagonal. A coordinate that its bound holds has no scale, and stays.
        """
        f, g, H, D, _ = state
        unit = 1 / np.sqrt(np.maximum(D, TINY))
        low, high = at <= self.problem.lower, at >= self.problem.upper
        if np.count_nonzero(low) or np.count_nonzero(high):
            unit = unit * ~(low & (g > 0) | high & (g < 0) | low & high)
        slope = g * unit
        scaled = H * unit[..., None]
        scaled *= unit[..., None, :]
        diagonal = _diagonal(scaled)
        diagonal += damping[..., None]
        step = np.linalg.solve(scaled, slope[..., None])[..., 0]
        cosine = np.maximum.reduce(np.abs(slope), -1) / np.sqrt(np.maximum(f, TINY))
        return step * unit, np.add.reduce(slope * step, -1), cosine

    def project(self, trial: Array, weight: Array, rows: Any) -> MovingBasis:
        """Re-solve the coefficients of `trial` in place. Returns the basis there.

        Variable projection: one reweighted least-squares step with the weights at the last point. With
        the coefficients eliminated the long curved valley between E and the exponents is gone, and far
        starts take tens of steps fewer.
        """
        problem, m = self.problem.batch(rows), self.problem.m
        eta = trial[..., m:]
        basis = problem.moving_basis(eta)
        y = problem.y - problem.rest(eta) if problem.law.has_rest else problem.y
        b = _linear_fit(basis.rows[..., :m, :], weight, y)[0]
        inside = np.minimum.reduce(b, -1, keepdims=True, initial=0.0) >= 0
        trial[..., :m] = np.where(inside, b, trial[..., :m])
        return basis
