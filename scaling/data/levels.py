"""Which values along an axis share a level, which runs share a size, and the approximate cost of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.base import Array

AXIS_GAP = 1.15  # sizes within 15% are one level: ParScale's extras move N a little with P
DENSE = 1.5  # a level whose largest value exceeds its smallest by more than this factor is a chain of close values
SIZES = ("N", "D", "C")  # axes whose values are only approximately those intended
LONE_GAP = 1.5  # a size without a run of P = 1 is a level of its own if it lies this far above the last


def axis_levels(x: Array, P: Array | None = None) -> Any:
    """Level 0, 1, ... of each value, where values within 15% of the next smaller one share its level.

    Dense values may chain into a level DENSE wide or more. Such a level is cut into windows of equally many
    distinct values, each close to DENSE wide. With the runs' streams P given, x is N, and only a P = 1 run that is
    15% larger than the last one starts a level. Streams add more than 15% to a small model, which does not make
    it another size.
    """
    order = np.argsort(x, kind="stable")
    ascending = x[order]
    jump, sizes = ascending[1:] > AXIS_GAP * ascending[:-1], ascending
    single = None if P is None else P[order] == 1
    if single is not None and single.any():
        sizes = np.where(single, ascending, 0.0)
        begins = single[1:] & (ascending[1:] > AXIS_GAP * np.maximum.accumulate(sizes)[:-1])
        jump = begins | (ascending[1:] > LONE_GAP * ascending[:-1])
    level, out = np.zeros(x.size, int), np.zeros(x.size, int)
    np.cumsum(jump, out=level[1:])
    cut = _windows(level, ascending, sizes)
    out[order[1:]] = np.cumsum(cut[1:] > cut[:-1])
    return out


def _windows(level: Any, ascending: Array, sizes: Array) -> Any:
    """Levels (n,) of ascending values, dense ones cut at quantiles of their distinct sizes (0: none)."""
    cut = level.astype(np.float64)
    first = np.searchsorted(level, np.arange(level[-1] + 1))
    lowest = np.minimum.reduceat(np.where(sizes > 0, sizes, np.inf), first)
    for one in np.flatnonzero(np.maximum.reduceat(sizes, first) > DENSE * lowest):
        values = np.unique(sizes[(level == one) & (sizes > 0)])
        count = min(int(np.ceil(np.log(values[-1] / values[0]) / np.log(DENSE))), values.size)
        begins = values[np.unique(np.linspace(0, values.size, count + 1)[1:-1].round().astype(int))]
        rows = level == one
        cut[rows] += np.searchsorted(begins, ascending[rows], side="right") / (count + 1)
    return np.asarray(cut)


def approximate_C(N: Array, D: Array, P: Array | float = 1.0) -> Array:
    """Training FLOPs if a table lacks them: 6 N P D (Kaplan et al. 2020, every stream counted)."""
    return np.asarray(6.0 * N * P * D)


def levels_along(axis: str, x: Array, axes: Mapping[str, Array]) -> Any:
    """`axis_levels` of the values x of an axis: sizes with regard to their streams, if the axes have P.

    P itself is a count: 7 and 8 streams are two levels. So are other axes whose values repeat, and values of 0.
    """
    repeats = axis not in SIZES and 2 * np.unique(x).size <= x.size
    if axis == "P" or repeats or not (x > 0).all():
        return np.unique(x, return_inverse=True)[1].ravel()
    return axis_levels(x, axes.get("P") if axis == "N" else None)


def held_out(level: Any) -> Any:
    """Which rows (n,) every hold-out leaves out: those of the largest third of the levels, rounded up.

    level: of each row, 0, 1, ... With four levels or more at least three are kept, with three levels two.
    """
    count = int(level.max()) + 1
    return level >= max(count - -(-count // 3), min(3, count - 1), 1)


def level_table(axis: str, axes: Mapping[str, Array]) -> pd.DataFrame:
    """Each level of an axis: its lowest and highest value and how many runs it has, ascending.

    axes: the runs' values, each (n,), this axis among them. Values that lie densely are cut into windows
    (`axis_levels`).
    """
    level = levels_along(axis, axes[axis], axes)
    found = pd.Series(axes[axis]).groupby(level).agg(["min", "max", "size"])
    return found.set_axis(["lowest", "highest", "runs"], axis=1).reset_index(drop=True)


def size_levels(runs: Any) -> Any:
    """Level 0, 1, ... of the size of each run of a table, (n,): by its column `size`, else by N and P.

    runs: a DataFrame with N and P. A size is named in every row or in none. The N of a size is its smallest.
    """
    if "size" in runs and runs["size"].notna().all():
        least = runs.groupby("size")["N"].transform("min")
        return np.unique(least.to_numpy(np.float64), return_inverse=True)[1].ravel()
    return axis_levels(*(runs[axis].to_numpy(np.float64) for axis in ("N", "P")))
