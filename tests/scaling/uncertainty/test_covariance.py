"""The covariance: the textbook formula, and correlations."""

import numpy as np
import pytest

import scaling
from scaling import Bootstrap, Covariance, ParallelLaw


def test_covariance_is_the_textbook_formula(fit: scaling.Fit) -> None:
    J = fit.law.gradient(**fit.axes) / fit.predicted[:, None]
    r = np.log(fit.predicted / fit.loss)
    s2 = (r @ r) / 20
    se = np.sqrt(np.diag(s2 * np.linalg.inv(J.T @ J)))
    table = fit.intervals(method=Covariance())
    for i, name in enumerate(fit.law.names()):
        if name != "A":  # its interval is formed on the logarithm
            assert (table.upper[name] - table.lower[name]) / 2 == pytest.approx(2.0859634 * se[i], rel=1e-4)


def test_correlations_are_those_of_the_replicates(pile):
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(), groups=False)
    found = fit.correlations()
    assert list(found.index) == list(found.columns) == ["E", "A", "alpha", "k"]
    laws = Bootstrap(kind="normal", replicates=2_000).draws(fit, 2_000)
    drawn = np.corrcoef([laws.E, np.log(laws.A), laws.alpha, laws.k])
    np.testing.assert_allclose(found.to_numpy(), drawn, atol=0.1)


def test_a_parameter_at_its_bound_correlates_with_nothing():
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e9, 6), [1, 2, 4]))
    worse = {"N": N, "P": P, "loss": 1.5 + (2e8 / N) ** 0.3 * (1 + 0.05 * np.log(P))}
    found = scaling.fit(ParallelLaw, worse, scaling.LeastSquares()).correlations()
    assert found["k"].isna().all()
    assert found.loc["E", "E"] == pytest.approx(1)
