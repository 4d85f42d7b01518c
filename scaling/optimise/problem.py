"""The problem a fit poses: data, law and objective, in centred coordinates, for a whole batch at once.

A batch has B rows: starts of one fit, bootstrap replicates, left-out points, points of a profile.
Coordinates are θ = (b, η), where b_j = c_j mean(φ_j) is the nats of loss that term j contributes at the
middle of the data: of one scale, and nearly uncorrelated with the exponents η.

Shapes: n rows of data, m terms, q nonlinear parameters, p = m + q.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from scaling.data.levels import levels_along
from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.objectives import Objective

TINY = 1e-300
EPSILON = 1e-15  # of a loss: a residual as small is rounding
ROUNDING = 1e-10  # of a coordinate's scale: this near to its bound it is at its bound, on every processor


class MovingBasis(NamedTuple):
    """Terms of a law at coordinates η, and the derivatives of terms that are not simply 0, s of them."""

    rows: Array  # ψ_j = φ_j / mean φ_j, then the derivatives, (..., m + s, n)
    mean: Array  # of φ_j and of the derivatives, (..., m + s)
    moved_by: list[int]  # i of η_i, of each derivative
    terms: list[int]  # j of φ_j, of each


def _moves(slope: Any) -> bool:
    """Whether a derivative of a term by a nonlinear parameter is not simply 0."""
    return type(slope) is np.ndarray or slope != 0.0


def _level_means(x: Array, codes: Array) -> Array:
    """Each row's mean of x over the rows of its category, (n,)."""
    _, which = np.unique(codes, return_inverse=True)
    means: Array = (np.bincount(which, x) / np.bincount(which))[which]
    return means


