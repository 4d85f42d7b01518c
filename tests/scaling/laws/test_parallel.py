"""The parallel law of Eq 5: its closed forms, and the laws that it contains."""

import numpy as np
import pytest

import scaling
from scaling import DenseLaw, Law, ParallelDataLaw, ParallelLaw
from tests.scaling.law_truths import TRUTHS

SIZES, STREAMS = (v.ravel() for v in np.meshgrid(np.geomspace(3.1e7, 7.7e9, 5), [1.0, 2.0, 5.0, 16.0]))


def test_it_is_the_printed_equation():
    law = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    printed = 1.37 + (3.1e7 / (SIZES * (0.287 * np.log(STREAMS) + 1))) ** 0.213
    np.testing.assert_allclose(law.predict(N=SIZES, P=STREAMS), printed, rtol=1e-13)


def test_without_gain_or_with_one_stream_it_is_the_dense_law():
    dense = DenseLaw(E=1.37, A=3.1e7, alpha=0.213).predict(N=SIZES)
    still = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.0).predict(N=SIZES, P=STREAMS)
    one = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.7).predict(N=SIZES, P=1)
    np.testing.assert_allclose(still, dense, rtol=1e-14)
    np.testing.assert_allclose(one, dense, rtol=1e-14)


def test_with_data_it_is_the_law_and_the_term_of_the_data():
    law = ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.287, beta=0.277)
    plain = ParallelLaw(E=1.43, A=2.9e7, alpha=0.317, k=0.287)
    for D in (1.7e9, 3.3e11):
        expected = plain.predict(N=SIZES, P=STREAMS) + 411.0 / D**0.277
        np.testing.assert_allclose(law.predict(N=SIZES, P=STREAMS, D=D), expected, rtol=1e-13)


def test_an_equivalent_size_keeps_the_index_and_refuses_what_is_no_axis():
    law = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    at_two = law.equivalent_N(N=SIZES, P=8, at_P=2)
    np.testing.assert_allclose(law.predict(N=at_two, P=2), law.predict(N=SIZES, P=8), rtol=1e-12)
    assert isinstance(law.equivalent_N(N=1e9, P=8), float)
    with pytest.raises(ValueError, match="P=0"):
        law.equivalent_N(N=1e9, P=0)
    assert scaling.by_name("parallel") is ParallelLaw


def test_parallel_law_closed_form_equals_the_inverse() -> None:
    law = TRUTHS["parallel"][0]
    expected = 2.8e9 * (law.k * np.log(4) + 1) / (law.k * np.log(2) + 1)
    assert law.equivalent_N(N=2.8e9, P=4, at_P=2) == pytest.approx(expected, rel=1e-14)
    assert Law.equivalent_N(law, 2.8e9, 4, 2) == pytest.approx(expected, rel=1e-9)
    assert law.A_prime == pytest.approx(law.A**law.alpha, rel=1e-12)


def test_a_law_without_a_term_in_N_has_no_coefficient_in_either_form():
    assert ParallelLaw(E=2.0, A=0.0, alpha=0.3, k=0.2).A_prime == 0
    level = {"N": [1e6, 1e6, 1e6, 1.1e6], "P": [1.0] * 4, "loss": [2.0] * 4}
    assert "A' = A^alpha = 0.0000" in str(scaling.fit(ParallelLaw, level))
