"""Final losses of runs in training: covered by their intervals, corrected by runs that ended, losers named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.curves.curve_table import curves_of
from scaling.curves.final_forecast import forecast_end, forecast_finals
from tests.scaling.curves.curve_cases import TRUTH, curve


@pytest.fixture(scope="module")
def sweep():
    """Seven runs of one schedule that differ in L0, with validation losses 0.1 above. The last two are in training."""
    made = {}
    for i in range(7):
        truth = TRUTH | {"L0": 2.87 + 0.05 * i, "B": 380.0 + 9 * i}
        made[f"run {i}"] = replace(curve("linear", 0.004, i, truth=truth), run=f"run {i}")
    return made


@pytest.fixture(scope="module")
def found(sweep):
    going = {name: c.until(3300) if name in ("run 5", "run 6") else c for name, c in sweep.items()}
    finals = {name: c.losses[-3:].mean() + 0.1 for name, c in sweep.items() if going[name] is c}
    return forecast_finals(going, {name: c.schedule for name, c in sweep.items()}, finals=finals)


def test_runs_that_ended_correct_a_forecast(sweep, found):
    row = found.table.loc["run 6"]
    assert (row["state"], row["of"]) == ("running", "validation")
    assert row["share"] == pytest.approx(0.55)
    assert row["lower"] < sweep["run 6"].losses[-3:].mean() + 0.1 < row["upper"]
    assert row["upper"] - row["lower"] < 0.1


def test_runs_that_cannot_win_are_named(found):
    assert found.cannot_win() == ["run 5", "run 6"]
    assert found.table["wins"].sum() == pytest.approx(1.0)


def test_rivals_compete_among_themselves(sweep):
    going = {name: c.until(3300) for name, c in sweep.items()}
    planned = {name: c.schedule for name, c in sweep.items()}
    made = forecast_finals(going, planned, rivals={name: name for name in planned})
    assert made.cannot_win() == []
    assert (made.table["wins"] == 1).all()
    assert set(made.table["of"]) == {"training"}


def test_a_run_too_young_has_no_forecast_and_says_so(sweep):
    young = {"run 0": sweep["run 0"].until(800)}
    made = forecast_finals(young, {"run 0": sweep["run 0"].schedule, "late": sweep["run 1"].schedule})
    assert made.table["final"].isna().all()
    assert list(made.table["state"]) == ["running", "not begun"]
    assert "8 checkpoints" in made.table.loc["run 0", "note"]
    assert made.cannot_win() == []


def test_a_run_that_diverged_has_no_forecast_and_says_so(sweep):
    going = pd.DataFrame({"run": "run 0", "step": sweep["run 0"].steps[:30], "loss": 3.0})
    bad = going.assign(run="run 1", loss=np.where(going["step"] > 2000, 9.0, 3.0))
    planned = {name: sweep[name].schedule for name in ("run 0", "run 1")}
    made = forecast_finals(pd.concat([going, bad]), planned, schedules=planned).table
    assert list(made["state"]) == ["running", "left out"]
    assert "diverged" in made["note"]["run 1"]
    assert forecast_finals(bad, planned, schedules=planned).table["final"].isna().all()


def test_public_runs_are_held_from_half_their_steps():
    table = scaling.published("loss-curves")
    curves = curves_of(table[table["model_M"] == 100], run="schedule", warmup=2160)
    held = []
    for one in curves.values():
        lower, middle, upper = np.quantile(
            forecast_end(one.until(0.5 * one.schedule.end), one.schedule), [0.025, 0.5, 0.975]
        )
        held.append(lower <= one.losses[-5:].mean() <= upper)
        assert abs(middle - one.losses[-1]) < 0.07
    assert sum(held) >= 8


def test_forecasts_are_seeded(sweep):
    one = sweep["run 2"].until(3000)
    again = [forecast_end(one, one.schedule, seed) for seed in (0, 0, 1)]
    assert np.array_equal(again[0], again[1])
    assert np.median(again[0]) == pytest.approx(np.median(again[2]), abs=0.01)
