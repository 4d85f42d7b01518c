"""Learning-rate schedules: rates at optimiser steps, and what earlier changes of the rate weigh later.

A schedule is piecewise linear between its knots, from step 0. Legend: K knots, J segments in which the rate changes,
n points. S is the sum of the learning rate over steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.shown import shown

SEGMENTS = 64  # in which the rate changes, at most: more are merged where it changes least
PIECES = 24  # of a straight part in which the rate changes, at most
WARM = 0.999  # of the peak: from the first knot that reaches it the warm-up is over


@dataclass(frozen=True, eq=False)
class Schedule:
    """The learning rate over a run, linear between steps.

    Args:
        steps: at which the rates are given, (K,).
        rates: learning rates, (K,).
    """

    steps: Array
    rates: Array

    @classmethod
    def of(cls, steps: Any, rates: Any, warmup: float | None = None) -> Schedule:
        """The schedule through learning rates at increasing steps, (K,) each.

        warmup: steps of a linear rise from 0 that ends at the first rate. None: a table that begins at its highest rate is
        taken to rise until its first step, another to rise to its first rate from step 0. A lone
        change between two flat parts is taken as a jump at the first step with the new rate.
        ValueError for steps that do not increase, and for rates that are negative, not finite or all 0.
        """
        at, lr = np.asarray(steps, dtype=np.float64), np.asarray(rates, dtype=np.float64)
        if at.ndim != 1 or at.shape != lr.shape or at.size < 1:
            raise ValueError(f"steps={shown(steps)}, rates={shown(rates)}: give one learning rate a step")
        if not (np.isfinite(lr).all() and (lr >= 0).all() and lr.any()):
            raise ValueError("learning rates must be finite, not negative and not all 0")
        if not (np.isfinite(at).all() and at[0] >= 0 and (np.diff(at) > 0).all()):
            raise ValueError("steps of a schedule must increase from 0 or later")
        if at[0] > 0:
            rise = at[0] if warmup is None else min(float(warmup), float(at[0]))
            before = [0.0, rise] if 0 < rise < at[0] else [0.0]
            rate = [0.0, lr[0]] if 0 < rise < at[0] else [0.0 if rise > 0 else lr[0]]
            at, lr = np.concatenate([before, at]), np.concatenate([rate, lr])
        return cls(*_jumps(at, lr))

    @classmethod
    def shaped(cls, shape: str, *, steps: int, peak: float, warmup: int = 0, **given: float) -> Schedule:
        """A named schedule: "constant", "cosine", "linear", "wsd" (linear decay) or "wsd-exponential".

        steps: of the run. peak: highest rate, reached after `warmup` steps. final: rate at the end as a share of
        the peak (default 0.1). decay_share: of the steps that wsd decays over (default 0.2).
        """
        final, share = float(given.pop("final", 0.1)), float(given.pop("decay_share", 0.2))
        if shape not in FALLS or given:
            raise ValueError(
                f"shape={shown(shape)}: give one of {', '.join(FALLS)}, and final= or decay_share="
            )
        if not (0 <= warmup < steps and peak > 0 and 0 <= final <= 1 and 0 < share <= 1):
            raise ValueError("give steps > warmup >= 0, peak > 0, final from 0 to 1, decay_share above 0")
        if shape == "wsd-exponential" and final == 0:
            raise ValueError("final=0: an exponential decay does not reach 0")
        start = max(warmup, round((1 - share) * steps)) if shape.startswith("wsd") else warmup
        along = np.linspace(0.0, 1.0, 2 if shape in ("constant", "linear", "wsd") else 4 * SEGMENTS)
        at = start + along * (steps - start)
        rates = peak * FALLS[shape](along, final)
        head = [point for point in ((0.0, 0.0), (float(warmup), peak)) if point[0] < start]
        head = head if warmup else [(0.0, peak)] * (start > 0)
        return cls(np.array([*(a for a, _ in head), *at]), np.array([*(r for _, r in head), *rates]))

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        return float(self.rates.max())

    @property
    def end(self) -> float:
        """The last step."""
        return float(self.steps[-1])

    @property
    def warm(self) -> float:
        """The step at which the warm-up ends: the first rate at the peak, if the rate rises until then."""
        top = int(np.flatnonzero(self.rates >= WARM * self.peak)[0])
        return float(self.steps[top]) if (np.diff(self.rates[: top + 1]) >= 0).all() else 0.0

    @cached_property
    def _sums(self) -> Array:
        """S at the knots, (K,)."""
        return np.concatenate(
            [[0.0], np.cumsum(np.diff(self.steps) * (self.rates[1:] + self.rates[:-1]) / 2)]
        )

    def rate(self, steps: Any) -> Array:
        """The learning rate at steps (n,), the last one beyond the end."""
        return np.asarray(np.interp(steps, self.steps, self.rates))

    def total(self, steps: Any) -> Array:
        """S, the sum of the learning rate up to steps (n,)."""
        at = np.asarray(steps, dtype=np.float64)
        k = np.clip(np.searchsorted(self.steps, at, side="right") - 1, 0, None)
        return np.asarray(self._sums[k] + (at - self.steps[k]) * (self.rates[k] + self.rate(at)) / 2)

    def until(self, step: float) -> Schedule:
        """The schedule up to a step."""
        inside = self.steps < step
        return Schedule(np.append(self.steps[inside], step), np.append(self.rates[inside], self.rate(step)))

    @cached_property
    def segments(self) -> Segments:
        """Where the learning rate changes, in at most about SEGMENTS pieces."""
        keep = self._coarse()
        at = _split(self.steps[keep], self.rates[keep])
        lr, S = self.rate(at), self.total(at)
        changed = (np.diff(lr) != 0) & (np.diff(S) > 0)
        middle = np.where(
            np.diff(at) <= 1, lr[1:], (lr[1:] + lr[:-1]) / 2
        )  # the laws take the rate after a step
        parts = [np.diff(lr), middle, at[:-1], at[1:], S[:-1], S[1:]]
        return Segments(*(part[changed] for part in parts))

    def _coarse(self) -> Any:
        """Knots to keep: the ends, and knots between which the rate and S change by equal shares."""
        change = np.abs(np.diff(self.rates))
        if (change > 0).sum() <= SEGMENTS:
            return np.arange(self.steps.size)
        moved = np.concatenate([[0.0], np.cumsum(change)])
        along = moved / moved[-1] + self._sums / self._sums[-1] * (moved > 0)
        cuts = np.searchsorted(along, np.linspace(0.0, along[-1], SEGMENTS + 1))
        turns = np.flatnonzero((change[1:] > 0) != (change[:-1] > 0)) + 1  # where a flat part begins or ends
        return np.unique(
            np.concatenate([[0], cuts.clip(0, self.steps.size - 1), turns, [self.steps.size - 1]])
        )


def _split(at: Array, lr: Array) -> Array:
    """Steps of the knots, and more between them, so that each piece changes the rate by about a tenth.

    The laws take the rate as constant within a piece.
    """
    with np.errstate(divide="ignore"):
        ratio = np.abs(np.diff(np.log(np.maximum(lr, 1e-300))))
    pieces = np.clip(np.ceil(10 * ratio), 1, PIECES).astype(int)
    pieces = np.where(np.diff(at) > 1, pieces, 1)
    inside = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(at[:-1], at[1:], pieces, strict=True)]
    return np.append(np.concatenate(inside), at[-1])


def _jumps(at: Array, lr: Array) -> tuple[Array, Array]:
    """The knots with one more, a step before the end of each change between two flat parts: a jump."""
    flat = np.diff(lr) == 0
    lone = np.flatnonzero(~flat[1:-1] & flat[:-2] & flat[2:] & (np.diff(at)[1:-1] > 1)) + 1
    return np.insert(at, lone + 1, at[lone + 1] - 1), np.insert(lr, lone + 1, lr[lone])


@dataclass(frozen=True, eq=False)
class Segments:
    """The J pieces in which the learning rate changes, (J,) each."""

    change: Array  # of the learning rate
    middle: Array  # learning rate half-way, or after a jump
    first_step: Array
    last_step: Array
    first_sum: Array
    last_sum: Array

    def lags(self, S: Array) -> tuple[Array, Array, Array]:
        """For points at S (n, 1): S since the end and since the start of each piece, and the change of rate per S."""
        since_end, since_start = np.maximum(S - self.last_sum, 0.0), np.maximum(S - self.first_sum, 0.0)
        return since_end, since_start, self.change / (self.last_sum - self.first_sum)

    def step_lags(self, steps: Array) -> tuple[Array, Array, Array]:
        """The same counted in steps (n, 1)."""
        since_end = np.maximum(steps - self.last_step, 0.0)
        since_start = np.maximum(steps - self.first_step, 0.0)
        return since_end, since_start, self.change / (self.last_step - self.first_step)


FALLS: dict[str, Callable[[Array, float], Array]] = {  # rate in units of the peak, share of the decay 0..1
    "constant": lambda along, final: np.ones_like(along),
    "cosine": lambda along, final: final + (1 - final) * (1 + np.cos(np.pi * along)) / 2,
    "linear": lambda along, final: 1 - (1 - final) * along,
    "wsd": lambda along, final: 1 - (1 - final) * along,
    "wsd-exponential": lambda along, final: np.asarray(final**along),
}
