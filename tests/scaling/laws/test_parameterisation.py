"""Fields that are not coefficients: the way from printed fields to the solver's coefficients and back."""

import numpy as np
import pytest

import scaling
from scaling import DenseLaw, DiversityLaw, ParallelLaw, SaturatingLaw
from scaling.laws.free_form import differences
from scaling.laws.parameterisation import power

LAWS = [
    DenseLaw(E=1.37, A=3.1e7, alpha=0.213),
    ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287),
    DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=0.871),
    SaturatingLaw(E=1.23, A=1.7e7, alpha=0.263, rho=0.817, gamma=0.731),
]


def test_a_power_of_many_exponents_is_that_of_each():
    x, exponents = np.array([3.1e7, 2.2e9]), np.array([[0.213], [1.37]])
    np.testing.assert_allclose(power(x, exponents), x**-exponents, rtol=1e-13)


@pytest.mark.parametrize("law", LAWS, ids=lambda v: type(v).__name__)
def test_fields_come_back_from_the_coefficients(law):
    coefficients, eta = law.to_linear()
    assert coefficients[0] == law.E
    back = type(law)(**type(law).to_fields(coefficients, eta))
    np.testing.assert_allclose(back.vector, law.vector, rtol=1e-12)


def test_the_coefficient_of_a_root_law_is_A_to_the_alpha():
    coefficients, _ = LAWS[1].to_linear()
    assert coefficients[1] == pytest.approx(3.1e7**0.213, rel=1e-13)


def test_the_coefficients_of_a_mixture_are_its_floor_and_its_falling_part():
    coefficients, _ = LAWS[2].to_linear()
    total = 2.3e7**0.237
    assert coefficients[1:] == pytest.approx([0.871 * total, (1 - 0.871) * total], rel=1e-13)


@pytest.mark.parametrize("law", LAWS, ids=lambda v: type(v).__name__)
def test_slopes_of_the_coefficients_are_central_differences(law):
    found = law.linear_gradient()

    def coordinates(vector):
        coefficients, eta = type(law).from_vector(vector).to_linear()
        return np.array([*coefficients, *eta], dtype=float)

    for i, value in enumerate(law.vector):
        step = 1e-6 * value * np.eye(law.vector.size)[i]
        slope = (coordinates(law.vector + step) - coordinates(law.vector - step)) / (2e-6 * value)
        np.testing.assert_allclose(found[:, i], slope, rtol=1e-6, atol=1e-12 * abs(slope).max())


def test_a_term_of_no_size_is_zero_both_ways():
    coefficients, eta = ParallelLaw(E=2.0, A=0.0, alpha=0.3, k=0.2).to_linear()
    assert coefficients[1] == 0
    assert ParallelLaw(**ParallelLaw.to_fields(coefficients, eta)).predict(N=1e9, P=4) == pytest.approx(2.0)


def test_a_root_law_may_name_its_exponents_in_any_order(pile):
    class Turned(ParallelLaw):
        """Eq 5, k before alpha."""

        nonlinear = {name: ParallelLaw.nonlinear[name] for name in ("k", "alpha")}  # noqa: RUF012

        @staticmethod
        def terms(N, P, k, alpha):
            return ParallelLaw.terms(N, P, alpha, k)

        @classmethod
        def terms_gradient(cls, N, P, k, alpha):
            return ParallelLaw.terms_gradient(N, P, alpha, k)[::-1]

    fit, own = (scaling.fit(law, pile, scaling.LeastSquares()) for law in (ParallelLaw, Turned))
    assert own.law.predict(N=1e9, P=4) == pytest.approx(fit.law.predict(N=1e9, P=4), rel=1e-6)


def test_terms_and_slopes_are_the_terms_and_their_gradient():
    class Own(ParallelLaw):
        """Eq 5 with other terms: the parent's slopes are not its own."""

        @staticmethod
        def terms(N, P, alpha, k):
            return 1.0, np.exp(-alpha * (np.log(N) + k * np.log(P)))

    N, P = np.array([1e8, 7e8, 3e9]), np.array([1.0, 2.0, 8.0])
    for law in (ParallelLaw, Own):
        terms, slopes = law.terms_and_slopes(N, P, 0.23, 0.41)
        np.testing.assert_allclose(terms[1], law.terms(N, P, 0.23, 0.41)[1], rtol=1e-14)
        for row, expected in zip(slopes, differences(law.terms, (N, P, 0.23, 0.41), 2), strict=True):
            np.testing.assert_allclose(row[1], expected[1], rtol=1e-6, atol=1e-12)
