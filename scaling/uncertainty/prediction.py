"""Predictions of a fitted law with intervals: of its mean, of a new run, of an equivalent size.

The coverage of each method, measured by simulation, is in docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.forecasting.exits import far_out, in_ranges
from scaling.forecasting.widened import beyond_runs, widening_of
from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law, clean_axes
from scaling.optimise.estimate import Estimate
from scaling.optimise.identifiability import determined_changes, determined_predictions
from scaling.shown import shown
from scaling.uncertainty.adequacy import streams_in_doubt
from scaling.uncertainty.bootstrap import Bootstrap
from scaling.uncertainty.cluster_profile import ClusterProfile, new_run_spread
from scaling.uncertainty.covariance import Covariance
from scaling.uncertainty.hull import in_hull
from scaling.uncertainty.interval_methods import ENDS, Method, at_points, check_level, t_quantile
from scaling.uncertainty.profile import Profile
from scaling.uncertainty.size_effects import OFF

NEW = ["new_lower", "new_upper"]
STEP = 1e-3  # of the logarithm of an axis, for the slope of the log loss
SOLVED = 1e-6  # of the logarithm of an axis: rounding where a loss is solved for it


def _together(axes: Mapping[str, Array]) -> Sequence[Array]:
    """The axes at common points. ValueError names the lengths that do not go together."""
    try:
        return np.broadcast_arrays(*axes.values())
    except ValueError:
        sizes = ", ".join(f"{np.size(x)} of {axis}" for axis, x in axes.items())
        raise ValueError(f"values of axes differ in number: {sizes}. Give as many of each, or one.") from None


def predict(
    fit: Estimate, axes: Mapping[str, Any], level: float, method: Method, widened: bool = True
) -> pd.DataFrame:
    """What `Fit.predict` returns: predictions with the interval of the mean and of a new run."""
    check_level(level)
    x = clean_axes(fit.law.axes, axes, fit.law.axis_rules)
    given = {**x, **{a: np.asarray(v, dtype=np.float64) for a, v in axes.items() if a not in x}}
    flat = dict(zip(given, (np.ravel(v) for v in _together(given)), strict=True))
    estimate, lower, upper, lost = method.searched(fit, at_points(flat, fit.law.axes), level)
    if not fit.determined:
        known = fit.undetermined != fit.problem.law.free() and determined_predictions(
            fit.problem, fit.law, flat
        )
        lower, upper = np.where(known, [lower, upper], np.nan)
    frame = _with_new_run(fit, flat, level, method, (estimate, lower, upper))
    where = zip(ENDS, lost, strict=True)
    frame.attrs["unconfirmed"] = [f"{end} at point {i + 1}" for end, of in where for i in np.flatnonzero(of)]
    categories = categories_of(fit.law)
    runs, asked = ({a: of[a] for a in fit.law.axes if a not in categories} for of in (fit.axes, flat))
    frame["beyond"] = np.exp(np.max(list(far_out(runs, asked).values()), axis=0))
    places = in_ranges(runs, asked)
    frame["inside"] = in_hull(places[1].T, places[0].T)
    if widened:
        frame[NEW] = beyond_runs(fit, flat, level, frame[NEW].to_numpy(), frame["inside"])
    for by, rule in categories.items():
        frame[by] = rule.labels(frame[by])
    return frame


def _with_new_run(
    fit: Estimate, flat: Mapping[str, Array], level: float, method: Method, mean: tuple[Array, Array, Array]
) -> pd.DataFrame:
    """Points with the interval of the mean (estimate, lower, upper) and of a new run, as if within the runs."""
    estimate, lower, upper = mean
    half = new_run_spread(fit, flat, level) if isinstance(method, ClusterProfile) else _one_run(fit, level)
    extra = (half * (estimate if fit.problem.objective.log else 1.0)) ** 2
    frame = pd.DataFrame({**flat, "loss": estimate, "lower": lower, "upper": upper})
    below, above = (np.where(part < 0, 0.0, part) for part in (estimate - lower, upper - estimate))
    frame["new_lower"] = estimate - np.sqrt(below**2 + extra)
    frame["new_upper"] = estimate + np.sqrt(above**2 + extra)
    lowest = ["lower", "new_lower"]
    frame[lowest] = frame[lowest].clip(lower=0.0)  # no loss is below it
    return frame


def _one_run(fit: Estimate, level: float) -> float:
    """Half the length of the interval of a new run's own scatter, were rows independent and of one noise."""
    return t_quantile(fit, level) * fit.noise


@dataclass(frozen=True)
class LogMultiple:
    """The quantity log(N_eq / N) at K points of a batch of laws; here: the law's axes, (K,) each."""

    here: Mapping[str, Array]
    at_P: float

    def __call__(self, law: Law) -> Array:
        """Of laws with fields (B,), (B, K)."""
        batch: Any = law.kind.from_vector(law.vector[:, None, :])
        return self._of(batch, self.here)

    def own(self, law: Law, k: Any) -> Array:
        """Of each law at its own point k (B,), (B,)."""
        return self._of(law, {axis: x[k] for axis, x in self.here.items()})

    def _of(self, law: Any, here: Mapping[str, Array]) -> Array:
        return np.asarray(np.log(law.equivalent_N(**here, at_P=self.at_P) / here["N"]))


