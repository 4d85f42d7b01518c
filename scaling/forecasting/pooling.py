"""A pool of laws as one predictive distribution: a weighted mixture of Student's t on the log loss.

No criterion knows which law holds beyond the runs, so no law gets all the weight. Half of the weight is
Akaike's (Burnham & Anderson 2002, section 6.4), half is Akaike's flattened to a power (FLAT).
Shapes: M components of a mixture, K points, n rows, p free parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from scaling.laws.base import Array, Law
from scaling.optimise.certificate import fields_at_bound
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import Solution, minimise, starts

FLAT = 0.25  # power of the flattened half of the Akaike weights, chosen on public tables (docs/forecast.md)
HALF = 0.5  # share of the weight that stays Akaike's own
EXACT = 1e-5  # relative residuals below this are rounding, in every table's printed losses
SEARCHED = 200  # rows on which starting points are tried
STARTS = 3
DETERMINED = 1e-7  # relative singular value of the rows' slopes below which a direction is undetermined
UNTOLD = 1e-6  # share of a prediction's squared slope in such directions that makes it undetermined
LEAST = 1e-4  # weight, relative to the largest, below which a component is left out


@dataclass(frozen=True)
class Member:
    """One law fitted to the rows, with what its predictions need. Residuals are of the log loss."""

    law: Law
    problem: Problem
    theta: Array  # the optimum in the solver's coordinates, (p,)
    residuals: Array  # observed minus predicted log loss, (n,)
    columns: Array  # ∂ log L / ∂ free fields at the rows, scaled to length 1, (n, p)
    lengths: Array  # what the columns were divided by, (p,)
    free: tuple[int, ...]  # places of the fields that are neither fixed nor at a bound
    labels: Any = None  # cluster of each row, (n,) int, or None if rows are independent
    between: float | None = None  # degrees of freedom between the clusters that a test detected, if any

    @property
    def rows(self) -> int:
        """Rows it was fitted to."""
        return self.residuals.size

    @property
    def finite(self) -> bool:
        """Whether the law can be evaluated at its rows."""
        return bool(np.isfinite(self.residuals).all())

    @property
    def precision(self) -> Array:
        """What each row weighs, (n,): how often it counts over its relative variance."""
        return np.asarray(self.problem.w * np.square(self.problem.scale))

    @property
    def count(self) -> float:
        """The number of independent rows: clusters if rows have them, else rows by their weights."""
        apart = self.labels is None or self.between is not None
        return self.problem.count if apart else float(np.unique(self.labels).size)

    @property
    def dof(self) -> float:
        """Independent rows minus free parameters, or those between detected clusters. At least 1."""
        if self.between is not None:
            return max(self.between, 1.0)
        return max(self.count - len(self.problem.law.free()), 1.0)

    @property
    def noise(self) -> float:
        """Standard deviation of one run's log loss about the law."""
        rest = max(self.problem.count - len(self.problem.law.free()), 1.0)
        return max(float(np.sqrt((self.precision * self.residuals**2).sum() / rest)), EXACT)

    @property
    def aicc(self) -> float:
        """Corrected Akaike criterion of the log loss. inf if the rows are too few."""
        n, k = self.count, len(self.problem.law.free()) + 1
        if n <= k + 1:
            return float("inf")
        square = float((self.precision * self.residuals**2).sum()) / self.problem.count
        mean_square = max(square, EXACT**2)
        return float(n * np.log(mean_square) + 2 * k + 2 * k * (k + 1) / (n - k - 1))

    def log_loss(self, points: dict[str, Array]) -> Array:
        """Predicted log loss at points, (K,)."""
        predicted = self.law.predict(**{a: points[a] for a in self.law.axes})
        return np.asarray(np.log(np.maximum(predicted, 1e-12)))

    def slopes(self, points: dict[str, Array]) -> Array:
        """∂ log L / ∂ free fields at points in the units of `columns`, (K, p)."""
        return _slopes(self.law, points, self.free) / self.lengths

    def spread(self, points: dict[str, Array]) -> Array:
        """Standard deviation of the predicted log loss that the parameters leave, (K,), by linear theory."""
        q = np.linalg.pinv(self.columns * np.sqrt(self.precision)[:, None], rcond=DETERMINED)  # (p, n)
        return np.asarray(self.noise * np.sqrt(((self.slopes(points) @ q) ** 2).sum(1)))

    def tells(self, points: dict[str, Array]) -> Any:
        """Whether rows at these levels can determine the law's loss at points at all, (K,) bool.

        Tested with parameters in the middle of their ranges: at its optimum, a law with too many parameters for
        the levels often has one at a bound, where it looks determined.
        """
        problem = self.problem
        middle = [np.median(r.starts()) for r in problem.law.nonlinear.values()]
        theta = np.concatenate([np.full(problem.m, float(problem.y.mean()) / max(problem.m, 1)), middle])[
            None
        ]
        law = problem.law.from_vector(problem.named(theta)[0])
        free = tuple(i for i, name in enumerate(law.names()) if name not in problem.law.fixed)
        rows, asked = (
            _slopes(law, dict(zip(law.axes, problem.x, strict=True)), free),
            _slopes(law, points, free),
        )
        lengths = np.maximum(np.sqrt((rows**2).sum(0)), 1e-100)  # whose inverse can be squared
        _, size, vectors = np.linalg.svd(rows / lengths, full_matrices=False)
        along = (asked / lengths) @ vectors[size > DETERMINED * size.max(initial=0.0)].T
        whole = ((asked / lengths) ** 2).sum(1)
        return whole - (along**2).sum(1) <= UNTOLD * whole


