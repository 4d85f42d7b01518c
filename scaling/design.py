"""What to run next, and what to train under a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.law import Array, Law
from scaling.result import Fit
from scaling.uncertainty import Quantity, at_points, default_method, slopes, spread, t_quantile

Target = str | Mapping[str, float] | Fit | Quantity
Cost = Callable[..., Any]  # N, P, D arrays -> memory or latency, same shape


def suggest(
    fit: Fit,
    candidates: pd.DataFrame,
    budget_flops: float | None = None,
    target: Target = "k",
    count: int = 5,
    level: float = 0.95,
) -> pd.DataFrame:
    """Which candidate runs to train next, greedily by what they add per FLOP.

    candidates: one row a run with the law's axes, and C in FLOPs (6 N P D or 6 N P where it is missing:
    then only ratios mean anything). target: a parameter's name; a point {"N": ..., "P": ...} whose loss
    is wanted; a rival Fit, to tell the two laws apart; or any quantity (see `scaling.uncertainty`).
    Returns the chosen runs in order with C, total_C and what is expected after each: half_width of the
    target's interval, or, against a rival, evidence (expected log likelihood ratio, nats; 3 is strong).
    Linear theory at the fitted law: candidates are weighed by their gradient, noise as fitted.
    """
    axes = {a: np.asarray(candidates[a], dtype=np.float64) for a in fit.law.axes}
    cost = _flops(candidates, axes)
    rival = isinstance(target, Fit)
    chosen: list[dict[str, float]] = []
    left, spent = np.ones(len(cost), bool), 0.0
    state = (
        _Discrimination(fit, target, axes)
        if isinstance(target, Fit)
        else _Precision(fit, target, axes, level)
    )
    before = state.now
    for _ in range(min(count, len(cost))):
        possible = left & (spent + cost <= (np.inf if budget_flops is None else budget_flops))
        if not possible.any():
            break
        gain = np.where(possible, state.gains() / cost, -np.inf)
        best = int(np.argmax(gain))
        state.take(best)
        left[best], spent = False, spent + cost[best]
        chosen.append(
            {a: float(x[best]) for a, x in axes.items()}
            | {"C": cost[best], "total_C": spent, state.name: state.now}
        )
    if not chosen:
        raise ValueError(
            f"budget_flops={budget_flops!r} pays for none of the candidates (the cheapest costs {cost.min():.3g})"
        )
    frame = pd.DataFrame(chosen)
    frame.attrs["before"], frame.attrs["rival"] = before, rival
    return frame


def _flops(candidates: pd.DataFrame, axes: Mapping[str, Array]) -> Array:
    if "C" in candidates:
        return np.asarray(candidates["C"], dtype=np.float64)
    D = np.asarray(candidates["D"], dtype=np.float64) if "D" in candidates else 1.0
    return np.asarray(6.0 * axes["N"] * axes.get("P", np.ones(1)) * D)


def _information(fit: Fit, axes: Mapping[str, Array]) -> tuple[Array, Array]:
    """Inverse information of the data (p, p), in units of the noise, and the candidates' rows (K, p)."""
    cov, unit = spread(fit)
    gradient = slopes(fit.problem, fit.theta[None], at_points(dict(axes), fit.law.axes))[0].T
    predicted = np.asarray(fit.law.predict(**axes))
    return cov, gradient / (predicted if fit.problem.objective.log else np.ones_like(predicted))[:, None]


class _Precision:
    """Shrink the interval of one quantity."""

    name = "half_width"

    def __init__(
        self, fit: Fit, target: str | Mapping[str, float] | Quantity, axes: Mapping[str, Array], level: float
    ) -> None:
        self.cov, self.rows = _information(fit, axes)
        self.noise2 = fit.noise**2
        self.wanted = slopes(fit.problem, fit.theta[None], _quantity(fit, target))[0][:, 0]
        self.factor = t_quantile(fit, level)
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
        self.cov = self.cov - np.outer(v, v) / (self.noise2 + self.rows[i] @ v)


