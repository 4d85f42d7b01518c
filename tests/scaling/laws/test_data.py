"""Laws of N and D: how they contain each other, and the way to the solver's coordinates and back."""

import numpy as np
import pytest

from scaling import ChinchillaLaw, EqualExponentsLaw, InteractionLaw, KaplanLaw, NoFloorLaw
from scaling.laws.data import REFERENCE_N, interaction

N, D = (v.ravel() for v in np.meshgrid(np.geomspace(2.7e7, 6.1e9, 5), np.geomspace(1.9e9, 3.7e11, 4)))
FIELDS = {"A": 3.1e7, "B": 4.4e9, "alpha": 0.337, "beta": 0.283}


def test_interaction_with_gamma_one_is_chinchillas_law():
    law = InteractionLaw(E=1.67, gamma=1.0, **FIELDS)
    plain = ChinchillaLaw(
        E=1.67, A=FIELDS["A"] ** 0.337, B=FIELDS["B"] ** 0.283, alpha=0.337, beta=0.283
    )  # fmt: skip
    np.testing.assert_allclose(law.predict(N=N, D=D), plain.predict(N=N, D=D), rtol=1e-12)


def test_kaplans_law_is_the_interaction_without_a_floor():
    above = InteractionLaw(E=1.67, gamma=0.61, **FIELDS).predict(N=N, D=D)
    np.testing.assert_allclose(KaplanLaw(gamma=0.61, **FIELDS).predict(N=N, D=D), above - 1.67, rtol=1e-12)


def test_kaplans_law_is_its_printed_equation():
    law = KaplanLaw(gamma=0.31, A=3.1e13, B=4.4e13, alpha=0.077, beta=0.103)
    printed = ((law.A / N) ** (0.077 / 0.31) + (law.B / D) ** (0.103 / 0.31)) ** 0.31
    np.testing.assert_allclose(law.predict(N=N, D=D), printed, rtol=1e-12)


def test_equal_exponents_and_no_floor_are_special_cases_of_chinchillas_law():
    equal = EqualExponentsLaw(E=1.67, A=403.0, B=417.0, alpha=0.337).predict(N=N, D=D)
    whole = ChinchillaLaw(E=1.67, A=403.0, B=417.0, alpha=0.337, beta=0.337).predict(N=N, D=D)
    np.testing.assert_allclose(equal, whole, rtol=1e-14)
    floorless = NoFloorLaw(A=23.0, B=417.0, alpha=0.137, beta=0.283).predict(N=N, D=D)
    whole = ChinchillaLaw(E=0.0, A=23.0, B=417.0, alpha=0.137, beta=0.283).predict(N=N, D=D)
    np.testing.assert_allclose(floorless, whole, rtol=1e-14)


@pytest.mark.parametrize(
    "law", [InteractionLaw(E=1.67, gamma=0.61, **FIELDS), KaplanLaw(gamma=1.37, **FIELDS)]
)
def test_fields_come_back_from_the_solvers_coordinates(law):
    coefficients, eta = law.to_linear()
    back = type(law)(**type(law).to_fields(coefficients, eta))
    np.testing.assert_allclose(back.vector, law.vector, rtol=1e-12)
    log_D0 = eta[list(law.nonlinear).index("B")]
    size = (law.A / REFERENCE_N) ** law.alpha
    assert (law.B / np.exp(log_D0)) ** law.beta == pytest.approx(size)  # tokens that weigh as much as N0


def test_slopes_of_the_interaction_are_central_differences():
    at = np.array([0.337, 0.283, 0.61, 21.7])
    _, slopes = interaction(N, D, *at)
    for i, slope in enumerate(slopes):
        step = 1e-6 * np.eye(4)[i]
        up, down = (interaction(N, D, *(at + s * step))[0] for s in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["A", "B"])
def test_a_coefficient_that_a_fit_left_at_zero_has_a_finite_gradient(name):
    law = InteractionLaw(**{"E": 1.67, "gamma": 0.5, **FIELDS, name: 0.0})
    assert np.isfinite(law.gradient(N=N, D=D)).all()
