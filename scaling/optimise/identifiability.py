"""What a design cannot tell: parameters that runs leave undetermined, and predictions that they do not.

Two reasons are looked for. Directions of the parameters that change no prediction of the runs (the null
space of the Jacobian: two budgets of D leave E, B and beta a curve of values). Axes of which one is a power
of the other in every run (D = 20 N): their terms are one curve, which any split between them follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law
from scaling.optimise.problem import TINY, Problem

RANK = 1e-8  # of the largest singular value: a direction that changes predictions by less changes none
PART = 1e-3  # of such a direction: a parameter with less part in it is determined nevertheless
HUGE = 1e150  # a slope whose square is no number
ROUNDING = 1e-13  # of the mean loss: a parameter that moves predictions by less, doubled, moves none
TIED = 0.9999  # correlation of two axes' logarithms from which one is taken for a power of the other
ALONG = 1e-4  # of a prediction's slope, and of an axis' range: less than this is not off what the runs span


def tied_axes(problem: Problem, law: Law) -> tuple[str, ...]:
    """Axes that move with another one in every run and have a free exponent each: their terms are one curve.

    With the exponent of one of them held, its term is known up to a factor, and the other's can be estimated.
    """
    close = [pair for pair, r in problem.log_correlations.items() if abs(r) > TIED]
    shapes = [name for name in law.nonlinear if name not in problem.law.fixed]
    along = {name: _acts_along(problem, law, name) for name in shapes if close}
    found: set[str] = set()
    for a, b in close:
        free = {name for name in shapes if along[name] & {a, b}}
        if len(free) > 1 and all(any(axis in along[name] for name in free) for axis in (a, b)):
            found |= {a, b}
    return tuple(a for a in problem.law.axes if a in found)


def columns(problem: Problem, law: Law) -> tuple[Array, Array]:
    """∂L/∂(free fields) at the runs, (n, p), columns of length 1 or 0, and the lengths (p,)."""
    free = [law.names().index(name) for name in problem.law.free()]
    with np.errstate(all="ignore"):  # what is not finite counts as nothing, below
        J = law.gradient(**dict(zip(law.axes, problem.x, strict=True)))[:, free]
    J = np.where(np.isfinite(J) & (np.abs(J) < HUGE), J, 0.0)
    length = np.sqrt((J * J).sum(0))
    size = np.maximum(np.abs([float(getattr(law, name)) for name in problem.law.free()]), 1.0)
    dead = length * size < ROUNDING * np.sqrt(len(J)) * float(np.abs(problem.y).mean())
    J, length = np.where(dead, 0.0, J), np.where(dead, 0.0, length)
    return J / np.where(length > 0, length, 1.0), length


def null_space(problem: Problem, law: Law) -> tuple[Array, Array]:
    """Directions of the scaled free fields that change no prediction, (p, d), and the scales (p,)."""
    unit, length = columns(problem, law)
    few = np.linalg.qr(unit, mode="r")  # of the same null space, with as many rows as fields at most
    _, singular, vectors = np.linalg.svd(few, full_matrices=True)
    size = np.zeros(len(vectors))
    size[: singular.size] = singular
    return vectors[size <= RANK * size.max()].T, np.where(length > 0, length, 1.0)


def undetermined(problem: Problem, law: Law) -> tuple[str, ...]:
    """Free fields that the runs leave undetermined, in the law's order."""
    if np.ptp(problem.y) == 0:
        return problem.law.free()
    directions, _ = null_space(problem, law)
    lost = (
        set(np.array(problem.law.free())[(np.abs(directions) > PART).any(-1)]) if directions.size else set()
    )
    tied = tied_axes(problem, law)
    if tied:
        others = set(law.axes) - set(tied)
        acts = {name: _acts_along(problem, law, name) for name in problem.law.free()}
        lost |= {name for name, along in acts.items() if along & set(tied) and not along & others}
    return tuple(name for name in problem.law.free() if name in lost)


def ignored(problem: Problem, law: Law) -> tuple[str, ...]:
    """Free fields that a law's formula does not use: they change no prediction, at the runs or at twice their axes."""
    amounts = amounts_of(law)
    runs = dict(zip(law.axes, problem.x, strict=True))
    far = {axis: 2 * x if axis in amounts else x for axis, x in runs.items()}
    one = law.kind(
        **{name: getattr(law, name) or 0.5 for name in law.names()}
    )  # a term that is 0 hides its rate
    with np.errstate(all="ignore"):
        slope = sum(np.nan_to_num(np.abs(one.gradient(**x))).sum(0) for x in (runs, far))
    return tuple(name for name in problem.law.free() if not slope[law.names().index(name)] > 0)


