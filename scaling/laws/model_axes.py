"""Laws over what a model is made of: width and depth, vocabulary, recurrences, precision, experts.

Legend: N parameters (of an expert model: of its dense counterpart, which is what a token passes), D training
tokens, L loss in nats per token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Law, Range
from scaling.laws.categories import Category
from scaling.laws.parameterisation import power
from scaling.laws.rivals import ParallelPowerLaw

COUNT = Axis(lowest=1.0, reached=True)  # experts, recurrences: one at least
CLARK = "Clark et al. 2022, arXiv 2202.01169"


@dataclass(frozen=True)
class ShapeLaw(Law):
    """L = E + A/width^a + B/depth^b + F/D^g: the model's width and depth instead of its parameters.

    Not where width and depth move together: their terms are then one.
    """

    E: float
    A: float
    a: float
    B: float
    b: float
    F: float
    g: float

    axes = ("width", "depth", "D")
    nonlinear = {"a": EXPONENT, "b": Range(0.02, 3.0, 6, 1e-4, 10.0), "g": EXPONENT}
    prefactors = frozenset({"A", "B", "F"})
    source = (
        "the additive form of McLeish et al. 2025 (Gemstones), arXiv 2502.06857, for width, depth and tokens"
    )

    @staticmethod
    def terms(width: Any, depth: Any, D: Any, a: Any, b: Any, g: Any) -> Sequence[Any]:
        return 1.0, power(width, a), power(depth, b), power(D, g)


@dataclass(frozen=True)
class VocabularyLaw(Law):
    """L = E + A/N^alpha + B/D^beta + V/vocabulary^v: the embedding's vocabulary as a third resource.

    Compare losses only per byte, or normalised for the vocabulary: with a larger one, a text has fewer tokens.
    """

    E: float
    A: float
    alpha: float
    B: float
    beta: float
    V: float
    v: float

    axes = ("N", "D", "vocabulary")
    nonlinear = {"alpha": EXPONENT, "beta": EXPONENT, "v": EXPONENT}
    prefactors = frozenset({"A", "B", "V"})
    source = "Tao et al. 2024, arXiv 2407.13623, Eq 7, with the vocabulary's term by its size"

    @staticmethod
    def terms(N: Any, D: Any, vocabulary: Any, alpha: Any, beta: Any, v: Any) -> Sequence[Any]:
        return 1.0, power(N, alpha), power(D, beta), power(vocabulary, v)


@dataclass(frozen=True)
class RecurrenceLaw(Law):
    """L = E + A (N_once + r^phi N_recurrent)^-alpha + B/D^beta: a block of layers applied r times.

    phi is what a recurrence is worth: at 1 as much as parameters of its own, at 0 nothing. Not for one value of r,
    which leaves phi undetermined.
    """

    E: float
    A: float
    alpha: float
    phi: float
    B: float
    beta: float

    axes = ("N_once", "N_recurrent", "r", "D")
    axis_rules = {"r": COUNT}
    nonlinear = {"alpha": EXPONENT, "phi": Range(0.05, 1.5, 5, 0.0, 5.0), "beta": EXPONENT}
    source = "Schwethelm et al. 2026, arXiv 2604.21106"

    @staticmethod
    def terms(
        N_once: Any, N_recurrent: Any, r: Any, D: Any, alpha: Any, phi: Any, beta: Any
    ) -> Sequence[Any]:
        return 1.0, power(N_once + r**phi * N_recurrent, alpha), power(D, beta)


@dataclass(frozen=True)
class PrecisionLaw(Law):
    """L = E + A/(N eff(precision))^alpha + B/D^beta: eff is how many of its parameters a precision leaves.

    A category: each precision has its own eff, 1 for the highest (of 4, 8, 16: 16 bits). Not for one precision.
    E and alpha trade off along a ridge if N spans little more than a decade: fix E and see `Fit.sensitivity`.
    """

    E: float
    A: float
    alpha: float
    eff: float
    B: float
    beta: float

    axes = ("N", "D")
    categories = {"precision": Category("eff", highest=True)}
    nonlinear = {"alpha": EXPONENT, "eff": Range(0.02, 1.0, 5, 1e-6, 100.0), "beta": EXPONENT}
    source = "Panferov et al. 2025 (QuEST), arXiv 2502.05003"

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, eff: Any, beta: Any) -> Sequence[Any]:
        return 1.0, power(N * eff, alpha), power(D, beta)


@dataclass(frozen=True)
class BitsLaw(Law):
    """L = E + A/(N (1 - exp(-bits/gamma)))^alpha + B/D^beta: fewer bits count as fewer parameters.

    The formula of weights alone. Not for one width of bits, and not beyond those that were trained.
    """

    E: float
    A: float
    alpha: float
    gamma: float
    B: float
    beta: float

    axes = ("N", "D", "bits")
    nonlinear = {"alpha": EXPONENT, "gamma": Range(0.5, 8.0, 6, 0.01, 100.0), "beta": EXPONENT}
    source = "Kumar et al. 2024, arXiv 2411.04330, Eq 3 with the weights' precision alone"

    @staticmethod
    def terms(N: Any, D: Any, bits: Any, alpha: Any, gamma: Any, beta: Any) -> Sequence[Any]:
        return 1.0, power(N * -np.expm1(-bits / gamma), alpha), power(D, beta)


def saturated(experts: Any, start: Any, most: Any) -> Any:
    """Ê: experts that saturate, from `start` for a single one to `most`."""
    below = 1 / (1 / start - 1 / most)
    return 1 / (1 / (experts - 1 + below) + 1 / most)


class _Routed(Law):
    """What the two forms of Clark et al. share: (a, b, c, d) over log N and the log of saturating experts."""

    axes = ("N", "experts")
    axis_rules = {"experts": COUNT}

    @staticmethod
    def routed(N: Any, experts: Any, law: Any) -> Any:
        """10^(a log10 N + b log10 Ê + c log10 N log10 Ê + d)."""
        n, e = np.log10(N), np.log10(saturated(experts, law.start, law.start * law.room))
        # 10^x takes four times as long as e^x.
        return np.exp(np.log(10) * ((law.a + law.c * e) * n + law.b * e + law.d))

    @classmethod
    def rest_gradient(cls, N: Any, experts: Any, *fields: Any) -> Sequence[Any]:
        law: Any = cls(*fields)
        n, most, one = np.log10(N), law.start * law.room, law.start / (1 - 1 / law.room)
        E, L = saturated(experts, law.start, most), cls.routed(N, experts, law)
        share = np.square(one / (experts - 1 + one))
        by_E, d = L * (law.b + law.c * n) * E / law.start, np.log(10) * L
        e, by_start, by_room = np.log10(E), by_E * (share / one + 1 / most), by_E * (1 - share) / law.room**2
        slopes = d * n, d * e, d * n * e, d, by_start, by_room
        return (np.ones_like(L), *slopes) if "E" in cls.nonlinear else slopes


ROUTED = {
    "a": Range(-0.12, -0.05, 3, -2.0, 2.0),
    "b": Range(-0.2, 0.0, 3, -3.0, 3.0),
    "c": Range(0.0, 0.02, 2, -0.5, 0.5),
    "d": Range(0.9, 1.6, 3, -10.0, 20.0),
    "start": Range(1.2, 4.0, 2, 1.001, 100.0),
    "room": Range(60.0, 300.0, 2, 1.5, 1e6),
}


@dataclass(frozen=True)
class RoutedLaw(_Routed):
    """log10 L = a log10 N + b log10 Ê + c log10 N log10 Ê + d, with experts Ê that saturate: L = 0 far out.

    start and start x room are what one expert and infinitely many count for (E_start and E_max of the paper). Not
    for forecasts: it has no irreducible loss. `routed-floor` has one.
    """

    a: float
    b: float
    c: float
    d: float
    start: float
    room: float

    nonlinear = ROUTED
    source = f"{CLARK}, Eq 1"

    def predict(self, N: Any, experts: Any) -> Any:
        """L at N dense parameters and a number of experts."""
        return self.routed(N, experts, self)


@dataclass(frozen=True)
class RoutedFloorLaw(_Routed):
    """L = E + 10^(a log10 N + b log10 Ê + c log10 N log10 Ê + d): `RoutedLaw` with an irreducible loss."""

    E: float
    a: float
    b: float
    c: float
    d: float
    start: float
    room: float

    nonlinear = {"E": Range(0.5, 1.8, 3, 0.0, 20.0), **ROUTED, "a": Range(-0.3, -0.1, 3, -2.0, 2.0),
                 "d": Range(0.9, 2.5, 3, -10.0, 20.0)}  # fmt: skip
    source = f"{CLARK}, Eq 1, and an irreducible loss"

    def predict(self, N: Any, experts: Any) -> Any:
        """L at N dense parameters and a number of experts."""
        return self.E + self.routed(N, experts, self)


@dataclass(frozen=True)
class ExpertsLaw(ParallelPowerLaw):
    """L = E + (A / (N experts^gamma))^alpha: experts worth a power of their number.

    Four parameters. Not for hundreds of experts, where gains saturate.
    """

    axes = ("N", "experts")
    axis_rules = {"experts": COUNT}
    source = "the power law of ParScale's rivals with experts for streams"


@dataclass(frozen=True)
class SparsityLaw(Law):
    """L = E + A n^-alpha expansion^-(gamma - c ln n), n = N / 1e9: N active parameters, expansion times as many in all.

    gamma is what sparsity is worth at 1e9 active parameters, c how that changes with size. For one number of
    tokens. Not for one expansion, and not across training recipes: gamma is near 0 for models continued from a
    dense one (the source's). Experts trained from scratch are worth more (`routed-floor`).
    """

    E: float
    A: float
    alpha: float
    gamma: float
    c: float

    axes = ("N", "expansion")
    axis_rules = {"expansion": COUNT}
    nonlinear = {
        "alpha": EXPONENT,
        "gamma": Range(-0.1, 0.3, 5, -3.0, 3.0),
        "c": Range(-0.05, 0.05, 3, -1.0, 1.0),
    }
    source = "Liew et al. 2025, arXiv 2502.03009, the law of sparsity and active parameters (N in 1e9)"

    @staticmethod
    def terms(N: Any, expansion: Any, alpha: Any, gamma: Any, c: Any) -> Sequence[Any]:
        n, s = np.log(N / 1e9), np.log(expansion)
        return 1.0, np.exp(-alpha * n - gamma * s + c * n * s)
