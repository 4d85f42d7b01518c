"""Predictions of a fitted law with intervals: of its mean, of a new run, of an equivalent size.

The coverage of each method, measured by simulation, is in docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law, clean_axes
from scaling.optimise.estimate import Estimate
from scaling.optimise.identifiability import determined_predictions
from scaling.optimise.problem import TINY
from scaling.shown import shown
from scaling.uncertainty.bootstrap import Bootstrap
from scaling.uncertainty.cluster_profile import ClusterProfile, new_run_spread
from scaling.uncertainty.covariance import Covariance
from scaling.uncertainty.interval_methods import ENDS, Method, at_points, check_level, t_quantile
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import OFF

HULL = 1e-6  # of the runs' range: a point this near to their hull is in it


def predict(fit: Estimate, axes: Mapping[str, Any], level: float, method: Method) -> pd.DataFrame:
    """What `Fit.predict` returns: predictions with the interval of the mean and of a new run."""
    check_level(level)
    x = clean_axes(fit.law.axes, axes, fit.law.axis_rules)
    given = {**x, **{a: np.asarray(v, dtype=np.float64) for a, v in axes.items() if a not in x}}
    flat = dict(zip(given, (np.ravel(v) for v in np.broadcast_arrays(*given.values())), strict=True))
    estimate, lower, upper, lost = method.searched(fit, at_points(flat, fit.law.axes), level)
    if not fit.determined:
        known = fit.undetermined != fit.problem.law.free() and determined_predictions(
            fit.problem, fit.law, flat
        )
        lower, upper = np.where(known, [lower, upper], np.nan)
    half = new_run_spread(fit, flat, level) if isinstance(method, ClusterProfile) else _one_run(fit, level)
    extra = (half * (estimate if fit.problem.objective.log else 1.0)) ** 2
    frame = pd.DataFrame(flat | {"loss": estimate, "lower": lower, "upper": upper})
    where = zip(ENDS, lost, strict=True)
    frame.attrs["unconfirmed"] = [f"{end} at point {i + 1}" for end, of in where for i in np.flatnonzero(of)]
    below, above = (np.where(part < 0, 0.0, part) for part in (estimate - lower, upper - estimate))
    frame["new_lower"] = estimate - np.sqrt(below**2 + extra)
    frame["new_upper"] = estimate + np.sqrt(above**2 + extra)
    lowest = ["lower", "new_lower"]
    frame[lowest] = frame[lowest].clip(lower=0.0)  # no loss is below it
    categories = categories_of(fit.law)
    logs, asked = (
        np.log(np.stack([of[a] for a in fit.law.axes if a not in categories])) for of in (fit.axes, flat)
    )
    above, below = asked - logs.max(1, keepdims=True), logs.min(1, keepdims=True) - asked
    frame["beyond"] = np.exp(np.maximum(np.maximum(above, below).max(0), 0.0))
    frame["inside"] = _in_hull(asked, logs)
    for by, rule in categories.items():
        frame[by] = rule.labels(frame[by])
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
    fit: Estimate,
    N: Array,
    P: Array,
    at_P: float,
    level: float,
    method: Method | None = None,
    axes: Mapping[str, Array] | None = None,
) -> tuple[Array, Array]:
    """Ends of the size that has at at_P streams the loss of (N, P), (K,) each, formed on the logarithm.

    axes: the law's other ones, each (K,).
    N itself where P is at_P; open where a law knows no such size; nan where the fit determines nothing.
    """
    moving = np.asarray(at_P != P)
    lower, upper = N.copy(), N.copy()
    if not moving.any():
        return lower, upper
    if not fit.determined:
        return np.where(moving, np.nan, N), np.where(moving, np.nan, N)

    rest = {name: x[moving] for name, x in (axes or {}).items()}

    def log_multiple(laws: Law) -> Array:
        batch: Any = laws.kind.from_vector(laws.vector[:, None, :])
        found = batch.equivalent_N(N=N[moving], P=P[moving], at_P=at_P, **rest)
        return np.asarray(np.log(found / N[moving]))

    _, low, high = (method or default_method(fit)).interval(fit, log_multiple, level)
    lower[moving], upper[moving] = N[moving] * np.exp(low), N[moving] * np.exp(high)
    return lower, upper


METHODS: dict[str, Method] = {"profile": Profile(), "bootstrap": Bootstrap(), "covariance": Covariance()}


def method_of(given: Any, fit: Estimate) -> Method:
    """The interval method that a caller gave, itself or by name, `default_method` for None; else ValueError."""
    if given is None:
        return default_method(fit)
    if isinstance(given, str) and given in METHODS:
        return METHODS[given]
    if not isinstance(given, Method):
        known = ", ".join(METHODS)
        raise ValueError(f"method={shown(given)} is none: give scaling.Profile() or a name of {known}")
    return given


def equivalent_sizes(
    fit: Estimate, N: Any, P: Any, at_P: float, level: float, method: Method | None, axes: Mapping[str, Any]
) -> pd.DataFrame:
    """What `Fit.equivalent_N` returns: equivalent sizes with their intervals, one row a point."""
    check_level(level)
    given = {"N": N, "P": P, **axes}
    found = np.asarray(fit.law.equivalent_N(at_P=at_P, **given))
    x = clean_axes(tuple(given), given)
    x = dict(zip(x, (np.ravel(v) for v in np.broadcast_arrays(*x.values(), found)[:-1]), strict=True))
    rest = {name: x[name] for name in axes}
    frame = pd.DataFrame(x | {"loss": fit.law.predict(**x), "equivalent_N": np.ravel(found)})
    frame["multiple"] = frame["equivalent_N"] / frame["N"]
    frame["lower"], frame["upper"] = equivalent_interval(fit, x["N"], x["P"], at_P, level, method, rest)
    return frame


def default_method(fit: Estimate) -> Method:
    """The method with the best measured coverage (docs/coverage.md).

    The profile likelihood; where rows may miss the law together, with thresholds that allow for it.
    """
    return Profile() if fit.grouping == OFF or fit.degrees_of_freedom < 1 else ClusterProfile()
