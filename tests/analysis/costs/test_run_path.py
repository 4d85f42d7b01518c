"""Paths of runs: the best N and D of a budget, where a loss is reached, the floor."""

import numpy as np
import pytest

import scaling
from analysis.costs.run_path import RunPath

LAW = scaling.ChinchillaLaw(E=1.67, A=403.0, B=417.0, alpha=0.337, beta=0.283)
BUDGETS = np.geomspace(1e18, 1e26, 5)


def test_the_best_size_of_a_budget_is_the_closed_form():
    N, D = RunPath(LAW, 1.0, np.nan).runs(BUDGETS)
    ratio = LAW.alpha * LAW.A / (LAW.beta * LAW.B)
    closed = (ratio * (BUDGETS / 6) ** LAW.beta) ** (1 / (LAW.alpha + LAW.beta))
    np.testing.assert_allclose(N, closed, rtol=2e-3)
    np.testing.assert_allclose(6 * N * D, BUDGETS)


def test_a_largest_size_holds_and_the_rest_goes_to_tokens():
    N, D = RunPath(LAW, 2.0, np.nan, largest=1e9).runs(BUDGETS)
    assert N.max() == 1e9
    np.testing.assert_allclose(12 * N * D, BUDGETS)


@pytest.mark.parametrize(("loss", "expected"), [(1.6, np.inf), (1e9, np.nan)])
def test_what_no_run_or_every_run_reaches(loss, expected):
    np.testing.assert_equal(RunPath(LAW, 1.0, np.nan).reaching(loss), expected)


def test_where_a_loss_is_reached_and_the_floor():
    path = RunPath(LAW, 1.0, np.nan)
    t = path.reaching(2.0)
    assert path.loss(*path.runs(np.array([t])))[0] == pytest.approx(2.0, abs=1e-6)
    assert path.floor() == pytest.approx(1.67)
    streams = RunPath(scaling.ParallelLaw(E=1.3, A=3e7, alpha=0.2, k=0.3), 4.0, 1e10)
    assert streams.runs(np.array([1e9]))[1] == 1e10
    assert streams.law.predict(N=streams.reaching(1.9), P=4) == pytest.approx(1.9)
