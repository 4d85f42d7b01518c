"""What a forecast holds: one value per point and law."""

import numpy as np
import pandas as pd
import pytest

from scaling import Forecast, forecast
from scaling.forecasting.forecast import PARTS


def test_series_parts_and_weights_have_a_value_a_point_and_a_law(made: Forecast) -> None:
    assert made.points.N.tolist() == [3e10, 3e10]
    assert made.points.P.tolist() == [1.0, 8.0]
    for one in (made.loss, made.lower, made.upper):
        assert isinstance(one, pd.Series)
        assert one.size == 2
    assert (made.lower < made.loss).all()
    assert (made.loss < made.upper).all()
    assert list(made.parts) == list(PARTS)
    assert np.allclose(made.parts.sum(axis=1), 1.0)
    assert (made.parts >= 0).all(axis=None)
    assert made.weights.sum() == pytest.approx(1.0)
    assert made.weights.is_monotonic_decreasing
    assert set(made.weights.index) == set(made.laws)
    assert made.outside.tolist() == ["N", "N"]
    assert made.beyond[1] == pytest.approx(3e10 / 4.414502400e9, rel=1e-3)
    assert made.drift.loc["N", "windows"] == 5
    assert list(made.table) == ["N", "P", "loss", "lower", "upper", "beyond", "outside", *PARTS]
    with pytest.raises(AttributeError):
        made.level = 0.5  # type: ignore[misc]


def test_the_index_of_a_series_is_kept(pile: pd.DataFrame) -> None:
    asked = pile[pile.N > 4e9]
    assert forecast(pile, N=asked.N, P=asked.P).loss.index.equals(asked.index)
