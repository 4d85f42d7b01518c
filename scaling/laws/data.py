"""Laws of N and D: Chinchilla's, and other ways for parameters and data to lower the loss together.

Letters as in `scaling.laws`. Import these laws from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import EXPONENT, Array, Law, Range
from scaling.laws.parameterisation import power

REFERENCE_N = 1e9  # parameters at which the two terms are compared: a choice of unit, not an assumption
HOFFMANN = "Hoffmann et al. 2022, arXiv 2203.15556"
TINY = 1e-300


@dataclass(frozen=True)
class ChinchillaLaw(Law):
    """L = E + A/N^alpha + B/D^beta: parameters and data, no streams.

    Args:
        E: irreducible loss, nats per token.
        A: loss that one parameter would leave above the other terms, nats per token.
        B: loss that one token would leave above the other terms, nats per token.
        alpha: exponent of N.
        beta: exponent of D.
    """

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


class Interacting(Law):
    """Laws with a term ((A/N)^(alpha/gamma) + (B/D)^(beta/gamma))^gamma.

    The term is c φ with c = (A/N0)^alpha, N0 = REFERENCE_N, and
    φ = ((N/N0)^(-alpha/gamma) + (D/D0)^(-beta/gamma))^gamma, where D0 = B c^(-1/beta) is the number of
    tokens whose term equals that of N0 parameters. The fit's coordinate in B's place is ln D0.
    """

    not_held = ("B",)  # its coordinate is not itself

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        out = super().to_fields(coefficients, eta)
        log_c = np.log(np.maximum(out["A"], TINY))
        out["A"] = REFERENCE_N * np.exp(log_c / out["alpha"])
        out["B"] = np.exp(out["B"] + log_c / out["beta"])
        return out

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        c, eta = super().to_linear()
        A, B, alpha, beta = (np.asarray(getattr(self, name)) for name in ("A", "B", "alpha", "beta"))
        log_c = alpha * np.log(np.maximum(A / REFERENCE_N, TINY))
        c[self.linear().index("A")] = np.exp(log_c)
        eta[list(self.nonlinear).index("B")] = np.log(np.maximum(B, TINY)) - log_c / beta
        return c, eta

    def linear_gradient(self) -> Array:
        names, order = self.names(), [*self.linear(), *self.nonlinear]
        A, B, alpha, beta = (np.maximum(getattr(self, n), TINY) for n in ("A", "B", "alpha", "beta"))
        log_A = np.log(np.maximum(A / REFERENCE_N, TINY))
        c, row, column = np.exp(alpha * log_A), order.index("A"), names.index
        out = np.zeros((c + B + beta).shape)[..., None, None] + super().linear_gradient()
        out[..., row, column("A")], out[..., row, column("alpha")] = alpha * c / A, c * log_A
        row = order.index("B")
        out[..., row, column("A")], out[..., row, column("alpha")] = -alpha / (beta * A), -log_A / beta
        out[..., row, column("B")], out[..., row, column("beta")] = 1 / B, alpha * log_A / beta**2
        return out


def interaction(
    N: Any, D: Any, alpha: Any, beta: Any, gamma: Any, log_D0: Any
) -> tuple[Any, tuple[Any, ...]]:
    """φ of `Interacting`, and its derivatives by alpha, beta, gamma and ln D0."""
    log_N, log_D = np.log(N / REFERENCE_N), np.log(D) - log_D0
    x, y = -alpha / gamma * log_N, -beta / gamma * log_D
    total = np.logaddexp(x, y)
    share = np.exp(x - total)  # of the size's term
    phi = np.exp(gamma * total)
    slopes = (
        -phi * share * log_N,
        -phi * (1 - share) * log_D,
        phi * (total - share * x - (1 - share) * y),
        phi * (1 - share) * beta,
    )
    return phi, slopes


INTERACTION = {
    "alpha": Range(0.05, 1.2, 6, EXPONENT.lower, EXPONENT.upper),
    "beta": Range(0.05, 1.2, 6, EXPONENT.lower, EXPONENT.upper),
    "gamma": Range(0.15, 2.5, 4, lower=0.02, upper=20.0),
    "B": Range(14.0, 30.0, 7),  # ln D0: a million to ten million million tokens
}


@dataclass(frozen=True)
class InteractionLaw(Interacting):
    """L = E + ((A/N)^(alpha/gamma) + (B/D)^(beta/gamma))^gamma: parameters and data that interact.

    gamma = 1 is Chinchilla's law. Below 1 the scarcer of the two decides the loss. Above 1 each limits what
    the other can bring. Not for few runs or one ratio D/N: gamma needs rows off the diagonal.

    Args:
        E: irreducible loss, nats per token.
        A: scale of N, parameters.
        B: scale of D, tokens.
        alpha: exponent of N.
        beta: exponent of D.
        gamma: how parameters and data combine, without a unit.
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    gamma: float

    axes = ("N", "D")
    nonlinear = INTERACTION
    source = "Kaplan et al. 2020, arXiv 2001.08361, Eq 1.5, with the floor of Hoffmann et al. 2022"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, beta: Any, gamma: Any, B: Any) -> Sequence[Any]:
        return 1.0, interaction(N, D, alpha, beta, gamma, B)[0]

    @classmethod
    def terms_gradient(
        cls, N: Any, D: Any, alpha: Any, beta: Any, gamma: Any, B: Any
    ) -> Sequence[Sequence[Any]]:
        return [[0.0, slope] for slope in interaction(N, D, alpha, beta, gamma, B)[1]]


