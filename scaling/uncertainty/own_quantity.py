"""Quantities of a batch of laws of which each row is asked for its own: the rest need not be computed.

Shapes as in `scaling.problem`: a quantity gives (B, K) numbers of B laws; row b is about the one numbered
k[b].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from scaling.laws.base import Array, Law
from scaling.optimise.problem import Problem

Quantity = Callable[[Law], Any]


@dataclass(frozen=True)
class PredictedLoss:
    """The quantity `predicted loss at K points` of a batch of laws; axes, in the law's order, are (K,)."""

    axes: tuple[Array, ...]
    finite: ClassVar = True  # a number wherever the law's parameters are

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

    @property
    def finite(self) -> bool:
        """As the whole is."""
        return getattr(self.quantity, "finite", False)

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
    p = theta.shape[1]
    return slopes_of(problem, theta, lambda law: own_of(quantity, law, np.tile(np.repeat(k, p), 2)))[..., 0]


def slopes_of(problem: Problem, theta: Array, values: Quantity) -> Array:
    """∂values/∂θ at θ (B, p), (B, p, K): central differences in the law's own parameters, then the chain rule.

    Steps in θ would ask for the terms at every row of the data for each of them.
    """
    (B, p), m = theta.shape, problem.m
    eta = theta[:, m:]
    with np.errstate(all="ignore"):
        mean, step = problem.means(eta), 1e-6 * np.maximum(np.abs(theta), 1e-4)
    z = np.concatenate([theta[:, :m] / mean, eta], axis=1)
    step[:, :m] /= mean
    offsets = step[:, :, None] * np.eye(p)
    both = np.stack([z[:, None] + offsets, z[:, None] - offsets]).reshape(-1, p)
    with np.errstate(all="ignore"):
        found = np.asarray(values(problem.law.from_vector(problem.fields(both))), dtype=np.float64)
        up, down = found.reshape(2, B, p, -1)
        out = (up - down) / (2 * step[..., None])
        out[:, :m] /= mean[..., None]
        amount = (theta[:, :m] / mean)[..., None]
        out[:, m:] -= np.matmul(problem.mean_slopes(eta), amount * out[:, :m])
    return np.asarray(out)
