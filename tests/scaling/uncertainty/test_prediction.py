"""Predictions and equivalent sizes with their intervals."""

import numpy as np
import pytest

import scaling
from scaling import ChinchillaLaw, ParallelLaw
from scaling.uncertainty.interval_methods import t_quantile

PLAIN = {"method": "covariance", "widened": False}  # where intervals do not matter


@pytest.mark.slow
def test_predictions_of_a_table(pile, pile_fit):
    table = pile.sample(frac=1, random_state=3)
    found = pile_fit.predict(table)
    assert list(found.index) == list(table.index)
    np.testing.assert_allclose(table["loss"] - found["loss"], pile_fit.residuals[table.index], atol=1e-12)
    again = pile_fit.predict(N=table["N"], P=table["P"])
    assert found.reset_index(drop=True).equals(again)
    narrow = pile_fit.predict({"N": [1e9], "P": [4]}, level=0.5, method="covariance").iloc[0]
    wide = pile_fit.predict([{"N": 1e9, "P": 4}], level=0.95, method="covariance").iloc[0]
    assert wide.lower < narrow.lower < narrow.loss < narrow.upper < wide.upper
    assert pile_fit.predict({"N": [1e9, 2e9], "P": 4}).equals(pile_fit.predict(N=[1e9, 2e9], P=4))
    assert len(pile_fit.predict({"N": 1e9, "P": 4})) == 1
    assert list(pile_fit.predict(pile.head(3)[["N"]], P=8)["P"]) == [8, 8, 8]


def test_equivalent_sizes_have_intervals(pile_fit):
    row = pile_fit.equivalent_N(N=2.8e9, P=4).iloc[0]
    assert row.equivalent_N == pytest.approx(2.8e9 * (pile_fit.law.k * np.log(4) + 1))
    k = pile_fit.intervals().loc["k"]
    assert row.lower == pytest.approx(2.8e9 * (k.lower * np.log(4) + 1), rel=1e-4)
    assert row.upper == pytest.approx(2.8e9 * (k.upper * np.log(4) + 1), rel=1e-4)
    several = pile_fit.equivalent_N([1e9, 2e9], 8, at_P=2, level=0.5, method="covariance")
    assert list(several["multiple"]) == pytest.approx(
        [(pile_fit.law.k * np.log(8) + 1) / (pile_fit.law.k * np.log(2) + 1)] * 2
    )
    wide = pile_fit.equivalent_N([1e9, 2e9], 8, at_P=2, level=0.95, method="covariance")
    assert (wide["lower"] < several["lower"]).all()
    assert (wide["upper"] > several["upper"]).all()
    same = pile_fit.equivalent_N(1e9, 4, at_P=4).iloc[0]
    assert (same.lower, same.equivalent_N, same.upper) == pytest.approx((1e9, 1e9, 1e9))


def test_equivalent_sizes_of_a_law_with_data():
    rng = np.random.default_rng(5)
    grid = np.array(np.meshgrid([1e8, 3e8, 1e9, 3e9], [1, 2, 4, 8], [2e9, 8e9, 3e10])).reshape(3, -1)
    law = scaling.ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.287, beta=0.277)
    table = dict(zip("NPD", grid, strict=True))
    table["loss"] = law.predict(**table) * np.exp(1e-3 * rng.standard_normal(grid.shape[1]))
    fit = scaling.fit("parallel-data", table, "log-least-squares")
    row = fit.equivalent_N(N=1e9, P=4, D=2e10).iloc[0]
    k = fit.intervals().loc["k"]
    assert row.lower == pytest.approx(1e9 * (k.lower * np.log(4) + 1), rel=1e-3)
    assert row.D == 2e10


def test_new_runs_scatter_more_than_the_mean(fit: scaling.Fit) -> None:
    at = fit.predict(N=2.8e9, P=4).iloc[0]
    half, new = (at.upper - at.lower) / 2, (at.new_upper - at.new_lower) / 2
    expected = np.hypot(half, t_quantile(fit, 0.95) * fit.noise * at.loss)
    assert new == pytest.approx(expected, rel=0.01)


def test_a_point_between_the_runs_axes_is_inside_only_in_their_hull(pile):
    fit = scaling.fit(ParallelLaw, pile[(pile["N"] < 2e9) | (pile["P"] == 1)])
    points = fit.predict(N=[1e9, 4e9, 4e9, 4.4e10, 1e9], P=[4, 1, 4, 1, 16], **PLAIN)
    assert list(points["inside"]) == [True, True, False, False, False]
    assert points["beyond"].to_numpy() == pytest.approx([1, 1, 1, 4.4e10 / pile["N"].max(), 2], rel=0.02)


def test_one_size_or_one_line_has_a_hull_too(pile):
    one = scaling.fit(scaling.DenseLaw, pile[pile["P"] == 1])
    assert list(one.predict(N=[1e9, 1e10], **PLAIN)["inside"]) == [True, False]
    N = np.geomspace(1e8, 1e10, 12)
    runs = {"N": N, "D": 20 * N, "loss": 1.7 + 400 / N**0.34 + 410 / (20 * N) ** 0.28}
    two = scaling.fit(ChinchillaLaw.with_fixed(beta=0.28), runs, "log-least-squares")
    assert list(two.predict(N=1e9, D=[2e10, 3e10], **PLAIN)["inside"]) == [True, False]
