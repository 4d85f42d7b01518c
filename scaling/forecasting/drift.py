"""How far laws go wrong beyond their runs: rolling windows inside the runs, and what public tables show.

A law gives the rate at which the loss falls at the edge of the runs. Extrapolated at that rate, the log loss
changes by Δ. The true change differs by a share κ of it. (A law's own predicted change says little far out, where
it has reached its floor.) Public tables give the size of κ (PRIOR, docs/forecast.md). Windows, in which the
smaller runs predict the larger, show whether it is larger or smaller here.
Axes are those of the laws, and C, the product of N, P and D. A side is +1 above the runs and -1 below.
Categories have no sides. Shapes as in `pooling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.forecasting.pooling import FLAT, Member, pooled_log_loss, refitted, weights
from scaling.laws.axis import categories_of
from scaling.laws.base import Array

PRIOR = 0.05  # κ at which the prior is centred, chosen on public tables
PRIOR_WIDTH = 0.7  # standard deviation of log κ
TEMPER = 0.5  # power of the windows' likelihood: they share runs
GRID = np.linspace(-1.6, 1.6, 7)  # of log κ, in its standard deviations
WINDOWS = 5
STEP = 0.1  # logarithm of an axis over which the rate at the edge is taken
SAME = 0.02  # logarithm of an axis within which runs are one level
PRODUCT = {"N", "P", "D"}  # their product is compute
Points = dict[str, Array]


def axis_of(points: Points, axis: str) -> Array:
    """The logarithm of an axis, (K,). For "C" that of the product of N, P and D, as far as they are given.

    -inf for values of 0 or less: no run lies below them.
    """
    names = [axis] if axis in points else [a for a in points if a in PRODUCT]
    with np.errstate(divide="ignore"):
        return np.asarray(sum(np.log(np.maximum(points[name], 0.0)) for name in names))


def categories_among(members: Sequence[Member]) -> set[str]:
    """The axes of some laws that are categories."""
    return {axis for one in members for axis in categories_of(one.problem.law)}


def amounts(members: Sequence[Member], points: Points) -> Points:
    """Points without their categories: on the axes along which there is a further and a nearer."""
    names = categories_among(members)
    return {axis: x for axis, x in points.items() if axis not in names}


def axes_of(points: Points) -> list[str]:
    """The axes along which points can leave the runs: their own and, with two or more of N, P, D, compute."""
    several = len(PRODUCT & set(points)) > 1 and {"N", "D"} & set(points)
    return [*points, *(["C"] if several and "C" not in points else [])]


def reach(runs: Points, points: Points, axis: str, side: int) -> Array:
    """How far points lie beyond the runs on a side of an axis, in log units, (K,). 0 within."""
    largest = (side * axis_of(runs, axis)).max()
    with np.errstate(invalid="ignore"):
        beyond = side * axis_of(points, axis) - largest
    return np.where(beyond > 0, beyond, 0.0)


def brought_back(points: Points, axis: str, side: int, by: Array) -> Points:
    """Points moved back along an axis by `by` log units. Along C their N and D move equally, P not."""
    moved = [axis] if axis in points else [a for a in points if a in PRODUCT - {"P"}]
    return {a: x * np.exp(-side * by / len(moved)) if a in moved else x for a, x in points.items()}


def change_beyond(
    members: Sequence[Member], weight: Array, runs: Points, points: Points, axis: str, side: int
) -> Array:
    """Δ: the change of log loss at the rate that the laws predict at the edge of the runs, (K,). 0 within."""
    return change_over(members, weight, points, axis, side, reach(runs, points, axis, side))


def change_over(
    members: Sequence[Member], weight: Array, points: Points, axis: str, side: int, by: Array
) -> Array:
    """The change of log loss at the rate at an edge that lies `by` (K,), on the logarithm, before the points."""
    step = np.minimum(by, STEP)
    edge, near = (brought_back(points, axis, side, out) for out in (by, by - step))
    change = pooled_log_loss(members, weight, near) - pooled_log_loss(members, weight, edge)
    return np.asarray(change / np.where(step > 0, step, 1.0) * by)


@dataclass(frozen=True)
class Window:
    """What one window found: the share by which the larger runs' change differed from the one predicted."""

    rows: int  # runs it was fitted to
    share: float  # (observed change - predicted change) / predicted change. Positive: the loss fell further
    error: float  # standard error of the share that the window's own uncertainty explains


