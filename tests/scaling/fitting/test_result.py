"""The fit as a value: parameters, errors, equality."""

import numpy as np
import pytest

import scaling
from scaling import ParallelLaw
from tests.scaling.twenty_runs import runs


def test_parameters_and_their_errors(pile_fit):
    assert dict(pile_fit.params) == {n: getattr(pile_fit.law, n) for n in ("E", "A", "alpha", "k")}
    covariance = pile_fit.covariance()
    assert list(covariance.index) == list(covariance.columns) == ["E", "A", "alpha", "k"]
    np.testing.assert_allclose(pile_fit.std_errors, np.sqrt(np.diag(covariance)))
    np.testing.assert_allclose(covariance, covariance.T)
    half = pile_fit.intervals(method="covariance").loc["k"]
    assert (half.upper - half.lower) / 2 == pytest.approx(
        pile_fit.std_errors["k"] * 2.0859634, rel=1e-6
    )  # t(20)
    assert pile_fit.correlations().loc["k", "k"] == pytest.approx(1)


def test_fits_are_compared_as_values_of_their_own() -> None:
    fit = scaling.fit(ParallelLaw, runs())
    assert fit == fit
    assert fit != scaling.fit(ParallelLaw, runs())
