"""The problem: slopes, bounds, and the way from parameters to the solver's and back."""

import numpy as np

import scaling
from scaling import DenseLaw, ParallelLaw
from scaling.optimise.certificate import fields_at_bound
from scaling.uncertainty.interval_methods import spread_batch
from tests.scaling.twenty_runs import N, P, runs


def test_the_slope_of_a_constrained_problem_is_that_of_its_prediction(pile):
    for law, constraint in (
        ("parallel", {"bounds": {"A": (1e6, 1e10), "E": (0.5, 2)}}),
        ("diversity", {"bounds": {"rho": (0.2, 0.99)}}),
        ("saturating", {"fixed": {"E": 1.1}, "bounds": {"A": (1e6, 1e10)}}),
        ("additive", {"bounds": {"A": (1, 1e5), "C": (0.01, 1)}, "fixed": {"alpha": 0.25}}),
    ):
        fit = scaling.fit(law, pile, **constraint)
        theta = fit.theta[None] * (1 + 0.01 * np.arange(fit.theta.size))
        _, J = fit.problem.jacobian(theta)
        _, at_a_point = fit.problem.jacobian(theta[0])
        np.testing.assert_allclose(J[0], at_a_point, rtol=1e-10, atol=1e-12)
        for i in np.flatnonzero(fit.problem.lower < fit.problem.upper):
            step = np.zeros(fit.theta.size)
            step[i] = 1e-6 * max(1.0, abs(theta[0, i]))
            up, down = (fit.problem.predict(theta + s * step)[0] for s in (1, -1))
            np.testing.assert_allclose(J[0, i], (up - down) / (2 * step[i]), rtol=2e-5, atol=1e-8)
        back = fit.problem.internal(fit.law)
        np.testing.assert_allclose(back, fit.theta, rtol=1e-9)


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