@dataclass(frozen=True)
class Drift:
    """What the windows along one axis say: the mean share, and κ's values with their probabilities."""

    axis: str
    side: int
    windows: tuple[Window, ...]
    values: Array
    probabilities: Array

    @property
    def mean(self) -> float:
        """Share by which losses beyond the windows fell further than predicted. nan without a window."""
        if not self.windows:
            return float("nan")
        precision = np.array([1 / (w.error**2 + PRIOR**2) for w in self.windows])
        return float(precision @ [w.share for w in self.windows] / precision.sum())

    @property
    def kappa(self) -> float:
        """Root mean square of κ."""
        return float(np.sqrt(self.probabilities @ self.values**2))


def drift_along(
    members: Sequence[Member], runs: Points, axis: str, side: int, prior: float = PRIOR, flat: float = FLAT
) -> Drift:
    """The drift of a pool of laws along an axis, from windows inside the runs."""
    cuts = _cuts(members, runs, axis, side)
    smaller = refitted(members, cuts) if cuts else []
    found = [
        _window(members, runs, axis, side, keep, small, flat)
        for keep, small in zip(cuts, smaller, strict=True)
    ]
    windows = tuple(w for w in found if w is not None)
    values = prior * np.exp(PRIOR_WIDTH * GRID)
    log = -(GRID**2) / 2
    for w in windows:
        variance = w.error**2 + values**2
        log = log - TEMPER * (np.log(variance) + w.share**2 / variance) / 2
    likely = np.exp(log - log.max())
    return Drift(axis, side, windows, values, likely / likely.sum())


def _cuts(members: Sequence[Member], runs: Points, axis: str, side: int) -> list[Any]:
    """Which runs each window is fitted to: at most WINDOWS cuts, evenly spread over the axis."""
    at = side * axis_of(runs, axis)
    level = np.unique(np.round(at / SAME)) * SAME
    least = min(len(one.problem.law.free()) for one in members) + 2
    sizes = np.searchsorted(np.sort(at), level + SAME / 2, side="right")
    good = level[:-1][(sizes[:-1] >= least) & (np.arange(level.size - 1) >= 1)]
    if good.size > WINDOWS:
        even = np.linspace(good[0], good[-1], WINDOWS)
        good = np.unique(good[np.abs(good[:, None] - even).argmin(0)])
    return [at <= cut + SAME / 2 for cut in good]


def _shared(one: Member, rows: Any) -> float:
    """Rows per cluster among some of the rows, which may share their noise. 1 if rows are independent."""
    return 1.0 if one.labels is None else np.count_nonzero(rows) / np.unique(one.labels[rows]).size


def _window(
    members: Sequence[Member], runs: Points, axis: str, side: int, keep: Any, small: list[Member], flat: float
) -> Window | None:
    """Predict the other runs by laws fitted to the kept ones, `small`. None if nothing can be predicted."""
    within = {a: x[keep] for a, x in runs.items()}
    beyond = {a: x[~keep] for a, x in runs.items()}
    small = [one for one in small if one.tells(beyond).all()]
    if not small or keep.all():
        return None
    weight = weights(small, flat)
    change = change_beyond(small, weight, within, beyond, axis, side)
    weighs = np.broadcast_to(members[0].precision, keep.shape)[~keep]
    total = float((weighs * change**2).sum())
    if total < 1e-12:
        return None
    each = np.stack([one.log_loss(beyond) for one in small])
    centre = weight @ each
    observed = np.log(members[0].problem.y[~keep])
    spread = np.stack([one.spread(beyond) for one in small])
    doubt = np.sqrt(weight @ (spread**2 + (each - centre) ** 2))
    noise = weight @ np.array([one.noise**2 for one in small])
    share = float((weighs * (observed - centre) * change).sum()) / total
    error = (
        float((weighs * doubt * np.abs(change)).sum() / total) ** 2
        + noise * _shared(members[0], ~keep) / total
    )
    known = np.isfinite(share) and np.isfinite(error)
    return Window(int(keep.sum()), share, float(np.sqrt(error))) if known else None
