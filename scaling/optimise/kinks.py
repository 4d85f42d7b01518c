"""What the kinks of an objective do to its optimum: other minima close by, and a face of equal ones.

Least absolute deviations, the asymmetric loss and a Huber far below the noise are sums of kinks. Between kinks
they are linear in a prediction, so that two things happen that no smooth objective knows. Where a law bends, a minimum
may lie between kinks that is not the lowest one. And rows that balance each other leave a whole face of optima, as an
even number of values has a whole interval of medians.

Legend: n rows, p parameters θ, B parameter sets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import Solution, minimise

NARROW = 0.1  # of the median residual: an objective rounded off over less has kinks
SHAKES = 8  # reweighted searches
STEPS = 60  # of each: they need not arrive
MANY = 500  # rows above which a linear programme would take longer than steps
REACH, PROGRAMMES = 0.1, 40  # the first relative reach of a linear programme, and how many there may be
LOWER = 1e-8  # relative: an optimum lower by less is the same
EDGE = 1e-5  # of a kink's half-width: a residual this near to its end is at its end, up to rounding
RANK = 1e-12  # squared, of columns of length 1: a direction that moves residuals by less moves none
FACE = 1e-9  # relative rise of an objective along a face that is none
VISIBLE = 1e-3  # of a field: optima that are nearer are one
SHARES = (1.0, 0.25, 0.0625)  # of the way to a face's end, along which the law may bend
SQUARE = 1e-8  # of the largest singular value: less is none
FEW = 2_000  # rows above which a face is too small to see
CORRECTIONS = 4  # Newton steps back to a face


def kinked(problem: Problem, theta: Array) -> tuple[Any, ...]:
    """The objective and the smoother ones it is reached through that have kinks at the residuals of θ (1, p), widest first."""
    if not problem.objective.robust:
        return ()
    middle = float(np.median(np.abs(problem.residual(problem.predict(theta)))))
    levels: tuple[Any, ...] = (*(one for one, _ in problem.objective.smoother), problem.objective)
    return tuple(one for one in levels if one.delta < NARROW * middle)


def lowest_nearby(problem: Problem, found: Solution) -> Solution:
    """The lowest minimum that searches from a found one reach, each first with rows reweighted at random (seeded).

    Reweighted as a bootstrap does, the rows have their optimum as far off as the noise reaches.
    """
    levels = kinked(problem, found.theta)
    if not levels:
        return found
    here = replace(problem, objective=levels[0])
    w = problem.w * np.random.default_rng(0).exponential(size=(SHAKES, problem.y.size))
    begin = np.repeat(found.theta, SHAKES, 0)
    begin = minimise(replace(here, w=w), begin, tolerance=1e-6, iterations=STEPS, warm=True).theta
    ends = minimise(here, np.concatenate([found.theta, begin]), tolerance=1e-9, iterations=STEPS, warm=True)
    best = int(np.nanargmin(ends.value))
    if not ends.value[best] < ends.value[0] * (1 - LOWER):
        return found
    return _lower(found, _through(problem, levels[1:] or levels, ends.theta[[best]]))


def _lower(found: Solution, other: Solution) -> Solution:
    """The lower of two ends, the one that has arrived if they are equal."""
    lower = other.value[0] < found.value[0] * (1 - LOWER)
    same = other.value[0] <= found.value[0] * (1 + LOWER)
    return other if lower or (same and other.converged[0] > found.converged[0]) else found


def _through(problem: Problem, levels: tuple[Any, ...], theta: Array) -> Solution:
    """Where θ (1, p) leads through objectives, widest first."""
    for objective in levels:
        end = minimise(replace(problem, objective=objective), theta, warm=True)
        theta = end.theta
    return end


def arrived(problem: Problem, found: Solution) -> Solution:
    """The minimum that linear programmes find from where steps along kinks did not arrive."""
    levels = kinked(problem, found.theta)
    if found.converged[0] or not levels or problem.y.size > MANY:
        return found
    theta, reach = found.theta[0], REACH
    sides = np.abs(problem.objective.psi(np.array([1e3, -1e3]))) / problem.objective.psi(np.array([1e3]))
    value = _without_width(problem, theta, sides)
    for _ in range(PROGRAMMES):
        there = _programme(problem, theta, sides, reach)
        gain = value - _without_width(problem, there, sides)
        theta, value = (there, value - gain) if gain > 0 else (theta, value)
        reach = 2 * reach if gain > 0 else reach / 4
        if reach < LOWER or 0 < gain < 1e-3 * LOWER * value:
            break
    return _lower(found, _through(problem, levels[1:] or levels, theta[None]))


def _without_width(problem: Problem, theta: Array, sides: Array) -> float:
    """The sum of absolute residuals at θ (p,), times `sides` where too high and where too low."""
    r = problem.residual(problem.predict(theta[None]))[0]
    return float((problem.w * np.abs(r) * np.where(r > 0, *sides)).sum())


def _programme(problem: Problem, theta: Array, sides: Array, reach: float) -> Array:
    """Where θ (p,) should move within a relative reach, for the law's tangent and kinks without width.

    The law bends: Newton steps then lead back to rows at their kinks.
    """
    from scipy.optimize import linprog

    r, J = (one[0] for one in problem.linearised(theta[None]))
    size, n = reach * np.maximum(np.abs(theta), 1e-3), r.size
    low, high = (np.clip((end - theta) / size, -1.0, 1.0) for end in (problem.lower, problem.upper))
    unit = max(float(np.abs(J * size[:, None]).max()), TINY)
    tangent = np.concatenate([J * (size / unit)[:, None], -np.eye(n), np.eye(n)]).T
    if not np.isfinite(tangent).all():
        return theta
    cost = np.concatenate([np.zeros(theta.size), sides[0] * problem.w, sides[1] * problem.w])
    bounds = [*zip(low, high, strict=True), *[(0.0, None)] * (2 * n)]
    end = linprog(cost, A_eq=tangent, b_eq=-r / unit, bounds=bounds, method="highs")
    if end.status != 0:
        return theta
    move, free = size * end.x[: theta.size], problem.lower < problem.upper
    near, aim = theta + move[None], (r + move @ J)[None]
    return np.asarray(_corrected(problem, near, aim, 1e-6 * float(np.abs(r).max()), free)[0])


def equal_optima(problem: Problem, theta: Array) -> tuple[tuple[str, float, float], ...]:
    """The range of each field over optima with the objective of θ (p,): name, lowest, highest. Empty if θ is the only one.

    Fields that move by less than a thousandth are left out. The ranges are reached: wider ones are not ruled out where
    the law bends.
    """
    if not problem.objective.robust or problem.y.size > FEW:
        return ()
    r, J = (one[0] for one in problem.linearised(theta[None]))
    free = (problem.lower < problem.upper) & problem.inside(theta)
    J = np.where(free[:, None], J, 0.0)
    delta = float(getattr(problem.objective, "delta", 0.0))
    flat = _flat_directions(free, J, np.abs(r) < delta * (1 - EDGE))
    if not (flat.shape[1] and np.isfinite(r).all()):
        return ()
    moves = _ends(problem, theta, flat, r, flat.T @ J, delta)
    moves = np.concatenate([share * moves for share in SHARES])
    near = _corrected(problem, theta + moves, r + moves @ J, delta + 1e-6 * float(np.abs(r).max()), free)
    value = problem.value(np.concatenate([theta[None], near]))
    fields = problem.named(np.concatenate([theta[None], near[value[1:] <= value[0] * (1 + FACE)]]))
    low, high, size = fields.min(0), fields.max(0), np.abs(fields[0])
    found = zip(problem.law.names(), low, high, high - low > VISIBLE * size, strict=True)
    return tuple((name, float(a), float(b)) for name, a, b, moved in found if moved)


def _flat_directions(free: Any, J: Array, inside: Any) -> Array:
    """Directions of the free coordinates, (p, d), that move no row's residual inside its kink. J: residuals' slopes, (p, n)."""
    length = np.sqrt(np.square(J[free]).sum(-1))
    if not ((length > 0) & np.isfinite(length)).all():
        return np.zeros((free.size, 0))
    unit = J[free][:, inside] / length[:, None]
    size, vectors = np.linalg.eigh(unit @ unit.T)
    null = vectors[:, size <= RANK]
    directions = np.zeros((free.size, null.shape[1]))
    directions[free] = null / length[:, None]
    return directions


def _ends(problem: Problem, theta: Array, flat: Array, r: Array, slope: Array, delta: float) -> Array:
    """The moves of θ, (K, p), along flat directions (p, d) that take each field furthest, to first order.

    No row may pass its kink. r, slope: the rows' residuals (n,) and how the directions move them, (d, n).
    """
    from scipy.optimize import linprog

    step = 1e-6 * flat.T * np.abs(theta).max()
    goals = (problem.named(theta + step) - problem.named(theta - step)).T  # (fields, d)
    goals = np.eye(1) if flat.shape[1] == 1 else goals[np.isfinite(goals).all(-1) & goals.any(-1)]
    goals = np.concatenate([goals, -goals]) / np.tile(np.abs(goals).max(-1, keepdims=True), (2, 1))
    unit = max(float(np.abs(r).max()), delta) or 1.0  # 1: an exact fit without width
    sides, room = [-(np.sign(r) * slope).T], [np.maximum(np.abs(r) - delta, 0.0)]
    for bound, sign in ((problem.upper, 1.0), (problem.lower, -1.0)):
        kept = np.isfinite(bound) & (flat != 0).any(-1)
        sides.append(sign * flat[kept])
        room.append(sign * (bound - theta)[kept])
    A, b = np.concatenate(sides), np.concatenate(room) / unit
    ends = [linprog(-goal, A_ub=A, b_ub=b, bounds=(None, None), method="highs") for goal in goals]
    return np.array([unit * flat @ end.x for end in ends if end.status == 0]).reshape(-1, theta.size)


def _corrected(problem: Problem, near: Array, aim: Array, kink: float, free: Any) -> Array:
    """θ near (K, p) with the residuals of an aim (K, n) where these are within a kink's half-width, by Newton steps."""
    held = np.abs(aim) < kink
    near = np.clip(near, problem.lower, problem.upper)
    for _ in range(CORRECTIONS):
        now, slope = problem.linearised(near)
        # A point without a finite loss stays where it is, and is no optimum.
        finite = np.asarray(np.isfinite(now).all(-1) & np.isfinite(slope).all((1, 2)))
        slope = np.where(finite[:, None, None] & free[:, None] & held[:, None], slope, 0.0)
        length = np.sqrt(np.square(slope).sum(-1, keepdims=True)) + TINY
        back = np.linalg.pinv((slope / length).swapaxes(1, 2), rcond=SQUARE)
        gap = np.where(finite[:, None] & held, aim - now, 0.0)
        near = near + np.matmul(back, gap[..., None])[..., 0] / length[..., 0]
        near = np.clip(near, problem.lower, problem.upper)
    return near
