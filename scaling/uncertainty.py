"""How far a fit can be wrong: intervals for parameters, predictions and anything derived from a law.

Methods are objects: `Covariance` here, `Profile` in `scaling.profile`, `Bootstrap` in
`scaling.bootstrap`. The coverage of each, measured by simulation, is in docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling.identifiability import told
from scaling.law import Array, Law, clean_axes
from scaling.method import (
    Method,
    Quantity,
    at_points,
    check_level,
    evaluate,
    standard_errors,
    t_quantile,
)
from scaling.problem import TINY
from scaling.profile import Profile

if TYPE_CHECKING:
    from scaling.result import Fit

HULL = 1e-6  # of the runs' range: a point this near to their hull is in it
SMALL = 30  # rows up to which docs/coverage.md measured the methods


@dataclass(frozen=True)
class Covariance(Method):
    """Linearised: estimate ± t se. Quick, and symmetric even where the data are not."""

    label = "covariance"

    def interval(self, fit: Fit, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; nan where the quantity rests on a parameter at its bound alone."""
        estimate = evaluate(fit.problem, fit.theta[None], quantity)[0]
        half = t_quantile(fit, level) * standard_errors(fit, quantity)
        return estimate, estimate - half, estimate + half


def predict(fit: Fit, axes: Mapping[str, Any], level: float, method: Method) -> pd.DataFrame:
    """What `Fit.predict` returns: predictions with the interval of the mean and of a new run."""
    check_level(level)
    x = clean_axes(fit.law.axes, axes)
    given = {**x, **{a: np.asarray(v, dtype=np.float64) for a, v in axes.items() if a not in x}}
    flat = dict(zip(given, (np.ravel(v) for v in np.broadcast_arrays(*given.values())), strict=True))
    estimate, lower, upper = method.interval(fit, at_points(flat, fit.law.axes), level)
    if not fit.determined:
        known = fit.undetermined != fit.law.free() and told(fit.problem, fit.law, flat)
        lower, upper = np.where(known, [lower, upper], np.nan)
    one_run = fit.noise * (estimate if fit.problem.objective.log else 1.0)
    extra = (t_quantile(fit, level) * one_run) ** 2
    frame = pd.DataFrame(flat | {"loss": estimate, "lower": lower, "upper": upper})
    below, above = (np.where(part < 0, 0.0, part) for part in (estimate - lower, upper - estimate))
    frame["new_lower"] = estimate - np.sqrt(below**2 + extra)
    frame["new_upper"] = estimate + np.sqrt(above**2 + extra)
    lowest = ["lower", "new_lower"]
    frame[lowest] = frame[lowest].clip(lower=0.0)  # no loss is below it
    logs, asked = (np.log(np.stack([of[a] for a in fit.law.axes])) for of in (fit.axes, flat))
    above, below = asked - logs.max(1, keepdims=True), logs.min(1, keepdims=True) - asked
    frame["beyond"] = np.exp(np.maximum(np.maximum(above, below).max(0), 0.0))
    frame["inside"] = _in_hull(asked, logs)
    return frame


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
    fit: Fit, N: Array, P: Array, at_P: float, level: float, method: Method | None = None
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


def default_method(fit: Fit) -> Method:
    """The method with the best measured coverage (docs/coverage.md).

    The profile likelihood; for rows in clusters, which it would take for independent (73-87 % measured
    where 95 % was promised), the cluster bootstrap of normal noise that a run's rows share (94-98 %).
    """
    if not fit.clustered:
        return Profile()
    from scaling.bootstrap import Bootstrap

    return Bootstrap(kind="normal")


def caveat(fit: Fit, method: Method) -> str:
    """What the measured coverage says against a method on such data; empty where nothing does."""
    name = method.label
    if fit.clustered:
        if isinstance(method, (Profile, Covariance)):
            return f"{name} takes rows of one run as independent: measured 73-87 % for 95 %; use Bootstrap"
        bound = ", ".join(fit.certificate.at_bound)
        none = f"{bound}, at its bound, has no standard error, and so no interval by {name}"
        return none if bound and getattr(method, "studentised", False) else ""
    if isinstance(method, Covariance) and fit.certificate.at_bound:
        bound = ", ".join(fit.certificate.at_bound)
        return f"{name} takes {bound}, at its bound, as known: measured 51-66 % for 95 %; use Profile"
    small = fit.loss.size <= SMALL
    if not small or isinstance(method, Profile):
        return ""
    if isinstance(method, Covariance):
        return f"{name} at so few rows: prefactors measured 94.7-98.9 % for 95 %, symmetric by construction"
    return f"{name} at so few rows: measured 80-96 % for 95 %; the profile likelihood holds"
