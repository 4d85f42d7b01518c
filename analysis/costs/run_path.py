"""Runs of growing training cost at one P: along N at equal tokens, or along a law's best N and D for each budget.

A run is named by its measure t: its N under a law without D, its training FLOPs 6 N P D under a law with D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.base import Array, Law

BUDGETS = np.geomspace(1e6, 1e36, 601)  # training FLOPs looked at
SIZES = np.linspace(-8.0, 8.0, 321)  # log N about the middle of a budget
FINER = 101
PER_TOKEN = 20.0  # D / N in the middle of the search


@dataclass(frozen=True)
class RunPath:
    """The candidate runs of one P. D: tokens of every run under a law without D, nan if unknown."""

    law: Law
    P: float
    D: float
    largest: float = np.inf  # the largest N that limits allow

    @property
    def with_data(self) -> bool:
        """Whether the law has D, so that N and D are chosen together."""
        return "D" in self.law.axes

    def runs(self, t: Array) -> tuple[Array, Array]:
        """N and D of the runs t (K,)."""
        if not self.with_data:
            return t, np.full(t.shape, self.D)
        log_N = np.log(np.sqrt(t / (6 * PER_TOKEN * self.P)))[:, None] + SIZES
        N = np.exp(log_N)
        loss = self.loss(N, t[:, None] / (6 * self.P * N))
        i = np.clip(np.argmin(loss, axis=1), 1, SIZES.size - 2)
        before, at, after = (np.take_along_axis(loss, i[:, None] + step, 1)[:, 0] for step in (-1, 0, 1))
        bend = np.maximum(before + after - 2 * at, 1e-300)
        shift = np.clip((before - after) / (2 * bend), -1, 1) * (SIZES[1] - SIZES[0])
        best = np.minimum(np.exp(log_N[np.arange(t.size), i] + shift), self.largest)
        return best, t / (6 * self.P * best)

    def axes(self, t: Array) -> dict[str, Array]:
        """The law's axes at the runs t (K,)."""
        N, D = self.runs(t)
        return {a: x for a, x in (("N", N), ("P", np.full(t.shape, self.P)), ("D", D)) if a in self.law.axes}

    def loss(self, N: Array, D: Array) -> Array:
        """The predicted loss, nats per token."""
        axes = {"N": N, "P": np.full(np.shape(N), self.P), "D": D}
        with np.errstate(all="ignore"):
            return np.asarray(self.law._loss(*(axes[a] for a in self.law.axes)))

    def reaching(self, loss: float) -> float:
        """The least t whose run reaches a loss: inf if none does, nan if every run does."""
        if not self.with_data:
            axes: dict[str, Any] = {"P": self.P} if "P" in self.law.axes else {}
            return float(self.law.inverse(loss, **axes))
        t = BUDGETS
        for count in (FINER, 0):
            reached = self.loss(*self.runs(t)) <= loss
            if not reached.any() or reached[0]:
                return float("nan") if reached.any() else float("inf")
            first = int(np.argmax(reached))
            if not count:
                break
            t = np.geomspace(t[first - 1], t[first], count)
        two = t[first - 1 : first + 1]
        return float(np.exp(np.interp(-loss, -self.loss(*self.runs(two)), np.log(two))))

    def floor(self) -> float:
        """The loss that no run is below."""
        others = {a: x for a, x in (("P", self.P), ("D", 1e300)) if a in self.law.axes}
        return float(self.law.limit("N", **others))
