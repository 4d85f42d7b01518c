"""How far a law drifts beyond the runs: estimated from windows, otherwise the prior."""

import re

import numpy as np
import pandas as pd
import pytest

from scaling import forecast
from scaling.forecasting.drift import PRIOR, change_beyond, drift_along, reach
from tests.scaling.forecast_runs import TRUTH, grid, member_of


def test_reach_and_change_are_zero_within_the_runs() -> None:
    runs = grid()
    within = {"N": runs.N.to_numpy(), "D": runs.D.to_numpy()}
    points = {"N": np.array([1e8, 4.3e9]), "D": np.array([1e10, 1e10])}
    assert reach(within, points, "N", 1) == pytest.approx([0.0, np.log(10)])
    change = change_beyond([member_of(runs)], np.ones(1), within, points, "N", 1)
    law = member_of(runs).law
    rate = np.log(law.predict(N=4.3e8 * np.exp(0.1), D=1e10) / law.predict(N=4.3e8, D=1e10)) / 0.1
    assert change == pytest.approx([0.0, rate * np.log(10)])
    least = change_beyond(
        [member_of(runs)], np.ones(1), within, {"N": np.array([4.4e8]), "D": np.array([1e10])}, "N", 1
    )
    assert least[0] == pytest.approx(np.log(law.predict(N=4.4e8, D=1e10) / law.predict(N=4.3e8, D=1e10)))


def test_windows_that_miss_raise_kappa_and_windows_that_hold_lower_it() -> None:
    """Losses that stop falling beyond 1e8, which no law of the pool knows, against the truth's own law."""
    runs = grid(noise=0.0003, sizes=9)
    flat = runs.assign(loss=TRUTH.predict(N=np.minimum(runs.N, 1e8), D=runs.D))
    within = {"N": runs.N.to_numpy(), "D": runs.D.to_numpy()}
    good, bad = (drift_along([member_of(table)], within, "N", 1) for table in (runs, flat))
    assert good.kappa < PRIOR * 1.3 < bad.kappa
    assert bad.mean < -0.1 < good.mean < 0.1


def test_without_a_window_the_prior_stands_and_it_is_said(pile: pd.DataFrame) -> None:
    few = forecast(pile.iloc[[0, 1, 2, 4, 9]], N=30e9, P=8)
    assert few.drift.windows.tolist() == [0]
    assert np.isnan(few.drift.share.iloc[0])
    assert few.drift.kappa.iloc[0] > PRIOR
    assert any(re.search(rf"\b{few.drift.index[0]}\b", note) for note in few.notes)
