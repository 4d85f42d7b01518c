"""What a fit minimises: sum over rows of w ρ(r), as objects.

r is the residual, prediction minus observation, of the loss or of its logarithm. An objective gives
ρ, its slope ψ = ρ' and its curvature ψ' (for Newton steps and for robust standard errors).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from scaling.laws.base import Array
from scaling.shown import shown


@dataclass(frozen=True)
class Objective:
    """Base: ρ(r) = r², on log loss when `log`."""

    log: bool = False

    @property
    def name(self) -> str:
        """How tables call it."""
        values = ", ".join(f"{k}={v:g}" for k, v in self.__dict__.items() if k != "log")
        return f"{type(self).__name__}({values}) on {'log loss' if self.log else 'loss'}"

    @property
    def meaning(self) -> str:
        """What it minimises, in words."""
        return "squared errors"

    @property
    def robust(self) -> bool:
        """Whether ψ is bounded: intervals then need the robust scale."""
        return False

    @property
    def symmetric(self) -> bool:
        """Whether over- and underprediction cost the same: residuals then centre on zero."""
        return True

    @property
    def smoother(self) -> tuple[tuple[Self, float], ...]:
        """Objectives to minimise first, each from the last's answer, with the tolerance of each."""
        return ()

    def parts(self, r: Array) -> tuple[Array, Array, Array, Array]:
        """ρ, ψ, ψ' and the reweighted least-squares weight ψ/r at r."""
        psi = self.psi(r)
        return self.rho(r), psi, self.curvature(r), np.abs(psi) / np.maximum(np.abs(r), 1e-12)

    def rho(self, r: Array) -> Array:
        """ρ(r)."""
        return r * r

    def psi(self, r: Array) -> Array:
        """ρ'(r)."""
        return 2 * r

    def curvature(self, r: Array) -> Array:
        """ρ''(r)."""
        return np.full_like(r, 2.0)


@dataclass(frozen=True)
class LeastSquares(Objective):
    """Least squares, ρ(r) = r².

    Args:
        log: take residuals of the log loss, which are relative errors. Otherwise nats per token.
    """

    def parts(self, r: Array) -> tuple[Array, Array, Array, Array]:
        two = np.full_like(r, 2.0)
        return r * r, 2 * r, two, two


def huber(r: Array, delta: float) -> Array:
    """r²/2 within delta of zero, delta (|r| - delta/2) beyond."""
    a = np.abs(r)
    inside = np.minimum(a, delta)
    return np.asarray(inside * (a - 0.5 * inside))


@dataclass(frozen=True)
class LogHuber(Objective):
    """Huber on log loss: r²/2 up to `delta`, then delta (|r| - delta/2). The published choice.

    With delta far below the noise this is least absolute deviations, and `Fit.delta_over_noise` says so.

    Args:
        delta: the residual above which the objective is linear, in log loss (nats per token without `log`).
        log: take residuals of the log loss.

    Source: arXiv 2505.10475, appendix, and Hoffmann et al. 2022, arXiv 2203.15556.
    """

    log: bool = True
    delta: float = 1e-3

    def __init__(self, delta: float = 1e-3, log: bool = True) -> None:
        if not (np.isfinite(delta) and delta > 0):
            raise ValueError(f"delta={delta!r} must be a positive number")
        object.__setattr__(self, "delta", float(delta))
        object.__setattr__(self, "log", log)

    @property
    def meaning(self) -> str:
        return "errors squared up to delta, absolute beyond: outliers count less"

    @property
    def robust(self) -> bool:
        return True

    @property
    def smoother(self) -> tuple[tuple[Self, float], ...]:
        widths, width = [], self.delta
        while width < 1e-2:  # far below any noise a step of 10 is the most Newton steps can follow
            width *= 10 if width < 9e-5 else 100
            widths.append(width)
        return tuple((type(self)(w, self.log), 1e-3 if w > 2e-4 else 1e-15) for w in reversed(widths))

    def parts(self, r: Array) -> tuple[Array, Array, Array, Array]:
        a = np.abs(r)
        inside = np.minimum(a, self.delta)
        return (
            inside * (a - 0.5 * inside),
            np.copysign(inside, r),
            (a <= self.delta).astype(np.float64),
            self.delta / np.maximum(a, self.delta),
        )

    def rho(self, r: Array) -> Array:
        return huber(r, self.delta)

    def psi(self, r: Array) -> Array:
        return np.clip(r, -self.delta, self.delta)

    def curvature(self, r: Array) -> Array:
        return (np.abs(r) <= self.delta).astype(np.float64)


