"""Laws of a whole loss curve: the multi-power law and the annealing law, bound to the schedules of a fit.

Both read L(t) = L0 + A S(t)^-alpha + B M(t). S is the sum of the learning rate, warm-up included. M sums the changes
of the learning rate, those of the warm-up too, each weighed by a kernel of what has passed since: M tends to the
learning rate now, so L0 is the loss of an endless run whose rate has gone to 0, and a decay lowers the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scaling.curves.schedule import Segments
from scaling.laws.base import Array, Axis, Law, Range

KEPT = 64  # kernels of a fit that are kept
NEAR_ONE = 1e-4  # of beta from 1, where the integral's form has no number


@dataclass(frozen=True, eq=False)
class CurvePoints:
    """The n points of a fit, run after run: what a law needs to know of them."""

    steps: Array  # (n,)
    sums: Array  # S, (n,)
    runs: tuple[tuple[slice, Segments], ...]  # rows of each run, and where its rate changes
    peak: float  # the unit of the learning rate


class CurveLaw(Law):
    """Base of the laws of a curve. Its axis is the number of a point, from 1, in the `points` it is bound to."""

    axes = ("point",)
    axis_rules: ClassVar[Mapping[str, Axis]] = {"point": Axis(more_is_better=None)}
    points: ClassVar[CurvePoints]
    _known: ClassVar[
        dict[tuple[float, ...], list[Array]]
    ] = {}  # of the last kernels: terms and gradient share them

    @classmethod
    def bound(cls, points: CurvePoints) -> type[CurveLaw]:
        """The law of these points."""
        return type(cls.__name__, (cls,), {"points": points, "_known": {}, "__doc__": cls.__doc__})

    @classmethod
    def memory(cls, rows: slice, segments: Segments, *eta: float) -> tuple[Array, list[Array]]:
        """M in units of the peak at a run's rows, (rows,), and its derivatives by the kernel's parameters."""
        raise NotImplementedError

    @classmethod
    def terms(cls, point: Any, alpha: Any, *kernel: Any) -> Sequence[Any]:
        return [term[..., cls._rows(point)] for term in cls._made(alpha, kernel)[0]]

    @classmethod
    def terms_gradient(cls, point: Any, alpha: Any, *kernel: Any) -> Sequence[Sequence[Any]]:
        (_, power, _), moves = cls._made(alpha, kernel)
        take = cls._rows(point)
        slope = (-np.log(cls.points.sums) * power)[..., take]
        return [[0.0, slope, 0.0], *([0.0, 0.0, move[..., take]] for move in moves)]

    @classmethod
    def _rows(cls, point: Any) -> Any:
        """Indices of points. Beyond the last, where a certificate probes, it is the last."""
        return np.clip(point, 1, cls.points.sums.size).astype(int) - 1

    @classmethod
    def _made(cls, alpha: Any, kernel: Sequence[Any]) -> tuple[tuple[Array, Array, Array], list[Array]]:
        """The three terms and the derivatives of M, (n,) or (B, n) each."""
        shape = np.shape(alpha)
        alphas = np.reshape(alpha, (-1, 1))
        columns = np.stack([np.broadcast_to(np.ravel(k), alphas.size) for k in kernel], axis=-1)
        made = [cls._memories(tuple(row)) for row in columns]
        out = np.stack([np.stack(list(m)) for m in made], axis=1)  # (1 + kernel, B, n)
        power = cls.points.sums**-alphas
        ones = np.ones((1, cls.points.sums.size))
        parts = [ones, power, out[0], *out[1:]]
        if not shape:
            parts = [part[0] for part in parts]
        return (parts[0], parts[1], parts[2]), parts[3:]

    @classmethod
    def _memories(cls, eta: tuple[float, ...]) -> list[Array]:
        """M and its derivatives at all points, (n,) each, for one set of the kernel's parameters."""
        if eta not in cls._known:
            made = [cls.memory(rows, segments, *eta) for rows, segments in cls.points.runs]
            if len(cls._known) >= KEPT:
                cls._known.clear()
            moves = (np.concatenate(d) for d in zip(*(d for _, d in made), strict=True))
            cls._known[eta] = [np.concatenate([m for m, _ in made]), *moves]
        return cls._known[eta]

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        out = super().to_fields(coefficients, eta)
        out["B"] = out["B"] / cls.points.peak
        return out

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        c, eta = super().to_linear()
        c[self.linear().index("B")] = np.asarray(self.B) * self.points.peak  # type: ignore[attr-defined]
        return c, eta

    def linear_gradient(self) -> Array:
        out = super().linear_gradient()
        out[self.linear().index("B"), self.names().index("B")] = self.points.peak
        return out


