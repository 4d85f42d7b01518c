"""The laws, each a frozen dataclass of coefficients with its source.

Letters: N non-embedding parameters (ParScale's own included), P streams, D training tokens,
L loss in nats per token. To add a law of your own, write a class like these: fields, `nonlinear`
with where to start, and `terms`; fitting, intervals, comparison and backtests follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scaling.law import EXPONENT, Array, Law, Range, like

GAIN = Range(0.02, 4.0, steps=12, upper=1e3)
PARSCALE = "Chen et al. 2025, arXiv 2505.10475"


def power(x: Any, exponent: Any) -> Any:
    """x^-exponent through the logarithm, which is faster over a batch of exponents."""
    return np.exp(-exponent * np.log(x))


class _RootA(Law):
    """Laws printed as (A / N...)^alpha: the coefficient is c = A^alpha, so A = c^(1/alpha)."""

    root: ClassVar[str] = "A"

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        out = super().to_fields(coefficients, eta)
        out["A"] = np.exp(np.log(np.maximum(out["A"], 1e-300)) / out["alpha"])
        return out

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        c, eta = super().to_linear()
        i = self.linear().index("A")
        c[i] = np.exp(eta[0] * np.log(np.maximum(c[i], 1e-300)))
        return c, eta

    def linear_gradient(self) -> Array:
        out = super().linear_gradient()
        row, A, alpha = self.linear().index("A"), max(float(self.A), 1e-300), float(self.alpha)  # type: ignore[attr-defined]
        c = np.exp(alpha * np.log(A))
        out[row, self.names().index("A")] = alpha * c / A
        out[row, self.names().index("alpha")] = c * np.log(A)
        return out


@dataclass(frozen=True)
class DenseLaw(_RootA):
    """L = E + (A/N)^alpha: no streams; the baseline that says what P explains (Chinchilla form, Eq 3)."""

    E: float
    A: float
    alpha: float

    axes = ("N",)
    nonlinear = {"alpha": EXPONENT}
    source = f"{PARSCALE}, Eq 3; Hoffmann et al. 2022"

    @staticmethod
    def terms(N: Any, alpha: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha)

    @classmethod
    def terms_gradient(cls, N: Any, alpha: Any) -> Sequence[Sequence[Any]]:
        return [[0.0, -np.log(N) * power(N, alpha)]]


@dataclass(frozen=True)
class ParallelLaw(_RootA):
    """L = E + (A / (N (k ln P + 1)))^alpha: P streams are worth N (k ln P + 1) parameters.

    The same curve is often printed A' / (N (k ln P + 1))^alpha, with A' = A^alpha (`A_prime`).
    """

    E: float
    A: float
    alpha: float
    k: float

    nonlinear = {"alpha": EXPONENT, "k": GAIN}
    source = f"{PARSCALE}, Eq 5"

    @property
    def A_prime(self) -> Any:
        """A^alpha, the coefficient of the other printed form."""
        return np.exp(self.alpha * np.log(self.A))

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, k: Any) -> Sequence[Any]:
        return 1.0, np.exp(-alpha * (np.log(N) + np.log1p(k * np.log(P))))

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, k: Any) -> Sequence[Sequence[Any]]:
        log_P = np.log(P)
        gain = 1 + k * log_P
        log_size = np.log(N) + np.log(gain)
        phi = np.exp(-alpha * log_size)
        return [[0.0, -log_size * phi], [0.0, -alpha * phi * log_P / gain]]

    def equivalent_N(self, N: Any, P: Any, at_P: Any = 1, **axes: Any) -> Any:
        """N (k ln P + 1) / (k ln at_P + 1), the paper's equivalent size."""
        N, P, at_P = (np.asarray(v, dtype=float) if not hasattr(v, "index") else v for v in (N, P, at_P))
        return like(N * (self.k * np.log(P) + 1) / (self.k * np.log(at_P) + 1), {"N": N, "P": P})


@dataclass(frozen=True)
class ParallelPowerLaw(_RootA):
    """L = E + (A / (N P^gamma))^alpha: streams worth a power of P."""

    E: float
    A: float
    alpha: float
    gamma: float

    nonlinear = {"alpha": EXPONENT, "gamma": Range(0.02, 1.5, steps=12, upper=10.0)}
    source = "a rival of Eq 5: equivalent size N P^gamma"

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, gamma: Any) -> Sequence[Any]:
        return 1.0, np.exp(-alpha * (np.log(N) + gamma * np.log(P)))

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, gamma: Any) -> Sequence[Sequence[Any]]:
        log_P = np.log(P)
        log_size = np.log(N) + gamma * log_P
        phi = np.exp(-alpha * log_size)
        return [[0.0, -log_size * phi], [0.0, -alpha * log_P * phi]]


class _Mixture(_RootA):
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
        out = super().linear_gradient()
        (_, floor, falling), _ = self.to_linear()
        total, rho = floor + falling, float(self.rho)  # type: ignore[attr-defined]
        d_total, d_rho = out[1].copy(), out[2].copy()
        out[1], out[2] = rho * d_total + total * d_rho, (1 - rho) * d_total - total * d_rho
        return out


@dataclass(frozen=True)
class DiversityLaw(_Mixture):
    """L = E + (A/N)^alpha (rho + (1 - rho)/P): rho, the streams' mean residual correlation, is a floor.

    Proposition 1 (Eq 4) with DIVERSITY = [(P - 1) rho + 1]^(-1/alpha), written out.
    """

    E: float
    A: float
    alpha: float
    rho: float

    nonlinear = {"alpha": EXPONENT}
    source = f"{PARSCALE}, Eq 4"

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any) -> Sequence[Any]:
        phi = power(N, alpha)
        return 1.0, phi, phi / P

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any) -> Sequence[Sequence[Any]]:
        d = -np.log(N) * power(N, alpha)
        return [[0.0, d, d / P]]


