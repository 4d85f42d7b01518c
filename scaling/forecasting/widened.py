"""The prediction interval of one fitted law beyond its runs, widened as `scaling.forecast` widens a pool's.

Outside the convex hull of the runs the interval reaches as far as the forecast of this law alone: run noise,
parameters, the errors that neighbouring runs share (`discrepancy`) and how wrong the change that the law
predicts there may be (`drift`). It is never narrower than the interval that assumes the law's form. Inside
the hull that interval is kept. How often both held on public tables: docs/forecast.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from scaling.forecasting.discrepancy import discrepancy
from scaling.forecasting.drift import (
    Drift,
    Points,
    amounts,
    axes_of,
    categories_among,
    change_beyond,
    drift_along,
)
from scaling.forecasting.exits import Exits, exits_of, few_levels, in_ranges
from scaling.forecasting.pooling import Member, joined, member
from scaling.forecasting.question import sample
from scaling.laws.axis import categories_of
from scaling.laws.base import Array, clean_axes
from scaling.optimise.estimate import Estimate

ALONE = np.ones(1)  # the weight of the one law
Way = tuple[str, int]


@dataclass(frozen=True)
class Widened:
    """A law's forecast of the log loss at K points, beyond its runs and within: centre, variances, way out."""

    centre: Array  # (K,)
    known: Array  # variance of a run's noise and of the law's parameters, (K,)
    shared: Array  # variance of the errors that neighbouring runs share, (K,)
    growth: Array  # the factor on that beyond few levels of an axis, (K,)
    exits: Exits

    @property
    def scale(self) -> Array:
        """Standard deviation without drift, (K,)."""
        return np.asarray(np.sqrt(self.known + self.shared * self.growth))


@dataclass(frozen=True, eq=False)
class Widening:
    """How one fitted law's intervals widen beyond its runs. Drifts are computed once per direction."""

    one: Member
    runs: Points
    known: dict[Way, Drift] = field(default_factory=dict)

    @property
    def ways(self) -> tuple[Way, ...]:
        """Every way out of the runs, in the order in which they are looked at."""
        least = [axis for axis, x in self.runs.items() if axis == "P" and x.min() <= 1]  # no P is below 1
        along = axes_of(amounts([self.one], self.runs))
        return tuple((a, side) for a in along for side in (1, -1) if side > 0 or a not in least)

    def drift(self, way: Way) -> Drift:
        """What windows inside the runs say of a way out."""
        if way not in self.known:
            self.known[way] = drift_along([self.one], self.runs, *way)
        return self.known[way]

    def exits(self, points: Points) -> Exits:
        """By which axis points leave the runs, and the change Δ that the law predicts beyond them."""
        with np.errstate(all="ignore"):
            return exits_of([self.one], ALONE, self.runs, points)

    def at(self, points: Points) -> Widened:
        """The forecast of this law alone at points."""
        with np.errstate(all="ignore"):
            places = in_ranges(self.runs, points, categories_among([self.one]))
            miss = discrepancy(self.one, *places, points)
            centre, known = self.one.log_loss(points) + miss.correction, miss.noise + miss.parameters
            more = few_levels(amounts([self.one], self.runs), amounts([self.one], points))
            return Widened(centre, known, miss.shared, more, self.exits(points))

    def half_width(self, way: Way | None, ratio: Array, level: float) -> Array:
        """The half-width of the log loss's interval in units of its scale, if |Δ| is `ratio` times that scale, (K,)."""
        drift = None if way is None else self.drift(way)
        shares = [(0.0, 1.0)] if drift is None else list(zip(drift.values, drift.probabilities, strict=True))
        zero = np.zeros(ratio.size)
        mixture = joined([(zero, np.sqrt(1 + (k * ratio) ** 2), self.one.dof, p) for k, p in shares])
        return mixture.quantile((1 + level) / 2)

    def ends(self, points: Points, level: float) -> tuple[Array, Array]:
        """Ends of the interval of one more run at points, (K,) each, nats per token."""
        found = self.at(points)
        half = np.empty(found.scale.size)
        for place in np.unique(found.exits.place):
            at = found.exits.place == place
            way = found.exits.ways[place] if place >= 0 else None
            half[at] = self.half_width(way, np.abs(found.exits.change[at]) / found.scale[at], level)
        with np.errstate(over="ignore"):
            step = half * found.scale
            return np.exp(found.centre - step), np.exp(found.centre + step)

    def error_between(self, here: Points, there: Points) -> Array:
        """Standard deviation that drift leaves of the difference of two log losses, (K,).

        Both points share one κ along an axis, so only the difference of their changes counts. Axes err
        independently.
        """
        variance = np.zeros(next(iter(here.values())).size)
        for way in ((axis, side) for axis in amounts([self.one], here) for side in (1, -1)):
            change = self.change(here, way) - self.change(there, way)
            if change.any():
                variance += (self.drift(way).kappa * change) ** 2
        return np.asarray(np.sqrt(variance))

    def change(self, points: Points, way: Way) -> Array:
        """Δ of the log loss beyond the runs along one way, (K,). 0 within."""
        return change_beyond([self.one], ALONE, self.runs, points, *way)

    def sentence(self, points: Points) -> str:
        """What widens the interval at points, in one line. Empty if nothing does."""
        exits = self.exits(points)
        return "; ".join(
            drift_words(self.drift(exits.ways[i])) for i in np.unique(exits.place[exits.place >= 0])
        )


