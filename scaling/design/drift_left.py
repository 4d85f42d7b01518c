"""What drift beyond the runs leaves of a loss asked for there, and how much of it each candidate run would end."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling.forecasting.drift import axis_of, change_over
from scaling.forecasting.widened import ALONE, Way, Widening
from scaling.laws.base import Array


class DriftLeft:
    """The standard deviation that drift adds to the log loss at a point. Runs nearer to the point lessen it."""

    def __init__(
        self, widening: Widening, point: Mapping[str, float], candidates: Mapping[str, Array]
    ) -> None:
        self.widening = widening
        self.point = {axis: np.array([float(x)]) for axis, x in point.items()}
        self.candidates = {axis: candidates[axis] for axis in self.point}
        self.edges = {
            (axis, side): float((side * axis_of(widening.runs, axis)).max()) for axis, side in widening.ways
        }

    @property
    def now(self) -> float:
        """What the runs and the candidates taken leave."""
        return float(self._error(self.edges)[0])

    def each(self) -> Array:
        """What would be left with one more candidate, (K,)."""
        return self._error({way: np.maximum(edge, self._along(way)) for way, edge in self.edges.items()})

    def take(self, i: int) -> None:
        """Add candidate i to the runs."""
        self.edges = {way: max(edge, float(self._along(way)[i])) for way, edge in self.edges.items()}

    def _along(self, way: Way) -> Array:
        return way[1] * axis_of(self.candidates, way[0])

    def _error(self, edges: Mapping[Way, Array | float]) -> Array:
        """The largest drift of any way out of the runs, whose edges are numbers or (K,)."""
        found = [np.zeros(1)]
        for (axis, side), edge in edges.items():
            by = np.maximum(side * axis_of(self.point, axis) - edge, 0.0)
            if by.any():
                point = {name: np.broadcast_to(x, by.shape) for name, x in self.point.items()}
                change = change_over([self.widening.one], ALONE, point, axis, side, by)
                found.append(self.widening.drift((axis, side)).kappa * np.abs(change))
        return np.asarray(np.max(np.stack(np.broadcast_arrays(*found)), axis=0))
