"""The convex hull of runs on the logarithms of their axes: what lies in it is no extrapolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.problem import TINY

HULL = 1e-6  # of the runs' range: a point this near to their hull is in it
ROUNDING = 1e-12  # of an axis' largest value: runs that differ by less have one value


def hull_sides(runs: Array) -> Array:
    """The sides of the hull of runs (d, n) as (S, d + 1): x lies in it where sides[:, :-1] @ x + sides[:, -1] <= HULL.

    Lengths are in ranges of the runs, of an axis at one value in its own unit. Of runs in a plane or on a line,
    what leaves that plane is outside too.
    """
    from scipy.spatial import ConvexHull

    width = np.ptp(runs, axis=1, keepdims=True)
    constant = width <= ROUNDING * np.abs(runs).max(1, keepdims=True)
    width = np.where(constant, 1.0, width)
    middle = np.where(constant, runs[:, :1], runs.mean(1, keepdims=True))  # a mean is off by its rounding
    scaled = (runs - middle) / width
    spread, directions = (x[..., ::-1] for x in np.linalg.eigh(scaled @ scaled.T))
    flat = np.count_nonzero(spread > HULL**2 * max(spread.max(), TINY))
    own, turn = directions.T @ scaled, directions.T / width.T
    start = -(turn @ middle)[:, 0]
    sides = [np.c_[sign * turn[flat:], sign * start[flat:]] for sign in (1.0, -1.0)]
    if flat == 1:
        sides += [np.c_[turn[:1], start[0] - own[0].max()], np.c_[-turn[:1], own[0].min() - start[0]]]
    elif flat:
        found = ConvexHull(own[:flat].T).equations
        sides.append(np.c_[found[:, :-1] @ turn[:flat], found[:, :-1] @ start[:flat] + found[:, -1]])
    return np.concatenate(sides)


def in_hull(asked: Array, runs: Array) -> Any:
    """Which points (d, K) lie in the hull of runs (d, n), (K,) bool."""
    sides = hull_sides(runs)
    return (sides[:, :-1] @ asked + sides[:, -1:] <= HULL).all(0)
