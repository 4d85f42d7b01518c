"""What every interval rests on: quantities of a law, their slopes, and the spread of the estimates.

A quantity is a function of a batch of laws (fields of shape (B,)) that returns (B, K) numbers: the
parameters, predictions at K points, an equivalent size. Shapes as in `scaling.optimise.problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from scipy import special

from scaling.laws.base import Array, Law
from scaling.optimise.estimate import Estimate
from scaling.optimise.objectives import Objective
from scaling.optimise.problem import TINY, Problem
from scaling.optimise.robust_scale import location_scale
from scaling.uncertainty.own_quantity import PredictedLoss, slopes_of

Quantity = Callable[[Law], Any]
SMALL = 30  # rows up to which docs/coverage.md measured the methods
ENDS = ("lower", "upper")


def check_level(level: float, name: str = "level=") -> None:
    """ValueError unless 0 < level < 1, beginning with what the caller calls it."""
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"{name}{level!r} must lie between 0 and 1, e.g. 0.95")


def quantity_values(problem: Problem, theta: Array, quantity: Quantity) -> Array:
    """A quantity (B, K) of a problem's law at θ (B, p), in its own unit."""
    with np.errstate(all="ignore"):
        values = np.asarray(quantity(problem.law.from_vector(problem.named(theta))), dtype=np.float64)
    return values if values.ndim == 2 else values[:, None]


def slopes(problem: Problem, theta: Array, quantity: Quantity) -> Array:
    """∂quantity/∂θ by central differences, (B, p, K); nan where the quantity is infinite."""
    return slopes_of(problem, theta, quantity)


def spread(fit: Estimate) -> tuple[Array, float]:
    """Covariance of θ, (p, p), and the objective's rise that one squared standard error is worth."""
    cov, unit = spread_batch(fit.problem, fit.theta[None])
    return cov[0], float(unit[0])


def spread_batch(problem: Problem, theta: Array) -> tuple[Array, Array]:
    """Covariance (B, p, p) at optima θ (B, p), and the rise (B,) worth one squared standard error.

    τ² (JᵀWJ)⁻¹ with τ² = E ψ² / (E ψ')², an M-estimator's with homogeneous errors (Huber 1981, section
    7.6). For least squares τ is the noise. For robust losses both expectations are those of normal
    errors of the residuals' robust scale: at few points the residuals' own density near zero, of which
    p residuals are zero by construction, says far too much. Parameters at a bound have zero rows.
    """
    r, J = problem.linearised(theta)
    free = problem.inside(theta)
    w = np.broadcast_to(problem.w, r.shape)
    square, slope = expected_moments(problem, theta, r)
    J = J * free[..., None] * np.sqrt(w)[:, None]
    length = np.sqrt((J * J).sum(-1))
    length = np.where(length > 0, length, 1.0)
    J = J / length[..., None]
    inverse = np.linalg.pinv(np.matmul(J, J.swapaxes(1, 2)), rcond=1e-13, hermitian=True)
    cov = (square / slope**2)[:, None, None] * inverse / length[:, :, None] / length[:, None]
    return cov, 0.5 * square / slope


def expected_moments(problem: Problem, theta: Array, r: Array) -> tuple[Array, Array]:
    """E ψ² and E ψ' of the residuals r (B, n) at optima θ (B, p), (B,) both, under normal errors."""
    w = np.broadcast_to(problem.w, r.shape)
    return _moments(problem.objective, *location_scale(problem, r, w, problem.inside(theta).sum(-1)))


def leverage(fit: Estimate) -> Array:
    """How much of its own prediction each row decides, (n,), at most .99."""
    _, J = fit.problem.linearised(fit.theta[None])
    columns = J[0] * np.sqrt(fit.problem.w)
    columns = columns[(columns != 0).any(-1)]
    q, _ = np.linalg.qr(columns.T / np.sqrt((columns**2).sum(-1)))
    return np.asarray(np.minimum((q**2).sum(-1), 0.99))


NORMAL = special.ndtri((np.arange(400) + 0.5) / 400)  # evenly likely values of a standard normal


def _moments(objective: Objective, centre: Array, scale: Array) -> tuple[Array, Array]:
    """E ψ² and E ψ' under normal errors, (B,); E ψ' = E[ψ z]/scale (Stein) needs no derivative."""
    scale = np.maximum(scale, 1e-300)
    if not objective.robust:
        return 4 * scale**2, np.full(len(scale), 2.0)
    psi = objective.psi(centre[:, None] + scale[:, None] * NORMAL)
    psi = psi - psi.mean(-1, keepdims=True)
    return (psi**2).mean(-1), np.maximum((psi * NORMAL).mean(-1) / scale, 1e-300)


def standard_errors(fit: Estimate, quantity: Quantity) -> Array:
    """Standard errors of K quantities by the delta method, (K,); nan where they are not determined."""
    return np.asarray(errors_batch(fit.problem, fit.theta[None], quantity)[0])


def errors_batch(problem: Problem, theta: Array, quantity: Quantity) -> Array:
    """`standard_errors` at each row's optimum θ (B, p): (B, K)."""
    cov, _ = spread_batch(problem, theta)
    gradient = slopes(problem, theta, quantity)
    with np.errstate(all="ignore"):
        variance = np.einsum("bpk,bpq,bqk->bk", gradient, cov, gradient)
        return np.asarray(np.where(variance > 0, np.sqrt(np.maximum(variance, 0)), np.nan))


