"""The problem a fit poses: data, law and objective, in centred coordinates, for a whole batch at once.

A batch has B rows: starts of one fit, bootstrap replicates, left-out points, points of a profile.
Coordinates are θ = (b, η), where b_j = c_j mean(φ_j) is the nats of loss that term j contributes at the
middle of the data: of one scale, and nearly uncorrelated with the exponents η.

Shapes: n rows of data, m terms, q nonlinear parameters, p = m + q.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling.law import Array, Law
from scaling.objectives import Objective

TINY = 1e-300


@dataclass(frozen=True)
class Problem:
    """Data, law and objective of a fit; `y` and `w` are (n,) or, one set a batch row, (B, n)."""

    law: type[Law]
    x: tuple[Array, ...]  # axes, each (n,)
    y: Array
    w: Array  # how often a row counts: w ρ(r)
    objective: Objective
    scale: Array | float = 1.0  # multiplies residuals, (n,): one over a row's relative standard error

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
        y, w = (a[keep] if a.ndim == 2 else a for a in (self.y, self.w))
        return replace(self, y=y, w=w)

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
        """Scaled prediction minus observation, of the log loss where the objective says so, (B, n)."""
        if self.objective.log:
            return np.asarray(self.scale * (np.log(np.maximum(predicted, TINY)) - np.log(self.y)))
        return np.asarray(self.scale * (predicted - self.y))

    def value(self, theta: Array) -> Array:
        """The objective, (B,)."""
        return np.asarray((self.w * self.objective.rho(self.residual(self.predict(theta)))).sum(-1))

    def linearised(self, theta: Array) -> tuple[Array, Array]:
        """Residuals (B, n) and their derivatives (B, p, n)."""
        predicted, J = self.jacobian(theta)
        J *= self.scale / np.maximum(predicted, TINY)[:, None] if self.objective.log else self.scale
        return self.residual(predicted), J

    def normal(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """Objective (B,), gradient (B, p), Gauss-Newton matrix (B, p, p), its damping diagonal (B, p)."""
        r, J = self.linearised(theta)
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
