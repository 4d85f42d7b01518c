"""Backtests: windows along an axis, and the errors of what was held out."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import FitError, ParallelLaw
from scaling.selection.backtest import Backtest
from tests.scaling.twenty_four_runs import N, P, made


@pytest.mark.slow
def test_extrapolation_in_N_is_far_worse_than_r2_suggests(report: Backtest, pile_fit: scaling.Fit) -> None:
    """Fitted below 2e9, the law's errors on the larger models have one sign."""
    row = report.table.iloc[-2]  # 2.8B and 4.4B unseen
    assert row.test == 8
    assert row.r2 == pytest.approx(0.94, abs=0.005)
    assert row.one_sided
    assert pile_fit.r2 > 0.997
    unseen = report.points[report.points.up_to == report.table.index[-2]]
    assert np.sign(unseen.error).abs().sum() == abs(np.sign(unseen.error).sum()) == 8


def test_extrapolation_in_P_holds(pile: pd.DataFrame) -> None:
    row = scaling.backtest(ParallelLaw, pile, by="P").table.iloc[-1]
    assert row.train == 18
    assert row.test == 6
    assert row.r2 == pytest.approx(0.996, abs=0.0011)


def test_backtest_numbers_by_hand() -> None:
    runs = made()
    report = scaling.backtest(ParallelLaw, runs, by="N", objective=scaling.LeastSquares())
    last = report.table.iloc[-1]
    seen = N.max() > N
    fit = scaling.fit(ParallelLaw, {k: v[seen] for k, v in runs.items()}, scaling.LeastSquares())
    error = runs["loss"][~seen] - fit.law.predict(N=N[~seen], P=P[~seen])
    assert last.bias == pytest.approx(error.mean(), rel=1e-9)
    assert last.rmse == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
    worth = fit.law.inverse(runs["loss"][~seen], P=P[~seen]) / N[~seen]
    assert last.multiplier == pytest.approx(np.median(worth), rel=1e-9)


@pytest.mark.slow
def test_intervals_of_the_true_law_hold_what_comes() -> None:
    squares = scaling.LeastSquares(log=True)
    held = [scaling.backtest(ParallelLaw, made(s), "N", squares).table.coverage.iloc[-1] for s in range(6)]
    assert np.mean(held) > 0.8


def test_backtest_by_compute_and_its_refusals() -> None:
    few = {k: v[N < 2e9] for k, v in made().items()}
    report = scaling.backtest(ParallelLaw, few, by="C", objective="log-least-squares")
    assert (np.diff(report.table.index) > 0).all()
    with pytest.raises(ValueError, match="by='Q'"):
        scaling.backtest(ParallelLaw, made(), by="Q")
    with pytest.raises(FitError, match=r"\bP\b.*\b2 "):
        scaling.backtest(ParallelLaw, {k: v[P < 4] for k, v in made().items()}, by="P")
    with pytest.raises(FitError, match=r"\bP\b.*\b1 "):
        scaling.backtest(ParallelLaw, {k: v[P < 2] for k, v in made().items()}, by="P")
