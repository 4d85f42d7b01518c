"""The pool of laws: weights, spreads, quantiles of the mixture."""

import numpy as np
import pytest
from scipy import stats

import scaling
from scaling import ChinchillaLaw
from scaling.forecasting.pooling import Mixture, member, weights
from tests.scaling.forecast_runs import grid, member_of


def test_a_mixture_s_quantiles_are_those_of_its_distribution() -> None:
    one = Mixture(np.array([[0.7, -1.0]]), np.array([[0.3, 2.0]]), np.array([4.0]), np.array([1.0]))
    assert one.quantile(0.975) == pytest.approx(stats.t(4, [0.7, -1.0], [0.3, 2.0]).ppf(0.975), abs=1e-5)
    two = Mixture(
        np.array([[0.0], [5.0]]), np.full((2, 1), 0.01), np.array([30.0, 30.0]), np.array([0.6, 0.4])
    )
    assert two.quantile(0.9)[0] == pytest.approx(5 + 0.01 * stats.t(30).ppf(0.75), abs=1e-5)


def test_half_the_weight_is_akaike_s_and_half_is_flattened() -> None:
    members = [
        member_of(grid(), law) for law in (ChinchillaLaw, scaling.EqualExponentsLaw, scaling.NoFloorLaw)
    ]
    gap = np.array([one.aicc for one in members]) - min(one.aicc for one in members)
    half = [np.exp(-gap * power / 2) / np.exp(-gap * power / 2).sum() for power in (1.0, 0.25)]
    assert weights(members) == pytest.approx((half[0] + half[1]) / 2)


def test_a_member_s_spread_is_the_covariance_s() -> None:
    runs = grid()
    fit = scaling.fit(ChinchillaLaw, runs, scaling.LeastSquares(log=True))
    found = fit.predict(N=4e9, D=1e10, method=scaling.Covariance())
    half = float(np.log(found.upper[0] / found.loss[0]))
    t = stats.t(len(runs) - 5).ppf(0.975)
    spread = member(fit.problem, fit.theta).spread({"N": np.array([4e9]), "D": np.array([1e10])})[0]
    assert t * spread == pytest.approx(half, rel=0.05)