@dataclass(frozen=True)
class KaplanLaw(Interacting):
    """L = ((A/N)^(alpha/gamma) + (B/D)^(beta/gamma))^gamma: InteractionLaw without an irreducible loss.

    Not for runs near the entropy of their text: without E the loss falls to 0 and forecasts run low.

    Args:
        A: scale of N, parameters.
        B: scale of D, tokens.
        alpha: exponent of N.
        beta: exponent of D.
        gamma: how parameters and data combine, without a unit.
    """

    A: float
    B: float
    alpha: float
    beta: float
    gamma: float

    axes = ("N", "D")
    nonlinear = INTERACTION
    source = "Kaplan et al. 2020, arXiv 2001.08361, Eq 1.5 (there gamma = beta)"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, beta: Any, gamma: Any, B: Any) -> Sequence[Any]:
        return (interaction(N, D, alpha, beta, gamma, B)[0],)

    @classmethod
    def terms_gradient(
        cls, N: Any, D: Any, alpha: Any, beta: Any, gamma: Any, B: Any
    ) -> Sequence[Sequence[Any]]:
        return [[slope] for slope in interaction(N, D, alpha, beta, gamma, B)[1]]


@dataclass(frozen=True)
class EqualExponentsLaw(Law):
    """L = E + A/N^alpha + B/D^alpha: Chinchilla's law with one exponent for parameters and data.

    Not for runs that determine both exponents: it forces N and D to grow at the same rate at the optimum.

    Args:
        E: irreducible loss, nats per token.
        A: as in `ChinchillaLaw`, nats per token.
        B: as in `ChinchillaLaw`, nats per token.
        alpha: exponent of N and of D.
    """

    E: float
    A: float
    B: float
    alpha: float

    axes = ("N", "D")
    nonlinear = {"alpha": EXPONENT}
    source = f"{HOFFMANN}, Eq 2 with alpha = beta (Muennighoff et al. 2023, arXiv 2305.16264)"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha), power(D, alpha)

    @classmethod
    def terms_gradient(cls, N: Any, D: Any, alpha: Any) -> Sequence[Sequence[Any]]:
        return [[0.0, -np.log(N) * power(N, alpha), -np.log(D) * power(D, alpha)]]


@dataclass(frozen=True)
class NoFloorLaw(Law):
    """L = A/N^alpha + B/D^beta: Chinchilla's law without an irreducible loss.

    Not for forecasts far out: the loss falls to 0, and near the entropy of the text they run low.

    Args:
        A: as in `ChinchillaLaw`, nats per token.
        B: as in `ChinchillaLaw`, nats per token.
        alpha: exponent of N.
        beta: exponent of D.
    """

    A: float
    B: float
    alpha: float
    beta: float

    axes = ("N", "D")
    nonlinear = {"alpha": EXPONENT, "beta": EXPONENT}
    source = f"{HOFFMANN}, Eq 2 with E = 0"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, beta: Any) -> Sequence[Any]:
        return power(N, alpha), power(D, beta)

    @classmethod
    def terms_gradient(cls, N: Any, D: Any, alpha: Any, beta: Any) -> Sequence[Sequence[Any]]:
        return [[-np.log(N) * power(N, alpha), 0.0], [0.0, -np.log(D) * power(D, beta)]]
