"""What streams are worth as numbers for the page: N_eq / N at one stream with its interval, by a law and over laws.

Intervals are those of `Fit.equivalent_N`, on the logarithm. Over laws they are those of the mixture of the laws by
their evidence (the weights of `scaling.forecast`), each a normal distribution with two widths. An upper end may be open, so
exp(-distance) is interpolated, the share of a size, which goes to 0 there along nearly a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

import scaling
from analysis.explorer.law_grid import encoded
from analysis.explorer.page_axes import OUT, PageAxis, PointGrid, gaps_filled, read_between
from scaling.laws.base import Array
from scaling.uncertainty.prediction import equivalent_interval

SHOWN = (9, 13, 15)  # nodes below, within and above the runs
SEARCHED = (3, 7, 6)  # of N, where ends are searched
REACH = np.log(1e4)  # factor from an estimate at which an end is open
Worth = tuple[Array, Array, Array]  # logarithms of N_eq / N and of the ends of its interval, (K,) each


def worth_points(axes: Mapping[str, PageAxis]) -> PointGrid:
    """The grid of N and P for the worth of streams, from two streams on."""
    grid = PointGrid.in_parts({name: axes[name] for name in ("N", "P")}, *SHOWN)
    more = (part[part > 0] for part in grid.parts["P"])
    return PointGrid(grid.axes, {**grid.parts, "P": tuple(part for part in more if part.size)})


def _searched(axes: Mapping[str, PageAxis], streams: Array) -> PointGrid:
    """Where ends are searched: few P, from the second that was run to the last of the page."""
    N, P = PointGrid.in_one({"N": axes["N"]}, *SEARCHED), axes["P"]
    more = streams[streams > 1] if streams.max() > 1 else np.array([2.0])
    beyond = np.round(np.sqrt(more[-1] * P.most))
    few = np.unique([*more[[0, more.size // 2, -1]], beyond, P.most])
    return PointGrid(axes, {**N.parts, "P": (P.inner(few),)})


def worth_of(fit: scaling.Fit, grid: PointGrid, level: float) -> Worth:
    """A fit's worth at the points of a grid; inf where the law knows no such size or an end is open.

    Ends are searched at few points and interpolated. The drift beyond the runs is added as `Fit.equivalent_N` adds it.
    """
    few = _searched(grid.axes, np.unique(fit.axes["P"]))
    centre, own = _ends(fit, few, level, None, False)
    estimate, plain = _ends(fit, grid, level, scaling.Covariance(), False)
    _, wide = _ends(fit, grid, level, scaling.Covariance(), True)

    def end(side: int) -> Array:
        with np.errstate(all="ignore"):
            far = gaps_filled(np.abs(own[side] - centre), few)
            near = (
                np.exp(-read_between(far, few, grid))
                if side == 0
                else read_between(_share(far, few), few, grid)
            )
            step = -np.log(np.maximum(near, 0.0))
            drift = np.maximum((wide[side] - estimate) ** 2 - (plain[side] - estimate) ** 2, 0.0)
            return np.asarray(estimate + (2 * side - 1) * np.sqrt(step**2 + drift))

    return estimate, end(0), end(1)


def _share(distance: Array, grid: PointGrid) -> Array:
    """exp(-distance), (K,): 1 where there is none. Beyond the last end along N it goes on through 0."""
    with np.errstate(all="ignore"):
        found = np.where(np.isfinite(distance), np.exp(-distance), 0.0)
    N = grid.nodes("N")
    table = found.reshape(N.size, -1)
    for column in table.T:
        last = int(np.flatnonzero(column > 0).max(initial=0))
        before = int(np.flatnonzero(N[last] - 2 * OUT > N).max(initial=0))
        if before < last < N.size - 1:
            slope = (column[last] - column[before]) / (N[last] - N[before])
            column[last + 1 :] = np.minimum(column[last] + slope * (N[last + 1 :] - N[last]), 0.0)
    return np.asarray(table.ravel())


def _ends(
    fit: scaling.Fit, grid: PointGrid, level: float, method: Any, widened: bool
) -> tuple[Array, tuple[Array, Array]]:
    """Logarithms of the worth at points of a grid and of its ends."""
    N, P = grid.points(("N", "P")).values()
    law: Any = fit.law
    with np.errstate(all="ignore"):
        lower, upper = equivalent_interval(fit, N, P, 1.0, level, method, widened=widened)
        return np.log(law.equivalent_N(N=N, P=P) / N), (np.log(lower / N), np.log(upper / N))


def over_laws(worths: Sequence[Worth], weight: Array, level: float) -> Worth:
    """The worth by M laws together: median and ends of their mixture by weight (M,)."""
    centre, lower, upper = (np.stack(x) for x in zip(*worths, strict=True))
    known = np.isfinite(centre)
    centre = np.where(known, centre, 0.0)
    z = special.ndtri((1 + level) / 2)
    with np.errstate(invalid="ignore"):
        below, above = (
            np.where(known, np.maximum(x, 1e-9), 1.0) / z for x in (centre - lower, upper - centre)
        )
    share = np.where(known, weight[:, None], 0.0)
    share /= np.maximum(share.sum(0), 1e-300)
    quantiles = ((1 - level) / 2, 0.5, (1 + level) / 2)
    low, middle, high = (_quantile(q, centre, below, above, share) for q in quantiles)
    return middle, low, high


def _quantile(q: float, centre: Array, below: Array, above: Array, share: Array) -> Array:
    """The quantile q of mixtures of normal distributions whose halves have widths of their own, (K,)."""
    low, high = first, last = centre.min(0) - REACH, centre.max(0) + REACH
    for _ in range(48):
        middle = (low + high) / 2
        gap = middle - centre
        short = (share * special.ndtr(gap / np.where(gap < 0, below, above))).sum(0) < q
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(high >= last, np.inf, np.where(low <= first, -np.inf, (low + high) / 2))


def told(worth: Worth, grid: PointGrid) -> dict[str, str] | None:
    """A worth as the page reads it: N / N_eq, and N_eq over its upper end; None where it is known nowhere."""
    estimate, lower, upper = worth
    if not np.isfinite(estimate).any():
        return None
    with np.errstate(invalid="ignore"):
        shares = _share(estimate, grid), _share(upper - estimate, grid)
    lower = gaps_filled(np.where(np.isfinite(estimate), lower, np.nan), grid, beyond=True)
    return {"lower": encoded(lower), "share": encoded(shares[0]), "above": encoded(shares[1])}
