"""What to run next: the candidates that teach most about a chosen quantity per FLOP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame
from scaling.data.levels import approximate_C
from scaling.design.drift_left import DriftLeft
from scaling.fitting.result import Fit
from scaling.forecasting.widened import widening_of
from scaling.laws.axis import Levels
from scaling.laws.base import Array, clean_axes
from scaling.optimise.estimate import must_be_fit
from scaling.result_table import FrameResult
from scaling.uncertainty.cluster_profile import spread_of, with_offsets
from scaling.uncertainty.interval_methods import (
    Quantity,
    at_points,
    check_level,
    errors_batch,
    slopes,
    t_quantile,
)
from scaling.uncertainty.power import let_go

Target = str | Mapping[str, float] | Fit | Quantity


@dataclass(frozen=True, repr=False)
class Suggestion(FrameResult):
    """Runs to train next: `table` has a row per run, in order, `before` the half-width or evidence without them."""

    table: pd.DataFrame
    verdict: str
    before: float


def suggest(
    fit: Fit,
    candidates: Any,
    budget_flops: float | None = None,
    target: Target = "k",
    count: int = 5,
    level: float = 0.95,
) -> Suggestion:
    """Choose the runs to train next: greedily by what each adds to a fit per FLOP.

    Linear theory at the fitted law: each candidate counts by its gradient, with the noise of the fit. A parameter at its
    bound is freed, to show what would be known of it. Rows that share offsets do so here too.

    Args:
        fit: of the runs so far.
        candidates: one row per run with the law's axes, and C in FLOPs, by default 6 N P D. Without D the cost is
            6 N P, without N it is D, without either one per run. These have no unit, so a budget is then refused.
        budget_flops: the limit on their total cost. None by default.
        target: a parameter's name, a point `{"N": ..., "P": ...}` whose loss is wanted, a rival Fit to distinguish
            from this one, or any quantity (see `scaling.uncertainty.interval_methods`).
        count: the most runs to choose.
        level: of the intervals, between 0 and 1.

    Returns:
        A `Suggestion`. Its `table` has the chosen runs in order with C, total_C and what is expected after each:
        half_width of the target's interval or, against a rival, evidence (the expected log likelihood ratio in
        nats, where 3 is strong). The loss at a point beyond the runs includes the law's drift (docs/forecast.md).

    Raises:
        ValueError: for a bad candidate, an unknown target, or a budget that pays for no candidate.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> candidates = [{"N": 1e9, "P": 8}, {"N": 4e9, "P": 1}, {"N": 4e9, "P": 16}]
        >>> scaling.suggest(scaling.fit("parallel", pile), candidates, count=2).table[["N", "P"]].values.tolist()
        [[1000000000.0, 8.0], [4000000000.0, 16.0]]
    """
    _check(fit, count)
    candidates = as_frame(candidates, "candidates")
    names = dict.fromkeys((*fit.law.axes, *(target.law.axes if isinstance(target, Fit) else ())))
    rules = {**(target.law.axis_rules if isinstance(target, Fit) else {}), **fit.law.axis_rules}
    axes = clean_axes(tuple(names), {a: candidates[a] for a in names if a in candidates}, rules)
    if isinstance(target, Mapping):
        target = {a: float(x) for a, x in clean_axes(fit.law.axes, target, rules).items()}
    cost = _flops(candidates, budget_flops)
    levels = {a: rule for a, rule in rules.items() if isinstance(rule, Levels) and a in axes}
    state = _state(fit, target, axes, level)
    before = state.now
    chosen = _greedily(state, axes, cost, np.inf if budget_flops is None else budget_flops, count)
    if not chosen:
        raise ValueError(
            f"a budget of {budget_flops:g} FLOPs pays for none of the candidates: "
            f"the cheapest costs {cost.min():.3g}"
        )
    frame = pd.DataFrame(chosen).assign(
        **{a: rule.labels([row[a] for row in chosen]) for a, rule in levels.items()}
    )
    frame.attrs["before"] = before
    return Suggestion(frame, _verdict(frame, state.name, before, target), before)


def _greedily(
    state: Any, axes: dict[str, Any], cost: Any, budget: float, count: int
) -> list[dict[str, float]]:
    """At most `count` runs, each the one that adds most per FLOP to what is known with those before it."""
    chosen: list[dict[str, float]] = []
    left, spent = np.ones(len(cost), bool), 0.0
    for _ in range(min(count, len(cost))):
        possible = left & (spent + cost <= budget)
        if not possible.any():
            break
        gain = np.where(possible, state.gains() / cost, -np.inf)
        best = int(np.argmax(gain))
        state.take(best)
        left[best], spent = False, spent + cost[best]
        run = {axis: float(x[best]) for axis, x in axes.items()}
        chosen.append(run | {"C": cost[best], "total_C": spent, state.name: state.now})
    return chosen


def _verdict(frame: pd.DataFrame, name: str, before: float, target: Target) -> str:
    """What the chosen runs are expected to teach, in words."""
    runs = "run" if len(frame) == 1 else f"{len(frame)} runs, in this order"
    if name == "evidence":
        return f"Train the {runs}: expected evidence {frame[name].iloc[-1]:.2g} nats between the laws (3 is strong)."
    what = (
        "the quantity" if callable(target) else f"{target}" if isinstance(target, str) else "the loss there"
    )
    return (
        f"Train the {runs}: the interval of {what} falls from ±{before:.2g} to ±{frame[name].iloc[-1]:.2g}."
    )


def _check(fit: Fit, count: int) -> None:
    """Refuse a fit that linear theory cannot treat, and count < 1."""
    must_be_fit(fit)
    if not fit.determined:
        raise ValueError(f"the fit is {fit.status}: {fit.certificate.detail}. Fix that first")
    if count < 1:
        raise ValueError(f"count={count!r} must be at least 1")


def _state(fit: Fit, target: Target, axes: Mapping[str, Array], level: float) -> _Precision | _Discrimination:
    if isinstance(target, Fit):
        return _Discrimination(fit, target, axes)
    left = _drift_left(fit, target, axes) if isinstance(target, Mapping) else None
    if isinstance(target, Mapping) and left is not None:
        return _Forecast(fit, target, axes, level, left)
    return _Precision(fit, target, axes, level)


def _drift_left(fit: Fit, target: Mapping[str, float], axes: Mapping[str, Array]) -> DriftLeft | None:
    """The drift of a loss asked for beyond the runs. None within them."""
    widening = widening_of(fit)
    if widening is None or bool(fit.predict(dict(target))["inside"].iloc[0]):
        return None
    return DriftLeft(widening, {axis: target[axis] for axis in fit.law.axes}, axes)


def _flops(candidates: pd.DataFrame, budget: float | None) -> Array:
    """C of each candidate, (K,). Without C, D or N every candidate costs the same."""
    given = "C" if "C" in candidates else "D"
    if (given not in candidates or not {"C", "N"} & set(candidates)) and budget is not None:
        raise ValueError(
            f"budget_flops={budget:g}: candidates have neither C nor N and D, so no cost in FLOPs"
        )
    paid = (
        np.asarray(candidates[given], dtype=np.float64) if given in candidates else np.ones(len(candidates))
    )
    bad = np.flatnonzero(~(np.isfinite(paid) & (paid > 0)))
    if bad.size:
        raise ValueError(f"candidates: row {bad[0] + 1}, column {given}: {paid[bad[0]]:g} must be > 0")
    P = np.asarray(candidates["P"], dtype=np.float64) if "P" in candidates else 1.0
    N = np.asarray(candidates["N"], dtype=np.float64) if "N" in candidates else np.full(paid.size, 1 / 6)
    return paid if given == "C" else approximate_C(N, paid, P)


def _information(fit: Fit, axes: Mapping[str, Array], log: bool, theta: Array) -> tuple[Array, ...]:
    """Covariance of θ (p,) and of G groups' offsets, the candidates' gradients (K, p + G), noise variance (K,).

    The last item is what groups' offsets add to the law there, (K,). Gradient, noise and offsets are those of the
    log loss if `log`, else of the loss in nats per token. A candidate shares the offset of its size
    (configuration), if it has one: more runs there say little about the law along N.
    """
    gradient = slopes(fit.problem, theta[None], at_points(dict(axes), fit.law.axes))[0].T
    predicted = np.asarray(fit.law.predict(**axes))
    inner = predicted if fit.problem.objective.log else np.ones_like(predicted)
    cov, rows, noise2, shift = with_offsets(fit, theta, gradient / inner[:, None], axes)
    unit = predicted if log and not fit.problem.objective.log else np.ones_like(predicted)
    return cov, rows / unit[:, None], noise2 / unit**2, shift / unit


class _Precision:
    """Shrink the interval of one quantity."""

    name = "half_width"

    def __init__(
        self, fit: Fit, target: str | Mapping[str, float] | Quantity, axes: Mapping[str, Array], level: float
    ) -> None:
        check_level(level)
        quantity = _quantity(fit, target)
        theta = let_go(fit, target) if isinstance(target, str) else fit.theta
        self.cov, self.rows, self.noise2, _ = _information(fit, axes, fit.problem.objective.log, theta)
        slope = slopes(fit.problem, theta[None], quantity)
        self.wanted = np.concatenate([slope[0][:, 0], np.zeros(len(self.cov) - theta.size)])
        self.factor = 1.0
        own = float(errors_batch(fit.problem, theta[None], quantity)[0, 0])  # of independent rows
        if self.now > 0 and np.isfinite(own):  # so that the first interval is the fit's
            self.factor = float(spread_of(fit, theta, slope[..., :1], level)[0][0]) * own / self.now
        if not self.now > 0:
            raise ValueError(
                f"target {target!r} has no uncertainty in this fit ({fit.status}): nothing to shrink"
            )

    @property
    def now(self) -> float:
        return float(self.factor * np.sqrt(self.wanted @ self.cov @ self.wanted))

    def gains(self) -> Array:
        """Fall of log variance from one more run at each candidate."""
        spread_there = np.einsum("kp,pq,kq->k", self.rows, self.cov, self.rows)
        shared = self.rows @ self.cov @ self.wanted
        fall = shared**2 / (self.noise2 + spread_there) / (self.wanted @ self.cov @ self.wanted)
        return np.asarray(-np.log1p(-np.minimum(fall, 1 - 1e-12)))

    def take(self, i: int) -> None:
        """Add candidate i's run to the information (a rank-one update)."""
        v = self.cov @ self.rows[i]
        self.cov = self.cov - np.outer(v, v) / (self.noise2[i] + self.rows[i] @ v)


