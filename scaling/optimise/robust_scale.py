"""The spread of runs about a law, in the objective's residual: robust where the objective is."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling.laws.base import Array
from scaling.optimise.problem import Problem


def location_scale(problem: Problem, r: Array, w: Array, free: Any) -> tuple[Array, Array]:
    """Centre (B,) and standard deviation (B,) of one run about the law, in the objective's residual.

    Robust losses: residuals beyond three robust deviations count as three. The deviation is the median
    of the absolute residuals without the p smallest, which a robust fit makes zero (Maronna, Martin
    and Yohai 2006, section 4.4).
    """
    n = w.sum(-1)  # rows, each as often as it counts
    centre = np.zeros(len(r))
    if not problem.objective.symmetric:
        centre = (_placed(r, w, (n - 1) // 2) + _placed(r, w, n // 2)) / 2
    spread = np.abs(r - centre[:, None])
    if problem.objective.robust:
        p = np.minimum(np.max(free), n - 1)
        spread = np.minimum(spread, 3 / 0.6745 * _placed(spread, w, (p + n) // 2)[:, None])
    dof = np.maximum(n - free, 1)
    return centre, np.asarray(np.sqrt((w * spread**2).sum(-1) / dof))


def _placed(values: Array, w: Array, place: Array) -> Array:
    """Of values (B, n) in ascending order, each as often as w counts it, those at a place (B,) from 0."""
    order, rows = np.argsort(values, axis=-1), np.arange(len(values))
    before = np.cumsum(w[rows[:, None], order], axis=-1)
    at = np.minimum((before <= place[:, None]).sum(-1), values.shape[-1] - 1)
    return np.asarray(values[rows, order[rows, at]])
