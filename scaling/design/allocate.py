"""What to train under a budget: the best (N, P, D) for training FLOPs and an inference cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.fitting.result import Fit
from scaling.laws.base import Array, Law
from scaling.result_table import ResultTable
from scaling.shown import shown
from scaling.uncertainty.interval_methods import check_level
from scaling.uncertainty.prediction import default_method

Cost = Callable[..., Any]  # N, P, D arrays -> memory or latency, same shape
SIDE = 600  # grid points in log N on each side of the middle, over three decades


@dataclass(frozen=True, repr=False)
class Allocation(ResultTable):
    """The best (N, P, D) under the budgets, with intervals where a fit was given."""

    N: float
    P: float
    D: float
    loss: float
    intervals: pd.DataFrame | None  # index N, P, D, loss: lower, upper over draws
    at_edge: float  # share of the draws with no interior optimum; nan without a fit
    verdict: str

    @property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """Index N, P, D, loss; columns estimate, lower, upper (nan where a law, not a fit, was given)."""
        names = ["N", "P", "D", "loss"]
        frame = pd.DataFrame({"estimate": [getattr(self, name) for name in names]}, index=names)
        for end in ("lower", "upper"):
            frame[end] = np.nan if self.intervals is None else self.intervals[end]
        return frame


def allocate(
    law: Law | Fit,
    training_flops: float,
    cost: Cost | None = None,
    limit: float = np.inf,
    streams: Any = (1, 2, 4, 8, 16, 32),
    draws: int = 400,
    level: float = 0.95,
) -> Allocation:
    """The (N, P, D) of least loss with 6 N P D = training_flops and cost(N, P, D) <= limit.

    law: one with axes N and D (P where it has it), or a fit of one, which gives intervals at `level` over
    draws.
    cost: inference memory or latency of the caller's choosing, of arrays N, P, D. Says "no interior
    optimum" where the best lies at the end of what was searched (six decades of N, the given streams).
    Raises ValueError for a law without D and for budgets that nothing meets.
    """
    check_level(level)
    if not isinstance(law, (Law, Fit)):
        raise ValueError(f"law={shown(law)}: give a fit, or a law with its constants")
    fitted, known = (law, law.law) if isinstance(law, Fit) else (None, law)
    if "D" not in known.axes:
        raise ValueError(f"{type(known).__name__} has no data term: allocation needs a law with N and D")
    if not (np.isfinite(training_flops) and training_flops > 0):
        raise ValueError(f"training_flops={training_flops!r} must be a positive number")
    P = np.asarray(streams if "P" in known.axes else (1,), dtype=np.float64)
    grid = _Grid.of(training_flops, P, cost, limit)
    best = grid.best(known)
    intervals, at_edge = None, float("nan")
    if fitted is not None:
        some = default_method(fitted).draws(fitted, draws)
        picks = grid.best(some)
        values = np.stack([grid.N[picks], grid.P[picks], grid.D[picks], grid.loss(some, picks)])
        low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        intervals = pd.DataFrame({"lower": low, "upper": high}, index=["N", "P", "D", "loss"])
        at_edge = float(np.mean([bool(grid.ends(i)) for i in picks]))
    N, P_best, D = (float(v[best[0]]) for v in (grid.N, grid.P, grid.D))
    loss = float(grid.loss(known, best)[0])
    return Allocation(N, P_best, D, loss, intervals, at_edge, grid.verdict(int(best[0]), known))


@dataclass(frozen=True)
class _Grid:
    """Every (N, P) that spends the training budget, flattened, (G,); `width` points of N a stream."""

    N: Array
    P: Array
    D: Array
    allowed: Any
    width: int

    @classmethod
    def of(cls, flops: float, streams: Array, cost: Cost | None, limit: float) -> _Grid:
        around = np.geomspace(1e-3, 1e3, 2 * SIDE + 1) * np.sqrt(flops / 120)
        N, P = (v.ravel() for v in np.meshgrid(around, np.sort(streams)))
        D = flops / (6 * N * P)
        allowed = np.ones(N.size, bool) if cost is None else np.asarray(cost(N, P, D)) <= limit
        if not allowed.any():
            raise ValueError(f"limit={limit!r}: no (N, P) searched costs that little")
        return cls(N, P, D, allowed, around.size)

    def best(self, law: Law, limited: bool = True) -> Any:
        """Index of the least loss, of what is allowed if `limited`, for each law of a batch, (B,)."""
        fields = {n: np.atleast_1d(getattr(law, n))[:, None] for n in law.names()}
        loss = self._loss(law.kind(**fields), self.N, self.P, self.D)
        return np.argmin(np.where(self.allowed | (not limited), loss, np.inf), axis=-1)

    def loss(self, law: Law, picks: Any) -> Array:
        """Each law's loss at its own pick, (B,)."""
        return self._loss(law, self.N[picks], self.P[picks], self.D[picks])

    @staticmethod
    def _loss(law: Law, *given: Array) -> Array:
        axes = dict(zip(("N", "P", "D"), given, strict=True))
        return law._loss(*(axes[a] for a in law.axes))

    def ends(self, i: int) -> str:
        """Which axis the point lies at the end of, or nothing."""
        if i % self.width in (0, self.width - 1):
            return "N"
        streams = len(self.N) // self.width
        return "P" if streams > 1 and i // self.width == streams - 1 else ""

    def verdict(self, i: int, law: Law) -> str:
        """The optimum i of a law in words."""
        if i != int(self.best(law, limited=False)[0]):
            return "limited by the inference cost, not by the training budget"
        if self.ends(i) == "N":
            return "no interior optimum: the loss still falls at the end of the N searched"
        if self.ends(i) == "P":
            return f"no interior optimum in P: the loss still falls at the most streams given ({self.P[i]:g})"
        return "an interior optimum"