class _Forecast(_Precision):
    """Shrink the interval of a loss beyond the runs, to which the law's drift adds: nearer runs lessen it."""

    left: DriftLeft | None = None

    def __init__(
        self, fit: Fit, target: Mapping[str, float], axes: Mapping[str, Array], level: float, left: DriftLeft
    ) -> None:
        super().__init__(fit, target, axes, level)
        self.each = t_quantile(fit, level) * float(fit.law.predict(**target))  # nats a unit of drift
        self.left = left

    @property
    def now(self) -> float:
        drift = 0.0 if self.left is None else self.each * self.left.now
        return float(np.hypot(super().now, drift))

    def gains(self) -> Array:
        """Fall of log variance from one more run at each candidate."""
        if self.left is None:
            return super().gains()
        parameters = super().now ** 2 * np.exp(-super().gains())
        return np.asarray(np.log(self.now**2 / (parameters + (self.each * self.left.each()) ** 2)))

    def take(self, i: int) -> None:
        super().take(i)
        if self.left is not None:
            self.left.take(i)


class _Discrimination:
    """Distinguish two fitted laws: the log likelihood ratio expected where their predictions differ.

    Each law in turn is taken as true. The other is refitted, by linear theory, to its predictions at the runs
    chosen so far. The remaining misfit is the score (T-optimal design, Atkinson and Fedorov 1975).
    """

    name = "evidence"

    def __init__(self, fit: Fit, rival: Fit, axes: Mapping[str, Array]) -> None:
        own = [{a: axes[a] for a in one.law.axes} for one in (fit, rival)]
        both = [_information(one, x, True, one.theta) for one, x in zip((fit, rival), own, strict=True)]
        self.sides = [(cov, rows, noise2) for cov, rows, noise2, _ in both]
        gap = np.log(np.asarray(fit.law.predict(**own[0]))) - np.log(np.asarray(rival.law.predict(**own[1])))
        gap = gap + both[0][3] - both[1][3]
        self.gaps = [gap, gap]
        self.now = 0.0

    def gains(self) -> Array:
        """Expected log likelihood ratio of one more run at each candidate, nats."""
        ratios = [
            gap**2 / (2 * (noise2 + np.einsum("kp,pq,kq->k", rows, cov, rows)))
            for gap, (cov, rows, noise2) in zip(self.gaps, self.sides, strict=True)
        ]
        return np.asarray(np.mean(ratios, axis=0))

    def take(self, i: int) -> None:
        """Each law learns the other's prediction at candidate i: its gap and its covariance shrink."""
        self.now += float(self.gains()[i])
        for j, (cov, rows, noise2) in enumerate(self.sides):
            v = cov @ rows[i]
            room = noise2[i] + rows[i] @ v
            self.gaps[j] = self.gaps[j] - rows @ v * (self.gaps[j][i] / room)
            self.sides[j] = (cov - np.outer(v, v) / room, rows, noise2)


def _quantity(fit: Fit, target: str | Mapping[str, float] | Quantity) -> Quantity:
    if callable(target):
        return target
    if isinstance(target, str):
        if target not in fit.form.free():
            raise ValueError(
                f"target {target!r} is no free parameter of {fit.form.__name__}: {', '.join(fit.form.free())}"
            )
        return lambda law: np.asarray(getattr(law, target))
    point = clean_axes(fit.law.axes, target, fit.law.axis_rules)
    return at_points({a: v.reshape(1) for a, v in point.items()}, fit.law.axes)
