"""The bounds of a parameter, and the range of a fit's starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """A nonlinear parameter: the range of its starts, and its bounds.

    Args:
        low: lowest start, in the parameter's unit.
        high: highest start. Starts are geometric if `low` is positive, otherwise even.
        steps: number of starts.
        lower: lower bound.
        upper: upper bound.
    """

    low: float
    high: float
    steps: int = 12
    lower: float = 0.0
    upper: float = float("inf")

    def starts(self) -> Array:
        """The start values, shape (steps,)."""
        if self.low == self.high:
            return np.array([self.low])
        if self.low <= 0:
            return np.linspace(self.low, self.high, self.steps)
        return np.geomspace(self.low, self.high, self.steps)

    def within(self, lower: float, upper: float) -> Range:
        """The range with the narrower bounds `lower` and `upper`, its starts moved inside them."""
        low, high = (min(max(end, lower), upper) for end in (self.low, self.high))
        return replace(self, low=low, high=high, lower=lower, upper=upper)


EXPONENT = Range(0.02, 1.6, steps=14, lower=1e-4, upper=10.0)
