"""The optimum of a law as a smooth function of its constants."""

import numpy as np
import pytest

from scaling import ChinchillaLaw, InteractionLaw, ParallelDataLaw
from scaling.allocation.optimal_size import SPAN, OptimalSize
from tests.scaling.isoflop_runs import CHINCHILLA, EXPONENT, closed_form


def size(C: float, P: float = 1.0) -> OptimalSize:
    return OptimalSize(C, P, float(np.sqrt(C / 120)))


@pytest.mark.parametrize("C", [1e18, 3e21, 1e25])
def test_chinchilla_has_its_closed_form(C: float) -> None:
    log_N, a = size(C).with_exponent(CHINCHILLA)[0]
    assert log_N == pytest.approx(np.log(closed_form(C)), abs=1e-4)
    assert a == pytest.approx(EXPONENT, abs=1e-5)


def test_every_stream_is_paid_for() -> None:
    law = ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.35, beta=0.277)
    log_N = size(1e22, 4).of(law)[0, 0]
    N = np.exp(log_N + np.array([-0.05, 0.0, 0.05]))
    loss = law.predict(N=N, P=4, D=1e22 / 24 / N)
    assert loss.argmin() == 1


def test_a_batch_is_its_laws_and_another_law_has_the_least_loss_there() -> None:
    two = ChinchillaLaw(*(np.array([x, x * 1.1]) for x in (1.69, 406.4, 410.7, 0.34, 0.28)))
    found = size(1e21).of(two)
    second = ChinchillaLaw(*(float(np.asarray(v)[1]) for v in (two.E, two.A, two.B, two.alpha, two.beta)))
    assert found.shape == (2, 1)
    assert found[1, 0] == pytest.approx(size(1e21).of(second)[0, 0], abs=1e-12)
    law = InteractionLaw(E=1.7, A=2.2e8, B=3.1e9, alpha=0.42, beta=0.36, gamma=0.7)
    N = np.exp(size(1e21).of(law)[0, 0] + np.array([-0.05, 0.0, 0.05]))
    assert law.predict(N=N, D=1e21 / 6 / N).argmin() == 1


def test_an_end_of_the_search_is_no_optimum() -> None:
    one = size(1e21)
    flat = one.of(ChinchillaLaw(1.69, 1e-9, 410.7, 0.34, 0.28))[0, 0]
    assert not one.inside(flat)
    assert one.inside(np.log(one.middle))
    assert one.ends(np.log(one.middle) - SPAN, 20.0) == (0.0, pytest.approx(np.exp(20.0)))
    assert one.ends(20.0, np.inf) == (pytest.approx(np.exp(20.0)), np.inf)
