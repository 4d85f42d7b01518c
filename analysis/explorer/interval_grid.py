"""A law's prediction intervals as numbers for the page: those of `Fit.predict` on a grid of its axes.

An end within the runs is a refit, so it is searched at few points. Between them the page's grid takes linear theory's
half-width times how much further the end lies, which changes slowly. Beyond the runs the forecast of this law alone
(`scaling.forecasting.widened`) is given at every point; which of both holds at a point the hull of the runs says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import scaling
from analysis.explorer.law_grid import encoded
from analysis.explorer.page_axes import PageAxis, PointGrid, read_between
from scaling.forecasting.widened import Widening, drift_words, widening_of
from scaling.laws.base import Array
from scaling.uncertainty.hull import HULL, hull_sides

SHOWN = {1: (7, 25, 13), 2: (4, 9, 7), 3: (3, 5, 4)}  # nodes below, within and above the runs, by axes
SEARCHED = {1: (3, 13, 5), 2: (3, 9, 4), 3: (0, 3, 2)}  # where ends are searched
FEWEST = (2, 3, 2)
LEAST = 1e-9  # of linear theory's half-width: no end is nearer
MOSTLY = 0.6  # share of known ends along an axis from which a missing one is a search that failed
BESIDE = "errors that neighbouring runs share"


def shown_grid(axes: Mapping[str, PageAxis]) -> PointGrid:
    """The grid on which the page holds intervals of laws of these axes, and of their pool."""
    return PointGrid.in_parts(axes, *SHOWN.get(len(axes), FEWEST))


def interval_grid(fit: scaling.Fit, axes: Mapping[str, PageAxis], level: float) -> dict[str, Any] | None:
    """Ends of a law's interval for one more run, its parts and the hull; None where the runs give no interval."""
    own = {name: axes[name] for name in fit.law.axes}
    grid = shown_grid(own)
    steps = plain_steps(fit, grid, level)
    if not any(np.isfinite(step).any() for step in steps.values()):
        return None
    told = {"nodes": grid.told(), **{name: encoded(step) for name, step in steps.items()}}
    widening = widening_of(fit)
    return told if widening is None else told | _beyond(fit, widening, grid, level)


def plain_steps(fit: scaling.Fit, grid: PointGrid, level: float) -> dict[str, Array]:
    """How far each end, as if within the runs, lies from the law at every point of a grid, nats, (K,); inf: open."""
    names = fit.law.axes
    few = PointGrid.in_one(grid.axes, *SEARCHED.get(len(names), FEWEST))
    at, there = few.points(names), grid.points(names)
    own = fit.predict(at, level=level, widened=False)
    linear, shown = (fit.predict(x, level=level, widened=False, method="covariance") for x in (at, there))
    out = {}
    for end, side in (("lower", -1), ("upper", 1)):
        step, half = (side * (of[f"new_{end}"] - of["loss"]).to_numpy() for of in (own, linear))
        with np.errstate(all="ignore"):
            step[(own[f"new_{end}"] <= 0).to_numpy()] = np.inf  # no end was found
            times = _filled(np.log(np.maximum(step / half, LEAST)), few.shape(names)[0])
            far = side * (shown[f"new_{end}"] - shown["loss"]).to_numpy()
            out[end] = far * np.exp(read_between(times, few, grid))
    return out


def _filled(values: Array, rows: int) -> Array:
    """Values of a grid of so many nodes along its first axis, those missing among known ones read off their neighbours."""
    table, place = values.reshape(rows, -1).copy(), np.arange(rows)
    for column in table.T:
        known = np.isfinite(column)
        if known.mean() > MOSTLY:
            column[~known] = np.interp(place[~known], place[known], column[known])
    return table.ravel()


def _beyond(fit: scaling.Fit, widening: Widening, grid: PointGrid, level: float) -> dict[str, Any]:
    """The forecast of this law alone at every point, what widens it there, and the sides of the runs' hull."""
    names = fit.law.axes
    points = grid.points(names)
    exits = widening.exits(points)
    lower, upper = widening.ends(points, level)
    return {
        "farLower": encoded(np.log(lower)),
        "farUpper": encoded(np.log(upper)),
        "said": [*(drift_words(widening.drift(way)) for way in exits.ways), BESIDE],
        "why": encoded(exits.place),
        "hull": hull_sides(np.log(np.stack([fit.axes[a] for a in names]))).tolist(),
        "near": HULL,
    }