def equivalent_interval(
    fit: Estimate,
    N: Array,
    P: Array,
    at_P: float,
    level: float,
    method: Method | None = None,
    axes: Mapping[str, Array] | None = None,
    widened: bool = True,
) -> tuple[Array, Array]:
    """Ends of the size that has at at_P streams the loss of (N, P), (K,) each, formed on the logarithm.

    axes: the law's other ones, each (K,). widened: by the drift beyond the runs, as `predict` takes it.
    N itself where P is at_P; open where a law knows no such size; nan where the runs do not tell it.
    """
    others = axes or {}
    moving = np.asarray(at_P != P)
    if not fit.determined:
        moving = moving & _told_sizes(fit, {"N": N, "P": P, **others}, at_P)
    unknown = ~moving & (at_P != P)
    lower, upper = np.where(unknown, np.nan, N), np.where(unknown, np.nan, N)
    if not moving.any():
        return lower, upper

    here = {"N": N[moving], "P": P[moving], **{name: x[moving] for name, x in others.items()}}
    method = method or default_method(fit)
    middle, low, high = method.interval(fit, LogMultiple(here, at_P), level)
    if isinstance(method, ClusterProfile) and streams_in_doubt(fit, level):
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    ends = middle, low, high
    if widened:
        ends = (ends[0], *widened_multiple(fit, "N", here, {"P": np.full_like(here["P"], at_P)}, ends, level))
    with np.errstate(over="ignore"):  # so far out that it is open
        lower[moving], upper[moving] = (N[moving] * np.exp(end) for end in ends[1:])
    return lower, upper


def _told_sizes(fit: Estimate, here: dict[str, Array], at_P: float) -> Any:
    """Which sizes of equal loss the runs tell although not every parameter, (K,) bool."""
    if fit.undetermined == fit.problem.law.free():
        return np.zeros(here["N"].size, bool)
    law: Any = fit.law
    size = np.asarray(law.equivalent_N(**here, at_P=at_P))
    known = np.isfinite(size)
    there = here | {"N": np.where(known, size, here["N"]), "P": np.full_like(here["P"], at_P)}
    return known & determined_changes(fit.problem, law, here, there)


def widened_multiple(
    fit: Estimate,
    axis: str,
    here: Mapping[str, Array],
    at: Mapping[str, Array],
    ends: tuple[Array, Array, Array],
    level: float,
) -> tuple[Array, Array]:
    """Ends of the logarithm of a multiple of `axis`, (K,) each, widened by drift beyond the runs.

    ends: estimate, lower and upper without drift. The multiple takes the points `here`, changed by `at`, to the same loss.
    Neither passes 0 where the law says on which side of it the multiple lies: more streams never cost parameters.
    """
    middle, low, high = ends
    with np.errstate(over="ignore"):
        there = {**here, **at, axis: here[axis] * np.exp(middle)}
    extra = t_quantile(fit, level) * _multiple_error(fit, axis, here, there)
    least, most = _allowed(fit.law, axis, here, at)
    with np.errstate(invalid="ignore"):  # the law may know no value of this loss: the ends stay open
        low = np.where(np.isfinite(middle), middle - np.hypot(middle - low, extra), low)
        high = np.where(np.isfinite(middle), middle + np.hypot(high - middle, extra), high)
    within = (middle >= least - SOLVED) & (middle <= most + SOLVED)
    return np.where(within, np.maximum(low, least), low), np.where(within, np.minimum(high, most), high)


def _allowed(law: Law, axis: str, here: Mapping[str, Array], at: Mapping[str, Array]) -> tuple[Array, Array]:
    """The least and the greatest logarithm of a multiple of `axis` that the law's axes allow, (K,) each."""
    better = {name: law.axis_rule(name).more_is_better for name in (axis, *at)}
    if None in better.values():
        return np.full(here[axis].size, -np.inf), np.full(here[axis].size, np.inf)
    gained = np.stack([(x - here[name]) * (1 if better[name] else -1) for name, x in at.items()])
    least = np.where((gained <= 0).all(0), 0.0, -np.inf)
    most = np.where((gained >= 0).all(0), 0.0, np.inf)
    return (least, most) if better[axis] else (-most, -least)


def _multiple_error(fit: Estimate, axis: str, here: Mapping[str, Array], there: Mapping[str, Array]) -> Array:
    """Standard deviation that drift beyond the runs leaves of the logarithm of an equal-loss value of `axis`, (K,)."""
    widening, out = widening_of(fit), np.zeros(here[axis].size)
    known = np.isfinite(there[axis])  # the law may know no value of this loss
    if widening is None or not known.any():
        return out
    here, there = ({a: of[a][known] for a in fit.law.axes} for of in (here, there))
    with np.errstate(all="ignore"):
        error = widening.error_between(here, there)
        sides = [there | {axis: there[axis] * np.exp(step)} for step in (-STEP, STEP)]
        slope = np.subtract(*(np.log(fit.law.predict(**side)) for side in sides)) / (2 * STEP)
        out[known] = np.where(error > 0, np.nan_to_num(error / np.abs(slope), nan=np.inf), 0.0)
    return out


METHODS: dict[str, Method] = {"profile": Profile(), "bootstrap": Bootstrap(), "covariance": Covariance()}


def method_of(given: Any, fit: Estimate) -> Method:
    """The interval method that a caller gave, itself or by name, `default_method` for None; else ValueError."""
    if given is None:
        return default_method(fit)
    if isinstance(given, str) and given in METHODS:
        return METHODS[given]
    if not isinstance(given, Method):
        known = ", ".join(METHODS)
        raise ValueError(
            f"method must be an interval method such as scaling.Profile(), or a name of {known}, got {shown(given)}"
        )
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
