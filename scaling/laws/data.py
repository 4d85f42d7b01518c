"""Laws of N and D: parameters and training tokens, without streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import EXPONENT, Law
from scaling.laws.parameterisation import power


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
