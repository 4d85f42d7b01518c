"""Laws whose printed fields are not their coefficients: A under a power, a floor as a share.

Letters as in `scaling.laws.parallel`.
"""

# The methods are documented on the base class.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scaling.laws.base import Array, Law, Range

GAIN = Range(0.02, 4.0, steps=12, upper=1e3)
PARSCALE = "Chen et al. 2025, arXiv 2505.10475"


def power(x: Any, exponent: Any) -> Any:
    """x^-exponent through the logarithm, which is faster over a batch of exponents."""
    return np.exp(-exponent * np.log(x))


class RootA(Law):
    """Laws printed as (A / N...)^alpha: the coefficient is c = A^alpha, so A = c^(1/alpha)."""

    @classmethod
    def together(cls, names: Sequence[str]) -> Sequence[str]:
        return [name for name in cls.linear() if name in names]  # each coefficient has a field of its own

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        out = super().to_fields(coefficients, eta)
        out["A"] = np.exp(np.log(np.maximum(out["A"], 1e-300)) / out["alpha"])
        return out

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        c, eta = super().to_linear()
        i, alpha = self.linear().index("A"), np.asarray(self.alpha)  # type: ignore[attr-defined]
        c[i] = np.where(np.asarray(c[i]) > 0, np.exp(alpha * np.log(np.maximum(c[i], 1e-300))), 0.0)
        return c, eta

    def linear_gradient(self) -> Array:
        A, alpha = np.maximum(np.asarray(self.A), 1e-300), np.asarray(self.alpha)  # type: ignore[attr-defined]
        c = np.exp(alpha * np.log(A))
        out = np.zeros(c.shape)[..., None, None] + super().linear_gradient()
        row = self.linear().index("A")
        out[..., row, self.names().index("A")] = alpha * c / A
        out[..., row, self.names().index("alpha")] = c * np.log(A)
        return out


class Mixture(RootA):
    """Laws (A/N)^alpha (rho + (1 - rho) s(P)): coefficients c1 = A^alpha rho and c2 = A^alpha (1 - rho)."""

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        E, floor, falling = coefficients
        total = np.maximum(floor + falling, 1e-300)
        return super().to_fields((E, total, floor / total), eta)

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        (E, total, rho), eta = super().to_linear()
        return [E, total * rho, total * (1 - rho)], eta

    def linear_gradient(self) -> Array:
        (_, floor, falling), _ = self.to_linear()
        out = super().linear_gradient() + np.zeros(np.shape(floor + falling))[..., None, None]
        total, rho = (np.asarray(v)[..., None] for v in (floor + falling, self.rho))  # type: ignore[attr-defined]
        d_total, d_rho = out[..., 1, :].copy(), out[..., 2, :].copy()
        out[..., 1, :] = rho * d_total + total * d_rho
        out[..., 2, :] = (1 - rho) * d_total - total * d_rho
        return out

    @classmethod
    def together(cls, names: Sequence[str]) -> Sequence[str]:
        some = {*names}
        return [n for n in cls.linear() if n in (some | {"A", "rho"} if some & {"A", "rho"} else some)]

    @classmethod
    def allowed(cls, name: str) -> tuple[float, float]:
        return (0.0, 1.0) if name == "rho" else super().allowed(name)
