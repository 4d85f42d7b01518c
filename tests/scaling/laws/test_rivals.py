"""Rival laws of N and P: their printed equations, and how they contain each other."""

import numpy as np
import pytest

from scaling import AdditiveLaw, DenseLaw, DiversityLaw, LogMultiplicativeLaw, ParallelPowerLaw, SaturatingLaw
from tests.scaling.law_truths import TRUTHS

SIZES, STREAMS = (v.ravel() for v in np.meshgrid(np.geomspace(3.1e7, 7.7e9, 5), [1.0, 2.0, 5.0, 16.0]))
PRINTED = [
    (
        ParallelPowerLaw(E=1.41, A=2.7e7, alpha=0.227, gamma=0.193),
        1.41 + (2.7e7 / (SIZES * STREAMS**0.193)) ** 0.227,
    ),
    (
        DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=0.871),
        1.29 + (2.3e7 / SIZES) ** 0.237 * (0.871 + (1 - 0.871) / STREAMS),
    ),
    (
        SaturatingLaw(E=1.23, A=1.7e7, alpha=0.263, rho=0.817, gamma=0.731),
        1.23 + (1.7e7 / SIZES) ** 0.263 * (0.817 + (1 - 0.817) * STREAMS**-0.731),
    ),
    (
        AdditiveLaw(E=1.19, A=57.3, alpha=0.271, C=0.083, beta=0.467),
        1.19 + 57.3 / SIZES**0.271 + 0.083 / STREAMS**0.467,
    ),
    (
        LogMultiplicativeLaw(E=1.31, A=43.1, alpha=0.223, beta=0.113),
        1.31 + 43.1 * SIZES**-0.223 * (1 + np.log2(STREAMS)) ** -0.113,
    ),
]


@pytest.mark.parametrize(("law", "printed"), PRINTED, ids=lambda v: type(v).__name__)
def test_a_rival_is_its_printed_equation(law, printed):
    np.testing.assert_allclose(law.predict(N=SIZES, P=STREAMS), printed, rtol=1e-13)


def test_eq_4_with_its_diversity_is_the_diversity_law():
    law = DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=0.871)
    diversity = ((STREAMS - 1) * law.rho + 1) ** (-1 / law.alpha)
    eq_4 = law.E + (law.A / (SIZES * STREAMS ** (1 / law.alpha) * diversity)) ** law.alpha
    np.testing.assert_allclose(law.predict(N=SIZES, P=STREAMS), eq_4, rtol=1e-12)


def test_the_saturating_law_with_rate_one_is_the_diversity_law():
    fields = {"E": 1.29, "A": 2.3e7, "alpha": 0.237, "rho": 0.871}
    np.testing.assert_allclose(
        SaturatingLaw(**fields, gamma=1.0).predict(N=SIZES, P=STREAMS),
        DiversityLaw(**fields).predict(N=SIZES, P=STREAMS),
        rtol=1e-13,
    )


def test_streams_that_do_not_differ_gain_nothing():
    dense = DenseLaw(E=1.29, A=2.3e7, alpha=0.237).predict(N=SIZES)
    alike = DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=1.0).predict(N=SIZES, P=STREAMS)
    np.testing.assert_allclose(alike, dense, rtol=1e-13)


def test_the_limit_in_P_of_a_law_with_a_floor_is_that_floor() -> None:
    law = TRUTHS["diversity"][0]
    N = 6.7e8
    assert law.limit("P", N=N) == pytest.approx(law.E + law.rho * (law.A / N) ** law.alpha, rel=1e-12)
