"""The spread of runs about a law: plain for squares, robust where the objective is."""

import numpy as np
import pytest

import scaling
from scaling.optimise.robust_scale import location_scale
from tests.scaling.nine_runs import TRUTH, N, P


def problem_of(objective):
    loss = TRUTH.predict(N=N, P=P) * (1 + 1e-3 * np.cos(np.arange(9)))
    return scaling.fit(scaling.ParallelLaw, {"N": N, "P": P, "loss": loss}, objective).problem


def scales(objective, residuals, weights=None, free=4):
    r = np.atleast_2d(residuals)
    w = np.ones_like(r) if weights is None else np.broadcast_to(weights, r.shape)
    return location_scale(problem_of(objective), r, w, free)


def test_of_squares_it_is_the_root_of_the_mean_square_over_the_degrees_of_freedom():
    r = np.random.default_rng(3).standard_normal((2, 40))
    centre, scale = scales(scaling.LeastSquares(), r)
    assert centre.tolist() == [0, 0]
    np.testing.assert_allclose(scale, np.sqrt((r**2).sum(1) / 36))


def test_a_wild_residual_counts_three_deviations_under_a_robust_objective():
    r = np.random.default_rng(4).standard_normal(200)
    wild = np.where(np.arange(200) == 7, 1e6, r)
    (_, (calm,)), (_, (held,)) = scales(scaling.LAD(), r), scales(scaling.LAD(), wild)
    assert calm == pytest.approx(1, abs=0.15)
    assert held == pytest.approx(calm, rel=0.05)
    (_, (squares,)) = scales(scaling.LeastSquares(), wild)
    assert squares > 1e4


def test_rows_count_as_often_as_their_weights_say():
    r, w = np.random.default_rng(5).standard_normal(30), np.tile([1.0, 2.0, 3.0], 10)
    again = np.repeat(r, w.astype(int))
    for objective in (scaling.LeastSquares(), scaling.LogHuber(), scaling.Asymmetric(over=3.0)):
        found, rows = scales(objective, r, w), scales(objective, again)
        np.testing.assert_allclose(found, rows, rtol=1e-12)


def test_an_asymmetric_objective_has_its_centre_at_the_median():
    r = np.random.default_rng(6).standard_normal(31) - 0.7
    (centre,), _ = scales(scaling.Asymmetric(over=3.0), r)
    assert centre == pytest.approx(np.median(r), rel=1e-12)
    (centre,), _ = scales(scaling.Asymmetric(over=3.0), r[:30])
    assert centre == pytest.approx(np.median(r[:30]), rel=1e-12)


def test_more_parameters_than_rows_still_divide_by_one():
    _, (scale,) = scales(scaling.LeastSquares(), [0.3, -0.4], free=4)
    assert scale == pytest.approx(0.5)
