"""The laws, each a frozen dataclass of coefficients with its source.

Letters: N non-embedding parameters (ParScale's own included), P streams, D training tokens,
L loss in nats per token. To add a law of your own, write a class like these: fields, `nonlinear`
with where to start, and `terms`. Fitting, intervals, comparison and backtests follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import EXPONENT, Range, clean_axes, like
from scaling.laws.parameterisation import GAIN, PARSCALE, RootA, power


@dataclass(frozen=True)
class DenseLaw(RootA):
    """L = E + (A/N)^alpha: no streams. The baseline that shows what P explains (Chinchilla form, Eq 3).

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the loss is E + 1, parameters.
        alpha: exponent of N.
    """

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
class ParallelLaw(RootA):
    """L = E + (A / (N (k ln P + 1)))^alpha: P streams are worth N (k ln P + 1) parameters.

    The same curve is often printed A' / (N (k ln P + 1))^alpha, with A' = A^alpha (`A_prime`).

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the loss at P = 1 is E + 1, parameters.
        alpha: exponent of N.
        k: worth of streams, without a unit. 0 if they are worth nothing.
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
        return self.A**self.alpha  # 0 where A is

    @staticmethod
    def terms(N: Any, P: Any, alpha: Any, k: Any) -> Sequence[Any]:
        return 1.0, np.exp(-alpha * (np.log(N) + np.log(1 + k * np.log(P))))

    @classmethod
    def terms_gradient(cls, N: Any, P: Any, alpha: Any, k: Any) -> Sequence[Sequence[Any]]:
        return cls.terms_and_slopes(N, P, alpha, k)[1]

    @classmethod
    def terms_and_slopes(
        cls, N: Any, P: Any, alpha: Any, k: Any
    ) -> tuple[Sequence[Any], Sequence[Sequence[Any]]]:
        log_P = np.log(P)
        gain = 1 + k * log_P
        log_share = -np.log(N) - np.log(gain)
        phi = np.exp(alpha * log_share)
        return (1.0, phi), [[0.0, log_share * phi], [0.0, -alpha * phi * log_P / gain]]

    def equivalent_N(self, N: Any, P: Any, at_P: Any = 1, **axes: Any) -> Any:
        """N (k ln P + 1) / (k ln at_P + 1), the paper's equivalent size."""
        x = clean_axes(("N", "P"), {"N": N, "P": P, **axes})
        at = clean_axes(("P",), {"P": at_P})["P"]
        found = x["N"] * (self.k * np.log(x["P"]) + 1) / (self.k * np.log(at) + 1)
        return like(found, {"N": N, "P": P, "at_P": at_P})


@dataclass(frozen=True)
class ParallelDataLaw(RootA):
    """L = E + (A / (N (k ln P + 1)))^alpha + B/D^beta: parameters, streams and data jointly.

    Args:
        E: irreducible loss, nats per token.
        A: the size at which the first term is 1 at P = 1, parameters.
        alpha: exponent of N.
        k: worth of streams, without a unit.
        B: loss above the rest that one token would leave, nats per token.
        beta: exponent of D.
    """

    E: float
    A: float
    alpha: float
    k: float
    B: float
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
