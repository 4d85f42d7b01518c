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

from scaling.law import Array, clean_axes
from scaling.method import (
    Method,
    Quantity,
    at_points,
    check_level,
    evaluate,
    slopes,
    spread,
    standard_errors,
    t_quantile,
)
from scaling.profile import Profile

if TYPE_CHECKING:
    from scaling.result import Fit

SMALL = 30  # rows up to which docs/coverage.md measured the methods

__all__ = [
    "Covariance",
    "Method",
    "Profile",
    "Quantity",
    "at_points",
    "caveat",
    "check_level",
    "default_method",
    "evaluate",
    "predict",
    "slopes",
    "spread",
    "standard_errors",
    "t_quantile",
]


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
    one_run = fit.noise * (estimate if fit.problem.objective.log else 1.0)
    extra = (t_quantile(fit, level) * one_run) ** 2
    frame = pd.DataFrame(flat | {"loss": estimate, "lower": lower, "upper": upper})
    frame["new_lower"] = estimate - np.sqrt((estimate - lower) ** 2 + extra)
    frame["new_upper"] = estimate + np.sqrt((upper - estimate) ** 2 + extra)
    seen = fit.axes
    frame["inside"] = np.all(
        [(flat[a] >= seen[a].min()) & (flat[a] <= seen[a].max()) for a in fit.law.axes], axis=0
    )
    return frame


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
        naive = isinstance(method, (Profile, Covariance))
        words = f"{name} takes rows of one run as independent: measured 73-87 % for 95 %; use Bootstrap"
        return words if naive else ""
    if isinstance(method, Covariance) and fit.certificate.at_bound:
        bound = ", ".join(fit.certificate.at_bound)
        return f"{name} takes {bound}, at its bound, as known: measured 51-66 % for 95 %; use Profile"
    small = fit.loss.size <= SMALL
    if not small or isinstance(method, Profile):
        return ""
    if isinstance(method, Covariance):
        return f"{name} at so few rows: prefactors measured 94.7-98.9 % for 95 %, symmetric by construction"
    return f"{name} at so few rows: measured 80-96 % for 95 %; the profile likelihood holds"
