"""The multi-power law in the atlas: its printed constants, objective and forecasts."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.atlas.curve_entries import NAME, judged_curves

TABLE = pd.read_csv(Path(__file__).parents[3] / "results/atlas/atlas.csv").set_index("entry")


@pytest.fixture(scope="module")
def both():
    return {one.name: one for one in judged_curves()}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "times", "within"), [(25, 2.2, 2.0247), (100, 18.7, 17.3)])
def test_the_printed_constants_are_above_the_least_objective_as_committed(both, model, times, within):
    one = both[NAME.format(model)]
    assert one.times == pytest.approx((times, within), rel=0.01)
    assert TABLE.loc[one.name, "within_rounding"] == pytest.approx(one.times[1] - 1, rel=2e-3)
    assert TABLE.loc[one.name, "covered"] == one.ahead["inside"].mean() == 1
    assert list(TABLE.loc[one.name, ["constants", "forecast"]]) == [one.constants_say, one.forecast_says]
    assert len(one.constants) == 7
    assert not one.constants["reproduced"].any()


@pytest.mark.slow
def test_the_printed_constants_forecast_other_schedules_better_than_the_refit(both):
    for one in both.values():
        mean = one.errors.mean()
        assert mean["as printed"] < mean["refitted"]
        assert len(one.errors) == 6
    assert both[NAME.format(25)].errors.mean()["as printed"] == pytest.approx(0.00395, abs=2e-5)
    assert "AnnealingLaw" in both[NAME.format(25)].rival_says
    assert "AnnealingLaw" in both[NAME.format(100)].rival_says