@dataclass(frozen=True)
class Asymmetric(Objective):
    """|r|, times `over` if the prediction is too high, Huber-rounded within `delta` of zero.

    The rounding is far below any noise. It lets Newton steps converge and is reached through wider roundings.

    Args:
        log: take residuals of the log loss.
        over: weight of predictions that are too high. 1 is least absolute deviations.
        delta: half-width of the rounding, nats.
    """

    log: bool = True
    over: float = 10.0
    delta: float = 1e-9

    def __post_init__(self) -> None:
        """Refuse a weight or a rounding that is not positive."""
        for name in ("over", "delta"):
            if not (np.isfinite(value := getattr(self, name)) and value > 0):
                raise ValueError(f"{name}={value!r} must be a positive number")

    @property
    def meaning(self) -> str:
        return "absolute errors" + f", {self.over:g} times where predicted too high" * (self.over != 1)

    @property
    def robust(self) -> bool:
        return True

    @property
    def smoother(self) -> tuple[tuple[Self, float], ...]:
        widths = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
        return tuple((replace(self, delta=d), 1e-15) for d in widths if d > self.delta)

    @property
    def symmetric(self) -> bool:
        return self.over == 1.0

    def _side(self, r: Array) -> Array:
        return np.where(r > 0, self.over, 1.0)

    def rho(self, r: Array) -> Array:
        return self._side(r) * huber(r, self.delta) / self.delta

    def psi(self, r: Array) -> Array:
        return self._side(r) * np.clip(r / self.delta, -1.0, 1.0)

    def curvature(self, r: Array) -> Array:
        return np.where(np.abs(r) <= self.delta, self._side(r) / self.delta, 0.0)


@dataclass(frozen=True)
class LAD(Asymmetric):
    """Least absolute deviations, sum |r|: the median's objective, `Asymmetric` with equal sides.

    Args:
        log: take residuals of the log loss.
        over: 1.
        delta: half-width of the rounding, nats.
    """

    over: float = 1.0


OBJECTIVES: dict[str, Objective] = {
    "huber": LogHuber(1e-3),
    "least-squares": LeastSquares(),
    "log-least-squares": LeastSquares(log=True),
    "lad": LAD(),
    "asymmetric": Asymmetric(),
}


DEFAULT = (
    "huber"  # of every fit, comparison, command and figure: the published procedure's (arXiv 2505.10475)
)
DEFAULT_OBJECTIVE = OBJECTIVES[DEFAULT]


def checked(given: Any, default: Objective = DEFAULT_OBJECTIVE) -> Objective:
    """The objective that a caller gave, itself or by name, `default` for None. ValueError for what is none."""
    if isinstance(given, str) and given in OBJECTIVES:
        return OBJECTIVES[given]
    if given is not None and not isinstance(given, Objective):
        raise ValueError(
            f"objective must be one such as scaling.LogHuber(1e-3), or a name of {', '.join(OBJECTIVES)}, "
            f"got {shown(given)}"
        )
    return default if given is None else given


def named(name: str) -> Objective:
    """The objective of that name. ValueError lists those there are."""
    if name not in OBJECTIVES:
        raise ValueError(f"--objective {name!r}: known are {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
