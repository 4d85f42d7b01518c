"""The power law through points with errors: its width comes from both errors and scatter."""

import numpy as np
import pytest
from scipy import stats

from scaling.allocation.power_law import PowerLaw

LOG_C = np.log(np.geomspace(1e18, 1e21, 6))
RNG = np.random.default_rng(8)
LINE = 2.0 + 0.45 * LOG_C


def test_without_known_errors_it_is_least_squares_with_t_thresholds() -> None:
    y = LINE + 0.1 * RNG.standard_normal(6)
    law = PowerLaw.through(LOG_C, y)
    known = stats.linregress(LOG_C, y)
    half = stats.t.ppf(0.975, 4) * known.stderr
    assert law.exponent == pytest.approx(known.slope)
    assert law.standard_error == pytest.approx(known.stderr)
    assert law.exponent_ends(0.95) == pytest.approx((known.slope - half, known.slope + half))
    assert np.log(law.factor) == pytest.approx(known.intercept)
    N, low, high = law.at(1e24, 0.95)
    assert np.log(N) == pytest.approx(known.intercept + known.slope * np.log(1e24))
    assert low * high == pytest.approx(N**2)


def test_errors_alone_set_the_width_where_points_lie_on_the_line() -> None:
    errors = np.diag(np.full(6, 0.01))
    law = PowerLaw.through(LOG_C, LINE, errors, 20.0)
    expected = 0.1 / np.sqrt(((LOG_C - LOG_C.mean()) ** 2).sum())
    assert law.standard_error == pytest.approx(expected)
    assert law.scatter == pytest.approx(np.zeros((2, 2)))
    low, high = law.exponent_ends(0.95)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 20) * expected)


def test_scatter_beyond_the_errors_widens_and_weighs_points_alike() -> None:
    y = LINE + np.array([0.5, -0.5, 0.2, 0.4, -0.6, 0.0])
    errors = np.diag([1e-4, 1e-2, 1e-4, 1e-2, 1e-4, 1e-2])
    law = PowerLaw.through(LOG_C, y, errors, 30.0)
    plain = PowerLaw.through(LOG_C, y)
    assert law.exponent == pytest.approx(plain.exponent, abs=0.01)
    assert law.standard_error == pytest.approx(plain.standard_error, rel=0.05)
    assert PowerLaw.excess_p(errors, LOG_C, y, 30.0) < 1e-6
    assert PowerLaw.excess_p(errors, LOG_C, LINE + 0.01, 30.0) == pytest.approx(1.0)


def test_three_points_have_one_degree_of_freedom() -> None:
    errors = np.diag(np.full(3, 0.01))
    law = PowerLaw.through(LOG_C[:3], LINE[:3], errors, 20.0)
    low, high = law.exponent_ends(0.95)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 1) * law.standard_error)
    with pytest.raises(ValueError, match=r"^2 "):
        PowerLaw.through(LOG_C[:2], LINE[:2])


def test_the_inverse_and_the_complement_are_the_same_line() -> None:
    y = LINE + 0.05 * RNG.standard_normal(6)
    law = PowerLaw.through(y, LOG_C).inverse()
    across = PowerLaw.through(y, LOG_C)
    N = law.at(1e20, 0.95)[0]
    assert across.log_G + across.exponent * (np.log(N) - across.middle) == pytest.approx(np.log(1e20))
    tokens = law.complement(np.log(6.0))
    assert tokens.exponent == pytest.approx(1 - law.exponent)
    assert tokens.at(1e22, 0.95)[0] * law.at(1e22, 0.95)[0] * 6 == pytest.approx(1e22)
    wider = law.with_level_error(0.04)
    assert wider.exponent_ends(0.9) == law.exponent_ends(0.9)
    assert wider.at(1e20, 0.9)[2] > law.at(1e20, 0.9)[2]
