"""What one doubling of streams, loops or experts is worth in parameters: from pairs of runs, and from one law.

Runs of a table: loss (nats per token), N (of the backbone at P = r = 1), N_recurrent (of it, in looped layers), P, r,
experts, size, seed, arm (a name; BASE for the plain model), axis (streams, loops, experts or another name: which arms are
one quantity at several doses) and doublings (log2 of the dose; 1 where an arm has none). The tasks' answers can be
learned without error, so the loss has no floor: L = A N^-alpha at P = r = 1.

Worth is the factor in N, at P = r = 1, that gives the same loss. By pairs it is exp(gain / alpha): gain is the mean over
cells (size and seed) of ln(loss of BASE / loss of the arm) a doubling, alpha the slope of BASE over sizes. Both move with
a cell that is left out, and the interval of their ratio is Fieller's (1954), with the jackknife's covariance over cells.
The gain may scatter from size to size, and BASE may miss its line. Cells of one size then share an offset. So where the jackknife
over whole sizes gives ln worth the larger standard error, the interval is Student's with that error and as many sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import scaling
from scaling.laws.axis import Axis
from scaling.laws.base import EXPONENT, Law, Range
from scaling.laws.parameterisation import power
from scaling.selection.pooled_k import jackknife_error

BASE = "base"
HARDLY = 1.1  # times N: an interval below it says that a doubling does not help
BUDGETS = {  # column of a run's cost: what is short
    "memory_bytes": "memory", "parameters": "parameters", "latency_s": "latency", "latency_s_8": "latency, batch 8",
    "flops_a_token": "FLOPs a token", "training_flops": "training FLOPs",
}  # fmt: skip
LAW_PARAMETER = {"streams": "k", "loops": "phi", "experts": "gamma"}
Numbers = npt.NDArray[np.float64]
Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ResourceLaw(Law):
    """L = E + A [(N_once + r^phi N_recurrent) (1 + k ln P) experts^gamma]^-alpha: one law over N, P, r and experts.

    The streams' factor is Eq 5 of ParScale (arXiv 2505.10475), the loops' that of Schwethelm et al. 2026 (arXiv
    2604.21106). N of experts is that of the dense counterpart, which is what a token passes. At one number of tokens.
    """

    E: float
    A: float
    alpha: float
    phi: float
    k: float
    gamma: float

    axes = ("N_once", "N_recurrent", "P", "r", "experts")
    axis_rules: ClassVar = {name: Axis(lowest=1.0, reached=True) for name in ("P", "r", "experts")}
    nonlinear: ClassVar = {
        "alpha": EXPONENT,
        "phi": Range(-0.5, 1.5, 5, -3.0, 5.0),
        "k": Range(-0.1, 0.5, 4, -0.45, 20.0),
        "gamma": Range(-0.2, 0.6, 4, -2.0, 5.0),
    }

    @staticmethod
    def terms(
        N_once: Any, N_recurrent: Any, P: Any, r: Any, experts: Any, alpha: Any, phi: Any, k: Any, gamma: Any
    ) -> tuple[Any, Any]:
        """1 and the power of the size that they come to."""
        size = (N_once + r**phi * N_recurrent) * (1 + k * np.log(P)) * experts**gamma
        return 1.0, power(size, alpha)


def worth_by_pairs(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Worth of one doubling of each axis, of one task's runs.

    Columns: axis, cells, sizes, gain (nats of log loss a doubling), worth, lower, upper, answer. Without two sizes of
    BASE, or three cells, an interval is open.
    """
    base = runs[runs["arm"] == BASE].set_index(["size", "seed"])
    if base.index.has_duplicates:
        raise ValueError(
            f"two runs of {BASE} at {base.index[base.index.duplicated()][0]}: keep one a size and seed"
        )
    rows = []
    for axis, arms in runs[runs["arm"] != BASE].groupby("axis", sort=False):
        gains = _gains(arms, base["loss"])
        found = ratio_interval(np.log(base["N"]), np.log(base["loss"]), gains.reindex(base.index), level)
        rows.append(
            {"axis": axis, "cells": len(gains), "sizes": gains.index.get_level_values("size").nunique()}
            | {"gain": float(gains.mean())}
            | dict(zip(("worth", "lower", "upper"), np.exp(found), strict=True))
        )
    table = pd.DataFrame(rows)
    table["answer"] = [answer(low, high) for low, high in zip(table["lower"], table["upper"], strict=True)]
    return table


