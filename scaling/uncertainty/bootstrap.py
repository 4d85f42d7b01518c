"""The bootstrap: refit the law to resampled data, every replicate in full, all of them as one batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.solver import minimise
from scaling.uncertainty.interval_methods import (
    SMALL,
    Method,
    Quantity,
    errors_batch,
    leverage,
    quantity_values,
    standard_errors,
)
from scaling.uncertainty.size_effects import explanations

CHUNK = 2_500  # replicates refitted at once: bounds memory, and fits a processor's cache
MOST = 10_000  # rows that counted ones are laid out to
KINDS = ("normal", "wild", "residual", "case")
WEBB = np.sqrt(np.array([1.5, 1.0, 0.5]))  # six-point weights: two would give few distinct samples


@dataclass(frozen=True)
class Bootstrap(Method):
    """Refits to resampled data.

    The default kind has the best measured coverage (docs/coverage.md): 91-96% for 95% at 24 and 9 rows and 94-98% with
    rows in clusters. wild measures 80-94% and 89-93%, residual 91-96% and 90-94%. normal assumes normal noise of equal size
    at every row, wild does not. Residuals are divided by sqrt(1 - leverage), so that few points do not make them too small.

    Args:
        replicates: number of refits, at least 100.
        kind: normal (noise with the fit's standard deviation, and an offset for each group), residual, wild (residuals
            change sign and size in place) or case (rows). With groups on the fit a whole group changes together.
        studentised: divide each replicate's error by its own standard error. At few points this covers better than
            percentiles.
        seed: random seed.
    """

    label = "bootstrap"
    replicates: int = 2_000
    kind: str = "normal"
    studentised: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse an unknown kind or too few replicates."""
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r}: known are {', '.join(KINDS)}")
        if self.replicates < 100:
            raise ValueError(f"replicates={self.replicates}: fewer than 100 give no interval")

    def caveat(self, fit: Estimate) -> str:
        """What measured coverage says against it on the rows of `fit`; empty where nothing does."""
        bound = ", ".join(fit.certificate.at_bound)
        if fit.clustered and bound and self.studentised:
            return f"{bound}, at its bound, has no standard error, and so no interval by {self.label}"
        if fit.clustered or fit.loss.size > SMALL:
            return ""
        return f"{self.label} at so few rows: measured 80-96 % for 95 %; the profile likelihood holds"

    def refits(self, fit: Estimate) -> tuple[Problem, Array]:
        """The resampled problem (y or w of shape (R, n)) and its optima θ (R, p)."""
        rng = np.random.default_rng(self.seed)
        fit = _row_by_row(fit)
        problem = self._resample(fit, rng)
        parts = []
        for first in range(0, self.replicates, CHUNK):
            rows = slice(first, min(first + CHUNK, self.replicates))
            start = np.repeat(fit.theta[None], rows.stop - rows.start, 0)
            parts.append(minimise(problem.batch(rows), start, tolerance=1e-8, iterations=60).theta)
        return problem, np.concatenate(parts)

    def draws(self, fit: Estimate, count: int = 1000, seed: int = 0) -> Law:
        """The laws of `count` replicates of `fit`, drawn from `seed`: fields of shape (count,)."""
        how = replace(self, replicates=max(count, 100), seed=seed)
        problem, theta = how.refits(fit)
        return problem.law.from_vector(problem.named(theta[:count]))

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`."""
        problem, theta = self.refits(fit)
        estimate = quantity_values(fit.problem, fit.theta[None], quantity)[0]
        values = quantity_values(problem, theta, quantity)
        tails = [0.5 - level / 2, 0.5 + level / 2]
        if not self.studentised:
            low, high = np.nanquantile(values, tails, axis=0)
            return estimate, low, high
        with np.errstate(all="ignore"):
            t = (values - estimate) / errors_batch(problem, theta, quantity)
        t = np.where(np.isfinite(t), t, np.nan)
        low, high = np.nanquantile(t, tails, axis=0)
        se = standard_errors(fit, quantity)
        return estimate, estimate - high * se, estimate - low * se

    def _resample(self, fit: Estimate, rng: np.random.Generator) -> Problem:
        problem, R, n = fit.problem, self.replicates, fit.loss.size
        codes = np.arange(n) if fit.groups is None else pd.factorize(np.asarray(fit.groups))[0]
        count = int(codes.max()) + 1
        if self.kind == "case":
            times = rng.multinomial(count, np.full(count, 1 / count), R).astype(np.float64)
            return replace(problem, w=problem.w * times[:, codes])
        residual = _inflated(fit)
        if self.kind == "normal":
            own, shared = _deviations(fit, count < n)
            new = own * rng.standard_normal((R, n)) + shared * rng.standard_normal((R, count))[:, codes]
        elif self.kind == "wild":
            sign = np.where(rng.random((R, count)) < 0.5, -1.0, 1.0) * WEBB[rng.integers(0, 3, (R, count))]
            new = residual * sign[:, codes]
        else:
            new = _residual_sample(residual - residual.mean(), codes, rng, R)
        new = new / problem.scale
        return replace(
            problem, y=fit.predicted * np.exp(-new) if problem.objective.log else fit.predicted - new
        )


def _deviations(fit: Estimate, grouped: bool) -> tuple[float, float]:
    """Standard deviations of a row's own noise and of a group's offset, as the residuals tell them apart."""
    if not grouped:
        return fit.noise, 0.0
    why = explanations(fit)
    robust = fit.noise / np.sqrt(max(float(why.alone[0]), TINY))
    return float(why.noise[0] * robust), float(why.offset[0] * robust)


def _row_by_row(fit: Estimate) -> Estimate:
    """The fit with a row that counts four times as four rows, each of which can be drawn.

    Weights that are not whole numbers, or represent more than MOST rows, stay in the objective: a row is then
    drawn as one, and the intervals come out too wide where weights are large.
    """
    w = fit.problem.w
    if (w == 1).all() or (w % 1 != 0).any() or w.sum() > MOST:
        return fit
    rows = np.repeat(np.arange(w.size), w.astype(int))
    problem = replace(fit.problem.take(rows), w=np.ones(rows.size))
    groups = None if fit.groups is None else np.asarray(fit.groups)[rows]
    return replace(fit, problem=problem, groups=groups, index=None)


def _inflated(fit: Estimate) -> Array:
    """Residuals over sqrt(1 - leverage), (n,)."""
    r, _ = fit.problem.linearised(fit.theta[None])
    return np.asarray(r[0] / np.sqrt(1 - leverage(fit)))


def _residual_sample(residual: Array, codes: Any, rng: np.random.Generator, R: int) -> Array:
    """Residuals drawn with replacement, (R, n): single ones, or, for groups, within a drawn group."""
    n, count = residual.size, int(codes.max()) + 1
    if count == n:
        return np.asarray(residual[rng.integers(0, n, (R, n))])
    members = [np.flatnonzero(codes == c) for c in range(count)]
    largest = max(len(m) for m in members)
    padded = np.array([np.resize(m, largest) for m in members])
    out = np.empty((R, n))
    for rows in members:  # over groups, not replicates
        donor = rng.integers(0, count, R)
        out[:, rows] = residual[padded[donor][:, np.arange(len(rows)) % largest]]
    return out
