"""The errors that neighbouring runs share: a Gaussian process on the logarithms of the axes.

log L = law + g + noise, g a Gaussian process with a Matérn 3/2 kernel on log N, log P, log D, each in units
of its range over the runs (Kennedy & O'Hagan 2001). The law's parameters are estimated with it, by generalised
least squares (Rasmussen & Williams 2006, section 2.7). Its variance, relative to the noise, is averaged over by
restricted likelihood. The grid of variances includes 0: no shared errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from scaling.forecasting.pooling import EXACT, Member
from scaling.laws.base import Array
from scaling.optimise.blas_threads import one_thread

LENGTH = 1.5  # length of the kernel in ranges of an axis, chosen on public tables (docs/forecast.md)
RATIOS = (0.0, 0.1, 0.4, 1.6, 6.4, 25.6)  # variances of g over that of the noise
ROWS = 250  # rows the process is computed on, evenly spread: time grows as their cube


class Discrepancy(NamedTuple):
    """What is to be added to a law's log loss at K points, and how uncertain the sum is."""

    correction: Array  # (K,)
    parameters: Array  # variance that the law's parameters leave, (K,)
    shared: Array  # variance that errors of neighbouring runs add, (K,)
    noise: float  # variance of one run

    def wider(self, factor: Array) -> Discrepancy:
        """The same with the variance of shared errors times a factor, (K,)."""
        return self._replace(shared=self.shared * factor)


def discrepancy(
    one: Member, where: Array, asked: Array, points: dict[str, Array], length: float = LENGTH
) -> Discrepancy:
    """The discrepancy at points `asked` (K, d) of a law fitted to rows at `where` (n, d).

    where, asked: the logarithms of the axes in units of their range over the runs.
    """
    some = np.linspace(0, one.rows - 1, min(one.rows, ROWS)).astype(int)
    inverse = _whitening(one.columns[some])
    J, at = one.columns[some] @ inverse, one.slopes(points) @ inverse
    among, across = _kernel(where[some], where[some], length), _kernel(asked, where[some], length)
    new = 1.0
    if one.labels is not None:  # rows of a cluster share an offset, which a new run draws again
        among, new = among + (one.labels[some][:, None] == one.labels[some]), 2.0
    variance_of = 1 / np.maximum(np.broadcast_to(one.precision, one.residuals.shape)[some], 1e-9)
    count = float(np.broadcast_to(one.problem.w, one.residuals.shape)[some].sum())
    with one_thread():
        found = list(_each(J, at, one.residuals[some], among, across, variance_of, new, count))
    likelihood, correction, variance, noise = (np.array(column) for column in zip(*found, strict=True))
    share = np.exp(likelihood - likelihood.max())
    share /= share.sum()
    mean = share @ correction
    total = share @ (variance + (correction - mean) ** 2)
    parameters = (
        float(share @ noise) / noise[0] * variance[0]
    )  # RATIOS begins with 0, which gives the parameters' share
    return Discrepancy(mean, np.minimum(parameters, total), np.maximum(total - parameters, 0), share @ noise)


def _whitening(columns: Array) -> Array:
    """(p, r) that makes the columns orthonormal, without directions that change no prediction."""
    _, size, vectors = np.linalg.svd(columns, full_matrices=False)
    kept = size > 1e-7 * max(size.max(initial=0.0), 1e-300)
    return np.asarray(vectors[kept].T / size[kept])


def _kernel(a: Array, b: Array, length: float) -> Array:
    distance = np.sqrt(3 * ((a[:, None] - b[None]) ** 2).sum(-1)) / length
    return np.asarray((1 + distance) * np.exp(-distance))


def _each(
    J: Array, at: Array, residuals: Array, among: Array, across: Array, own: Array, new: float, count: float
) -> Iterator[tuple[float, Array, Array, float]]:
    """Each ratio's restricted log likelihood, correction, variance and noise.

    own: each row's variance in units of the noise, (n,). new: variance of g at a new run in units of its own.
    count: the number of rows, by their weights.
    """
    p = J.shape[1]
    for ratio in RATIOS:
        factor = cho_factor(np.diag(own) + ratio * among, lower=True)
        VJ = cho_solve(factor, J)
        gram = J.T @ VJ + 1e-12 * np.eye(p)
        shift = np.linalg.solve(gram, VJ.T @ residuals)
        rest = residuals - J @ shift
        weighed = cho_solve(factor, rest)
        dof = max(count - p, 1)
        noise = max(float(rest @ weighed) / dof, EXACT**2)
        spread = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(gram)[1]
        reached = cho_solve(factor, ratio * across.T)
        apart = at.T - J.T @ reached
        parameters = (apart * np.linalg.solve(gram, apart)).sum(0)
        process = ratio * new - (ratio * across.T * reached).sum(0)
        correction = at @ shift + ratio * across @ weighed if ratio else np.zeros(len(at))
        variance = noise * np.maximum(parameters + process, 0.0)
        yield -0.5 * (dof * np.log(noise) + spread), correction, variance, noise
