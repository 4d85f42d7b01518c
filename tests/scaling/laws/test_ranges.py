"""Ranges of nonlinear parameters: starts, and narrower bounds that hold them."""

import numpy as np
import pytest

from scaling.laws.ranges import EXPONENT, Range


def test_starts_are_geometric_from_low_to_high():
    starts = Range(0.03, 2.43, steps=5).starts()
    np.testing.assert_allclose(starts, [0.03, 0.09, 0.27, 0.81, 2.43])
    assert Range(0.7, 0.7, steps=9).starts().tolist() == [0.7]


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.0, 0.2), (0.3, 0.7), (0.5, np.inf), (0.0, 1e-3), (3.0, 5.0), (0.0, 0.0)]
)
def test_starts_lie_within_narrower_bounds(lower, upper):
    narrow = EXPONENT.within(lower, upper)
    assert (narrow.lower, narrow.upper) == (lower, upper)
    assert narrow.steps == EXPONENT.steps
    assert lower <= narrow.low <= narrow.high <= upper
    assert ((narrow.starts() >= lower) & (narrow.starts() <= upper * (1 + 1e-12))).all()


def test_starts_that_are_within_stay_where_they_were():
    assert EXPONENT.within(1e-3, 5.0) == Range(0.02, 1.6, 14, 1e-3, 5.0)


def test_a_start_outside_moves_to_the_bound_and_one_inside_stays():
    assert Range(1.0, 4.0).within(0.0, 1e-3).low == pytest.approx(1e-3)
    assert Range(1e-9, 4.0).within(0.0, 10.0).low == 1e-9