@dataclass(frozen=True)
class MultiPowerLaw(CurveLaw):
    """L = L0 + A S^-alpha + B sum_k (lr_k - lr_(k-1)) G(lr_k^-gamma S_k), G(x) = 1 - (C x + 1)^-beta.

    S_k is the sum of the learning rate from step k on. L0 in nats per token. A, B and C in units of the learning rate.
    """

    L0: float
    A: float
    B: float
    alpha: float
    C: float
    beta: float
    gamma: float

    nonlinear = {
        "alpha": Range(0.15, 1.0, steps=4, lower=1e-3, upper=5.0),
        "C": Range(0.01, 1.0, steps=3, lower=1e-6, upper=1e4),
        "beta": Range(0.25, 1.1, steps=3, lower=1e-2, upper=5.0),
        "gamma": Range(0.3, 0.9, steps=2, lower=0.0, upper=3.0),
    }
    not_held = ("C", "B")  # coordinates in units of the peak
    source = "Luo et al. 2025, arXiv 2503.12811, Eq 1 and 2"

    @classmethod
    def memory(cls, rows: slice, segments: Segments, *eta: float) -> tuple[Array, list[Array]]:
        """The kernel's integral over each piece in closed form: of (1 + c s)^-beta, s from its end to its start."""
        C, beta, gamma = eta
        beta = beta if abs(beta - 1) > NEAR_ONE else 1 + NEAR_ONE
        peak = cls.points.peak
        near, far, per_sum = segments.lags(cls.points.sums[rows, None])
        relative = segments.middle / peak
        c = C * relative**-gamma / peak
        slope = per_sum / peak
        (F, by_c, by_beta), (G, also_c, also_beta) = (_integral(s, c, beta) for s in (far, near))
        value = ((far - near) - (F - G)) @ slope
        rate_c, rate_beta = -(by_c - also_c), -(by_beta - also_beta)
        log = np.log(relative)
        return value, [rate_c @ (slope * c / C), rate_beta @ slope, rate_c @ (-slope * c * log)]

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        out = super().to_fields(coefficients, eta)
        out["C"] = out["C"] * cls.points.peak ** (out["gamma"] - 1)
        return out

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        c, eta = super().to_linear()
        eta[1] = np.asarray(self.C) * self.points.peak ** (1 - np.asarray(self.gamma))
        return c, eta

    def linear_gradient(self) -> Array:
        out = super().linear_gradient()
        row, names, unit = len(self.linear()) + 1, self.names(), self.points.peak ** (1 - self.gamma)
        out[row, names.index("C")] = unit
        out[row, names.index("gamma")] = -np.log(self.points.peak) * self.C * unit
        return out


def _integral(s: Array, c: Array, beta: float) -> tuple[Array, Array, Array]:
    """F(s), the integral of (1 + c s)^-beta, less a constant of s, and its derivatives by c and by beta."""
    grown = 1 + c * s
    log = np.log(grown)
    falling = np.exp(-beta * log)
    F = grown * falling / (c * (1 - beta))
    return F, s * falling / c - F / c, F * (1 / (1 - beta) - log)


@dataclass(frozen=True)
class AnnealingLaw(CurveLaw):
    """L = L0 + A S^-alpha + B sum_k (lr_k - lr_(k-1)) (1 - exp(-(t - k) / tau)): a momentum of learning-rate changes.

    tau in steps: lambda = exp(-1 / tau), and the source's C is B (1 - lambda). The source sets lambda by hand.
    """

    L0: float
    A: float
    B: float
    alpha: float
    tau: float

    nonlinear = {
        "alpha": Range(0.15, 1.0, steps=5, lower=1e-3, upper=5.0),
        "tau": Range(10.0, 5000.0, steps=7, lower=0.1, upper=1e6),
    }
    not_held = ("B",)
    source = "Tissue et al. 2024, arXiv 2408.11029, Eq 1"

    @classmethod
    def memory(cls, rows: slice, segments: Segments, *eta: float) -> tuple[Array, list[Array]]:
        (tau,) = eta
        near, far, per_step = segments.step_lags(cls.points.steps[rows, None])
        slope = per_step / cls.points.peak
        faded, fading = np.exp(-near / tau), np.exp(-far / tau)
        value = ((far - near) - tau * (faded - fading)) @ slope
        move = -(faded - fading) - (near * faded - far * fading) / tau
        return value, [move @ slope]
