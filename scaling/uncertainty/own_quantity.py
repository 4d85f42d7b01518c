"""Quantities of a batch of laws of which each row is asked for its own: the rest need not be computed.

Shapes as in `scaling.problem`: a quantity gives (B, K) numbers of B laws; row b is about the one numbered
k[b].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem

Quantity = Callable[[Law], Any]


@dataclass(frozen=True)
class PredictedLoss:
    """The quantity `predicted loss at K points` of a batch of laws; axes, in the law's order, are (K,)."""

    axes: tuple[Array, ...]

    def __call__(self, law: Law) -> Array:
        """Losses (B, K) of laws with fields (B,)."""
        fields = {n: np.asarray(getattr(law, n))[..., None] for n in law.names()}
        return np.asarray(law.kind(**fields)._loss(*self.axes))

    def own(self, law: Law, k: Any) -> Array:
        """The loss of each law at its own point k (B,), (B,)."""
        return np.asarray(law._loss(*(x[k] for x in self.axes)))


@dataclass(frozen=True)
class Part:
    """Some of the K numbers of a quantity, those of a slice."""

    quantity: Quantity
    some: slice

    def __call__(self, law: Law) -> Array:
        """The numbers, (B, those of the slice)."""
        values = np.asarray(self.quantity(law), dtype=np.float64)
        return values.reshape(len(values), -1)[:, self.some]

    def own(self, law: Law, k: Any) -> Array:
        """The number k (B,) of each law, counted within the slice, (B,)."""
        return own_of(self.quantity, law, k + (self.some.start or 0))


def own_values(problem: Problem, theta: Array, quantity: Quantity, k: Any) -> Array:
    """Of each row θ (B, p) the one quantity k (B,) that it is about, (B,).

    A quantity with a method `own` is asked for that alone: the others are not computed.
    """
    with np.errstate(all="ignore"):
        return own_of(quantity, problem.law.from_vector(problem.named(theta)), k)


def own_of(quantity: Quantity, laws: Law, k: Any) -> Array:
    """Of each law (B,) the one quantity k (B,), (B,)."""
    own = getattr(quantity, "own", None)
    if own is not None:
        return np.asarray(own(laws, k), dtype=np.float64)
    values = np.asarray(quantity(laws), dtype=np.float64)
    return np.asarray(values.reshape(len(values), -1)[np.arange(k.size), k])


def own_slopes(problem: Problem, theta: Array, quantity: Quantity, k: Any) -> Array:
    """∂(quantity k)/∂θ of each row, (B, p), as `slopes`."""
    B, p = theta.shape
    step = 1e-6 * np.maximum(np.abs(theta), 1e-4)
    offsets = step[:, :, None] * np.eye(p)
    both = np.stack([theta[:, None] + offsets, theta[:, None] - offsets]).reshape(-1, p)
    up, down = own_values(problem, both, quantity, np.tile(np.repeat(k, p), 2)).reshape(2, B, p)
    with np.errstate(invalid="ignore"):
        return np.asarray((up - down) / (2 * step))
