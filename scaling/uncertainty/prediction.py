"""Predictions of a fitted law with intervals: of its mean, of a new run, of an equivalent size.

The coverage of each method, measured by simulation, is in docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.base import Array, Law, clean_axes
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import TINY
from scaling.uncertainty.base import Method, at_points, check_level, t_quantile
from scaling.uncertainty.cluster_profile import ClusterProfile, new_run_spread
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import OFF

HULL = 1e-6  # of the runs' range: a point this near to their hull is in it


def predict(fit: Estimate, axes: Mapping[str, Any], level: float, method: Method) -> pd.DataFrame:
    """What `Fit.predict` returns: predictions with the interval of the mean and of a new run."""
    check_level(level)
    x = clean_axes(fit.law.axes, axes)
    given = {**x, **{a: np.asarray(v, dtype=np.float64) for a, v in axes.items() if a not in x}}
    flat = dict(zip(given, (np.ravel(v) for v in np.broadcast_arrays(*given.values())), strict=True))
    estimate, lower, upper = method.interval(fit, at_points(flat, fit.law.axes), level)
    if not fit.determined:
        lower, upper = np.full((2, estimate.size), np.nan)
    half = new_run_spread(fit, flat, level) if isinstance(method, ClusterProfile) else _one_run(fit, level)
    extra = (half * (estimate if fit.problem.objective.log else 1.0)) ** 2
    frame = pd.DataFrame(flat | {"loss": estimate, "lower": lower, "upper": upper})
    frame["new_lower"] = estimate - np.sqrt((estimate - lower) ** 2 + extra)
    frame["new_upper"] = estimate + np.sqrt((upper - estimate) ** 2 + extra)
    lowest = ["lower", "new_lower"]
    frame[lowest] = frame[lowest].clip(lower=0.0)  # no loss is below it
    logs, asked = (np.log(np.stack([of[a] for a in fit.law.axes])) for of in (fit.axes, flat))
    above, below = asked - logs.max(1, keepdims=True), logs.min(1, keepdims=True) - asked
    frame["beyond"] = np.exp(np.maximum(np.maximum(above, below).max(0), 0.0))
    frame["inside"] = _in_hull(asked, logs)
    return frame


def _one_run(fit: Estimate, level: float) -> float:
    """Half the length of the interval of a new run's own scatter, were rows independent and of one noise."""
    return t_quantile(fit, level) * fit.noise


def _in_hull(asked: Array, runs: Array) -> Any:
    """Which points (d, K) lie in the convex hull of runs (d, n), (K,) bool; or in their plane."""
    from scipy.spatial import ConvexHull

    middle = runs.mean(1, keepdims=True)
    width = np.maximum(np.ptp(runs, axis=1, keepdims=True), TINY)
    scaled = (runs - middle) / width
    spread, directions = (x[..., ::-1] for x in np.linalg.eigh(scaled @ scaled.T))
    flat = np.count_nonzero(spread > HULL**2 * max(spread.max(), TINY))
    own, there = (directions.T @ ((x - middle) / width) for x in (runs, asked))
    inside = (np.abs(there[flat:]) <= HULL).all(0)
    if flat == 1:
        return inside & (there[0] >= own[0].min() - HULL) & (there[0] <= own[0].max() + HULL)
    if flat:
        sides = ConvexHull(own[:flat].T).equations
        inside &= (sides[:, :-1] @ there[:flat] + sides[:, -1:] <= HULL).all(0)
    return inside


def equivalent_interval(
    fit: Estimate, N: Array, P: Array, at_P: float, level: float, method: Method | None = None
) -> tuple[Array, Array]:
    """Ends of the size that has at at_P streams the loss of (N, P), (K,) each, formed on the logarithm.

    N itself where P is at_P; open where a law knows no such size; nan where the fit determines nothing.
    """
    moving = np.asarray(at_P != P)
    lower, upper = N.copy(), N.copy()
    if not moving.any():
        return lower, upper
    if not fit.determined:
        return np.where(moving, np.nan, N), np.where(moving, np.nan, N)

    def log_multiple(laws: Law) -> Array:
        batch: Any = type(laws).from_vector(laws.vector[:, None, :])
        return np.asarray(np.log(batch.equivalent_N(N=N[moving], P=P[moving], at_P=at_P) / N[moving]))

    _, low, high = (method or default_method(fit)).interval(fit, log_multiple, level)
    lower[moving], upper[moving] = N[moving] * np.exp(low), N[moving] * np.exp(high)
    return lower, upper


def default_method(fit: Estimate) -> Method:
    """The method with the best measured coverage (docs/coverage.md).

    The profile likelihood; where rows may miss the law together, with thresholds that allow for it.
    """
    return Profile() if fit.grouping == OFF or fit.degrees_of_freedom < 1 else ClusterProfile()
