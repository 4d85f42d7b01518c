"""Exponents of optima: ours against the printed ones."""

import pytest

from analysis.atlas.exponents import all_exponents


def test_exponents_of_optima_are_those_that_are_printed_or_hold_them():
    found = {one.name: one.constants.set_index("parameter") for one in all_exponents()}
    budgets = found["nanochat, all parameters"]
    assert budgets.ours["N"] == pytest.approx(0.37, abs=0.01)
    assert budgets.lower["N"] < 0.37 < budgets.upper["N"]
    tuned = found["best learning rate and batch, Step Law"]
    assert tuned.ours["lr by N"] == pytest.approx(-0.725, abs=2e-3)
    for one in all_exponents()[:3]:
        assert (one.constants.lower <= one.constants.ours).all()
        assert "reproduced" in one.row["constants"]
    assert all_exponents()[3].row["constants"].startswith("3 of 3")
