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
from scipy import linalg

from scaling.curves.curve_table import Curve
from scaling.laws.base import Array

# What laws of curves miss beyond the curves they were fitted on, as standard deviations: a share of how far the forecast
# loss is from what was fitted, and a share of the loss. Chosen on the 25M curves of Luo et al.; docs/coverage.md has
# what they cover on others.
DRIFT, FLOOR = 0.15, 0.002
LENGTHS = 12  # tried, from one checkpoint's distance to the longest run
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.995)


@dataclass(frozen=True)
class CorrelatedNoise:
    """How far a checkpoint is off a law, and how long that lasts."""

    sd: float  # of one checkpoint, nats per token
    share: float  # of its variance that neighbours share
    length: float  # steps in which the shared part falls to 1/e
    degrees_of_freedom: float  # of the variance: neighbours count for less

    @property
    def neighbour_steps(self) -> float:
        """Steps over which residuals stay alike; 0 where they are independent."""
        return self.length if self.share > 0 else 0.0

    def correlation(self, curve: Curve) -> Array:
        """Of a curve's checkpoints in units of sd^2, (n, n)."""
        return _correlation(curve, self.length, self.share)


def _correlation(curve: Curve, length: float, share: float) -> Array:
    apart = np.abs(np.subtract.outer(curve.steps, curve.steps))
    return np.asarray(share * np.exp(-apart / length) + np.diag((1 - share) / curve.counts + 1e-9))


def estimate_noise(curves: Sequence[Curve], residuals: Array, jacobian: Array) -> CorrelatedNoise:
    """The noise that makes residuals (n,) likeliest; jacobian: of the law's predictions, (n, p)."""
    ends = np.cumsum([0, *(curve.steps.size for curve in curves)])
    rows = [slice(a, b) for a, b in pairwise(ends)]
    Q = np.linalg.qr(jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300))[0]
    spacing = float(np.median(np.concatenate([np.diff(curve.steps) for curve in curves])))
    longest = max(float(np.ptp(curve.steps)) for curve in curves)
    best = (np.inf, 0.0, spacing, 0.0, 1.0)
    for length in np.geomspace(spacing, longest, LENGTHS):
        for share in SHARES:
            if share == 0 and length > spacing:
                continue
            found = _restricted(curves, rows, residuals, Q, float(length), share)
            if found[0] < best[0]:
                best = (found[0], share, float(length), found[1], found[2])
    return CorrelatedNoise(float(np.sqrt(best[3])), best[1], best[2], best[4])


def _restricted(
    curves: Sequence[Curve], rows: list[slice], r: Array, Q: Array, length: float, share: float
) -> tuple[float, float, float]:
    """-2 log of the restricted likelihood, the variance, and its degrees of freedom."""
    n, p = Q.shape
    logdet, white_r, white_Q, trace, square = 0.0, np.empty(n), np.empty((n, p)), 0.0, 0.0
    for curve, part in zip(curves, rows, strict=True):
        R = _correlation(curve, length, share)
        root = np.linalg.cholesky(R)
        both = linalg.solve_triangular(root, np.column_stack([r[part], Q[part]]), lower=True)
        white_r[part], white_Q[part] = both[:, 0], both[:, 1:]
        logdet += 2 * float(np.log(np.diag(root)).sum())
        trace, square = trace + float(np.trace(R)), square + float((R * R).sum())
    gram = white_Q.T @ white_Q
    gram[np.diag_indices(p)] += 1e-12 * np.trace(gram)
    left = float(white_r @ white_r - white_r @ white_Q @ np.linalg.solve(gram, white_Q.T @ white_r))
    variance = max(left, 1e-300) / max(n - p, 1)
    value = (n - p) * np.log(variance) + logdet + float(np.linalg.slogdet(gram)[1])
    return value, variance, max(4.0, trace**2 / square)
