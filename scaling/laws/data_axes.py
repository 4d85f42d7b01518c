"""Laws over what a model is trained on: repeated data, fine-tuning data.

Legend: N parameters, D tokens seen, unique tokens that differ, L loss in nats per token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Law, Range
from scaling.laws.parameterisation import power

MUENNIGHOFF = "Muennighoff et al. 2023, arXiv 2305.16264"


def decayed(seen: Any, unique: Any, half: Any) -> Any:
    """What `seen` units are worth of which `unique` differ: each repetition is worth less by exp(-1/half)."""
    first = np.minimum(seen, unique)
    again = seen / first - 1
    return first + first * half * -np.expm1(-again / half)


@dataclass(frozen=True)
class RepeatedDataLaw(Law):
    """L = E + A/N^alpha + B/D'^beta, D' = U + U R (1 - exp(-(D/U - 1)/R)), U = min(unique, D).

    R is the number of repetitions after which more are worth little. Not if N is far above the compute-optimal
    N for the unique tokens: `data-constrained` lets those parameters decay too.
    """

    E: float
    A: float
    alpha: float
    B: float
    beta: float
    R: float

    axes = ("N", "D", "unique")
    nonlinear = {"alpha": EXPONENT, "beta": EXPONENT, "R": Range(1.0, 60.0, 6, 0.01, 1e4)}
    source = f"{MUENNIGHOFF}, Eq 5 (data alone)"

    @staticmethod
    def terms(N: Any, D: Any, unique: Any, alpha: Any, beta: Any, R: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha), power(decayed(D, unique, R), beta)


@dataclass(frozen=True)
class DataConstrainedLaw(Law):
    """L = E + A/N'^alpha + B/D'^alpha: repeated tokens and excess parameters both decay.

    D' as in `RepeatedDataLaw`, with R_D. N' has the same form with R_N, for parameters beyond those that are
    compute-optimal for the unique tokens, U_N = (A/B)^(1/alpha) U_D. Not for runs of one epoch, which do not
    determine R_D and R_N.
    """

    E: float
    A: float
    B: float
    alpha: float
    R_N: float
    R_D: float

    axes = ("N", "D", "unique")
    nonlinear = {
        "E": Range(1.0, 2.2, 3, 0.0, 20.0),
        "A": Range(100.0, 3000.0, 3, 1e-3, 1e12),
        "B": Range(100.0, 3000.0, 3, 1e-3, 1e12),
        "alpha": Range(0.2, 0.5, 3, 1e-3, 5.0),
        "R_N": Range(2.0, 20.0, 2, 0.01, 1e5),
        "R_D": Range(5.0, 30.0, 2, 0.01, 1e5),
    }
    source = f"{MUENNIGHOFF}, Eq 16 to 20, one exponent"

    def predict(self, N: Any, D: Any, unique: Any) -> Any:
        """L at N parameters and D tokens, of which `unique` differ."""
        U_D = np.minimum(unique, D)
        U_N = np.exp((np.log(self.A) - np.log(self.B)) / self.alpha) * U_D
        sizes = decayed(N, U_N, self.R_N), decayed(D, U_D, self.R_D)
        return self.E + self.A * sizes[0] ** -self.alpha + self.B * sizes[1] ** -self.alpha


@dataclass(frozen=True)
class FineTuningLaw(Law):
    """L = E + B/(D_l + D^beta): D fine-tuning examples, D_l what pre-training is worth in them.

    The loss is flat until D^beta passes D_l, then a power law. Not for runs all below a few hundred examples:
    only the knee determines D_l.
    """

    E: float
    B: float
    D_l: float
    beta: float

    axes = ("D",)
    axis_rules = {"D": Axis(reached=True, unit="fine-tuning examples")}
    nonlinear = {"D_l": Range(1.0, 1e5, 10, 1e-6, 1e12), "beta": Range(0.1, 1.5, 8, 1e-3, 5.0)}
    source = "Lin et al. 2024, arXiv 2402.02314, Eq 2 (rectified scaling law)"

    @staticmethod
    def terms(D: Any, D_l: Any, beta: Any) -> Sequence[Any]:
        return 1.0, 1.0 / (D_l + D**beta)
