"""Where points leave the runs: how far, along which axis, and what few levels cost."""

import numpy as np
import pytest
from scipy import stats

from scaling.forecasting.exits import few_levels, furthest, in_ranges

RUNS = {"N": np.array([1e8, 1e9, 1e8, 1e9]), "D": np.array([1e9, 1e9, 1e10, 1e10])}


def test_the_factor_beyond_the_runs_is_of_the_axis_it_is_largest_on():
    points = {"N": np.array([1e9, 4e9, 1e9]), "D": np.array([1e10, 2e10, 3e8])}
    beyond, along = furthest(RUNS, points)
    assert beyond == pytest.approx([1.0, 4.0, 1 / 0.3])
    assert list(along) == ["", "N", "D"]


def test_axes_in_ranges_of_the_runs():
    inside, out = in_ranges(RUNS, {"N": np.array([1e10]), "D": np.array([1e9])})
    assert inside.min() == 0
    assert inside.max() == pytest.approx(1)
    assert out[0] == pytest.approx([2.0, 0.0])


def test_few_levels_lengthen_as_students_t():
    runs = {"N": np.array([1e8, 2e8, 4e8])}
    grown = few_levels(runs, {"N": np.array([2e8, 1e9])}, power=1.0)
    assert grown == pytest.approx([1.0, (stats.t.ppf(0.975, 2) / stats.norm.ppf(0.975)) ** 2])
    assert (few_levels(runs, {"N": np.array([1e9])}, power=0.5) ** 2)[0] == pytest.approx(grown[1])