def _columns(eta: Array) -> Array:
    """Coordinates (B, q) as q columns (B, 1), those of one point, (1, q) or (q,), as q numbers: what terms take."""
    return eta.T[:, :, None] if eta.ndim == 2 and len(eta) > 1 else eta.reshape(-1)


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, law and objective of a fit. `y` and `w` are (n,) or, one set a batch row, (B, n).

    Fixed values and bounds of parameters are part of the law (`scaling.laws.constrained`). In the coordinates they
    are a box: lower equals upper where a parameter is fixed.
    """

    law: LawForm
    x: tuple[Array, ...]  # axes, each (n,)
    y: Array
    w: Array  # how often a row counts: w ρ(r)
    objective: Objective
    scale: Array | float = 1.0  # multiplies residuals, (n,): one over a row's relative standard error

    @property
    def count(self) -> float:
        """Rows, each as often as it counts. Of a batch with weights of its own, rows."""
        return float(self.w.sum()) if self.w.ndim == 1 else float(self.y.shape[-1])

    @cached_property
    def m(self) -> int:
        """Number of coefficients."""
        return len(self.law.linear())

    @cached_property
    def lower(self) -> Array:
        """Lower bounds of θ, (p,): coefficients are never negative."""
        return np.array([0.0] * self.m + [r.lower for r in self.law.nonlinear.values()])

    @cached_property
    def upper(self) -> Array:
        """Upper bounds of θ, (p,)."""
        return np.array([np.inf] * self.m + [r.upper for r in self.law.nonlinear.values()])

    @cached_property
    def sizes(self) -> Any:
        """Level 0, 1, ... of the size of each row, (n,), of a law with N."""
        axes = dict(zip(self.law.axes, self.x, strict=True))
        return levels_along("N", axes["N"], axes)

    @cached_property
    def log_correlations(self) -> dict[tuple[str, str], float]:
        """Correlations of the axes' logarithms, of axes with values <= 0 their own, by pair.

        With a category, those of an axis and its mean in each level. Constant axes and pairs of categories are left out.
        """
        categories = categories_of(self.law)
        axes = {a: x for a, x in zip(self.law.axes, self.x, strict=True) if x.min() < x.max()}
        logs = {a: np.log(x) if x.min() > 0 else x for a, x in axes.items() if a not in categories}
        apart = {a: x - np.add.reduce(x) / x.size for a, x in logs.items()}
        found = {}
        for a, b in combinations(axes, 2):
            if a in apart or b in apart:
                one = apart[a] if a in apart else _level_means(apart[b], axes[a])
                other = apart[b] if b in apart else _level_means(apart[a], axes[b])
                length = float(np.sqrt((one @ one) * (other @ other)))
                found[a, b] = float(one @ other) / length if length else 0.0
        return found

    @cached_property
    def _edges(self) -> tuple[Array, Array]:
        """Values of θ at or below which it is at its lower bound, at or above which at its upper, (p,) each.

        The scale of a coefficient is the mean loss, that of a nonlinear parameter its smallest start value.
        """
        scale = np.array([abs(float(self.y.mean()))] * self.m + [r.low for r in self.law.nonlinear.values()])
        wide = np.where(np.isfinite(self.upper), np.abs(self.upper), 0.0)
        low = self.lower + ROUNDING * np.maximum(np.abs(self.lower), np.abs(scale))
        return low, self.upper - ROUNDING * np.maximum(wide, np.abs(scale))

    def at_lower(self, theta: Array) -> Any:
        """Which coordinates of θ (..., p) are within rounding of their lower bound."""
        return theta <= self._edges[0]

    def at_upper(self, theta: Array) -> Any:
        """Which coordinates of θ (..., p) are within rounding of their upper bound."""
        return theta >= self._edges[1]

    def inside(self, theta: Array) -> Any:
        """Which coordinates of θ (..., p) are at no bound: free to move either way."""
        return ~(self.at_lower(theta) | self.at_upper(theta))

    def snapped(self, theta: Array) -> Array:
        """θ (..., p) with what is within rounding of a bound at that bound."""
        low, high = self.at_lower(theta), self.at_upper(theta)
        if not (low.any() or high.any()):
            return theta
        return np.where(high, self.upper, np.where(low, self.lower, theta))

    @cached_property
    def rounding(self) -> float:
        """The objective of residuals that are rounding: no end is better for having less of it."""
        r = EPSILON * (1.0 if self.objective.log else abs(float(self.y.mean())))
        return max(self.count * float(self.objective.rho(np.array([r]))[0]), 1e-26)

    @cached_property
    def log_y(self) -> Array:
        """The logarithms of the losses."""
        return np.log(self.y)

    def take(self, rows: Any) -> Problem:
        """The problem of some of the data's rows, not of a batch."""
        scale = self.scale[rows] if isinstance(self.scale, np.ndarray) else self.scale
        x = tuple(a[rows] for a in self.x)
        return replace(self, x=x, y=self.y[rows], w=self.w[rows], scale=scale)

    def batch(self, keep: Any) -> Problem:
        """The same problem for some rows of the batch."""
        if self.y.ndim == 1 and self.w.ndim == 1:
            return self
        y, w = (a[keep] if a.ndim == 2 else a for a in (self.y, self.w))
        return replace(self, y=y, w=w)

    def basis(self, eta: Array) -> tuple[Array, Array]:
        """ψ_j = φ_j / mean φ_j, shape (B, m, n), and the means (B, m), at coordinates (B, q)."""
        out = np.empty((len(eta), self.m, self.x[0].size))
        for j, phi in enumerate(self.law.terms(*self.x, *_columns(eta))):
            out[:, j] = phi
        mean = np.maximum(np.add.reduce(out, -1) / out.shape[2], TINY)
        out /= mean[..., None]
        return out, mean

    def moving_basis(self, eta: Array) -> MovingBasis:
        """The basis with its slopes at coordinates (B, q), or (q,) for one point."""
        terms, slopes = self.law.terms_and_slopes(*self.x, *_columns(eta))
        moving = [(i, j, d) for i, row in enumerate(slopes) for j, d in enumerate(row) if _moves(d)]
        rows = np.empty((*eta.shape[:-1], self.m + len(moving), self.x[0].size))
        for place, value in enumerate((*terms, *(d for _, _, d in moving))):
            rows[..., place, :] = value
        mean = np.add.reduce(rows, -1) / rows.shape[-1]
        psi, of_terms = rows[..., : self.m, :], mean[..., : self.m]
        np.maximum(of_terms, TINY, out=of_terms)
        psi /= of_terms[..., None]
        return MovingBasis(rows, mean, [i for i, _, _ in moving], [j for _, j, _ in moving])

    def rest(self, eta: Array) -> Array | float:
        """What no coefficient multiplies, (B, n) or 0, at coordinates (B, q)."""
        if not self.law.has_rest:
            return 0.0
        return np.broadcast_to(self.law.rest(*self.x, *_columns(eta)), (*eta.shape[:-1], self.x[0].size))

    def predict(self, theta: Array) -> Array:
        """L at the data, (B, n), for θ (B, p)."""
        psi, _ = self.basis(theta[:, self.m :])
        return np.asarray(np.matmul(theta[:, None, : self.m], psi)[:, 0] + self.rest(theta[:, self.m :]))

    def jacobian(self, theta: Array, basis: MovingBasis | None = None) -> tuple[Array, Array]:
        """L (B, n) and ∂L/∂θ as (B, p, n), for one θ (p,) without B. `basis` spares making it again, and is used up."""
        m, b, eta = self.m, theta[..., : self.m], theta[..., self.m :]
        J, mean, moved, terms = basis or self.moving_basis(eta)
        psi, change = J[..., :m, :], J[..., m:, :]
        change -= psi.take(terms, -2) * mean[..., m:, None]
        change *= (b / mean[..., :m]).take(terms, -1)[..., None]
        if moved != list(range(eta.shape[-1])):  # not one term each
            J = np.zeros((*theta.shape, psi.shape[-1]))
            J[..., :m, :] = psi
            for place, i in enumerate(moved):
                J[..., m + i, :] += change[..., place, :]
        predicted = np.matmul(b[..., None, :], psi)[..., 0, :]
        if not self.law.has_rest:
            return predicted, J
        for i, slope in enumerate(self.law.rest_gradient(*self.x, *_columns(eta)), m):
            J[..., i, :] += slope
        return predicted + self.rest(eta), J

    def residual(self, predicted: Array) -> Array:
        """Scaled prediction minus observation, of the log loss where the objective says so, (B, n)."""
        return self.residual_and_unit(predicted)[0]

    def residual_and_unit(self, predicted: Array) -> tuple[Array, Array]:
        """The residual (B, n) and ∂residual/∂L, (B, n) or of any shape that broadcasts to it."""
        if not self.objective.log:
            return self.scale * (predicted - self.y), np.broadcast_to(self.scale, self.x[0].shape)
        predicted = np.maximum(predicted, TINY)
        return self.scale * (np.log(predicted) - self.log_y), self.scale / predicted

    def value(self, theta: Array) -> Array:
        """The objective, (B,)."""
        return np.asarray((self.w * self.objective.rho(self.residual(self.predict(theta)))).sum(-1))

    def linearised(self, theta: Array) -> tuple[Array, Array]:
        """Residuals (B, n) and their derivatives (B, p, n)."""
        predicted, J = self.jacobian(theta)
        r, unit = self.residual_and_unit(predicted)
        J *= unit[..., None, :]
        return r, J

    def normal(self, theta: Array, basis: MovingBasis | None = None) -> tuple[Array, ...]:
        """Objective (B,), gradient (B, p), Gauss-Newton matrix (B, p, p), damping (B, p), weights (B, n); without B for θ (p,).

        Damping is the matrix's diagonal had each row its reweighted least-squares weight, or its own where that is
        larger. The last are those weights per squared nat of loss, for re-solving the coefficients elsewhere.
        """
        predicted, J = self.jacobian(theta, basis)
        r, unit = self.residual_and_unit(predicted)
        rho, psi, curvature, weight = self.objective.parts(r)
        counted = self.w * unit
        gradient = np.matmul(J, (counted * psi)[..., None])[..., 0]
        counted = counted * unit
        hessian = np.matmul(J * (counted * curvature)[..., None, :], J.swapaxes(-1, -2))
        damping, weight = hessian.diagonal(0, -2, -1), counted * weight
        if self.objective.robust:
            damping = np.maximum(damping, np.matmul(np.square(J), weight[..., None])[..., 0])
        return np.add.reduce(self.w * rho, -1), gradient, hessian, damping, weight

    def slope(self, theta: Array) -> tuple[float, Array]:
        """Objective and its gradient (p,) at one θ (p,)."""
        predicted, J = self.jacobian(theta)
        r, unit = self.residual_and_unit(predicted)
        rho, psi, _, _ = self.objective.parts(r)
        back = self.w * psi * unit  # ∂objective/∂L
        return float(np.add.reduce(self.w * rho)), J @ back

    def means(self, eta: Array) -> Array:
        """The mean of each φ_j over the data, (B, m), at coordinates (B, q)."""
        out, n = np.empty((len(eta), self.m)), self.x[0].size
        for j, phi in enumerate(self.law.terms(*self.x, *_columns(eta))):
            out[:, j] = np.add.reduce(phi, -1) / n if np.ndim(phi) and phi.shape[-1] == n else np.ravel(phi)
        return np.maximum(out, TINY)

    def mean_slopes(self, eta: Array) -> Array:
        """Derivatives of `means` by η, (B, q, m)."""
        out, n = np.zeros((len(eta), eta.shape[1], self.m)), self.x[0].size
        for i, row in enumerate(self.law.terms_gradient(*self.x, *_columns(eta))):
            for j, d in enumerate(row):
                out[:, i, j] = np.add.reduce(d, -1) / n if np.ndim(d) and d.shape[-1] == n else np.ravel(d)
        return out

    def named(self, theta: Array) -> Array:
        """Field values (B, p) of θ (B, p), in the law's field order."""
        eta = theta[:, self.m :]
        return self.fields(np.concatenate([theta[:, : self.m] / self.means(eta), eta], axis=1))

    def fields(self, z: Array) -> Array:
        """Field values (B, p) of coefficients and nonlinear parameters (c, η), (B, p), in the law's field order."""
        with np.errstate(over="ignore"):
            values = self.law.to_fields(list(z[:, : self.m].T), list(z[:, self.m :].T))
        names = self.law.names()
        out = np.empty((len(z), len(names)))
        for i, name in enumerate(names):
            out[:, i] = values[name]
        return out

    def internal(self, law: Law) -> Array:
        """θ (p,) of a law."""
        c, eta = self.law.coordinates(law)
        _, mean = self.basis(np.array([eta], dtype=np.float64))
        return np.concatenate([np.asarray(c) * mean[0], np.asarray(eta, dtype=np.float64)])