class _Discrimination:
    """Tell two fitted laws apart: expected log likelihood ratio where their predictions part."""

    name = "evidence"

    def __init__(self, fit: Fit, rival: Fit, axes: Mapping[str, Array]) -> None:
        self.ours, self.theirs = _Precision.__new__(_Precision), _Precision.__new__(_Precision)
        both = {**axes}
        for side, one in ((self.ours, fit), (self.theirs, rival)):
            side.cov, side.rows = _information(one, {a: both[a] for a in one.law.axes})
            side.noise2 = one.noise**2
        self.gap = np.log(np.asarray(fit.law.predict(**both)) / np.asarray(rival.law.predict(**both)))
        self.now = 0.0

    def gains(self) -> Array:
        """Expected log likelihood ratio of one run at each candidate, after each law has learnt what it can."""
        room = self.ours.noise2 / 2 + self.theirs.noise2 / 2
        for side in (self.ours, self.theirs):
            room = room + np.einsum("kp,pq,kq->k", side.rows, side.cov, side.rows)
        return np.asarray(self.gap**2 / (2 * room))

    def take(self, i: int) -> None:
        """Both laws learn from candidate i."""
        self.now += float(self.gains()[i])
        for side in (self.ours, self.theirs):
            side.take(i)


def _quantity(fit: Fit, target: str | Mapping[str, float] | Quantity) -> Quantity:
    if callable(target):
        return target
    if isinstance(target, str):
        if target not in fit.law.free():
            raise ValueError(
                f"target {target!r} is no free parameter of {type(fit.law).__name__}: {', '.join(fit.law.free())}"
            )
        return lambda law: np.asarray(getattr(law, target))
    return at_points({a: np.array([float(v)]) for a, v in target.items()}, fit.law.axes)


@dataclass(frozen=True)
class Allocation:
    """The best (N, P, D) under the budgets, with intervals where a fit was given."""

    N: float
    P: float
    D: float
    loss: float
    intervals: pd.DataFrame | None  # index N, P, D, loss: lower, upper over draws
    verdict: str


def allocate(
    law: Law | Fit,
    training_flops: float,
    cost: Cost | None = None,
    limit: float = np.inf,
    streams: Any = (1, 2, 4, 8, 16, 32),
    draws: int = 400,
    level: float = 0.95,
) -> Allocation:
    """The (N, P, D) of least loss with 6 N P D = training_flops and cost(N, P, D) <= limit.

    law: one with axes N and D (P where it has it), or a fit of one, which gives intervals over draws.
    cost: inference memory or latency of the caller's choosing, of arrays N, P, D. Says "no interior
    optimum" where the best N lies at the end of what was searched (six decades about the compute).
    """
    fitted = law if isinstance(law, Fit) else None
    known: Law = law.law if isinstance(law, Fit) else law
    if "D" not in known.axes:
        raise ValueError(f"{type(known).__name__} has no data term: allocation needs a law with N and D")
    N, P = np.meshgrid(
        np.geomspace(1e-3, 1e3, 1201) * np.sqrt(training_flops / 120),
        np.asarray(streams, dtype=float) if "P" in known.axes else np.ones(1),
    )
    D = training_flops / (6 * N * P)
    allowed = np.ones_like(N, bool) if cost is None else np.asarray(cost(N, P, D)) <= limit
    if not allowed.any():
        raise ValueError(f"limit={limit!r}: no (N, P) searched costs that little")
    best = _best(known, N, P, D, allowed)
    i = np.unravel_index(best[0], N.shape)
    edge = i[1] in (0, N.shape[1] - 1)
    bound = cost is not None and not allowed[:, min(i[1] + 1, N.shape[1] - 1)].any()
    verdict = (
        "no interior optimum: the loss still falls at the end of the search"
        if edge
        else "limited by the cost, not by the training budget"
        if bound
        else "an interior optimum"
    )
    intervals = None
    if fitted is not None:
        picks = _best(default_method(fitted).draws(fitted, draws), N, P, D, allowed)
        values = np.stack([N.ravel()[picks], P.ravel()[picks], D.ravel()[picks], [0.0] * len(picks)])
        values[3] = _loss_of(default_method(fitted).draws(fitted, draws), values)
        low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        intervals = pd.DataFrame({"lower": low, "upper": high}, index=["N", "P", "D", "loss"])
    where = {"N": N[i], "P": P[i], "D": D[i]}
    return Allocation(*map(float, where.values()), float(known.predict(**where)), intervals, verdict)


def _best(law: Law, N: Array, P: Array, D: Array, allowed: Any) -> Any:
    """Index of the least loss on the grid for each law of a batch, (B,)."""
    flat = {"N": N.ravel(), "P": P.ravel(), "D": D.ravel()}
    fields = {n: np.atleast_1d(getattr(law, n))[:, None] for n in law.names()}
    loss = type(law)(**fields)._loss(*(flat[a] for a in law.axes))
    return np.argmin(np.where(allowed.ravel(), loss, np.inf), axis=-1)


def _loss_of(law: Law, values: Array) -> Array:
    flat = {"N": values[0], "P": values[1], "D": values[2]}
    return law._loss(*(flat[a] for a in law.axes))
