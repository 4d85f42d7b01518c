"""Where points leave the runs: along which axis, how far, and the change that laws predict on the way.

Shapes as in `scaling.forecasting.pooling`. An axis may be C, compute: the product of N, P and D.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from scaling.forecasting.drift import SAME, Points, amounts, axes_of, axis_of, change_beyond, reach
from scaling.forecasting.pooling import Member
from scaling.laws.base import Array

LEAST = 2  # degrees of freedom that levels of an axis are taken to give at least
FEW = 0.5  # power of the growth that Student's t would have, chosen on public tables (docs/forecast.md)


@dataclass(frozen=True)
class Exits:
    """By which axis each point leaves the runs, and what the laws predict beyond them."""

    place: Array  # into `ways`, (K,) int. -1 within the runs
    change: Array  # Δ of the log loss, (K,)
    ways: tuple[tuple[str, int], ...]  # axis and side


def exits_of(members: Sequence[Member], weight: Array, runs: Points, points: Points) -> Exits:
    """The axis along which the laws predict the largest change beyond the runs, point by point."""
    size = next(iter(points.values())).size
    place, change = np.full(size, -1), np.zeros(size)
    ways: list[tuple[str, int]] = []
    for axis in axes_of(amounts(members, points)):
        for side in (1, -1):
            out = reach(runs, points, axis, side) > 0
            if out.any():
                there = change_beyond(members, weight, runs, points, axis, side)
                further = out & ((np.abs(there) > np.abs(change)) | (place < 0))
                place[further], change[further] = len(ways), there[further]
                ways.append((axis, side))
    return Exits(place, change, tuple(ways))


def in_ranges(runs: Points, points: Points, categories: Collection[str] = ()) -> tuple[Array, Array]:
    """Where runs (n, d) and points (K, d) lie, in ranges of the runs, on the logarithms of their axes.

    An axis with runs at 0 or below is taken linearly. Two levels of a category lie one range apart.
    """
    both = [(_levels if axis in categories else _range)(runs[axis], points[axis]) for axis in runs]
    inside, out = (np.concatenate(side, axis=1) for side in zip(*both, strict=True))
    return inside, out


def _range(runs: Array, points: Array) -> tuple[Array, Array]:
    """An axis of amounts in its range over the runs, (n, 1) and (K, 1)."""
    with np.errstate(divide="ignore"):  # 0 lies below all runs above it
        inside, out = (np.log(runs), np.log(points)) if (runs > 0).all() else (runs, points)
    low, width = inside.min(), float(np.ptp(inside)) or 1.0
    return (inside[:, None] - low) / width, (out[:, None] - low) / width


def _levels(runs: Array, points: Array) -> tuple[Array, Array]:
    """A category as one coordinate a level, (n, l) and (K, l)."""
    known = np.unique(runs)
    inside, out = ((x[:, None] == known) / np.sqrt(2) for x in (runs, points))
    return inside, out


def far_out(runs: Points, points: Points) -> dict[str, Array]:
    """How far points lie outside the runs on each axis, in log units, (K,) each. 0 within."""
    return {axis: np.maximum(*(reach(runs, points, axis, side) for side in (1, -1))) for axis in points}


def furthest(runs: Points, points: Points) -> tuple[Array, Array]:
    """The factor by which each point lies outside the runs, and its axis, which is compute if no other is."""
    far, last = far_out(runs, points), [axis for axis in axes_of(points) if axis not in points]
    place, most = np.stack(list(far.values())).argmax(0), np.max(list(far.values()), axis=0)
    name = np.where(most > 0, np.array(list(far), dtype=object)[place], "")
    if last:
        compute = reach(runs, points, last[0], 1)
        alone = (most == 0) & (compute > 0)
        most, name = np.where(alone, compute, most), np.where(alone, last[0], name)
    return np.exp(most), name


def few_levels(runs: Points, points: Points, power: float = FEW) -> Array:
    """The factor on the variance of shared errors that few levels estimate, (K,). 1 within the runs.

    All runs of a new size share an error, and L sizes give L - 1 degrees of freedom. The factor is a power of the
    squared ratio of Student's t to the normal quantile, for the axis with the fewest levels among those along which
    a point is outside the runs.
    """
    out = np.ones(next(iter(points.values())).size)
    for axis in points:
        levels = np.unique(np.round(axis_of(runs, axis) / SAME)).size
        factor = float((special.stdtrit(max(levels - 1, LEAST), 0.975) / special.ndtri(0.975)) ** 2)
        outside = np.maximum(*(reach(runs, points, axis, side) for side in (1, -1))) > 0
        out = np.where(outside, np.maximum(out, factor), out)
    return np.asarray(out**power)
