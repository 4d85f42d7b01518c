"""What to train under a budget: the best (N, P, D) for training FLOPs and an inference cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.allocation.isoflop import isoflop, lengthened
from scaling.allocation.optimal_size import OptimalSize
from scaling.data.compute_units import budget_doubt, scale_of, unit_doubt
from scaling.data.levels import approximate_C
from scaling.fitting.result import Fit
from scaling.laws.base import Array, Law
from scaling.result_table import ResultTable
from scaling.shown import shown
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import default_method

Cost = Callable[..., Any]  # N, P, D arrays -> memory or latency, same shape
SIDE = 600  # grid points in log N on each side of the middle, over three decades
NAMES = ["N", "P", "D", "loss"]
INTERIOR = "an interior optimum"


@dataclass(frozen=True, repr=False)
class Allocation(ResultTable):
    """The best (N, P, D) under the budgets, with intervals if a fit was given."""

    N: float
    P: float
    D: float
    loss: float
    intervals: pd.DataFrame | None  # index N, P, D, loss: lower, upper
    at_edge: float  # share of the draws with no interior optimum. nan without a fit
    verdict: str
    beyond: pd.Series | None = None  # of N, P, D and C: factor outside the runs, 1 within

    @property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """Index N, P, D, loss. Columns estimate, lower, upper and beyond (nan if a law was given)."""
        frame = pd.DataFrame({"estimate": [getattr(self, name) for name in NAMES]}, index=NAMES)
        for end in ("lower", "upper"):
            frame[end] = np.nan if self.intervals is None else self.intervals[end]
        frame["beyond"] = np.nan if self.beyond is None else self.beyond.reindex(NAMES)
        return frame


def allocate(
    law: Law | Fit,
    training_flops: float,
    cost: Cost | None = None,
    limit: float = np.inf,
    streams: Any = (1, 2, 4, 8, 16, 32),
    draws: int = 400,
    level: float = 0.95,
    units: Mapping[str, str] | None = None,
) -> Allocation:
    """The (N, P, D) of least loss for a training budget and an optional limit on inference cost.

    Args:
        law: a law with axes N and D, and P if it has it, or a fit of one. A fit gives intervals.
        training_flops: the budget, 6 N P D.
        cost: inference memory or latency, a function of arrays N, P, D.
        limit: of `cost`, in its unit.
        streams: the P to search.
        draws: from the fit, for the intervals of P, and of N and D if the cost decides.
        level: of the intervals, between 0 and 1.
        units: of the fitted table and the budget, such as `{"N": "billions", "D": "billions", "C": "PF-days"}`.

    Returns:
        An `Allocation` with N in parameters, P, D in tokens and the loss in nats per token. Intervals of N and D hold
        P fixed. That of the loss is for one more run, widened beyond the runs as a forecast is. `verdict` says
        whether the optimum is in the interior of the search (six decades of N, the given streams), by what factor
        it lies outside the runs, and whether units are implausible.

    Raises:
        ValueError: for a law without D, and for a budget or limit that no point meets.

    Examples:
        >>> law = scaling.ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
        >>> best = scaling.allocate(law, training_flops=1e22)
        >>> print(f"N {best.N:.2e}, D {best.D:.2e}, loss {best.loss:.3f}")
        N 5.16e+09, D 3.23e+11, loss 2.139
    """
    check_level(level)
    if not isinstance(law, (Law, Fit)):
        raise ValueError(f"law={shown(law)}: give a fit, or a law with its constants")
    known = law.law if isinstance(law, Fit) else law
    if "D" not in known.axes:
        raise ValueError(f"{type(known).__name__} has no data term: allocation needs a law with N and D")
    if not (np.isfinite(training_flops) and training_flops > 0):
        raise ValueError(f"training_flops={training_flops!r} must be a positive number")
    scale = {axis: scale_of(units, axis) for axis in ("N", "D", "C")}
    flops = training_flops * scale["C"] / (scale["N"] * scale["D"])
    P = np.asarray(streams if "P" in known.axes else (1,), dtype=np.float64)
    middle = np.sqrt(training_flops * scale["C"] / 120) / scale["N"]
    grid = _Grid.of(flops, P, _scaled(cost, scale), limit, middle)
    place = int(grid.best(known)[0])
    N, P_best, D = (float(v[place]) for v in (grid.N, grid.P, grid.D))
    verdict = grid.verdict(place, known)
    if verdict == INTERIOR:
        N = float(np.exp(OptimalSize(flops, P_best, middle).of(known)[0, 0]))
        D = flops / (6 * N * P_best)
    loss = float(known.predict(**{a: x for a, x in (("N", N), ("P", P_best), ("D", D)) if a in known.axes}))
    best = Allocation(N, P_best, D, loss, None, float("nan"), verdict)
    if isinstance(law, Fit):
        best = _doubted(best, law, grid, flops, draws, level, scale)
    return _in_units(best, scale)


def _scaled(cost: Cost | None, scale: Mapping[str, float]) -> Cost | None:
    """The cost as a function of the fit's units."""
    return None if cost is None else lambda N, P, D: cost(N * scale["N"], P, D * scale["D"])


def _in_units(best: Allocation, scale: Mapping[str, float]) -> Allocation:
    """The allocation in parameters and tokens."""
    ends = best.intervals
    if ends is not None:
        ends = ends.mul(pd.Series({"N": scale["N"], "P": 1.0, "D": scale["D"], "loss": 1.0}), axis=0)
    N, D = best.N * scale["N"], best.D * scale["D"]
    return Allocation(N, best.P, D, best.loss, ends, best.at_edge, best.verdict, best.beyond)


