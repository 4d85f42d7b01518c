"""The k of Eq 5 that all paired changes of a sweep ask for together, with a jackknife's interval over sizes.

A law of N misses whole sizes by one sign, and runs of one size and seed share initialisation and data:
neither is noise of single runs, which the intervals of a fit take it for. Here it is changes of the loss from
P = 1 at equal size and seed that are explained, where a size's own level is gone, and sizes are left out in
turn. Legend: d a change, nats per token; f the law of N at P = 1; m changes of one size and seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from scaling.data.any_table import runs_frame
from scaling.fitting.fit import fit
from scaling.laws import DenseLaw
from scaling.laws.base import Law
from scaling.optimise.multi_start import searched
from scaling.optimise.objectives import LeastSquares
from scaling.optimise.problem import Problem
from scaling.selection.paired_gains import of_one_law, paired, sized
from scaling.uncertainty.interval_methods import check_level

Array = NDArray[np.float64]
FEWEST = 4  # sizes: the law of N has three parameters, and one size is left out
MOST = 10.0  # of k that is looked for
NEAR = 1e-4  # an end of what is looked for
STARTS = 4  # of the law of N, which is fitted once a size


@dataclass(frozen=True)
class PooledK:
    """k of Eq 5 from `changes` paired changes of `sizes` sizes, with its interval at `level`.

    k may be below 0: streams then cost more than their parameters bring. status: of the law of N at P = 1.
    low and high are infinite where k, with all sizes or without one, is where the search ends. P: the number of
    streams whose changes alone these are; 0 for all of them.
    """

    corpus: str
    k: float
    low: float
    high: float
    level: float
    sizes: int
    changes: int
    status: str
    P: float = 0.0

    def __str__(self) -> str:
        """In words."""
        where = f"{self.corpus}: " if self.corpus else ""
        k, ends = f"{self.k:+.4f}", f"{self.low:+.4f} to {self.high:+.4f}"
        if np.isinf(self.high):
            k, ends = "not identifiable", "without end"
        return (
            f"{where}k of all {self.changes} changes together {k}, {100 * self.level:g}% interval {ends} "
            f"(jackknife over {self.sizes} sizes; law of N {self.status})"
        )


def pooled_k(runs: Any, level: float = 0.95, *, P: float = 0.0) -> list[PooledK]:
    """One k with its interval for each corpus that has four sizes of paired changes.

    Least squares of the changes on f(N (k ln P + 1)) - f(N_one), where f is fitted to the runs of P = 1. Runs of equal
    size and seed share the noise of their one run of P = 1.

    Args:
        runs: any table that `scaling.fit` takes, with N, P and loss.
        level: of the interval, between 0 and 1.
        P: only changes to this P. 0 takes all.

    Returns:
        A list of `PooledK`, one per corpus, or one per token budget if a corpus has several. The interval is Student's
        with one degree of freedom fewer than sizes. Its standard error is the jackknife's: f and k without each size.

    Source: the delete-one-group jackknife, with the coverage measured here (docs/coverage.md).
    """
    check_level(level)
    runs = sized(runs_frame(runs))
    found = []
    for corpus, part in of_one_law(runs).items():
        changes, single = paired(part), part[part["P"] == 1]
        changes = changes[changes["P"] == P] if P else changes
        sizes = sorted(set(changes["size"])) if len(changes) else []
        if len(sizes) >= FEWEST:
            k, status = _k(changes, _law_of_N(single)), fit(DenseLaw, single, LeastSquares()).status
            left = [_k(changes[changes["size"] != s], _law_of_N(single[single["size"] != s])) for s in sizes]
            half = stdtrit(len(sizes) - 1, 0.5 + level / 2) * jackknife_error(np.array(left))
            half = np.inf if any(_at_an_end(one, changes["P"].max()) for one in (k, *left)) else half
            found.append(
                PooledK(
                    corpus, k, float(k - half), float(k + half), level, len(sizes), len(changes), status, P
                )
            )
    return found


def k_by_streams(runs: Any) -> pd.DataFrame:
    """The k that the paired changes of each number of streams ask for, of the first corpus of `runs` that has any.

    Columns P, sizes and k, ascending in P; where Eq 5 holds k is one number. Empty with fewer than three sizes at
    P = 1, and where runs cannot be paired.
    """
    for part in of_one_law(sized(runs_frame(runs))).values():
        changes, single = paired(part), part[part["P"] == 1]
        if len(changes) and single["N"].nunique() >= len(DenseLaw.names()):
            law = _law_of_N(single)
            found = [(P, rows["size"].nunique(), _k(rows, law)) for P, rows in changes.groupby("P")]
            return pd.DataFrame(found, columns=["P", "sizes", "k"])
    return pd.DataFrame(columns=["P", "sizes", "k"])


def jackknife_error(left: Array) -> float:
    """Standard error of an estimate from the G estimates that each leave one group out."""
    return float(np.sqrt((left.size - 1) / left.size * ((left - left.mean()) ** 2).sum()))


def _lowest(P: float) -> float:
    """Of k: k ln P + 1 stays positive up to this P."""
    return -1 / float(np.log(P)) + 1e-6


def _at_an_end(k: float, P: float) -> bool:
    """Whether the search for k came to its end, where the best k is not."""
    return bool(k < _lowest(P) + NEAR or k > MOST - NEAR)


def _law_of_N(single: pd.DataFrame) -> Law:
    """The law of N of these runs of P = 1, by least squares."""
    N, loss = (single[name].to_numpy(float) for name in ("N", "loss"))
    return searched(Problem(DenseLaw, (N,), loss, np.ones(N.size), LeastSquares()), STARTS)[0]


def _k(changes: pd.DataFrame, law: Law) -> float:
    """The k of these changes by a law of N."""
    N_one, N, P, d = (changes[name].to_numpy(float) for name in ("N_one", "N", "P", "change"))
    pair = changes.groupby(["size", "D", "seed"]).ngroup().to_numpy()
    before = np.asarray(law.predict(N=N_one))

    def misfit(k: float) -> float:
        return _shared_squares(d - np.asarray(law.predict(N=N * (k * np.log(P) + 1))) + before, pair)

    found = minimize_scalar(misfit, bounds=(_lowest(P.max()), MOST), options={"xatol": 1e-8})
    return float(found.x)


def _shared_squares(residual: Array, pair: Any) -> float:
    """Squares of changes that share one run's noise: r' (I + 11')^-1 r = sum r^2 - (sum r)^2 / (m + 1)."""
    total, m = np.bincount(pair, residual), np.bincount(pair)
    return float((residual**2).sum() - (total**2 / (m + 1)).sum())
