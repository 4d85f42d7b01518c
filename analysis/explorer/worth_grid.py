"""What streams are worth as numbers for the page: N_eq / N at one stream with its interval, by a law and over laws.

Intervals are those of `Fit.equivalent_N`, on the logarithm. Over laws they are those of the mixture of the laws by
their evidence (the weights of `scaling.forecast`), each a normal distribution with two widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

import scaling
from analysis.explorer.law_grid import encoded
from analysis.explorer.page_axes import PageAxis, PointGrid, read_between
from scaling.laws.base import Array
from scaling.uncertainty.prediction import equivalent_interval

NODES = (2, 4, 3)  # below, within and above the runs
REACH = np.log(1e4)  # factor from an estimate at which an end is open
Worth = tuple[Array, Array, Array]  # logarithms of N_eq / N and of the ends of its interval, (K,) each


def worth_points(axes: Mapping[str, PageAxis]) -> PointGrid:
    """The grid of N and P on which worth is told."""
    return PointGrid.in_parts({name: axes[name] for name in ("N", "P")}, *NODES)


def _searched(axes: Mapping[str, PageAxis], streams: Array) -> PointGrid:
    """Where ends are searched: within the runs and at the ends of the page, from the second P that was run."""
    N, P = axes["N"], axes["P"]
    more = streams[streams > 1] if streams.max() > 1 else np.array([2.0])
    ends = {
        "N": [N.least, *np.geomspace(N.low, N.high, 7), N.most],
        "P": [*more[[0, more.size // 2, -1]], P.most],
    }
    return PointGrid(axes, {name: (np.unique(axes[name].inner(at)),) for name, at in ends.items()})


def worth_of(fit: scaling.Fit, grid: PointGrid, level: float) -> Worth:
    """A fit's worth at the points of a grid; nan where the law knows no such size, inf where an end is open.

    Ends are searched at few points. Between them linear theory's half-width is taken times how much further the ends
    lie; the drift beyond the runs is added as `Fit.equivalent_N` adds it.
    """
    few, linear = _searched(grid.axes, np.unique(fit.axes["P"])), scaling.Covariance()
    centre, own = _ends(fit, few, level, None, False)
    _, near = _ends(fit, few, level, linear, False)
    estimate, plain = _ends(fit, grid, level, linear, False)
    _, wide = _ends(fit, grid, level, linear, True)

    def end(side: int) -> Array:
        with np.errstate(all="ignore"):
            times = np.log(np.abs((own[side] - centre) / (near[side] - centre)))
            step = (plain[side] - estimate) * np.exp(read_between(times, few, grid))
            drift = np.maximum((wide[side] - estimate) ** 2 - (plain[side] - estimate) ** 2, 0.0)
            return np.where(estimate == 0, 0.0, estimate + (2 * side - 1) * np.hypot(step, np.sqrt(drift)))

    return estimate, end(0), end(1)


def _ends(
    fit: scaling.Fit, grid: PointGrid, level: float, method: Any, widened: bool
) -> tuple[Array, tuple[Array, Array]]:
    """Logarithms of the worth at points of a grid and of its ends."""
    N, P = grid.points(("N", "P")).values()
    lower, upper = equivalent_interval(fit, N, P, 1.0, level, method, widened=widened)
    law: Any = fit.law
    with np.errstate(all="ignore"):
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


def told(worth: Worth) -> dict[str, str] | None:
    """A worth as the page reads it; None where it is known nowhere."""
    names = ("estimate", "lower", "upper")
    if not np.isfinite(worth[0]).any():
        return None
    return {name: encoded(x) for name, x in zip(names, worth, strict=True)}
