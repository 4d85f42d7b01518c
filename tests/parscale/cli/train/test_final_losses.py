"""Forecasts of a sweep's runs in training: checked against their final losses, and losers of a search named."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from parscale.cli.train.final_losses import final_losses, forecast_lines
from parscale.cli.train.status_command import states
from sweeps.store.checksums import read_parquet, write_parquet

FOLDER = Path(__file__).parents[4] / "results/sweeps/schedules"


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """The sweep of four schedules when three runs had ended and one was half-way: its states, and that run."""
    folder = tmp_path_factory.mktemp("sweeps") / "schedules"
    shutil.copytree(
        FOLDER, folder, ignore=shutil.ignore_patterns("checkpoints", "locks", "configs", "rows", "curves")
    )
    frame = states(folder)
    going = str(frame["run_id"].iloc[0])
    curves = read_parquet(folder / "curves.parquet")
    write_parquet(folder / "curves.parquet", curves[(curves["run_id"] != going) | (curves["step"] <= 366)])
    kept = frame.attrs
    frame = frame.assign(state=["running", *frame["state"][1:]])
    frame.attrs = kept
    return folder, frame, going


def test_a_run_in_training_is_forecast_with_those_that_ended(half):
    folder, frame, going = half
    found = final_losses(folder, frame)
    row = found.table.loc[going]
    assert (row["state"], row["of"]) == ("running", "validation")
    assert row["share"] == pytest.approx(0.5, abs=0.01)
    assert row["lower"] < frame["loss"].iloc[0] < row["upper"]
    assert "final validation loss" in forecast_lines(found, frame)[0]


def test_nothing_is_forecast_where_no_run_is_in_training(half):
    folder, frame, _ = half
    assert final_losses(folder, frame.assign(state="done")) is None
    assert final_losses(folder, pd.DataFrame({"state": [], "run_id": []})) is None
