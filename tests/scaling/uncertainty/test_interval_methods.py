"""What the interval methods share: slopes, spreads, leverage."""

import numpy as np

import scaling
from scaling.uncertainty.interval_methods import slopes


def test_an_infinite_quantity_has_no_slope_and_no_warning(fit: scaling.Fit) -> None:
    infinite = slopes(fit.problem, fit.theta[None], lambda law: np.full(np.shape(law.k), np.inf))
    assert np.isnan(infinite).all()
