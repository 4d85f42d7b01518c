"""Refits with a quantity held: what none confirms is open."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.uncertainty.held_quantity import Held


def test_an_end_that_no_refit_confirms_is_open(monkeypatch: pytest.MonkeyPatch, pile: pd.DataFrame) -> None:
    """Also the interval of a new run, which has its middle part within."""
    refit = Held.refit

    def failing(self: Held, *given: object) -> object:
        found = refit(self, *given)  # type: ignore[arg-type]
        return type(found)(found.theta, np.full_like(found.rise, np.nan), found.slope, found.value, found.met & False,
                           found.arrived & False)  # fmt: skip

    fit = scaling.fit(scaling.ParallelLaw, pile, scaling.LeastSquares())
    monkeypatch.setattr(Held, "refit", failing)
    ends = fit.intervals()
    assert np.isinf(ends.upper["k"])
    assert np.isinf(ends.lower["E"]) or ends.lower["E"] == 0
    at = fit.predict(N=1e10, P=2).iloc[0]
    assert np.isinf(at.upper)
    assert np.isinf(at.new_upper)
    assert at.new_lower <= at.lower <= at.loss
