"""Verdicts on published fits: the digits decide, and the committed table is what the code gives."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.atlas.entries import ENTRIES
from analysis.atlas.judged import Judged, judge, rounding

ROOT = Path(__file__).parents[3]
BY_NAME = {entry.name: entry for entry in ENTRIES}
TABLE = pd.read_csv(ROOT / "results/atlas/atlas.csv").set_index("entry")
NUMBERS = ("rows", "unseen", "ours", "excess", "within_rounding", "rmse", "gap_aicc", "covered", "mean_error")


@cache
def judged(name: str) -> Judged:
    return judge(BY_NAME[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_table_is_what_the_code_gives(name):
    found, shown = judged(name).row, TABLE.loc[name]
    for column in NUMBERS:
        np.testing.assert_allclose(
            found[column], shown[column], rtol=2e-3, atol=2e-7, err_msg=f"{name}: {column}"
        )
    for column in ("status", "rival", "law"):
        assert str(found[column]) == str(shown[column]).replace("nan", ""), column


def test_what_is_known_of_published_fits_comes_out():
    assert TABLE.excess["Gemstones, slim, delta 1e-4"] == pytest.approx(0.0277, abs=1e-4)
    assert TABLE.constants["ParScale, Stack-V2 Python"] == "reproduced to the printed digits"
    assert TABLE.status["precision, QuEST"] == "at bound"
    assert (TABLE.excess.dropna() > -1e-9).all()  # nothing published is lower than ours
    assert (TABLE.within_rounding.dropna() <= TABLE.excess.dropna() + 1e-12).all()


@pytest.mark.slow
def test_the_cost_that_quest_prints_and_what_its_alpha_owes_to_E():
    found = judged("precision, QuEST")
    at_printed = found.fit.objective_value * (1 + found.excess)
    assert 0.5e-6 * at_printed == pytest.approx(7.38431448e-10, rel=2e-4)  # of its printed digits
    assert found.fit.params["alpha"] == pytest.approx(0.0627, abs=1e-4)
    assert found.held is not None
    assert found.held.params["alpha"] == pytest.approx(0.097, abs=5e-4)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-1e4, max_value=1e4))
def test_a_printed_number_lies_within_its_rounding_and_its_neighbours_do_not(value):
    low, high = rounding(str(value))
    assert low <= float(value) <= high
    assert not low <= float(value) + 1.1e-5 <= high
