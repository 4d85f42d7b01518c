"""The solver: the same answer each time, in any units."""

import numpy as np
import pytest

import scaling
from benchmarks import interval_ends
from scaling import ChinchillaLaw, ParallelLaw, Status
from scaling.laws import law_of
from scaling.optimise.problem import Problem
from scaling.optimise.solver import Solution, _eased, _met, explore, minimise, newton, starts
from tests.scaling.twenty_runs import N, P, runs


def test_deterministic() -> None:
    one, two = scaling.fit(ParallelLaw, runs()), scaling.fit(ParallelLaw, runs())
    assert one.law == two.law
    assert (one.theta == two.theta).all()


def test_units_of_the_axes_do_not_matter() -> None:
    table = runs().assign(D=2e6 * np.sqrt(N) * (1 + P))
    small = scaling.fit(ChinchillaLaw, table)
    large = scaling.fit(ChinchillaLaw, table.assign(N=N / 1e9, D=table.D / 1e9))
    assert small.status == Status.CONVERGED
    assert small.law.alpha == pytest.approx(large.law.alpha, rel=1e-7)
    assert small.objective_value == pytest.approx(large.objective_value, rel=1e-10)


def test_starts_of_a_category_differ() -> None:
    size = np.tile(np.geomspace(1e8, 1e9, 4), 2)
    kind = np.repeat([8.0, 16.0], 4)
    law = law_of("precision", {"precision": kind})
    loss = 1.5 + 400 / (size * np.where(kind == 8, 0.8, 1.0)) ** 0.3 + 300 / (20 * size) ** 0.28
    begin = starts(Problem(law, (size, 20 * size, kind), loss, np.ones(8), scaling.LeastSquares()), 16)
    assert len(np.unique(begin, axis=0)) == len(begin) > 2


def test_starts_that_meet_go_on_as_one() -> None:
    table = runs(2e-3)
    problem = Problem(ParallelLaw, (N, P), table.loss.to_numpy(), np.ones(len(N)), scaling.LogHuber())
    begin = starts(problem, 16)
    ends = explore(problem, begin, 1e-7, 1e-18, 30)
    assert len(ends.theta) == len(begin)
    assert (ends.theta == ends.theta[0]).all()  # as all start from the better quarter of the grid
    assert ends.value.max() <= minimise(problem, begin).value.min() * (1 + 1e-9)
    apart = np.stack([ends.theta[0], ends.theta[0] * [1, 1, 1, 1.001], ends.theta[0] * [1, 1, 1, 1.2]])
    met = _met(problem, Solution(apart, problem.value(apart), np.zeros(3), np.ones(3, bool)), 0, 1e-3)
    assert met.tolist() == [True, True, False]


@pytest.mark.parametrize("law", ["parallel", "dense:E=1.6", "no-floor"])
@pytest.mark.parametrize("objective", [scaling.LogHuber(), scaling.LeastSquares()])
def test_a_point_descends_as_a_batch_does(law: str, objective: scaling.LogHuber) -> None:
    """One row alone is a point in the solver. Two equal rows are a batch."""
    form = law_of(law)
    x = tuple({"N": N, "P": P, "D": 2e6 * np.sqrt(N) * (1 + P)}[axis] for axis in form.axes)
    problem = Problem(form, x, runs(2e-3).loss.to_numpy(), np.ones(len(N)), objective)
    begin = starts(problem, 4)
    for row in range(len(begin)):
        alone, pair = (minimise(problem, begin[rows]) for rows in ([row], [row, row]))
        assert [part.shape for part in vars(alone).values()] == [(1, begin.shape[1]), (1,), (1,), (1,)]
        assert alone.value[0] == pytest.approx(pair.value[0], rel=1e-12)
        np.testing.assert_allclose(alone.theta[0], pair.theta[0], rtol=1e-6, atol=1e-9)


def test_damping_falls_faster_after_a_step_that_fell_as_a_parabola_does() -> None:
    slope, fall = np.array([2.0, 2.0, 2.0, 0.0]), np.array([1.0, 1.05, 1.4, 0.0])
    with np.errstate(invalid="ignore"):
        assert _eased(fall, slope).tolist() == [1e-3, 1e-3, 0.1, 0.1]


@pytest.mark.parametrize("objective", [scaling.LeastSquares(), scaling.LeastSquares(log=True)])
def test_large_residuals_do_not_keep_the_search_from_arriving(objective):
    table = interval_ends.tables()["gemstones_lr_ablation_hot_sampled_like_chinchilla"]
    fit = scaling.fit(scaling.DenseLaw, table[table.N.quantile(0.7) >= table.N], objective, groups=False)
    assert fit.status == Status.CONVERGED
    polished = newton(fit.problem, fit.theta[None] * 1.01)
    assert fit.problem.value(polished)[0] == pytest.approx(fit.objective_value, rel=1e-13)
    assert polished[0] == pytest.approx(fit.theta, rel=1e-6)


def test_newton_steps_hold_to_bounds_and_to_points_without_a_loss():
    P_one = np.ones(6)
    N = np.geomspace(1e8, 1e10, 6)
    problem = Problem(ParallelLaw, (N, P_one), 1.5 + 3e7**0.2 / N**0.2, P_one, scaling.LeastSquares())
    begin = np.array([[0.0, 3.0, 0.1, 0.3], [np.nan, 1.0, 0.2, 0.3]])
    ends = newton(problem, begin)
    assert problem.value(ends)[0] < problem.value(begin)[0]
    assert ((ends[0] >= problem.lower) & (ends[0] <= problem.upper)).all()
    assert np.isnan(ends[1, 0])