def drift_words(drift: Drift) -> str:
    """What the windows along one axis say of the drift, in words."""
    axis = "compute" if drift.axis == "C" else drift.axis
    side = "" if drift.side > 0 else " downwards"
    if not drift.windows:
        return f"no window inside the runs tests it along {axis}{side}, public tables set the width"
    count = f"{len(drift.windows)} windows" if len(drift.windows) > 1 else "one window"
    more = "more" if drift.mean > 0 else "less"
    return (
        f"drift along {axis}{side}: in {count} the loss changed {abs(drift.mean):.0%} {more} than predicted"
    )


_WIDENINGS: WeakKeyDictionary[Estimate, Widening] = WeakKeyDictionary()


def widening_of(fit: Estimate) -> Widening | None:
    """The widening of a fit, computed once. None if the runs leave no degree of freedom."""
    if fit.degrees_of_freedom < 1 or fit.loss.size <= len(fit.form.free()):
        return None
    if fit not in _WIDENINGS:
        some = sample(fit.axes, categories_of(fit.law))
        problem, labels = fit.problem.take(some), None
        if fit.clustered and fit.grouping not in ("size", "cell"):  # those the discrepancy models
            labels = np.unique(np.asarray(fit.groups).astype(str), return_inverse=True)[1][some]
        runs = dict(zip(fit.law.axes, problem.x, strict=True))
        with np.errstate(all="ignore"):
            _WIDENINGS[fit] = Widening(member(problem, problem.internal(fit.law), labels), runs)
    return _WIDENINGS[fit] if _WIDENINGS[fit].one.finite else None


def forecast_words(fit: Estimate, point: Mapping[str, Any]) -> str:
    """What a fit's prediction interval is at one point outside its runs, in a line."""
    widening = widening_of(fit)
    if widening is None:
        return "its prediction interval assumes that the law's form holds"
    x = clean_axes(fit.law.axes, {a: point[a] for a in fit.law.axes}, fit.law.axis_rules)
    why = widening.sentence({a: value.reshape(1) for a, value in x.items()})
    why = why or "errors that neighbouring runs share"
    return f"its prediction interval is a forecast by this law alone, widened by {why}"


def beyond_runs(fit: Estimate, axes: Mapping[str, Any], level: float, plain: Array, inside: Any) -> Array:
    """The ends of a fit's prediction interval, `plain` (K, 2), widened at points that are not `inside` its runs.

    axes: (K,) each. Unknown ends stay unknown, as do ends of 0 or less if the runs' losses lie above.
    """
    known = np.isfinite(plain[:, 0]) & ~np.isnan(plain[:, 1])
    placed = [(axes[a] > 0) | (axes[a] >= x.min()) for a, x in fit.axes.items()]
    out = np.flatnonzero(~np.asarray(inside) & known & np.all(placed, axis=0))
    widening = widening_of(fit) if out.size else None
    if widening is None:
        return plain
    ends = plain.copy()
    points = {a: np.asarray(axes[a], dtype=np.float64)[out] for a in fit.law.axes}
    low, high = widening.ends(points, level)
    ends[out] = np.stack([np.fmin(plain[out, 0], low), np.fmax(plain[out, 1], high)], axis=1)
    return ends
