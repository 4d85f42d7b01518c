"""Sensitivity to one parameter: the others refitted with it held, one row per value."""

import numpy as np
import pytest

import scaling


@pytest.fixture(scope="module")
def one(losses):
    return scaling.fit("dense", losses.query("corpus == 'pile' and P == 1"), "least-squares")


def test_each_row_is_the_fit_with_the_value_held(one):
    values = [0.8, float(one.law.E), 1.2]
    found = one.sensitivity("E", values)
    held = scaling.fit(
        "dense", {"N": one.axes["N"], "loss": one.loss}, one.problem.objective, fixed={"E": 0.8}
    )
    np.testing.assert_allclose(
        found.loc[0.8, ["A", "alpha"]].astype(float), [held.law.A, held.law.alpha], rtol=1e-6
    )
    assert found.rmse.iloc[1] == pytest.approx(one.rmse, rel=1e-6)
    assert found.sort_index().alpha.is_monotonic_increasing  # a higher floor needs a steeper fall
    assert (found.rmse >= one.rmse * (1 - 1e-9)).all()


def test_aicc_is_compared_with_the_same_count_of_parameters(one):
    """Six rows, where one parameter fewer lowers AICc by 30."""
    found = one.sensitivity("E", [float(one.law.E), 0.9 * one.law.E])
    assert found.delta_aicc.iloc[0] == pytest.approx(0, abs=1e-4)
    assert found.delta_aicc.iloc[1] == pytest.approx(12 * np.log(found.rmse.iloc[1] / one.rmse))
    assert found.delta_aicc.iloc[1] > 0


def test_wrong_names_and_values_are_refused(one):
    with pytest.raises(ValueError, match="'gamma'"):
        one.sensitivity("gamma", [1.0])
    with pytest.raises(ValueError, match=r"alpha.*-1"):
        one.sensitivity("alpha", [-1.0])
