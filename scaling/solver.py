"""The solver: bounded Levenberg-Marquardt on a whole batch of problems at once.

A batch has B rows: starts of one fit, bootstrap replicates, left-out points, points of a profile.
Each works in centred coordinates θ = (b, η), where b_j = c_j mean(φ_j) is the nats of loss that term j
contributes at the middle of the data: of one scale, and nearly uncorrelated with the exponents η.
Knows no law beyond `terms` and no statistics.

Shapes: n rows of data, m terms, q nonlinear parameters, p = m + q.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling.law import Array, Law
from scaling.objectives import Objective

TINY = 1e-300
PROJECTED = 7  # first steps of a descent that re-solve the coefficients (variable projection)
Constraint = Callable[[Array, Any], tuple[Array, Array]]  # θ (B, p), rows -> pull (B,), its gradient (B, p)


@dataclass(frozen=True)
class Problem:
    """Data, law and objective of a fit; `y` and `w` are (n,) or, one set a batch row, (B, n)."""

    law: type[Law]
    x: tuple[Array, ...]  # axes, each (n,)
    y: Array
    w: Array
    objective: Objective

    @property
    def m(self) -> int:
        """Number of coefficients."""
        return len(self.law.linear())

    @property
    def lower(self) -> Array:
        """Lower bounds of θ, (p,): coefficients are never negative."""
        return np.array([0.0] * self.m + [r.lower for r in self.law.nonlinear.values()])

    @property
    def upper(self) -> Array:
        """Upper bounds of θ, (p,)."""
        return np.array([np.inf] * self.m + [r.upper for r in self.law.nonlinear.values()])

    def rows(self, keep: Any) -> Problem:
        """The same problem for some rows of the batch."""
        pick = lambda a: a[keep] if a.ndim == 2 else a  # noqa: E731
        return replace(self, y=pick(self.y), w=pick(self.w))

    def basis(self, eta: Array) -> tuple[Array, Array]:
        """ψ_j = φ_j / mean φ_j, shape (B, m, n), and the means (B, m), at η (B, q)."""
        columns = [eta[:, i, None] for i in range(eta.shape[1])]
        out = np.empty((len(eta), self.m, self.x[0].size))
        for j, phi in enumerate(self.law.terms(*self.x, *columns)):
            out[:, j] = phi
        mean = np.maximum(out.mean(-1), TINY)
        out /= mean[..., None]
        return out, mean

    def predict(self, theta: Array) -> Array:
        """L at the data, (B, n), for θ (B, p)."""
        psi, _ = self.basis(theta[:, self.m :])
        return np.asarray(np.matmul(theta[:, None, : self.m], psi)[:, 0])

    def jacobian(self, theta: Array) -> tuple[Array, Array]:
        """L (B, n) and ∂L/∂θ as (B, p, n)."""
        b, eta = theta[:, : self.m], theta[:, self.m :]
        psi, mean = self.basis(eta)
        J = np.empty((len(theta), theta.shape[1], psi.shape[2]))
        J[:, : self.m] = psi
        columns = [eta[:, i, None] for i in range(eta.shape[1])]
        for i, row in enumerate(self.law.terms_gradient(*self.x, *columns)):
            J[:, self.m + i] = 0.0
            for j, d in enumerate(row):
                if np.ndim(d) == 0 and d == 0.0:
                    continue
                d = np.broadcast_to(d, psi.shape[::2])
                centred = d - psi[:, j] * d.mean(-1, keepdims=True)
                J[:, self.m + i] += centred * (b[:, j] / mean[:, j])[:, None]
        return np.asarray(np.matmul(b[:, None], psi)[:, 0]), J

    def residual(self, predicted: Array) -> Array:
        """Prediction minus observation, of the log loss where the objective says so."""
        if self.objective.log:
            return np.asarray(np.log(np.maximum(predicted, TINY)) - np.log(self.y))
        return np.asarray(predicted - self.y)

    def value(self, theta: Array) -> Array:
        """The objective, (B,)."""
        return np.asarray((self.w * self.objective.rho(self.residual(self.predict(theta)))).sum(-1))

    def normal(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """Objective (B,), gradient (B, p), Gauss-Newton matrix (B, p, p), its damping diagonal (B, p)."""
        predicted, J = self.jacobian(theta)
        if self.objective.log:
            J /= np.maximum(predicted, TINY)[:, None]
        r = self.residual(predicted)
        psi, curvature = self.objective.psi(r), self.objective.curvature(r)
        gradient = np.matmul(J, (self.w * psi)[..., None])[..., 0]
        hessian = np.matmul(J * (self.w * curvature)[:, None], J.swapaxes(1, 2))
        if not self.objective.robust:
            return (self.w * self.objective.rho(r)).sum(-1), gradient, hessian, np.einsum("bii->bi", hessian)
        slope = self.w * np.abs(psi) / np.maximum(np.abs(r), 1e-12)  # the reweighted least-squares weight
        damping = np.matmul(np.square(J), slope[..., None])[..., 0]
        return (self.w * self.objective.rho(r)).sum(-1), gradient, hessian, damping

    def named(self, theta: Array) -> Array:
        """Field values (B, p) of θ (B, p), in the law's field order."""
        _, mean = self.basis(theta[:, self.m :])
        c = (theta[:, : self.m] / mean).T
        out = self.law.to_fields(list(c), list(theta[:, self.m :].T))
        return np.stack([np.broadcast_to(out[name], len(theta)) for name in self.law.names()], axis=-1)

    def internal(self, law: Law) -> Array:
        """θ (p,) of a law."""
        c, eta = law.to_linear()
        _, mean = self.basis(np.array([eta], dtype=np.float64))
        return np.concatenate([np.asarray(c) * mean[0], np.asarray(eta, dtype=np.float64)])