def pays(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Where each arm pays: how many times its budget BASE would need for the same loss, of one task's runs.

    runs: as for `worth_by_pairs`, with columns of BUDGETS, or N, C and D for their costs. Columns: budget, arm, cells, factor,
    lower, upper, answer. The factor is exp(gain / alpha) over the ratio of the costs: gain in log loss of a pair, alpha the slope
    of BASE's log loss over the logarithm of that cost. The interval is Fieller's. ValueError without a cost or without BASE.
    """
    runs = with_costs(runs)
    costs = [name for name in BUDGETS if name in runs and runs[name].notna().all()]
    if not costs or BASE not in {*runs["arm"]}:
        raise ValueError(
            f"no {'arm ' + BASE if costs else 'cost'}: give {BASE if costs else ', '.join(BUDGETS)}"
        )
    base = runs[runs["arm"] == BASE].set_index(["size", "seed"])
    rows = []
    for cost in costs:
        for arm, own in runs[runs["arm"] != BASE].groupby("arm", sort=False):
            cells = own.assign(doublings=1.0)
            gains = _gains(cells, base["loss"]).reindex(base.index)
            dearer = np.log(own.groupby("size")[cost].first() / base.groupby("size")[cost].first()).mean()
            found = np.array(ratio_interval(np.log(base[cost]), np.log(base["loss"]), gains, level))
            rows.append(
                {"budget": BUDGETS[cost], "arm": arm, "cells": int(gains.notna().sum())}
                | dict(zip(("factor", "lower", "upper"), np.exp(found - dearer), strict=True))
            )
    table = pd.DataFrame(rows)
    table["answer"] = np.select(
        [table["lower"] > 1, table["upper"] < 1], ["pays", "does not pay"], "cannot tell"
    )
    return table


def with_costs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with parameters, FLOPs a token and training FLOPs from N, C and D, where they have no such columns."""
    have = {name: runs[name].astype(float) for name in ("N", "C", "D") if name in runs}
    made = {"parameters": have.get("N"), "training_flops": have.get("C")}
    if {"C", "D"} <= {*have}:
        made["flops_a_token"] = have["C"] / (3 * have["D"])
    return runs.assign(
        **{name: value for name, value in made.items() if value is not None and name not in runs}
    )


def _gains(arms: pd.DataFrame, base: pd.Series[float]) -> pd.Series[float]:
    """By cell, the log loss gained a doubling: through the origin, over the doses that the cell has."""
    paired = arms.join(base.rename("plain"), on=["size", "seed"], how="inner")
    x = paired["doublings"].to_numpy(float)
    gain = np.log(paired["plain"].to_numpy(float) / paired["loss"].to_numpy(float))
    sums = paired.assign(xy=x * gain, xx=x * x).groupby(["size", "seed"])[["xy", "xx"]].sum()
    return sums["xy"] / sums["xx"]


def ratio_interval(
    log_N: pd.Series[float], log_loss: pd.Series[float], gains: pd.Series[float], level: float
) -> tuple[float, float, float]:
    """Mean gain over alpha, and its interval; cells without the arm tell of alpha alone. All three are by size and seed."""
    cells_of = np.stack([log_N, log_loss, gains]).astype(float)

    def both(kept: Kept) -> Numbers:
        x, y, gain = cells_of[:, kept]
        spread = ((x - x.mean()) ** 2).sum()
        slope = -((x - x.mean()) * y).sum() / spread if spread > 0 else np.nan
        return np.array([gain[np.isfinite(gain)].mean(), slope])

    n, count, sizes = len(gains), int(gains.notna().sum()), gains.dropna().index.unique("size").size
    if not count:
        return np.nan, -np.inf, np.inf
    gain, alpha = both(np.ones(n, bool))
    cells = without_each(both, np.arange(n)) if count > 2 else np.full((1, 2), np.nan)
    if not np.isfinite(cells).all():
        return float(gain / alpha), -np.inf, np.inf
    apart = cells - cells.mean(axis=0)
    t_cells = float(stats.t.ppf(0.5 + level / 2, count - 1))
    low, high = fieller(gain, alpha, (n - 1) / n * apart.T @ apart, t_cells)
    if 1 < sizes < count and np.isfinite(low):
        whole = without_each(both, _codes(gains))
        slopes = np.where(np.isfinite(whole[:, 1]), whole[:, 1], alpha)  # one size alone has no slope
        error = jackknife_error(whole[:, 0] / slopes)
        if error > jackknife_error(cells[:, 0] / cells[:, 1]):
            half = float(stats.t.ppf(0.5 + level / 2, sizes - 1)) * error
            low, high = gain / alpha - half, gain / alpha + half
    return float(gain / alpha), float(low), float(high)


def without_each(value: Callable[[Kept], Any], group: npt.NDArray[np.intp]) -> Numbers:
    """A value of cells without each group in turn, whose numbers 0, 1, ... are given by cell."""
    return np.array([value(group != one) for one in range(group.max() + 1)])


def _codes(by_cell: pd.Series[float]) -> npt.NDArray[np.intp]:
    """The number of each cell's size."""
    return by_cell.index.get_level_values("size").factorize()[0]


def fieller(top: float, bottom: float, covariance: Numbers, t: float) -> tuple[float, float]:
    """Ends of the interval of top / bottom (Fieller 1954); open where the bottom may be 0."""
    a = bottom**2 - t**2 * covariance[1, 1]
    b = top * bottom - t**2 * covariance[0, 1]
    c = top**2 - t**2 * covariance[0, 0]
    if a <= 0 or b**2 < a * c:
        return -np.inf, np.inf
    root = np.sqrt(b**2 - a * c)
    return float((b - root) / a), float((b + root) / a)


def answer(lower: float, upper: float) -> str:
    """What an interval of a worth says."""
    return "helps" if lower > 1 else f"no more than {HARDLY:g}" if upper < HARDLY else "cannot tell"


def worth_by_law(runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Worth of one doubling of streams, loops and experts by `ResourceLaw` with E = 0, of one task's runs.

    Columns: axis, parameter, estimate, by_law, law_lower, law_upper, status (of the fit). The doubling of streams is
    that from P = 1; loops' is taken at the mean share of N that is looped. Axes that the runs do not vary are left out.
    """
    rows = runs.assign(N_once=runs["N"] - runs["N_recurrent"])
    kept = [
        axis
        for axis, name in (("streams", "P"), ("loops", "r"), ("experts", "experts"))
        if (rows[name] != rows[name].iloc[0]).any()
    ]
    fixed = {"E": 0.0} | {LAW_PARAMETER[axis]: 0.0 for axis in LAW_PARAMETER if axis not in kept}
    fit = scaling.fit(ResourceLaw, rows, "log-least-squares", fixed=fixed)
    ends = fit.intervals(level)
    share = float((rows["N_recurrent"] / rows["N"]).mean())
    found = []
    for axis in kept:
        name = LAW_PARAMETER[axis]
        three = np.asarray(ends.loc[name, ["estimate", "lower", "upper"]], dtype=float).tolist()
        worth = [_doubled(axis, value, share) for value in three]
        found.append(
            {"axis": axis, "parameter": name, "estimate": three[0], "status": fit.status}
            | dict(zip(("by_law", "law_lower", "law_upper"), worth, strict=True))
        )
    return pd.DataFrame(found)


def _doubled(axis: str, value: float, share: float) -> float:
    """The factor in N of one doubling, by the law's own parameter; `share` of N is looped."""
    if axis == "streams":
        return 1 + value * float(np.log(2))
    doubled = float(2.0**value)
    return doubled if axis == "experts" else 1 - share + share * doubled


def contrast(runs: pd.DataFrame, one: str, other: str, level: float = 0.95) -> dict[str, Any]:
    """How much lower the log loss of the arm `one` is than that of `other`, pair by pair, with a t interval.

    Over cells, or over sizes where the jackknife gives these the larger standard error.
    """
    losses = runs.pivot_table(index=["size", "seed"], columns="arm", values="loss")
    found: dict[str, Any] = {
        "one": one,
        "other": other,
        "cells": 0,
        "gain": np.nan,
        "lower": -np.inf,
        "upper": np.inf,
    }
    if not {one, other} <= set(losses):
        return found
    gains = pd.Series(np.log((losses[other] / losses[one]).dropna()))
    found |= {"cells": len(gains), "gain": float(gains.mean()) if len(gains) else np.nan}
    if len(gains) >= 3:
        errors = [(float(gains.std(ddof=1)) / len(gains) ** 0.5, len(gains) - 1)]
        if 1 < gains.index.unique("size").size < len(gains):
            means = without_each(lambda kept: gains.to_numpy()[kept].mean(), _codes(gains))
            errors.append((jackknife_error(means), len(means) - 1))
        error, dof = max(errors)
        half = float(stats.t.ppf(0.5 + level / 2, dof)) * error
        found |= {"lower": found["gain"] - half, "upper": found["gain"] + half}
    return found
