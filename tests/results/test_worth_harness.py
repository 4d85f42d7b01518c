"""The harness's accuracies of trained arms: they are our own, and their table is that of the committed runs."""

from pathlib import Path

import pandas as pd
import pytest

import scaling
from results.grids import worth_table
from results.grids.worth_harness import harness_table

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_harness_measured_what_the_runs_did_and_the_table_says_so():
    table = pd.read_csv(ROOT / "results/tables/worth_harness.csv", comment="#")
    sweep = ROOT / "results/sweeps/worth"
    found = harness_table(worth_table.named_arms(scaling.read_runs(sweep / "runs.parquet")), sweep)
    pd.testing.assert_frame_equal(found, table, check_dtype=False, rtol=1e-3)
    facts, sums = (table[table["task"] == task] for task in ("memory", "reasoning"))
    assert (
        facts["equal"] == facts["models"]
    ).all()  # a run asks all facts, and of the sums as many as its time allows
    assert 0 < sums["apart"].max() < 0.02
    assert (table["inside"] <= table["models"]).all()
