"""What every interval rests on: quantities of a law, their slopes, and the spread of the estimates.

A quantity is a function of a batch of laws (fields of shape (B,)) that returns (B, K) numbers: the
parameters, predictions at K points, an equivalent size. Shapes as in `scaling.problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from scaling.law import Array, Law
from scaling.problem import Problem

if TYPE_CHECKING:
    from scaling.result import Fit

Quantity = Callable[[Law], Any]
LOGARITHMIC = {"A", "B"}  # prefactors vary over decades: their intervals are formed on the logarithm


def check_level(level: float) -> None:
    """ValueError unless 0 < level < 1."""
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} must lie between 0 and 1, e.g. 0.95")


def evaluate(problem: Problem, theta: Array, quantity: Quantity) -> Array:
    """A quantity (B, K) at θ (B, p)."""
    with np.errstate(all="ignore"):
        values = np.asarray(quantity(problem.law.from_vector(problem.named(theta))), dtype=np.float64)
    return values if values.ndim == 2 else values[:, None]


def slopes(problem: Problem, theta: Array, quantity: Quantity) -> Array:
    """∂quantity/∂θ by central differences, (B, p, K)."""
    B, p = theta.shape
    step = 1e-6 * np.maximum(np.abs(theta), 1e-4)
    offsets = step[:, :, None] * np.eye(p)  # (B, p, p)
    up = evaluate(problem, (theta[:, None] + offsets).reshape(B * p, p), quantity)
    down = evaluate(problem, (theta[:, None] - offsets).reshape(B * p, p), quantity)
    return np.asarray((up - down).reshape(B, p, -1) / (2 * step[:, :, None]))


def spread(fit: Fit) -> tuple[Array, float]:
    """Covariance of θ, (p, p), and the objective's rise that one squared standard error is worth.

    Least squares: s² (JᵀWJ)⁻¹ and s². Robust losses: the sandwich of an M-estimator with homogeneous
    errors, K² mean(ψ²)/mean(ψ')² (JᵀJ)⁻¹ with K = 1 + p/n (1 - m)/m, m = mean(ψ') (Huber 1981, section 7.6).
    Parameters at a bound or fixed take no part (their rows are zero).
    """
    cov, unit = _sandwich(fit.problem, fit.theta[None])
    return cov[0], float(unit[0])


def covariance_batch(problem: Problem, theta: Array) -> Array:
    """`spread`'s covariance at each row's optimum θ (B, p): (B, p, p)."""
    return _sandwich(problem, theta)[0]


def _sandwich(problem: Problem, theta: Array) -> tuple[Array, Array]:
    r, J = problem.linearised(theta)
    w = np.broadcast_to(problem.w, r.shape)
    free = (theta > problem.lower) & (theta < problem.upper)
    n, p = w.sum(-1), free.sum(-1)
    mean_square = (w * problem.objective.psi(r) ** 2).sum(-1) / np.maximum(n - p, 1)
    slope = (w * problem.objective.curvature(r)).sum(-1) / n
    K = np.ones(len(r))
    if problem.objective.robust:
        slope = np.maximum(slope, _slope_from_density(problem, r))
        K += p / n * (1 - np.minimum(slope, 1)) / slope
    J = J * free[..., None] * np.sqrt(w)[:, None]
    length = np.sqrt((J * J).sum(-1))
    length = np.where(length > 0, length, 1.0)
    J = J / length[..., None]
    inverse = np.linalg.pinv(np.matmul(J, J.swapaxes(1, 2)), rcond=1e-13, hermitian=True)
    scale2 = K**2 * mean_square / slope**2
    cov = scale2[:, None, None] * inverse / length[:, :, None] / length[:, None]
    return cov, 0.5 * K**2 * mean_square / slope


def _slope_from_density(problem: Problem, r: Array) -> Array:
    """E ψ' where few residuals lie inside delta: 2 delta times the density of residuals at zero, (B,).

    A kernel estimate of normal-reference width keeps least absolute deviations (delta near 0) finite.
    """
    width = np.maximum(np.median(np.abs(r), axis=-1) / 0.6745 * r.shape[1] ** -0.2 * 1.06, 1e-300)
    density = (np.abs(r) < width[:, None]).mean(-1) / (2 * width)
    jump = np.ptp(problem.objective.psi(np.array([-1e9, 1e9])))
    return np.asarray(np.minimum(density * jump, problem.objective.curvature(np.zeros(1))))


def standard_errors(fit: Fit, quantity: Quantity) -> Array:
    """Standard errors of K quantities by the delta method, (K,); nan where they are not determined."""
    cov, _ = spread(fit)
    gradient = slopes(fit.problem, fit.theta[None], quantity)[0]
    variance = np.einsum("pk,pq,qk->k", gradient, cov, gradient)
    return np.where(variance > 0, np.sqrt(np.maximum(variance, 0)), np.nan)


def t_quantile(fit: Fit, level: float) -> float:
    """Student's t for a two-sided interval; inf where no degrees of freedom are left."""
    dof = fit.degrees_of_freedom
    return float(stats.t.ppf(0.5 + level / 2, dof)) if dof > 0 else float("inf")


def at_points(axes: Mapping[str, Array], names: tuple[str, ...]) -> Quantity:
    """The quantity `predicted loss at K points`; axes are (K,)."""

    def loss(law: Law) -> Array:
        fields = {n: np.asarray(getattr(law, n))[..., None] for n in law.names()}
        return np.asarray(type(law)(**fields)._loss(*(axes[a] for a in names)))

    return loss


def draw_laws(fit: Fit, count: int, seed: int) -> Law:
    """Laws drawn from the multivariate t of the covariance, kept inside the bounds."""
    rng = np.random.default_rng(seed)
    cov, _ = spread(fit)
    values, vectors = np.linalg.eigh(cov)
    normal = rng.standard_normal((count, fit.theta.size)) * np.sqrt(np.maximum(values, 0)) @ vectors.T
    dof = max(fit.degrees_of_freedom, 1)
    theta = fit.theta + normal / np.sqrt(rng.chisquare(dof, (count, 1)) / dof)
    return fit.problem.law.from_vector(
        fit.problem.named(np.clip(theta, fit.problem.lower, fit.problem.upper))
    )


@dataclass(frozen=True)
class Method:
    """A way to form intervals. Subclasses give `interval`; the rest follows."""

    def interval(self, fit: Fit, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """Estimate, lower and upper of K quantities, each (K,)."""
        raise NotImplementedError

    def draws(self, fit: Fit, count: int = 1000, seed: int = 0) -> Law:
        """A batch of laws, fields (count,), spread as the data leave them uncertain."""
        return draw_laws(fit, count, seed)

    def parameters(self, fit: Fit, level: float = 0.95) -> pd.DataFrame:
        """Intervals of the free parameters: index name, columns estimate, lower, upper."""
        check_level(level)
        names = list(fit.law.free())
        logs = np.array([name in LOGARITHMIC and getattr(fit.law, name) > 0 for name in names])

        def named(law: Law) -> Array:
            values = np.stack([np.asarray(getattr(law, n), dtype=np.float64) for n in names], axis=-1)
            return np.where(logs, np.log(np.maximum(values, 1e-300)), values)

        out = np.stack(self.interval(fit, named, level), axis=1)
        with np.errstate(over="ignore"):
            out = np.where(logs[:, None], np.exp(out), out)
        index = pd.Index(names, name="parameter")
        return pd.DataFrame(out, index=index, columns=["estimate", "lower", "upper"])
