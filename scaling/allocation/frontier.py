"""The lower envelope of training runs: the size with the lowest loss at each compute, without a law.

Approach 1 of Hoffmann et al. 2022 (arXiv 2203.15556, section 3.1). If each size was trained for several
lengths, the optimum passes between two sizes at the compute where the next one takes over. Otherwise the
envelope consists of the runs that no cheaper run beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from scaling.allocation.power_law import PowerLaw
from scaling.laws.base import Array

POINTS = 3  # fewest comparisons between two sizes that pass each other
STEP = 1.25  # sizes nearer than this pass each other at a compute that noise decides
PEERS = 1.3  # runs whose compute differs by no more are compared
ALIKE = 1e-3  # of compute: runs that differ by less cost the same
BESIDE = 2.0  # a run on the envelope needs others this many times smaller and larger
SAME = 1.01  # sizes this near are one
SIGNIFICANT = 2.0  # standard errors that the slope of the gap between two sizes is away from 0
TOLD = 3.0  # slope of compute against size, below which the passings follow no power law
TIED = 0.999  # correlation of log N and log D from which runs are a ladder
TRAJECTORY = 4  # lengths that a size was trained for


@dataclass(frozen=True)
class Frontier:
    """Points (C, N) of the envelope, a power law through them, or why there is none."""

    points: pd.DataFrame  # columns C, N, D, ascending in C
    how: str
    log_N: PowerLaw | None
    log_D: PowerLaw | None
    why: str  # there is no law. Empty if there is


def frontier(N: Array, D: Array, C: Array, loss: Array) -> Frontier:
    """The envelope of runs (n,) each."""
    if np.ptp(N) == 0 or np.corrcoef(np.log(N), np.log(D))[0, 1] > TIED:
        why = "N and D move together in every run: the envelope is the ladder that was chosen, not an optimum"
        return Frontier(pd.DataFrame({"C": [], "N": [], "D": []}), "", None, None, why)
    passed = _passings(N, D, C, loss)
    if len(passed) > POINTS:
        along = PowerLaw.through(np.log(passed["N"].to_numpy()), np.log(passed["C"].to_numpy()))
        if abs(along.exponent) > TOLD * along.standard_error:  # sizes are exact, computes are not
            words = f"{len(passed)} computes at which the next size takes over"
            law = along.inverse()
            per_token = float(np.log(passed["C"] / passed["N"] / passed["D"]).mean())
            return Frontier(passed, words, law, law.complement(per_token), "")
    best = _unbeaten(N, D, C, loss)
    words = f"{len(best)} sizes with a run that no cheaper run beats"
    if len(best) <= POINTS:
        return Frontier(
            best, words, None, None, f"only {words} and smaller and larger ones near it in compute"
        )
    own = np.diag(best["step"].to_numpy() ** 2) / 12  # the optimum is within half a step of sizes
    log_C, *logs = (np.log(best[name].to_numpy()) for name in ("C", "N", "D"))
    of_N, of_D = (PowerLaw.through(log_C, y, own).with_level_error(float(np.diag(own).mean())) for y in logs)
    return Frontier(best, words, of_N, of_D, "")


def _passings(N: Array, D: Array, C: Array, loss: Array) -> pd.DataFrame:
    """Where the next size passes each size, from every compute at which both were run.

    The gap of their log losses is taken as linear in log C, each curve interpolated at the points of the
    other. The optimum there is between both sizes, at their geometric mean.
    """
    curves = []
    for size in np.unique(N):
        here = np.isclose(N, size, rtol=1e-9)
        if np.unique(C[here]).size >= TRAJECTORY:
            mean = pd.Series(np.log(loss[here])).groupby(np.log(C[here])).mean()
            curves.append(
                (size, mean.index.to_numpy(), mean.to_numpy(), float(np.median(C[here] / N[here] / D[here])))
            )
    rows = []
    while len(curves) > 1:
        first = curves.pop(0)
        second = next((one for one in curves if one[0] > STEP * first[0]), None)
        found = None if second is None else _crossing(*first[1:3], *second[1:3])
        if second is not None and found is not None:
            middle, at = np.sqrt(first[0] * second[0]), float(np.exp(found))
            rows.append({"C": at, "N": middle, "D": at / middle / np.sqrt(first[3] * second[3])})
    return pd.DataFrame(rows, columns=["C", "N", "D"]).sort_values("C")


def _crossing(x: Array, y: Array, other_x: Array, other_y: Array) -> float | None:
    """The log C at which the second curve falls below the first, or None."""
    low, high = max(x[0], other_x[0]), min(x[-1], other_x[-1])
    at = np.concatenate([x, other_x])
    at = np.unique(at[(at >= low) & (at <= high)])
    if at.size < POINTS:
        return None
    gap = PchipInterpolator(other_x, other_y)(at) - PchipInterpolator(x, y)(at)
    slope, height = np.polyfit(at - at.mean(), gap, 1)
    left = gap - height - slope * (at - at.mean())
    error = np.sqrt(left @ left / max(at.size - 2, 1) / ((at - at.mean()) ** 2).sum())
    where = at.mean() - height / slope if slope < 0 else np.nan
    told = slope < -SIGNIFICANT * error and low <= where <= high
    return float(where) if told else None


def _unbeaten(N: Array, D: Array, C: Array, loss: Array) -> pd.DataFrame:
    """Runs that no cheaper run beats, ascending in C. Those of one size count as one at their mean compute.

    Only runs with smaller and larger ones within PEERS in compute: elsewhere a better size was not tried.
    The column `step` is how far apart in log N the sizes there are.
    """
    by_C = np.argsort(C, kind="stable")
    budget = np.empty(C.size, int)
    budget[by_C] = np.cumsum(np.diff(C[by_C], prepend=C.min()) > ALIKE * C[by_C])
    order = np.lexsort((loss, budget))
    lowest = np.minimum.accumulate(loss[order])
    first = order[np.concatenate([[True], lowest[1:] < lowest[:-1]])]
    steps = np.array([_step(N[np.abs(np.log(C / C[i])) < np.log(PEERS)], N[i]) for i in first])
    kept, step = first[np.isfinite(steps)], steps[np.isfinite(steps)]
    order = np.argsort(N[kept], kind="stable")
    kept, step = kept[order], step[order]
    logs = pd.DataFrame({name: np.log(x[kept]) for name, x in (("C", C), ("N", N), ("D", D))})
    size = (logs["N"].diff() > np.log(SAME)).cumsum()
    mean: pd.DataFrame = logs.groupby(size).mean().apply(np.exp)
    return mean.assign(step=pd.Series(step).groupby(size).mean()).sort_values("C", ignore_index=True)


def _step(peers: Array, size: float) -> float:
    """The spacing in log N of the sizes about one of them. nan if they do not reach a factor of BESIDE on both sides."""
    below, above = peers[peers * SAME < size], peers[peers > SAME * size]
    if not (peers.min() * BESIDE < size and peers.max() > BESIDE * size):
        return float("nan")
    return float(np.log(above.min() / below.max())) / 2
