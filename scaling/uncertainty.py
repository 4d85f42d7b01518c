"""How far a fit can be wrong: covariance and profile likelihood, for parameters and anything derived.

A quantity is a function of a batch of laws (fields of shape (B,)) that returns (B, K) numbers: the
parameters, predictions at K points, an equivalent size. Methods are objects; the bootstrap is in
`scaling.bootstrap`. The coverage of each, measured by simulation, is in docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from scaling.law import Array, Law, clean_axes
from scaling.problem import Problem
from scaling.solver import minimise

if TYPE_CHECKING:
    from scaling.result import Fit

Quantity = Callable[[Law], Any]
LOGARITHMIC = {"A", "B"}  # prefactors vary over decades: their intervals are formed on the logarithm


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


@dataclass(frozen=True)
class Covariance(Method):
    """Linearised: estimate ± t se, the sandwich for robust losses. Quick; too short at few points."""

    def interval(self, fit: Fit, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; nan where the quantity rests on a parameter at its bound alone."""
        estimate = evaluate(fit.problem, fit.theta[None], quantity)[0]
        half = t_quantile(fit, level) * standard_errors(fit, quantity)
        return estimate, estimate - half, estimate + half


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


@dataclass(frozen=True)
class Profile(Method):
    """Profile likelihood with an F threshold: a value is in while refitting around it costs little.

    The end points solve  min{objective: quantity = t} = minimum + c F(1, n - p), where c is the rise one
    squared standard error is worth (`spread`). Asymmetric where the data are; inf where no value is
    ruled out.
    """

    tolerance: float = 1e-3  # of the threshold, on the scale of standard errors
    steps: int = 40

    def interval(self, fit: Fit, quantity: Quantity, level: float) -> tuple[Array, Array, Array]:
        """As `Method.interval`; an end is ±inf where the objective never rises to the threshold."""
        se = standard_errors(fit, quantity)
        target = t_quantile(fit, level)
        estimate = evaluate(fit.problem, fit.theta[None], quantity)[0]
        if not np.isfinite(target):
            return estimate, np.full_like(estimate, -np.inf), np.full_like(estimate, np.inf)
        ends = _profile_ends(fit, quantity, estimate, se, target, self)
        return estimate, ends[0], ends[1]

    def curve(self, fit: Fit, quantity: Quantity, at: Any) -> Array:
        """Rise of the objective, in squared standard errors, with one quantity held at values `at` (G,).

        The square root of this against `at` is a straight line where the covariance tells the truth.
        """
        at = np.asarray(at, dtype=np.float64)
        se = standard_errors(fit, quantity)[:1]
        theta = np.repeat(fit.theta[None], at.size, 0)
        search = _Search(
            fit, quantity, np.zeros(at.size, int), np.where(np.isfinite(se), se, 0.1)[[0] * at.size]
        )
        _, rise, _ = search.at(theta, at)
        return np.asarray(rise**2)


class _Search:
    """Refits with quantity k_i held near t_i by a stiff pull, one row i a side of an interval."""

    def __init__(self, fit: Fit, quantity: Quantity, k: Any, se: Array) -> None:
        self.problem, self.quantity, self.k = fit.problem, quantity, k
        _, self.unit = spread(fit)
        self.lowest = fit.objective_value
        self.stiffness = 300 * np.sqrt(max(self.unit, 1e-300)) / se

    def at(self, theta: Array, t: Array, rows: Any = slice(None)) -> tuple[Array, Array, Array]:
        """θ, rise in standard errors and the quantity reached, with rows held at t."""
        k, stiffness = self.k[rows], self.stiffness[rows]

        def pull(at: Array, some: Any) -> tuple[Array, Array]:
            pick = np.arange(len(at)), k[some]
            value = evaluate(self.problem, at, self.quantity)[pick]
            gradient = slopes(self.problem, at, self.quantity)[pick[0], :, pick[1]]
            return stiffness[some] * (value - t[some]), stiffness[some][:, None] * gradient

        end = minimise(self.problem, theta, pull, tolerance=1e-9, iterations=60).theta
        rise = np.sqrt(np.maximum(self.problem.value(end) - self.lowest, 0) / self.unit)
        return end, rise, evaluate(self.problem, end, self.quantity)[np.arange(len(end)), k]


def _profile_ends(
    fit: Fit, quantity: Quantity, estimate: Array, se: Array, target: float, how: Profile
) -> Array:
    """Both end points of K quantities, (2, K), by a bracketed secant on (distance, rise)."""
    K = estimate.size
    k, side = np.tile(np.arange(K), 2), np.repeat([-1.0, 1.0], K)
    start = np.where(np.isfinite(se), se, 0.1 * np.maximum(np.abs(estimate), 1e-3))[k]
    search = _Search(fit, quantity, k, start)
    theta = np.repeat(fit.theta[None], 2 * K, 0)
    inner, z_inner = np.zeros(2 * K), np.zeros(2 * K)  # distance and rise known to be inside
    outer, z_outer = np.full(2 * K, np.inf), np.full(2 * K, np.inf)
    d, found = target * start, np.full(2 * K, np.nan)
    for _ in range(how.steps):
        rows = np.flatnonzero(np.isnan(found))
        if not rows.size:
            break
        theta[rows], z, reached = search.at(theta[rows], estimate[k[rows]] + side[rows] * d[rows], rows)
        went = side[rows] * (reached - estimate[k[rows]])  # the distance really reached
        stuck = (went < 0.9 * d[rows]) & (z < target)  # a bound of the law stops the quantity here
        done = (np.abs(z - target) <= how.tolerance * target) | stuck
        found[rows[done]] = reached[done]
        far = ~done & (d[rows] > 1e4 * start[rows]) & (z < target)
        found[rows[far]] = side[rows[far]] * np.inf
        low = z < target
        inner[rows] = np.where(low, np.maximum(went, inner[rows]), inner[rows])
        z_inner[rows] = np.where(low, z, z_inner[rows])
        outer[rows] = np.where(low, outer[rows], went)
        z_outer[rows] = np.where(low, z_outer[rows], z)
        d[rows] = _next_distance(inner[rows], z_inner[rows], outer[rows], z_outer[rows], went, z, target)
    d = np.where(np.isnan(found), np.where(np.isfinite(outer), outer, np.inf), 0)
    return np.where(np.isnan(found), estimate[k] + side * d, found).reshape(2, K)


def _next_distance(
    inner: Array, z_inner: Array, outer: Array, z_outer: Array, went: Array, z: Array, target: float
) -> Array:
    grow = went * np.clip(1.05 * target / np.maximum(z, 1e-12), 1.3, 5.0)
    with np.errstate(invalid="ignore"):
        share = np.clip((target - z_inner) / (z_outer - z_inner), 0.02, 0.98)
        between = inner + share * (outer - inner)
    return np.where(np.isfinite(outer), between, np.maximum(grow, 1e-300))


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


def at_points(axes: Mapping[str, Array], names: tuple[str, ...]) -> Quantity:
    """The quantity `predicted loss at K points`; axes are (K,)."""

    def loss(law: Law) -> Array:
        fields = {n: np.asarray(getattr(law, n))[..., None] for n in law.names()}
        return np.asarray(type(law)(**fields)._loss(*(axes[a] for a in names)))

    return loss


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
    """The method with the best measured coverage (docs/coverage.md): the profile likelihood."""
    return Profile()
