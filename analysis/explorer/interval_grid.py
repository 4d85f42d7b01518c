"""A law's prediction intervals as numbers for the page: those of `Fit.predict` on a grid of its axes.

An end within the runs is a refit, so ends are searched at few points, denser just beyond the runs, where they bend.
Between them the logarithm of an end's distance from the law is interpolated. Beyond the runs the page forms the forecast
of this law alone as `scaling.forecasting.widened` does, from its smooth parts: by which axis a point leaves the runs
changes at once, and with it the drift. Which of both holds at a point the hull of the runs says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import scaling
from analysis.explorer.law_grid import encoded
from analysis.explorer.page_axes import PageAxis, PointGrid, gaps_filled, read_between
from scaling.forecasting.widened import Widening, drift_words, widening_of
from scaling.laws.base import Array
from scaling.uncertainty.hull import HULL, hull_sides

SHOWN = {1: (7, 25, 19), 2: (5, 13, 13), 3: (3, 5, 4)}  # nodes below, within and above the runs, by axes
SEARCHED = {1: (5, 13, 8), 2: (5, 9, 8), 3: (0, 3, 2)}  # where ends are searched
FEWEST = (2, 3, 2)
LEAST = 1e-9  # nats: no end is nearer
BESIDE = "errors that neighbouring runs share"
RATIOS = np.sinh(np.linspace(0.0, 10.0, 41))  # |change beyond the runs| in units of the scale


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
    """How far each end, as if within the runs, lies from the law at every point of a grid, nats, (K,). inf: open."""
    names = fit.law.axes
    few = PointGrid.in_one(grid.axes, *SEARCHED.get(len(names), FEWEST))
    own, out = fit.predict(few.points(names), level=level, widened=False), {}
    for end, side in (("lower", -1), ("upper", 1)):
        found = own[f"new_{end}"].to_numpy()
        step = np.where(found > 0, side * (found - own["loss"]), np.inf)  # at 0 no end was found
        out[end] = np.exp(read_between(gaps_filled(np.log(np.maximum(step, LEAST)), few), few, grid))
    return out


def _beyond(fit: scaling.Fit, widening: Widening, grid: PointGrid, level: float) -> dict[str, Any]:
    """What the forecast of this law alone is made of at every point, and the sides of the runs' hull.

    A way out has its change of the log loss, and half an interval in units of hypot(scale, change) by their RATIOS.
    """
    names = fit.law.axes
    points = grid.points(names)
    found = widening.at(points)
    ways = [
        {
            "change": encoded(widening.change(points, way)),
            "half": (widening.half_width(way, RATIOS, level) / np.hypot(1.0, RATIOS)).round(6).tolist(),
            "said": drift_words(widening.drift(way)),
        }
        for way in widening.ways
    ]
    return {
        "centre": encoded(found.centre),
        "scale": encoded(np.log(found.scale)),
        "ways": ways,
        "ratios": np.arcsinh(RATIOS).round(6).tolist(),
        "said": BESIDE,
        "hull": hull_sides(np.log(np.stack([fit.axes[a] for a in names]))).tolist(),
        "near": HULL,
    }
