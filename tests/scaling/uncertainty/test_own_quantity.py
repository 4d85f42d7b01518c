"""Quantities that differ for each row of a batch."""

import numpy as np
import pytest

import scaling
from scaling.uncertainty.own_quantity import Part, PredictedLoss, own_of, own_slopes, own_values
from tests.scaling.nine_runs import TRUTH, N, P

POINTS = PredictedLoss((np.array([1e9, 3.3e9, 7e10]), np.array([1.0, 4.0, 16.0])))
ASKED = np.array([2, 0, 1, 1, 0])


@pytest.fixture
def problem():
    loss = TRUTH.predict(N=N, P=P) * (1 + 1e-3 * np.cos(np.arange(9)))
    return scaling.fit(scaling.ParallelLaw, {"N": N, "P": P, "loss": loss}, scaling.LeastSquares()).problem


@pytest.fixture
def theta(problem):
    return problem.internal(TRUTH) * (1 + 0.01 * np.arange(5)[:, None])


def test_a_loss_at_every_point_and_each_laws_own(problem, theta):
    laws = problem.law.from_vector(problem.named(theta))
    every = POINTS(laws)
    assert every.shape == (5, 3)
    for b, k in enumerate(ASKED):
        one = problem.law.from_vector(problem.named(theta)[b])
        assert every[b, k] == pytest.approx(one.predict(N=POINTS.axes[0][k], P=POINTS.axes[1][k]), rel=1e-13)
    np.testing.assert_allclose(POINTS.own(laws, ASKED), every[np.arange(5), ASKED], rtol=1e-13)


def test_a_quantity_without_a_method_of_its_own_is_computed_whole(problem, theta):
    laws = problem.law.from_vector(problem.named(theta))

    def whole(law):
        return POINTS(law)

    np.testing.assert_allclose(own_of(whole, laws, ASKED), own_of(POINTS, laws, ASKED), rtol=1e-13)
    assert own_of(lambda law: law.k, laws, np.zeros(5, int)) == pytest.approx(laws.k)


def test_a_quantity_with_a_method_of_its_own_is_asked_for_that_alone(problem, theta):
    class Own:
        def __call__(self, law):
            raise AssertionError("computed whole")

        def own(self, law, k):
            return law.k + k

    found = own_values(problem, theta, Own(), ASKED)
    np.testing.assert_allclose(found, problem.law.from_vector(problem.named(theta)).k + ASKED)


def test_slopes_are_those_of_the_prediction(problem, theta):
    slopes = own_slopes(problem, theta, POINTS, ASKED)
    assert slopes.shape == theta.shape
    for b, k in enumerate(ASKED):
        for i in range(theta.shape[1]):
            step = 1e-4 * theta[b, i] * np.eye(theta.shape[1])[i]
            up, down = (
                own_values(problem, (theta[b] + s * step)[None], POINTS, np.array([k]))[0] for s in (1, -1)
            )
            assert slopes[b, i] == pytest.approx((up - down) / (2e-4 * theta[b, i]), rel=1e-4, abs=1e-9)


def test_a_part_is_some_columns_and_counts_within_them(problem, theta):
    laws, part = problem.law.from_vector(problem.named(theta)), Part(POINTS, slice(1, 3))
    assert (part(laws) == POINTS(laws)[:, 1:3]).all()
    k = np.array([1, 0, 1, 1, 0])
    assert (part.own(laws, k) == POINTS(laws)[np.arange(5), k + 1]).all()
