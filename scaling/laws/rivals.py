"""The rivals of the practical law: other ways for P streams, or N alone, to lower the loss.

Letters as in `scaling.laws.parallel`. Import these laws from there.
"""

# The methods are documented on the base class, and its class variables are typed there.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import EXPONENT, Law, Range
from scaling.laws.parameterisation import PARSCALE, Mixture, RootA, power


@dataclass(frozen=True)
class ParallelPowerLaw(RootA):
    """L = E + (A / (N P^gamma))^alpha: streams worth a power of P.

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the loss at P = 1 is E + 1, parameters.
        alpha: exponent of N.
        gamma: exponent of P in the equivalent size N P^gamma.
    """

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


@dataclass(frozen=True)
class DiversityLaw(Mixture):
    """L = E + (A/N)^alpha (rho + (1 - rho)/P): rho, the streams' mean residual correlation, is a floor.

    Proposition 1 (Eq 4) with DIVERSITY = [(P - 1) rho + 1]^(-1/alpha), written out.

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the loss at P = 1 is E + 1, parameters.
        alpha: exponent of N.
        rho: mean correlation of the streams' residuals, 0 to 1.
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
class SaturatingLaw(Mixture):
    """L = E + (A/N)^alpha (rho + (1 - rho) P^-gamma): DiversityLaw with a free rate in P.

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the loss at P = 1 is E + 1, parameters.
        alpha: exponent of N.
        rho: share of the loss above E that no number of streams removes, 0 to 1.
        gamma: exponent of P.
    """

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
    """L = E + A/N^alpha + C/P^beta: streams lower the loss by an amount that does not depend on N.

    Args:
        E: irreducible loss, nats per token.
        A: loss above E that one parameter would leave, nats per token.
        alpha: exponent of N.
        C: loss that streams can remove, nats per token.
        beta: exponent of P.
    """

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
    """L = E + A N^-alpha (1 + log2 P)^-beta.

    Args:
        E: irreducible loss, nats per token.
        A: loss above E that one parameter would leave at P = 1, nats per token.
        alpha: exponent of N.
        beta: exponent of 1 + log2 P.
    """

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
class BrokenLaw(Law):
    """L = E + A N^-alpha (1 + (N/N_break)^(1/width))^-(change width): a power law whose slope changes once.

    Smoothly broken, at N_break, from the exponent alpha to alpha + change. Not for fewer than about ten sizes:
    noise easily looks like a break.
    """

    E: float
    A: float
    alpha: float
    N_break: float
    change: float
    width: float

    axes = ("N",)
    nonlinear = {
        "alpha": EXPONENT,
        "N_break": Range(1e6, 1e10, 9, 1.0, 1e15),
        "change": Range(0.05, 1.0, 3, -1.0, 5.0),
        "width": Range(0.1, 1.0, 2, 0.02, 10.0),
    }
    source = "Caballero et al. 2022, arXiv 2210.14891, Eq 1 with one break"

    @staticmethod
    def terms(N: Any, alpha: Any, N_break: Any, change: Any, width: Any) -> Sequence[Any]:
        bend = np.logaddexp(0.0, (np.log(N) - np.log(N_break)) / width)
        return 1.0, np.exp(-alpha * np.log(N) - change * width * bend)
