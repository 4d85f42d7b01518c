"""A parameter within rounding of its bound is at its bound, everywhere."""

import numpy as np

import scaling
from scaling import DenseLaw, ParallelLaw
from scaling.optimise.certificate import fields_at_bound
from scaling.uncertainty.interval_methods import spread_batch
from tests.scaling.optimise.test_certificate import N, P, runs


def test_a_parameter_within_rounding_of_its_bound_is_at_it() -> None:
    """Other processors round otherwise: k = 2.7e-25 was seen where 0 was meant."""
    flat = runs().assign(loss=DenseLaw(E=1.37, A=3.1e7, alpha=0.213).predict(N=N) * (1 + 2e-3 * np.log(P)))
    problem = scaling.fit(ParallelLaw, flat).problem
    theta = np.array([[1.4, 0.5, 0.2, 2.7e-25], [1.4, 0.5, 0.2, 1e-6], [0.0, 0.5, 10 - 1e-12, 0.3]])
    assert problem.at_lower(theta).tolist() == [
        [False, False, False, True],
        [False] * 4,
        [True, *[False] * 3],
    ]
    assert problem.at_upper(theta).tolist() == [[False] * 4, [False] * 4, [False, False, True, False]]
    assert problem.snapped(theta)[[0, 2], [3, 2]].tolist() == [0.0, 10.0]
    assert fields_at_bound(problem, theta[0]) == ("k",)
    assert fields_at_bound(problem, theta[2]) == ("E", "alpha")
    assert not spread_batch(problem, theta)[0][0, 3].any()


def test_a_law_with_one_start_is_fitted() -> None:
    fit = scaling.fit(DenseLaw.with_fixed(alpha=0.213), runs())
    assert fit.law.alpha == 0.213