@dataclass(frozen=True)
class SaturatingLaw(_Mixture):
    """L = E + (A/N)^alpha (rho + (1 - rho) P^-gamma): DiversityLaw with a free rate in P."""

    E: float
    A: float
    alpha: float
    rho: float
    gamma: float

    nonlinear = {"alpha": EXPONENT, "gamma": Range(0.05, 3.0, steps=10, lower=1e-4, upper=20.0)}
    source = "Eq 4 of the paper with P^-gamma for 1/P"

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, gamma: Any) -> Sequence[Any]:
        phi = power(N, alpha)
        return 1.0, phi, phi * power(P, gamma)

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, gamma: Any) -> Sequence[Sequence[Any]]:
        phi, s = power(N, alpha), power(P, gamma)
        d = -np.log(N) * phi
        return [[0.0, d, d * s], [0.0, 0.0, -np.log(P) * phi * s]]


@dataclass(frozen=True)
class AdditiveLaw(Law):
    """L = E + A/N^alpha + C/P^beta: streams lower the loss by an amount that does not depend on N."""

    E: float
    A: float
    alpha: float
    C: float
    beta: float

    nonlinear = {"alpha": EXPONENT, "beta": Range(0.05, 3.0, steps=10, lower=1e-4, upper=20.0)}
    source = "a rival of Eq 5 that fits the paper's own losses better"

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, beta: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha), power(P, beta)

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, beta: Any) -> Sequence[Sequence[Any]]:
        return [[0.0, -np.log(N) * power(N, alpha), 0.0], [0.0, 0.0, -np.log(P) * power(P, beta)]]


@dataclass(frozen=True)
class LogMultiplicativeLaw(Law):
    """L = E + A N^-alpha (1 + log2 P)^-beta."""

    E: float
    A: float
    alpha: float
    beta: float

    nonlinear = {"alpha": EXPONENT, "beta": Range(0.01, 2.0, steps=12, upper=20.0)}
    source = "a rival of Eq 5: a power of 1 + log2 P"

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, beta: Any) -> Sequence[Any]:
        return 1.0, np.exp(-alpha * np.log(N) - beta * np.log1p(np.log2(P)))

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, beta: Any) -> Sequence[Sequence[Any]]:
        log_gain = np.log1p(np.log2(P))
        phi = np.exp(-alpha * np.log(N) - beta * log_gain)
        return [[0.0, -np.log(N) * phi], [0.0, -log_gain * phi]]


@dataclass(frozen=True)
class ChinchillaLaw(Law):
    """L = E + A/N^alpha + B/D^beta: parameters and data, no streams."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    axes = ("N", "D")
    nonlinear = {"alpha": EXPONENT, "beta": EXPONENT}
    source = "Hoffmann et al. 2022, arXiv 2203.15556, Eq 2"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, beta: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha), power(D, beta)

    @classmethod
    def terms_gradient(cls, N: Any, D: Any, alpha: Any, beta: Any) -> Sequence[Sequence[Any]]:
        return [[0.0, -np.log(N) * power(N, alpha), 0.0], [0.0, 0.0, -np.log(D) * power(D, beta)]]


@dataclass(frozen=True)
class ParallelDataLaw(_RootA):
    """L = E + (A / (N (k ln P + 1)))^alpha + B/D^beta: parameters, streams and data jointly."""

    E: float
    A: float
    B: float
    alpha: float
    k: float
    beta: float

    axes = ("N", "P", "D")
    nonlinear = {
        "alpha": Range(0.03, 1.5, 9, EXPONENT.lower, EXPONENT.upper),
        "k": Range(0.03, 3.0, 7, upper=1e3),
        "beta": Range(0.03, 1.5, 9, EXPONENT.lower, EXPONENT.upper),
    }
    source = f"{PARSCALE}, Eq 5 with the data term of Hoffmann et al. 2022"

    @staticmethod
    def terms(N: Any, P: Any, D: Any, alpha: Any, k: Any, beta: Any) -> Sequence[Any]:
        return *ParallelLaw.terms(N, P, alpha, k), power(D, beta)

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, D: Any, alpha: Any, k: Any, beta: Any) -> Sequence[Sequence[Any]]:
        rows = [[*row, 0.0] for row in ParallelLaw.terms_gradient(N, P, alpha, k)]
        return [*rows, [0.0, 0.0, -np.log(D) * power(D, beta)]]


REGISTRY: dict[str, type[Law]] = {
    "parallel": ParallelLaw,
    "diversity": DiversityLaw,
    "power": ParallelPowerLaw,
    "additive": AdditiveLaw,
    "additive-half": AdditiveLaw.with_fixed(beta=0.5),
    "saturating": SaturatingLaw,
    "log-multiplicative": LogMultiplicativeLaw,
    "dense": DenseLaw,
    "chinchilla": ChinchillaLaw,
    "parallel-data": ParallelDataLaw,
}


def by_name(name: str) -> type[Law]:
    """The law a command line names: a key of REGISTRY, or one with fixed values, `additive:beta=0.4`."""
    key, _, fixed = name.partition(":")
    if key not in REGISTRY:
        raise ValueError(f"unknown law {key!r}; known: {', '.join(REGISTRY)}")
    if not fixed:
        return REGISTRY[key]
    try:
        values = {k.strip(): float(v) for k, v in (pair.split("=") for pair in fixed.split(","))}
    except ValueError:
        raise ValueError(f"{name!r}: write fixed values as law:name=number,...") from None
    return REGISTRY[key].with_fixed(**values)
