"""The noise along a run: how much neighbours share, found again in what was simulated."""

import numpy as np
import pytest

from scaling.curves.correlated_noise import estimate_noise
from tests.scaling.curves.curve_cases import curve


def residuals(curves, share, length, seed=3):
    rng = np.random.default_rng(seed)
    parts = []
    for one in curves:
        R = share * np.exp(-np.abs(np.subtract.outer(one.steps, one.steps)) / length)
        R[np.diag_indices(len(R))] = 1.0
        parts.append(0.01 * np.linalg.cholesky(R) @ rng.standard_normal(len(R)))
    return np.concatenate(parts)


def test_shared_and_independent_residuals_are_told_apart():
    curves = [curve("constant")] * 12
    design = np.ones((sum(c.steps.size for c in curves), 1))
    alone = estimate_noise(curves, residuals(curves, 0.0, 1.0), design)
    shared = estimate_noise(curves, residuals(curves, 0.7, 600.0), design)
    assert alone.sd == pytest.approx(0.01, rel=0.05)
    assert alone.share <= 0.1
    assert shared.sd == pytest.approx(0.01, rel=0.2)
    assert 0.5 <= shared.share <= 0.9
    assert 250 < shared.length < 1300
    assert shared.degrees_of_freedom < alone.degrees_of_freedom / 3
    matrix = shared.correlation(curves[0])
    assert np.linalg.eigvalsh(matrix).min() > 0