def t_quantile(fit: Estimate, level: float) -> float:
    """Student's t for a two-sided interval; inf where no degrees of freedom are left."""
    return t_of(fit.problem, level)


def t_of(problem: Problem, level: float) -> float:
    """`t_quantile` of a problem: counted rows minus free parameters are its degrees of freedom."""
    dof = problem.count - len(problem.law.free())
    return float(special.stdtrit(dof, 0.5 + level / 2)) if dof > 0 else float("inf")


def rows_taken_as_independent(method: Method) -> str:
    """The caveat of a method that takes rows of one run as independent, on such rows."""
    return f"{method.label} takes rows as independent: measured 33-87 % for 95 %; the default method does not"


def at_points(axes: Mapping[str, Array], names: tuple[str, ...]) -> Quantity:
    """The quantity `predicted loss at K points`; axes are (K,)."""
    return PredictedLoss(tuple(np.atleast_1d(axes[a]) for a in names))


def draw_laws(fit: Estimate, count: int, seed: int) -> Law:
    """`count` laws of the multivariate t of a fit's covariance, from `seed`, kept inside the bounds."""
    rng = np.random.default_rng(seed)
    cov, _ = spread(fit)
    values, vectors = np.linalg.eigh(cov)
    normal = rng.standard_normal((count, fit.theta.size)) * np.sqrt(np.maximum(values, 0)) @ vectors.T
    dof = max(fit.degrees_of_freedom, 1)
    theta = fit.theta + normal / np.sqrt(rng.chisquare(dof, (count, 1)) / dof)
    return fit.problem.law.from_vector(
        fit.problem.named(np.clip(theta, fit.problem.lower, fit.problem.upper))
    )


def _open_ended(law: Law, names: Sequence[str], ends: Array) -> Array:
    """Ends (K, 2) of parameters without those where only the search ends: 0, or infinity, is meant there.

    A bound of 1 or less is the law's own, a share's.
    """
    out = ends.copy()
    for i, name in enumerate(names):
        known = law.nonlinear.get(name)
        low, high = (known.lower, known.upper) if known else (TINY, np.inf)
        if low >= 0 and out[i, 0] <= low * (1 + 1e-9):  # also where nothing was found: open below is 0
            out[i, 0] = 0.0
        if high > 1 and out[i, 1] >= high * (1 - 1e-9):
            out[i, 1] = np.inf
    return out


_INTERVALS: WeakKeyDictionary[Estimate, dict[tuple[Method, float, tuple[str, ...]], pd.DataFrame]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class Method:
    """A way to form intervals. Subclasses give `interval`; the rest follows."""

    label: ClassVar[str] = "interval"

    def interval(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """Estimate, lower and upper of `quantity` (K of them) of `fit` at `level`, each (K,)."""
        raise NotImplementedError

    def searched(self, fit: Estimate, quantity: Quantity, level: float) -> tuple[Array, Array, Array, Array]:
        """`interval` of `quantity` of `fit` at `level`, and which ends (2, K) are open for want of a confirmation.

        An end that is open because no value is ruled out is not among them.
        """
        estimate, lower, upper = self.interval(fit, quantity, level)
        return estimate, lower, upper, np.zeros((2, estimate.size), bool)

    def caveat(self, fit: Estimate) -> str:
        """What the measured coverage says against this method on such data; empty where nothing does."""
        return ""

    def described(self, fit: Estimate) -> str:
        """How tables call the method, with what it does differently for this fit."""
        return self.label

    def draws(self, fit: Estimate, count: int = 1000, seed: int = 0) -> Law:
        """A batch of laws, fields (count,), spread as the data leave them uncertain."""
        return draw_laws(fit, count, seed)

    def parameters(self, fit: Estimate, level: float = 0.95, only: Sequence[str] = ()) -> pd.DataFrame:
        """Intervals of the free parameters: index name, columns estimate, lower, upper. Kept as long as the fit is.

        only: the parameters to search, all unless given.
        """
        check_level(level)
        names, known = tuple(only or fit.form.free()), _INTERVALS.setdefault(fit, {})
        if (self, level, names) not in known:
            known[self, level, names] = self._parameters(fit, level, list(names))
        return known[self, level, names].copy()

    def _parameters(self, fit: Estimate, level: float, names: list[str]) -> pd.DataFrame:
        """`parameters`, worked out."""
        logs = np.array([name in fit.form.prefactors and getattr(fit.law, name) > 0 for name in names])

        def named(law: Law) -> Array:
            values = np.stack([np.asarray(getattr(law, n), dtype=np.float64) for n in names], axis=-1)
            return np.where(logs, np.log(np.maximum(values, 1e-300)), values)

        *found, lost = self.searched(fit, named, level)
        out = np.stack(found, axis=1)
        with np.errstate(over="ignore"):
            out = np.where(logs[:, None], np.exp(out), out)
        out[:, 1:] = _open_ended(fit.law, names, out[:, 1:])
        if fit.status == "not identifiable":
            out[np.isin(names, fit.undetermined), 1:] = np.nan
        index = pd.Index(names, name="parameter")
        table = pd.DataFrame(out, index=index, columns=["estimate", "lower", "upper"])
        table.attrs |= {"method": self.described(fit), "caveat": self.caveat(fit)}
        table.attrs["unconfirmed"] = [
            f"{end} {name}" for end, of in zip(ENDS, lost, strict=True) for name in index[of]
        ]
        return table