def _doubted(
    best: Allocation, fit: Fit, grid: _Grid, flops: float, draws: int, level: float, scale: Mapping[str, float]
) -> Allocation:  # fmt: skip
    """The allocation of a fit with its intervals, how far it lies outside the runs, and its units' doubt."""
    method = default_method(fit)
    some = method.draws(fit, draws)
    picks = grid.best(some)
    values = np.stack([grid.N[picks], grid.P[picks], grid.D[picks], grid.loss(some, picks)])
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=1)
    ends = pd.DataFrame({"lower": low, "upper": high}, index=NAMES)
    if best.verdict == INTERIOR and fit.determined:
        ends.loc["N"] = _size_ends(fit, OptimalSize(flops, best.P, grid.middle), method, level)
        with np.errstate(divide="ignore"):  # an N that may be 0 leaves D open
            ends.loc["D"] = flops / (6 * best.P) / ends.loc["N"].to_numpy()[::-1]
    ends.loc["loss"] = one_more_run(fit, {"N": best.N, "P": best.P, "D": best.D}, level)
    verdict = best.verdict
    if not fit.determined:
        ends.loc[["N", "D"]] = np.nan
        verdict = f"cannot tell: the runs leave {', '.join(fit.undetermined)} undetermined"
    beyond = outside_runs(fit.axes, {"N": best.N, "P": best.P, "D": best.D})
    runs = {axis: x * scale.get(axis, 1.0) for axis, x in fit.axes.items()}
    doubt = unit_doubt(runs["N"], runs["D"]) or budget_doubt(
        flops * scale["N"] * scale["D"], approximate_C(runs["N"], runs["D"], runs.get("P", 1.0))
    )
    words = [doubt and f"Units in doubt: {doubt}", verdict + outside_words(beyond)]
    at_edge = float(np.mean([bool(grid.ends(i)) for i in picks]))
    return Allocation(
        best.N, best.P, best.D, best.loss, ends, at_edge, "\n".join(filter(None, words)), beyond
    )


def _size_ends(fit: Fit, size: OptimalSize, method: Method, level: float) -> tuple[float, float]:
    """The interval of N at one P, lengthened if isoFLOP budgets among the runs scatter beyond their errors."""
    log_N, lower, upper = (float(x[0]) for x in method.interval(fit, size.of, level))
    N, D, P = (fit.axes.get(axis, np.ones(1)) for axis in ("N", "D", "P"))
    curves = isoflop(N, D, approximate_C(N, D, P), fit.loss, level) if np.ptp(P) == 0 else None
    half = 0.0 if curves is None else curves.scatter(size.flops, level)[0]
    return size.ends(*lengthened(log_N, lower, upper, half))


def one_more_run(fit: Fit, at: Mapping[str, float], level: float) -> tuple[float, float]:
    """Prediction interval of one more run at a point: the fit's within its runs, the forecast's beyond them."""
    seen = fit.predict({axis: at[axis] for axis in fit.law.axes}, level=level).iloc[0]
    return float(seen["new_lower"]), float(seen["new_upper"])


def outside_runs(axes: Mapping[str, Array], at: Mapping[str, float]) -> pd.Series:
    """The factor by which a point lies outside the runs, for each of N, P, D and C (6 N P D). 1 within."""
    runs = {axis: axes[axis] for axis in ("N", "P", "D") if axis in axes}
    runs["C"] = approximate_C(runs["N"], runs["D"], runs.get("P", 1.0))
    point = {**at, "C": 6 * at["N"] * at["D"] * (at.get("P", 1.0) if "P" in runs else 1.0)}
    tight = 1e-9  # of rounding
    found = {}
    for axis, x in runs.items():
        factor = max(point[axis] / x.max(), x.min() / point[axis])
        found[axis] = float(factor) if factor > 1 + tight else 1.0
    return pd.Series(found, name="beyond")


def outside_words(beyond: pd.Series) -> str:
    """How far a point lies outside the runs, axis by axis. Empty within."""
    far = beyond[beyond > 1]
    if far.empty:
        return ""
    return ", outside the runs: " + ", ".join(f"{factor:.2g}x in {axis}" for axis, factor in far.items())


@dataclass(frozen=True)
class _Grid:
    """Every (N, P) that spends the training budget, flattened, (G,), with `width` points of N per P."""

    N: Array
    P: Array
    D: Array
    allowed: Any
    width: int
    middle: float

    @classmethod
    def of(cls, flops: float, streams: Array, cost: Cost | None, limit: float, middle: float) -> _Grid:
        around = np.geomspace(1e-3, 1e3, 2 * SIDE + 1) * middle
        N, P = (v.ravel() for v in np.meshgrid(around, np.sort(streams)))
        D = flops / (6 * N * P)
        allowed = np.ones(N.size, bool) if cost is None else np.asarray(cost(N, P, D)) <= limit
        if not allowed.any():
            raise ValueError(f"limit={limit!r}: no (N, P) searched costs that little")
        return cls(N, P, D, allowed, around.size, middle)

    def best(self, law: Law, limited: bool = True) -> Any:
        """Index of the least loss for each law of a batch, (B,), among allowed points if `limited`."""
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
        return INTERIOR
