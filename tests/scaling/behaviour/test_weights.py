"""Rows that count more than once, or less, or not at all."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import Bootstrap, FitError, ParallelLaw
from tests.scaling.twenty_runs import TRUTH, runs

SQUARES = scaling.LeastSquares(log=True)


def test_weights_count_rows() -> None:
    table = runs()
    twice = pd.concat([table, table[:6]], ignore_index=True)
    weights = np.where(np.arange(len(table)) < 6, 2.0, 1.0)
    for objective in (scaling.LeastSquares(), scaling.LogHuber()):
        a = scaling.fit(ParallelLaw, twice, objective)
        b = scaling.fit(ParallelLaw, table, objective, weights=weights)
        assert a.objective_value == pytest.approx(b.objective_value, rel=1e-10)
        assert a.law.k == pytest.approx(b.law.k, rel=1e-6)


def test_a_weight_of_zero_leaves_a_row_out() -> None:
    table = runs()
    broken = table.copy()
    broken.loc[7, "loss"] = 30.0
    weights = (np.arange(len(table)) != 7).astype(float)
    fit = scaling.fit(ParallelLaw, broken, weights=weights)
    assert fit.excluded == 1
    assert fit.loss.size == len(table) - 1
    assert fit.law == scaling.fit(ParallelLaw, table.drop(index=7)).law


def test_standard_errors_weigh_rows() -> None:
    table = runs(0.0)
    table.loc[7, "loss"] *= 1.05
    table["loss_se"] = np.where(np.arange(len(table)) == 7, 1.0, 1e-3)
    fit = scaling.fit(ParallelLaw, table, scaling.LeastSquares(), se="loss_se")
    assert fit.law.k == pytest.approx(TRUTH.k, rel=1e-3)
    plain = scaling.fit(ParallelLaw, table, scaling.LeastSquares())
    assert abs(plain.law.k / TRUTH.k - 1) > 0.02


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"weights": np.ones(3)}, "weights.*3.*20"),
        ({"weights": np.zeros(20)}, "row 1.*0"),
        ({"weights": -np.ones(20)}, "weights.*1.*-1"),
        ({"se": np.r_[np.ones(4), 0.0, np.ones(15)]}, "se.*5.*0.*0"),
    ],
)
def test_refused_weights(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaling.fit(ParallelLaw, runs(), **keywords)


def test_a_bad_standard_error_is_counted_in_the_table() -> None:
    table = runs().assign(status=["failed"] * 2 + ["ok"] * 18, se=[1e-3] * 5 + [0.0] + [1e-3] * 14)
    with pytest.raises(ValueError, match=r"se.*6.*0"):
        scaling.fit(ParallelLaw, table, se="se")


def test_weights_that_leave_too_few_rows() -> None:
    with pytest.raises(FitError, match=r"2.*4.*ParallelLaw.*18"):
        scaling.fit(ParallelLaw, runs(), weights=np.eye(20)[0] + np.eye(20)[7])


def test_a_row_that_counts_twice_is_two_rows(pile: pd.DataFrame) -> None:
    weights = np.where(np.arange(24) % 3 == 0, 2.0, 1.0)
    twice = pile.loc[np.repeat(pile.index, weights.astype(int))].reset_index(drop=True)
    a = scaling.fit(ParallelLaw, pile, SQUARES, weights=weights, groups=False)
    b = scaling.fit(ParallelLaw, twice, SQUARES, groups=False)
    assert a.degrees_of_freedom == b.degrees_of_freedom == 28
    np.testing.assert_allclose(a.intervals(), b.intervals(), rtol=1e-3)


@pytest.mark.parametrize("kind", ["normal", "case"])
def test_a_bootstrap_of_rows_that_count_four_times(pile: pd.DataFrame, kind: str) -> None:
    four = scaling.fit(ParallelLaw, pile, SQUARES, weights=np.full(24, 4.0), groups=False)
    repeated = scaling.fit(ParallelLaw, pd.concat([pile] * 4, ignore_index=True), SQUARES, groups=False)
    boot = Bootstrap(400, kind=kind)
    width = [(f.intervals(0.9, boot).upper - f.intervals(0.9, boot).lower)["k"] for f in (four, repeated)]
    assert width[0] == pytest.approx(width[1], rel=0.25)
    assert (four.r2, four.rmse) == pytest.approx((repeated.r2, repeated.rmse))


def test_weights_that_are_no_counts_leave_a_fit_its_intervals(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, SQUARES, groups=np.arange(24) // 2, weights=np.full(24, 0.5))
    assert "profile likelihood" in repr(fit)
    large = scaling.fit(ParallelLaw, pile, SQUARES, weights=np.full(24, 9e4))
    assert (
        np.isfinite(large.intervals(method=Bootstrap(100, kind="case"))).all().all()
    )  # and no memory for it
