"""The tables of written work are those of the committed runs."""

import pandas as pd
import pytest

from results.grids import worth_worked


@pytest.mark.parametrize(
    ("name", "made"), [("worked", worth_worked.worked_table), ("votes", worth_worked.votes_table)]
)
def test_the_committed_table_is_that_of_the_committed_runs(name, made):
    there = pd.read_csv(f"results/tables/worth_{name}.csv", comment="#")
    pd.testing.assert_frame_equal(made().rename_axis(columns=None), there, rtol=1e-6)
    assert {"P1", "P2", "P4", "r2", "r4"} == {*there["arm"]}


def test_arms_are_read_from_names():
    assert worth_worked.arms_of(pd.Series(["64x2", "64x2r4", "64x2"]), pd.Series([1.0, 1.0, 4.0])) == [
        "P1",
        "r4",
        "P4",
    ]
