"""Registered forecasts, their score, and how they show themselves."""

import json

import pandas as pd
import pytest

from scaling import Forecast, forecast, score
from tests.scaling.forecast_runs import grid


# ---- registered -----------------------------------------------------------------------------
def test_a_forecast_survives_saving(made: Forecast, tmp_path: object) -> None:
    path = tmp_path / "forecast.json"  # type: ignore[operator]
    made.save(path)
    again = Forecast.load(path)
    pd.testing.assert_frame_equal(again.table, made.table)
    pd.testing.assert_frame_equal(again.drift, made.drift, check_dtype=False)
    assert again.laws == made.laws
    assert again.sentence == made.sentence
    assert again.data_hash == made.data_hash
    body = json.loads(path.read_text())
    assert {"date", "versions", "data_hash", "laws", "level"} <= set(body)
    body["lower"][0] -= 0.1
    path.write_text(json.dumps(body))
    with pytest.raises(ValueError, match=r"forecast\.json"):
        Forecast.load(path)
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"forecast\.json"):
        Forecast.load(path)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        Forecast.load(tmp_path / "none.json")  # type: ignore[operator]


def test_a_score_counts_what_is_inside_and_how_the_widening_should_change() -> None:
    made = forecast(grid(), N=[2e9, 4e9], D=1e10)
    at = made.points
    half = (made.upper - made.loss)[1]
    runs = at.assign(loss=[made.loss[0], made.loss[1] + 1.5 * half])
    found = score(made, runs)
    assert found.table.inside.tolist() == [True, False]
    assert found.coverage == 0.5
    assert found.widening == pytest.approx(1.5)
    width, miss = made.upper - made.lower, 0.5 * half
    assert found.score == pytest.approx((width[0] + width[1] + 40 * miss) / 2)
    near = score(made, at.assign(N=at.N * 1.01, loss=made.loss))
    assert near.coverage == 1.0
    assert near.widening == pytest.approx(0.0)
    with pytest.raises(ValueError, match="N=2B"):
        score(made, at.assign(N=at.N * 1.5, loss=made.loss))


def test_a_forecast_shows_itself(made: Forecast) -> None:
    for shown in (repr(made), made._repr_html_()):
        assert made.sentence[:20] in shown
        assert "AdditiveLaw" in shown
        assert "6.7958" in shown
    assert "<table" in made._repr_html_()