def _slopes(law: Law, points: dict[str, Array], free: tuple[int, ...]) -> Array:
    x = {a: points[a] for a in law.axes}
    with np.errstate(all="ignore"):
        J = law.gradient(**x)[:, list(free)] / np.maximum(law.predict(**x), TINY)[:, None]
    return np.asarray(np.nan_to_num(J, nan=0.0, posinf=0.0, neginf=0.0))


def member(problem: Problem, theta: Array, labels: Any = None, held: bool = True) -> Member:
    """A pool's member from a problem and its optimum θ (p,). labels: each row's cluster, if rows share any.

    held: whether a parameter at its bound is taken as known.
    """
    law = problem.law.from_vector(problem.named(theta[None])[0])
    bound = {*(fields_at_bound(problem, theta) if held else ()), *problem.law.fixed}
    free = tuple(i for i, name in enumerate(law.names()) if name not in bound)
    x = dict(zip(law.axes, problem.x, strict=True))
    columns = _slopes(law, x, free)
    lengths = np.sqrt((columns**2).sum(0))
    lengths = np.where(lengths > 0, lengths, 1.0)
    residuals = np.log(problem.y) - np.log(np.maximum(law.predict(**x), 1e-12))
    return Member(law, problem, theta, residuals, columns / lengths, lengths, free, labels)


def _some(problem: Problem, rows: int) -> Problem:
    n = problem.y.size
    return problem if n <= rows else problem.take(np.linspace(0, n - 1, rows).astype(int))


def weights(members: Sequence[Member], flat: float = FLAT) -> Array:
    """The weight of each member, (M,), summing to 1. Equal if the rows are too few for a criterion."""
    aicc = np.array([one.aicc for one in members])
    known = np.isfinite(aicc)
    if not known.any():
        return np.full(len(members), 1 / len(members))
    gap = np.where(known, aicc - aicc[known].min(), np.inf)
    akaike, flattened = np.exp(-gap / 2), np.exp(-gap / 2 * flat)
    return np.asarray(HALF * akaike / akaike.sum() + (1 - HALF) * flattened / flattened.sum())


def pooled_log_loss(members: Sequence[Member], weight: Array, points: dict[str, Array]) -> Array:
    """The weighted mean of the members' predicted log losses at points, (K,)."""
    return np.asarray(weight @ np.stack([one.log_loss(points) for one in members]))


@dataclass(frozen=True)
class PredictiveMixture:
    """Student's t distributions of the log loss at K points: centre, scale (M, K), dof, weight (M,)."""

    centre: Array
    scale: Array
    dof: Array
    weight: Array

    def quantile(self, q: float) -> Array:
        """The quantile q of the mixture at each point, (K,), by bisection between its components' own."""
        own = self.centre + special.stdtrit(self.dof, q)[:, None] * self.scale
        low, high = own.min(0), own.max(0)
        for _ in range(40):
            middle = (low + high) / 2
            below = self.weight @ special.stdtr(self.dof[:, None], (middle - self.centre) / self.scale) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)


def joined(parts: Sequence[tuple[Array, Array, float, float]]) -> PredictiveMixture:
    """A mixture of components (centre (K,), scale (K,), dof, weight), those that hardly count left out."""
    most = max(weight for *_, weight in parts)
    kept = [part for part in parts if part[3] > LEAST * most]
    centre, scale, dof, weight = (np.array(column) for column in zip(*kept, strict=True))
    return PredictiveMixture(centre, scale, dof, weight / weight.sum())


def refitted(members: Sequence[Member], keeps: Sequence[Any]) -> list[list[Member]]:
    """The same laws fitted to some of the rows: of each of `keeps` (n,) those that leave a degree of freedom."""
    out: list[list[Member]] = [[] for _ in keeps]
    for one in members:
        least = len(one.problem.law.free())
        enough = [i for i, keep in enumerate(keeps) if np.count_nonzero(keep) > least]
        fits = fits_of_some(one, [keeps[i] for i in enough]) if enough else []
        for i, found in zip(enough, fits, strict=True):
            if found is not None and found.finite:
                out[i].append(found)
    return out


def fits_of_some(one: Member, keeps: Sequence[Any]) -> list[Member | None]:
    """A law fitted to subsets of the rows, all as one batch, from few starts. None if it fails."""
    problem = one.problem
    with np.errstate(all="ignore"):
        begin = np.concatenate([one.theta[None], starts(_some(problem, SEARCHED), STARTS)])
        w = np.repeat(problem.w * np.array(keeps).reshape(-1, problem.y.size), len(begin), 0)
        try:
            end = minimise(
                replace(problem, w=w), np.tile(begin, (len(keeps), 1)), tolerance=1e-7, iterations=40
            )
        except np.linalg.LinAlgError:
            return [None] * len(keeps)
        out: list[Member | None] = []
        for keep, value, theta in zip(keeps, *_by_choice(end, len(keeps)), strict=True):
            best = int(np.nanargmin(np.where(np.isfinite(value), value, np.inf)))
            law = problem.law.from_vector(problem.named(theta[best][None])[0])
            some, labels = (
                problem.take(np.flatnonzero(keep)),
                None if one.labels is None else one.labels[keep],
            )
            # With few runs a parameter often ends at its bound, which does not mean that it is known.
            out.append(
                member(some, some.internal(law), labels, held=False) if np.isfinite(value[best]) else None
            )
    return out


def _by_choice(end: Solution, choices: int) -> tuple[Array, Array]:
    """Values (choices, S) and θ (choices, S, p) of a batch of fits."""
    return end.value.reshape(choices, -1), end.theta.reshape(choices, -1, end.theta.shape[-1])
