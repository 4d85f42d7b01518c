"""What a forecast rests on: the pool, what neighbours share, the drift."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scaling
from scaling import ChinchillaLaw, Forecast, forecast
from scaling.forecasting.discrepancy import discrepancy
from scaling.forecasting.drift import PRIOR, change_beyond, drift_along, reach
from scaling.forecasting.pooling import Mixture, member, refitted, weights
from scaling.optimise.multi_start import solve
from scaling.optimise.problem import Problem
from tests.scaling.forecast_runs import TRUTH, grid


@pytest.fixture(scope="module")
def pile() -> pd.DataFrame:
    runs = scaling.read_runs("results/published/losses.csv")
    return runs[runs.corpus == "pile"].reset_index(drop=True)


@pytest.fixture(scope="module")
def made(pile: pd.DataFrame) -> Forecast:
    return forecast(pile, N="30B", P=[1, 8])


# ---- what it rests on -----------------------------------------------------------------------
def test_a_mixture_s_quantiles_are_those_of_its_distribution() -> None:
    one = Mixture(np.array([[0.7, -1.0]]), np.array([[0.3, 2.0]]), np.array([4.0]), np.array([1.0]))
    assert one.quantile(0.975) == pytest.approx(stats.t(4, [0.7, -1.0], [0.3, 2.0]).ppf(0.975), abs=1e-5)
    two = Mixture(
        np.array([[0.0], [5.0]]), np.full((2, 1), 0.01), np.array([30.0, 30.0]), np.array([0.6, 0.4])
    )
    assert two.quantile(0.9)[0] == pytest.approx(5 + 0.01 * stats.t(30).ppf(0.75), abs=1e-5)


def _member(runs: pd.DataFrame, law: type[scaling.Law] = ChinchillaLaw) -> object:
    x = tuple(runs[axis].to_numpy() for axis in law.axes)
    problem = Problem(law, x, runs.loss.to_numpy(), np.ones(len(runs)), scaling.LeastSquares(log=True))
    return member(problem, solve(problem).theta)


def test_laws_fitted_to_some_of_the_rows_are_those_fitted_to_them_alone() -> None:
    runs = grid()
    one = _member(runs)
    keeps = [(cut > runs.N).to_numpy() for cut in (1.2e7, 1e8, 3e8)]
    few, *others = refitted([one], keeps)
    assert keeps[0].sum() == 4
    assert few == []  # of five parameters
    for keep, found in zip(keeps[1:], others, strict=True):
        alone = _member(runs[keep])
        points = {"N": np.array([4e8, 1e7]), "D": np.array([2e10, 2e10])}
        assert found[0].log_loss(points) == pytest.approx(alone.log_loss(points), abs=2e-5)
        assert found[0].rows == keep.sum()


def test_half_the_weight_is_akaike_s_and_half_is_flattened() -> None:
    members = [_member(grid(), law) for law in (ChinchillaLaw, scaling.EqualExponentsLaw, scaling.NoFloorLaw)]
    gap = np.array([one.aicc for one in members]) - min(one.aicc for one in members)
    half = [np.exp(-gap * power / 2) / np.exp(-gap * power / 2).sum() for power in (1.0, 0.25)]
    assert weights(members) == pytest.approx((half[0] + half[1]) / 2)


def test_a_member_s_spread_is_the_covariance_s() -> None:
    runs = grid()
    fit = scaling.fit(ChinchillaLaw, runs, scaling.LeastSquares(log=True))
    found = fit.predict(N=4e9, D=1e10, method=scaling.Covariance())
    half = float(np.log(found.upper[0] / found.loss[0]))
    t = stats.t(len(runs) - 5).ppf(0.975)
    spread = member(fit.problem, fit.theta).spread({"N": np.array([4e9]), "D": np.array([1e10])})[0]
    assert t * spread == pytest.approx(half, rel=0.05)


def test_what_runs_at_two_sizes_cannot_tell_is_not_known() -> None:
    two = grid(sizes=2)
    far, near = {"N": np.array([4e9]), "D": np.array([1e10])}, {a: two[a].to_numpy() for a in ("N", "D")}
    assert not _member(two).tells(far).any()
    assert _member(two).tells(near).all()
    assert _member(grid(sizes=3)).tells(far).all()
    assert _member(two, scaling.NoFloorLaw).tells(far).all()
    found = forecast(two, N=4e9, D=1e10)
    assert "ChinchillaLaw" not in found.laws
    assert "NoFloorLaw" in found.laws
    assert any("ChinchillaLaw" in note for note in found.notes)


def test_errors_that_neighbours_share_are_carried_over() -> None:
    """Errors that rise along N and D together, which an additive law cannot follow."""
    runs, corner = grid(noise=0.0002), {"N": np.array([4e8]), "D": np.array([1.8e10])}
    logs, at = np.log(runs[["N", "D"]].to_numpy()), np.log([[4e8, 1.8e10]])
    low, width = logs.min(0), np.ptp(logs, axis=0)
    where, there = (logs - low) / width, (at - low) / width
    miss = 0.01 * ((where - 0.5).prod(1)), 0.01 * ((there - 0.5).prod(1))
    one, plain = _member(runs.assign(loss=runs.loss * np.exp(miss[0]))), _member(runs)
    found, none = (discrepancy(m, where, there, corner) for m in (one, plain))
    assert found.shared[0] > 10 * none.shared[0]
    truth = np.log(TRUTH.predict(N=4e8, D=1.8e10)) + miss[1][0]
    before, after = (abs(one.log_loss(corner)[0] + c - truth) for c in (0.0, found.correction[0]))
    assert after < 0.2 * before


def test_reach_and_change_are_zero_within_the_runs() -> None:
    runs = grid()
    within = {"N": runs.N.to_numpy(), "D": runs.D.to_numpy()}
    points = {"N": np.array([1e8, 4.3e9]), "D": np.array([1e10, 1e10])}
    assert reach(within, points, "N", 1) == pytest.approx([0.0, np.log(10)])
    change = change_beyond([_member(runs)], np.ones(1), within, points, "N", 1)
    law = _member(runs).law
    rate = np.log(law.predict(N=4.3e8 * np.exp(0.1), D=1e10) / law.predict(N=4.3e8, D=1e10)) / 0.1
    assert change == pytest.approx([0.0, rate * np.log(10)])
    least = change_beyond(
        [_member(runs)], np.ones(1), within, {"N": np.array([4.4e8]), "D": np.array([1e10])}, "N", 1
    )
    assert least[0] == pytest.approx(np.log(law.predict(N=4.4e8, D=1e10) / law.predict(N=4.3e8, D=1e10)))


def test_windows_that_miss_raise_kappa_and_windows_that_hold_lower_it() -> None:
    """Losses that stop falling beyond 1e8, which no law of the pool knows, against the truth's own law."""
    runs = grid(noise=0.0003, sizes=9)
    flat = runs.assign(loss=TRUTH.predict(N=np.minimum(runs.N, 1e8), D=runs.D))
    within = {"N": runs.N.to_numpy(), "D": runs.D.to_numpy()}
    good, bad = (drift_along([_member(table)], within, "N", 1) for table in (runs, flat))
    assert good.kappa < PRIOR * 1.3 < bad.kappa
    assert bad.mean < -0.1 < good.mean < 0.1


def test_without_a_window_the_prior_stands_and_it_is_said(pile: pd.DataFrame) -> None:
    few = forecast(pile.iloc[[0, 1, 2, 4, 9]], N=30e9, P=8)
    assert few.drift.windows.tolist() == [0]
    assert np.isnan(few.drift.share.iloc[0])
    assert few.drift.kappa.iloc[0] > PRIOR
    assert any("no window" in note for note in few.notes)
    assert "public tables" in few.sentence


def test_many_rows_are_sampled_and_it_is_said() -> None:
    rng = np.random.default_rng(3)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e9), 5000)), np.exp(rng.uniform(21, 25, 5000))
    runs = pd.DataFrame(
        {"N": N, "D": D, "loss": TRUTH.predict(N=N, D=D) * np.exp(0.01 * rng.standard_normal(5000))}
    )
    found = forecast(runs, N=5e9, D=1e11, laws=[ChinchillaLaw])
    assert found.rows == 5000
    assert any("2,000 of 5,000" in note for note in found.notes)


def test_a_warning_is_never_let_out() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecast(grid(), N=[1e6, 1e12], D=[1e8, 1e14])
