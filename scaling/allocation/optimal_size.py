"""The compute-optimal N of a law as a smooth function of its constants, which intervals can be formed of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.base import Array, Law

SPAN = np.log(1e4)  # of log N that is searched on each side of the middle
HALVINGS = 14  # of the span: to a thousandth of log N, from where NEWTON steps are exact
NEWTON = 4
STEP = 0.02  # in log N, over which the slope of the loss is taken
SIDES = np.array([1.0, -1.0, 0.0])  # where it is taken, in steps
NEAR = 1e-3  # of log N: an end this close to the end of the search is open
APART = 0.05  # in log C, on each side: where the exponent is taken


@dataclass(frozen=True)
class OptimalSize:
    """log N of least loss with 6 N P D = flops, for a batch of laws.

    The zero of the loss's slope along the budget is found by bisection. Laws here fall and then rise along it.
    """

    flops: float
    P: float
    middle: float  # N about which is searched

    def of(self, law: Law) -> Array:
        """The log N of each law (B,), (B, 1). The end of the search if the loss has no minimum inside."""
        return self._at(law, [0.0])

    def with_exponent(self, law: Law) -> Array:
        """The log N and a = d log N / d log C at the budget of each law (B,), (B, 2)."""
        low, here, high = self._at(law, [-APART, 0.0, APART]).T
        return np.stack([here, (high - low) / (2 * APART)], axis=1)

    def _at(self, law: Law, more: list[float]) -> Array:
        """The log N at K budgets, each `more` log C than the own one, (B, K)."""
        fields = {n: np.atleast_1d(getattr(law, n))[:, None, None] for n in law.names()}
        one, budget = law.kind(**fields), np.log(self.flops / 6 / self.P) + np.array(more)[:, None]
        middle = np.log(self.middle)
        low = np.full((next(iter(fields.values())).shape[0], len(more)), middle - SPAN)
        high = low + 2 * SPAN

        def loss(log_N: Array, steps: Array) -> Array:
            """The losses (S, B, K) at S steps from log N (B, K), in one call."""
            at = log_N[..., None] + STEP * steps
            axes = {"N": np.exp(at), "P": np.full_like(at, self.P), "D": np.exp(budget - at)}
            return np.moveaxis(one._loss(*(axes[a] for a in law.axes)), -1, 0)

        with np.errstate(all="ignore"):
            for _ in range(HALVINGS):
                half = (low + high) / 2
                after, before = loss(half, SIDES[:2])
                low, high = np.where(after < before, half, low), np.where(after < before, high, half)
            at, room = (low + high) / 2, high - low
            for _ in range(NEWTON):
                after, before, here = loss(at, SIDES)
                bend = after + before - 2 * here
                step = np.where(bend > 0, STEP * (before - after) / (2 * bend), 0.0)
                at = at + np.clip(np.nan_to_num(step), -room, room)
        return np.asarray(at)

    def inside(self, log_N: float) -> bool:
        """Whether a log N is a minimum, not an end of the search."""
        return bool(abs(log_N - np.log(self.middle)) < SPAN - NEAR)

    def ends(self, lower: float, upper: float) -> tuple[float, float]:
        """Ends of an interval of log N as sizes. 0 or infinity if only the search ends there."""
        middle = np.log(self.middle)
        low = 0.0 if lower <= middle - SPAN + NEAR else float(np.exp(lower))
        return low, float("inf") if upper >= middle + SPAN - NEAR else float(np.exp(upper))