@dataclass(frozen=True)
class Solution:
    """Where each row of a batch ended."""

    theta: Array  # (B, p)
    value: Array  # (B,)
    slope: Array  # (B,): the largest cosine between the residuals and a free column; 0 at an optimum
    converged: Any  # (B,) bool


def starts(problem: Problem, keep: int) -> Array:
    """Start points θ (S, p): coefficients solved for on a grid of η, the best and an even spread of the rest."""
    grids = [r.starts() for r in problem.law.nonlinear.values()]
    eta = np.array(list(itertools.product(*grids))).reshape(-1, len(grids))
    psi, _ = problem.basis(eta)
    w = problem.w / problem.y**2 if problem.objective.log else problem.w
    b = _linear_fit(psi, w, problem.y)
    r = np.matmul(b[:, None], psi)[:, 0] - problem.y
    order = np.argsort((w * r * r).sum(-1), kind="stable")
    best = min(len(order), max(1, keep // 2))
    spread = np.linspace(best, len(order) - 1, keep - best).astype(int) if len(order) > keep else order[best:] * 0
    chosen = order[np.unique(np.concatenate([np.arange(best), spread]))]
    return np.concatenate([b, eta], axis=1)[chosen]


def _linear_fit(psi: Array, w: Array, y: Array) -> Array:
    """Coefficients b >= 0 (S, m) of the weighted least-squares fit of y on the basis (S, m, n)."""
    weighted = psi * (w if w.ndim == 1 else w[:, None])
    return _nonnegative(np.matmul(weighted, psi.swapaxes(1, 2)), (weighted * (y if y.ndim == 1 else y[:, None])).sum(-1))


def _coefficients(problem: Problem, theta: Array, eta: Array) -> Array:
    """Coefficients at new η: one reweighted least-squares step with the weights of the residuals at θ.

    Variable projection: with the coefficients eliminated, the long curved valley between E and the
    exponents is gone and far starts take tens of steps fewer.
    """
    predicted = problem.predict(theta)
    r = problem.residual(predicted)
    w = problem.w * problem.objective.psi(r) / np.where(r == 0, 1.0, r)
    w = np.where(r == 0, problem.w * problem.objective.curvature(r), w)
    psi, _ = problem.basis(eta)
    return _linear_fit(psi, w / predicted**2 if problem.objective.log else w, problem.y)


def _nonnegative(gram: Array, moment: Array) -> Array:
    """Least squares with coefficients >= 0, (S, m), by trying every set of them: m is small."""
    m = moment.shape[-1]
    ridge = 1e-12 * np.einsum("sii->si", gram).max(-1)[:, None, None] * np.eye(m)
    b = np.linalg.solve(gram + ridge, moment[..., None])[..., 0]
    bad = np.flatnonzero((b < 0).any(-1))
    if not len(bad):
        return np.asarray(b)
    gram, moment, best = gram[bad] + ridge[bad], moment[bad], np.zeros((len(bad), m))
    lowest = np.zeros(len(bad))
    for size in range(m - 1, 0, -1):
        for some in itertools.combinations(range(m), size):
            ix = np.array(some)
            part = np.linalg.solve(gram[:, ix[:, None], ix], moment[:, ix, None])[..., 0]
            gain = -(part * moment[:, ix]).sum(-1)
            better = (part >= 0).all(-1) & (gain < lowest)
            lowest[better] = gain[better]
            best[better] = 0.0
            best[np.ix_(better, ix)] = part[better]
    b[bad] = best
    return np.asarray(b)


def minimise(
    problem: Problem,
    theta: Array,
    constraint: Constraint | None = None,
    tolerance: float = 1e-15,
    iterations: int = 200,
) -> Solution:
    """Minimise each row of the batch from θ (B, p) until a step would gain less than `tolerance` of the value.

    A constraint adds a pull on each row.
    """
    for objective in problem.objective.steps:
        solution = _descend(replace(problem, objective=objective), theta, constraint, tolerance, iterations)
        theta = solution.theta
    return solution


def _descend(
    problem: Problem, theta: Array, constraint: Constraint | None, tolerance: float, iterations: int
) -> Solution:
    theta = np.clip(theta, problem.lower, problem.upper)
    rows = np.arange(len(theta))
    damping = np.full(len(theta), 1e-3)
    value, slope, done = np.full(len(theta), np.inf), np.full(len(theta), np.inf), np.zeros(len(theta), bool)
    state = _normal(problem, theta, rows, constraint)
    for turn in range(iterations):
        f, g, H, D = state
        at = theta[rows]
        free = ~((at <= problem.lower) & (g > 0) | (at >= problem.upper) & (g < 0) | (problem.lower == problem.upper))
        cosine = (np.abs(g) * free / np.sqrt(np.maximum(D * f[:, None], TINY))).max(-1)
        step = _step(g * free, H, D, free, damping[rows])
        predicted = -(g * free * step).sum(-1)
        finished = (cosine < 1e-11) | (predicted <= tolerance * f) | (f < 1e-26)
        value[rows], slope[rows], done[rows] = f, cosine, finished
        stop = finished | (damping[rows] > 1e13)
        if stop.all():
            break
        keep = ~stop
        rows, at, step = rows[keep], at[keep], step[keep]
        f, state = f[keep], tuple(s[keep] for s in state)
        trial = np.clip(at + step, problem.lower, problem.upper)
        if constraint is None and turn < PROJECTED:
            trial[:, : problem.m] = _coefficients(problem.rows(rows), at, trial[:, problem.m :])
        new = _normal(problem, trial, rows, constraint)
        better = new[0] <= f
        theta[rows[better]] = trial[better]
        damping[rows] = np.where(better, np.maximum(damping[rows] * 0.1, 1e-12), damping[rows] * 8)
        state = tuple(np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(new, state, strict=True))
    return Solution(theta, value, slope, done)


def _normal(problem: Problem, theta: Array, rows: Any, constraint: Constraint | None) -> tuple[Array, ...]:
    f, g, H, D = problem.rows(rows).normal(theta)
    if constraint is None:
        return f, g, H, D
    pull, grad = constraint(theta, rows)
    return (
        f + 0.5 * pull**2,
        g + pull[:, None] * grad,
        H + grad[:, :, None] * grad[:, None],
        D + grad**2,
    )


def _step(g: Array, H: Array, D: Array, free: Any, damping: Array) -> Array:
    """The damped Newton step of the free coordinates, scaled to a unit diagonal before it is solved."""
    scale = np.sqrt(np.maximum(np.maximum(D, np.einsum("bii->bi", H)), TINY))
    scaled = H / scale[:, :, None] / scale[:, None] * free[:, :, None] * free[:, None]
    diagonal = np.einsum("bii->bi", scaled)  # a view
    diagonal += np.where(free, damping[:, None] + 1e-14, 1.0)
    return np.asarray(np.linalg.solve(scaled, -(g / scale)[..., None])[..., 0] / scale)
