"""The convex hull of runs: what lies in it, also where the runs lie in a plane or on a line."""

import numpy as np
import pytest

from scaling.uncertainty.hull import HULL, hull_sides, in_hull


def test_corners_and_middles_are_in_the_hull_and_what_passes_a_side_is_not():
    runs = np.array([[0.0, 4.0, 0.0, 4.0, 1.0], [0.0, 0.0, 3.0, 1.0, 1.0]])
    asked = np.array([[0.0, 2.0, 4.0, 4.0, 3.9], [3.0, 2.0, 1.0, 1.1, 2.0]])
    assert in_hull(asked, runs).tolist() == [True, True, True, False, False]


def test_runs_on_a_line_hold_what_lies_on_it_between_them():
    x = np.linspace(1.0, 2.0, 5)
    runs = np.stack([x, 3 * x - 1])
    asked = np.array([[1.5, 1.5, 2.1], [3.5, 3.6, 5.3]])
    assert in_hull(asked, runs).tolist() == [True, False, False]


def test_an_axis_at_one_value_is_left_by_any_other():
    runs = np.array([[1.0, 2.0, 3.0], [7.0, 7.0, 7.0]])
    assert in_hull(np.array([[2.5, 2.5], [7.0, 7.1]]), runs).tolist() == [True, False]


@pytest.mark.parametrize("value", [0.1, np.log(42e9), np.log(1e11)])
def test_runs_are_in_their_hull_where_the_mean_of_equal_values_is_rounded(value):
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(18.0, 22.0, 6), np.log([1.0, 2.0, 4.0, 8.0])))
    runs = np.stack([x, y, np.full(x.size, value)])
    assert in_hull(runs, runs).all()
    off = np.array([np.spacing(value), -np.spacing(value), 0.1 * HULL, 10 * HULL])
    asked = np.stack([np.full(4, 19.0), np.full(4, 0.5), value + off])
    assert in_hull(asked, runs).tolist() == [True, True, True, False]


def test_values_that_differ_by_their_rounding_are_one_value():
    value = np.log(42e9)
    runs = np.array([[1.0, 2.0, 3.0], [value, np.nextafter(value, 30), value]])
    assert in_hull(np.array([[2.5, 2.5], [value - 1e-14, value + 0.1]]), runs).tolist() == [True, False]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_sides_are_those_of_every_run(axes):
    runs = np.random.default_rng(axes).normal(size=(axes, 12))
    sides = hull_sides(runs)
    reached = sides[:, :-1] @ runs + sides[:, -1:]
    assert (reached <= HULL).all()
    assert np.abs(reached.max(axis=1)).max() < 1e-9  # each side touches a run
