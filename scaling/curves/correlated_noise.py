"""Residuals along a run: a slow part that neighbours share, and noise of each checkpoint.

The covariance of two checkpoints of one run is s^2 (r exp(-|t - u| / length) + (1 - r) [t = u] / count), of two runs
it is 0. Length and r, the share of the slow part, are found by restricted maximum likelihood (Patterson and Thompson
1971), so that what the parameters took up is allowed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scaling.curves.curve_table import Curve
from scaling.laws.base import Array
from scaling.optimise.blas_threads import one_thread

# What laws of curves miss beyond the curves they were fitted on, as standard deviations: a share of how far the forecast
# loss is from what was fitted, and a share of the loss. Chosen on the 25M curves of Luo et al.
# docs/coverage.md says what they cover on others.
DRIFT, FLOOR = 0.15, 0.002
LENGTHS = 12  # tried, from one checkpoint's distance to the longest run
LEAST_FREE = 4.0  # degrees of freedom that the variance is given at least
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.995)


@dataclass(frozen=True)
class CorrelatedNoise:
    """How far a checkpoint is off a law, and how long that lasts."""

    sd: float  # of one checkpoint, nats per token
    share: float  # of its variance that neighbours share
    length: float  # steps in which the shared part falls to 1/e
    degrees_of_freedom: float  # of the variance: neighbours count for less

    def correlation(self, curve: Curve) -> Array:
        """Of a curve's checkpoints in units of sd^2, (n, n)."""
        return _correlation(curve, self.length, self.share)


def _correlation(curve: Curve, length: float, share: float) -> Array:
    apart = np.abs(np.subtract.outer(curve.steps, curve.steps))
    return np.asarray(share * np.exp(-apart / length) + np.diag((1 - share) / curve.counts + 1e-9))


def estimate_noise(curves: Sequence[Curve], residuals: Array, jacobian: Array) -> CorrelatedNoise:
    """The noise that makes the residuals (n,) most likely. jacobian: of the law's predictions, (n, p)."""
    ends = np.cumsum([0, *(curve.steps.size for curve in curves)])
    rows = [slice(a, b) for a, b in pairwise(ends)]
    both = np.column_stack(
        [residuals, np.linalg.qr(jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300))[0]]
    )
    spacing = float(np.median(np.concatenate([np.diff(curve.steps) for curve in curves])))
    longest = max(float(np.ptp(curve.steps)) for curve in curves)
    best = (np.inf, CorrelatedNoise(0.0, 0.0, spacing, LEAST_FREE))
    with one_thread():
        for length in np.geomspace(spacing, longest, LENGTHS):
            parts = [
                _Rotated.of(curve, both[part], float(length))
                for curve, part in zip(curves, rows, strict=True)
            ]
            for share in SHARES:
                found = _restricted(parts, share, float(length))
                best = found if found[0] < best[0] else best
    return best[1]


@dataclass(frozen=True, eq=False)
class _Rotated:
    """A run's residuals and design in the coordinates in which its covariance is diagonal at every share."""

    roots: Array  # eigenvalues of the shared part in units of each checkpoint's own noise, (n,)
    both: Array  # residuals and design, (n, 1 + p)
    own: Array  # 1 / count
    square: float  # sum of the squared shared correlations

    @classmethod
    def of(cls, curve: Curve, both: Array, length: float) -> _Rotated:
        own = 1 / curve.counts
        K = np.exp(-np.abs(np.subtract.outer(curve.steps, curve.steps)) / length)
        roots, U = np.linalg.eigh(K / np.sqrt(np.outer(own, own)))
        return cls(roots, U.T @ (both / np.sqrt(own)[:, None]), own, float((K * K).sum()))


def _restricted(parts: Sequence[_Rotated], share: float, length: float) -> tuple[float, CorrelatedNoise]:
    """-2 log of the restricted likelihood at a share and length, and the noise there."""
    scale = np.concatenate([share * np.maximum(part.roots, 0) + (1 - share) + 1e-9 for part in parts])
    white = np.concatenate([part.both for part in parts]) / np.sqrt(scale)[:, None]
    r, Q = white[:, 0], white[:, 1:]
    n, p = Q.shape
    gram = Q.T @ Q
    gram[np.diag_indices(p)] += 1e-12 * np.trace(gram)
    left = float(r @ r - r @ Q @ np.linalg.solve(gram, Q.T @ r))
    variance = max(left, 1e-300) / max(n - p, 1)
    own = np.concatenate([part.own for part in parts])
    logdet = float(np.log(scale).sum() + np.log(own).sum())
    value = (n - p) * np.log(variance) + logdet + float(np.linalg.slogdet(gram)[1])
    trace = float((share + (1 - share) * own).sum())
    shared = share**2 * sum(part.square for part in parts)
    square = shared + float((2 * share * (1 - share) * own + ((1 - share) * own) ** 2).sum())
    free = max(LEAST_FREE, trace**2 / square)
    return value, CorrelatedNoise(float(np.sqrt(variance)), share, length, free)