def amounts_of(law: Law) -> tuple[str, ...]:
    """The axes of a law that are no categories: their values have an order and distances."""
    categories = categories_of(law)
    return tuple(axis for axis in law.axes if axis not in categories)


def _middle(x: Array) -> Array:
    """The middle of an axis, (1,), on logarithms where all values are positive. Never 0, so that it can be doubled."""
    return np.array([np.exp(np.log(x).mean()) if x.min() > 0 else x.mean() or 1.0])


def _acts_along(problem: Problem, law: Law, name: str) -> set[str]:
    """Axes along which a field's effect on the loss changes, in any category. A term that is 0 counts as if it were not."""
    runs, amounts = dict(zip(law.axes, problem.x, strict=True)), amounts_of(law)
    levels = [runs[axis] for axis in law.axes if axis not in amounts]
    each = np.unique(levels, axis=1, return_index=True)[1] if levels else np.zeros(1, int)
    axes = {axis: _middle(x).repeat(each.size) if axis in amounts else x[each] for axis, x in runs.items()}
    values = {n: getattr(law, n) or 0.5 for n in law.names()}
    one, place = law.kind(**values), law.names().index(name)
    here = one.gradient(**axes)[:, place]
    found = set()
    for axis in amounts:
        there = one.gradient(**{**axes, axis: axes[axis] * 2})[:, place]
        if (np.abs(there - here) > 1e-9 * np.maximum(np.abs(here), TINY)).any():
            found.add(axis)
    return found


def determined_predictions(problem: Problem, law: Law, points: dict[str, Array]) -> Any:
    """Which predictions at points (K,) the runs determine although not every parameter, (K,) bool.

    Those that no undetermined direction moves, within the plane of the runs' axes on logarithms: along the
    ladder D = 20 N at any N, for two budgets of D at these.
    """
    slope = law.gradient(**{a: points[a] for a in law.axes})
    return _unmoved(problem, law, slope) & _in_plane(problem, law, points)


def determined_changes(problem: Problem, law: Law, here: dict[str, Array], there: dict[str, Array]) -> Any:
    """Which changes of the loss from points to others, (K,) each, the runs determine: (K,) bool, as for predictions.

    What all runs share, such as terms of D between points of one D, need not be determined.
    """
    slope = law.gradient(**{a: there[a] for a in law.axes}) - law.gradient(**{a: here[a] for a in law.axes})
    return _unmoved(problem, law, slope) & _in_plane(problem, law, here) & _in_plane(problem, law, there)


def _unmoved(problem: Problem, law: Law, slope: Array) -> Any:
    """Which slopes (K, fields) no direction that the runs leave undetermined moves, (K,) bool."""
    if np.ptp(problem.y) == 0:
        return np.zeros(len(slope), bool)
    free = [law.names().index(name) for name in problem.law.free()]
    directions, length = null_space(problem, law)
    slope = slope[:, free] / length
    moved = np.sqrt(np.square(slope @ directions).sum(-1))
    return moved <= ALONG * np.sqrt(np.square(slope).sum(-1))


def _in_plane(problem: Problem, law: Law, points: dict[str, Array]) -> Any:
    """Which points (K,) lie in the plane that the runs' axes span on logarithms, at any distance.

    An axis with runs at 0 or below is taken linearly, in its range. Categories span nothing.
    """
    runs = dict(zip(law.axes, problem.x, strict=True))
    pairs = [_about_middle(runs[axis], points[axis]) for axis in amounts_of(law)]
    if not pairs:
        return np.ones(np.size(points[law.axes[0]]), bool)
    inside, asked = (np.stack(side) for side in zip(*pairs, strict=True))
    values, vectors = np.linalg.eigh(inside @ inside.T)
    flat = vectors[:, values <= (1 - TIED) * max(values.max(), TINY)]
    off = np.sqrt(np.square(flat.T @ asked).sum(0))
    return off <= np.maximum(ALONG, 2 * np.sqrt(np.maximum(values.min(), 0) / inside.shape[1]))


def _about_middle(runs: Array, points: Array) -> tuple[Array, Array]:
    """Runs (n,) and points (K,) of an axis from the runs' mean: on logarithms, or in ranges with runs at 0 or below."""
    if runs.min() > 0:
        runs, points = np.log(runs), np.log(np.maximum(points, TINY))
    else:
        width = float(np.ptp(runs)) or 1.0
        runs, points = runs / width, points / width
    return runs - runs.mean(), points - runs.mean()
