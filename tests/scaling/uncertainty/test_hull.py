"""The convex hull of runs: inside, on a side, outside, and runs in a plane or on a line."""

import numpy as np
import pytest

from scaling.uncertainty.hull import hull_sides, in_hull

SQUARE = np.array([[0.0, 0, 2, 2, 1], [0.0, 2, 0, 2, 1]])


def test_points_of_a_square():
    asked = np.array([[1.0, 2.0, 0.0, 2.1, -0.1], [0.5, 1.0, 0.0, 1.0, 1.0]])
    assert list(in_hull(asked, SQUARE)) == [True, True, True, False, False]


def test_runs_on_a_line_leave_everything_beside_it_outside():
    line = np.array([[0.0, 1, 2], [0.0, 2, 4]])
    assert list(in_hull(np.array([[0.5, 0.5, 3.0], [1.0, 1.1, 6.0]]), line)) == [True, False, False]


def test_sides_are_at_most_zero_at_every_run_and_in_units_of_the_range():
    sides = hull_sides(SQUARE)
    assert (sides[:, :-1] @ SQUARE + sides[:, -1:]).max() == pytest.approx(0.0, abs=1e-12)
    far = np.array([[4.0], [1.0]])
    assert (sides[:, :-1] @ far + sides[:, -1:]).max() == pytest.approx(1.0)  # a range beyond the edge
