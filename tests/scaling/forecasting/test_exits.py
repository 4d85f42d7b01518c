"""Where points leave the runs: the axis with the largest change, how far, and what few levels add."""

import numpy as np
import pytest
from scipy import stats

from scaling import ChinchillaLaw
from scaling.forecasting.exits import FEW, exits_of, few_levels, furthest, in_ranges
from scaling.forecasting.pooling import member
from scaling.optimise.multi_start import solve
from scaling.optimise.objectives import LeastSquares
from scaling.optimise.problem import Problem
from tests.scaling.forecast_runs import grid

RUNS = grid()
AXES = {axis: RUNS[axis].to_numpy() for axis in ("N", "D")}
POINTS = {"N": np.array([1e8, 4.3e9, 1e8, 1.1e6]), "D": np.array([1e10, 1e10, 1.9e12, 1e10])}


def test_each_point_leaves_by_the_axis_with_the_largest_change():
    problem = Problem(
        ChinchillaLaw, tuple(AXES.values()), RUNS.loss.to_numpy(), np.ones(len(RUNS)), LeastSquares(log=True)
    )
    one = member(problem, solve(problem).theta)
    found = exits_of([one], np.ones(1), AXES, POINTS)
    ways = [found.ways[i] if i >= 0 else None for i in found.place]
    assert ways[0] is None
    assert found.change[0] == 0
    assert ways[1][0] in ("N", "C")
    assert ways[2][0] in ("D", "C")
    assert ways[3][1] == -1
    assert (found.change[1:3] < 0).all()
    assert found.change[3] > 0


def test_the_furthest_axis_is_named_with_its_factor():
    factor, axis = furthest(AXES, POINTS)
    assert axis.tolist() == ["", "N", "D", "N"]
    assert factor == pytest.approx([1.0, 10.0, 100.0, 10.0])


def test_axes_are_measured_in_ranges_of_the_runs():
    inside, out = in_ranges(AXES, POINTS)
    assert inside.min(axis=0) == pytest.approx(0.0)
    assert inside.max(axis=0) == pytest.approx(1.0)
    assert out[1, 0] == pytest.approx(1 + np.log(10) / np.log(4.3e8 / 1.1e7))


def test_few_levels_widen_what_lies_beyond_them():
    size, budgets = (stats.t(levels - 1).ppf(0.975) / stats.norm.ppf(0.975) for levels in (6, 4))
    assert few_levels(AXES, POINTS) == pytest.approx(
        [1.0, size ** (2 * FEW), budgets ** (2 * FEW), size ** (2 * FEW)]
    )
    assert few_levels(AXES, POINTS, power=0.0) == pytest.approx(1.0)
