"""Forecasts: what they hold, what they refuse, and what they say."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scaling
from scaling import ChinchillaLaw, Forecast, ParallelLaw, forecast, score
from scaling.discrepancy import discrepancy
from scaling.drift import PRIOR, change_beyond, drift_along, reach
from scaling.forecasting import PARTS, Tuned, beyond_runs
from scaling.pooling import Mixture, member, quick_member, weights
from scaling.problem import Problem

TRUTH = ChinchillaLaw(E=1.73, A=406.0, B=391.0, alpha=0.337, beta=0.283)


def grid(truth: scaling.Law = TRUTH, noise: float = 0.003, seed: int = 7, sizes: int = 6) -> pd.DataFrame:
    """Runs at sizes from 1.1e7 to 4.3e8 and four budgets."""
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1.1e7, 4.3e8, sizes), np.geomspace(1.3e9, 1.9e10, 4)))
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"N": N, "D": D, "loss": truth.predict(N=N, D=D) * np.exp(noise * rng.standard_normal(N.size))}
    )


@pytest.fixture(scope="module")
def pile() -> pd.DataFrame:
    runs = scaling.read_runs("results/published/losses.csv")
    return runs[runs.corpus == "pile"].reset_index(drop=True)


@pytest.fixture(scope="module")
def made(pile: pd.DataFrame) -> Forecast:
    return forecast(pile, N="30B", P=[1, 8])


# ---- what is returned -----------------------------------------------------------------------
def test_series_parts_and_weights_have_a_value_a_point_and_a_law(made: Forecast) -> None:
    assert made.points.N.tolist() == [3e10, 3e10]
    assert made.points.P.tolist() == [1.0, 8.0]
    for one in (made.loss, made.lower, made.upper):
        assert isinstance(one, pd.Series)
        assert one.size == 2
    assert (made.lower < made.loss).all()
    assert (made.loss < made.upper).all()
    assert list(made.parts) == list(PARTS)
    assert np.allclose(made.parts.sum(axis=1), 1.0)
    assert (made.parts >= 0).all(axis=None)
    assert made.weights.sum() == pytest.approx(1.0)
    assert made.weights.is_monotonic_decreasing
    assert set(made.weights.index) == set(made.laws)
    assert made.outside.tolist() == ["N", "N"]
    assert made.beyond[1] == pytest.approx(3e10 / 4.414502400e9, rel=1e-3)
    assert made.drift.loc["N", "windows"] == 5
    assert list(made.table) == ["N", "P", "loss", "lower", "upper", "beyond", "outside", *PARTS]
    with pytest.raises(AttributeError):
        made.level = 0.5  # type: ignore[misc]


def test_a_point_is_forecast_alike_alone_and_among_others(made: Forecast, pile: pd.DataFrame) -> None:
    alone = forecast(pile, N=30e9, P=8)
    assert alone.lower[0] == pytest.approx(made.lower[1], rel=1e-12)
    assert alone.upper[0] == pytest.approx(made.upper[1], rel=1e-12)


def test_the_index_of_a_series_is_kept(pile: pd.DataFrame) -> None:
    asked = pile[pile.N > 4e9]
    assert forecast(pile, N=asked.N, P=asked.P).loss.index.equals(asked.index)


def test_the_interval_widens_with_level_and_with_reach() -> None:
    runs = grid()
    narrow, wide = (forecast(runs, N=4e9, D=1e10, level=level) for level in (0.8, 0.99))
    assert wide.lower[0] < narrow.lower[0] < narrow.upper[0] < wide.upper[0]
    width = np.diff(
        np.log(forecast(runs, N=[4e8, 2e9, 1e10, 5e10], D=1e10).table[["lower", "upper"]])
    ).ravel()
    assert (np.diff(width) > 0).all()
    sure = forecast(runs, N=[4e8, 5e10], D=1e10, tuned=Tuned(prior=1e-9))
    without = np.diff(np.log(sure.table[["lower", "upper"]])).ravel()
    assert without[0] == pytest.approx(width[0], rel=1e-6)
    assert without[1] < 0.95 * width[3]


def test_a_point_within_the_runs_is_not_widened() -> None:
    runs = grid()
    inside = forecast(runs, N=1e8, D=1e10)
    assert inside.parts["the law's form"][0] == 0
    assert inside.beyond[0] == 1
    assert inside.outside[0] == ""
    assert inside.drift.empty
    assert "within the runs" in inside.sentence
    far = forecast(runs, N=1e8, D=1e10, tuned=Tuned(prior=10.0))
    assert far.upper[0] == pytest.approx(inside.upper[0], rel=1e-12)


def test_compute_alone_can_leave_the_runs() -> None:
    runs = grid()
    ladder = runs[runs.N * runs.D < 1e18]
    corner = forecast(ladder, N=ladder.N.max(), D=ladder.D.max())
    assert corner.outside[0] == "C"
    assert corner.beyond[0] > 1.5
    assert corner.parts["the law's form"][0] > 0


def test_the_truth_is_held_where_it_is_one_of_the_laws() -> None:
    held = []
    for seed in range(8):
        found = forecast(grid(seed=seed), N=[2e9, 1e10], D=[2e10, 1e11])
        truth = TRUTH.predict(N=found.points.N, D=found.points.D)
        held += list((found.lower < truth) & (truth < found.upper))
    assert np.mean(held) >= 0.9


def test_a_truth_that_is_none_of_the_laws_is_held() -> None:
    held = []
    for seed in range(6):
        runs = grid(seed=seed)
        x = np.log(runs.N / 1e7)
        runs["loss"] = (1.6 + 1.5 * np.exp((-0.35 + 0.02 * x) * x) + 0.6 * (runs.D / 1e9) ** -0.3) * np.exp(
            0.003 * np.random.default_rng(seed).standard_normal(len(runs))
        )
        found, y = forecast(runs, N=2e9, D=2e10), np.log(2e9 / 1e7)
        truth = 1.6 + 1.5 * np.exp((-0.35 + 0.02 * y) * y) + 0.6 * 20**-0.3
        held.append(found.lower[0] < truth < found.upper[0])
    assert np.mean(held) >= 0.8


def test_the_paper_s_larger_models_are_held() -> None:
    runs = scaling.read_runs("results/published/losses.csv")
    for _, rows in runs.groupby("corpus"):
        large = rows[rows.N > 2e9]
        found = forecast(rows[rows.N < 2e9], N=large.N, P=large.P)
        assert ((found.lower <= large.loss) & (large.loss <= found.upper)).all()


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
    found = quick_member(
        Problem(law, x, runs.loss.to_numpy(), np.ones(len(runs)), scaling.LeastSquares(log=True))
    )
    assert found is not None
    return found


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
    expected = np.log(law.predict(N=4.3e9, D=1e10) / law.predict(N=4.3e8, D=1e10))
    assert change == pytest.approx([0.0, expected])


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


def test_one_law_s_prediction_interval_is_widened_alike(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(log=True))
    one = beyond_runs(fit, {"N": [30e9, 1e9], "P": [8, 2]}, 0.95)
    pooled = forecast(pile, N=[30e9, 1e9], P=[8, 2], laws=[ParallelLaw])
    assert one.lower.to_numpy() == pytest.approx(pooled.lower.to_numpy(), rel=1e-4)
    assert one.beyond.tolist() == pytest.approx([3e10 / pile.N.max(), 1.0])


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


# ---- what is refused ------------------------------------------------------------------------
@pytest.mark.parametrize("level", [0, 1, -0.1, 95, "0.95", None])
def test_a_level_that_is_none_is_refused(pile: pd.DataFrame, level: object) -> None:
    with pytest.raises(ValueError, match=f"level={level!r}"):
        forecast(pile, N=30e9, P=8, level=level)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ({}, "N="),
        ({"N": 30e9}, "P="),
        ({"N": 30, "P": 8}, "N=30 "),
        ({"N": 3e17, "P": 8}, r"N=3e\+17"),
        ({"N": 30e9, "P": 0}, "P=0"),
        ({"N": -1, "P": 2}, "N=-1"),
        ({"N": "big", "P": 2}, "'big'"),
        ({"N": [1e9, 2e9], "P": [1, 2, 4]}, "P has 3"),
        ({"N": 30e9, "P": 8, "D": "1T"}, r"D=1e\+12"),
        ({"N": 30e9, "P": 8, "laws": ParallelLaw}, "ParallelLaw"),
        ({"N": 30e9, "P": 8, "laws": []}, r"laws=\[\]"),
        ({"N": 30e9, "P": 8, "laws": [ChinchillaLaw]}, "D "),
    ],
)
def test_a_wrong_question_is_refused(pile: pd.DataFrame, asked: dict, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        forecast(pile, **asked)


def test_units_that_differ_are_refused_with_the_remedy(pile: pd.DataFrame) -> None:
    billions = pile.assign(N=pile.N / 1e9)
    with pytest.raises(ValueError, match="30B"):
        forecast(billions, N=30e9, P=8)
    with pytest.raises(ValueError, match="usable row 1"):
        forecast(pile.assign(N=np.where(pile.P == 1, billions.N, pile.N)), N=30e9, P=8)
    assert forecast(billions, N=30, P=8).loss[0] == pytest.approx(
        forecast(pile, N=30e9, P=8).loss[0], rel=1e-3
    )


def test_runs_that_cannot_be_forecast_from_are_refused(pile: pd.DataFrame) -> None:
    with pytest.raises(scaling.FitError, match="4 usable runs"):
        forecast(pile.iloc[[0, 1, 4, 9]], N=30e9, P=8)
    with pytest.raises(ValueError, match=r"N takes one value.*5e\+08"):
        forecast(pile.assign(N=5e8), N=30e9, P=8)
    with pytest.raises(ValueError, match=r"N takes one value.*5e\+08"):
        forecast(pile.assign(N=5e8), N=5e8, P=16)
    with pytest.raises(ValueError, match="24 losses are 2"):
        forecast(pile.assign(loss=2.0), N=30e9, P=8)
    with pytest.raises(ValueError, match="no usable row"):
        forecast(pile[:0], N=30e9, P=8)
    with pytest.raises(ValueError, match=r"runs\.csv"):
        forecast("runs.csv", N=30e9)


# ---- registered -----------------------------------------------------------------------------
def test_a_forecast_survives_saving(made: Forecast, tmp_path: object) -> None:
    path = tmp_path / "forecast.json"  # type: ignore[operator]
    made.save(path)
    again = Forecast.load(path)
    pd.testing.assert_frame_equal(again.table, made.table)
    pd.testing.assert_frame_equal(again.drift, made.drift, check_dtype=False)
    assert again.laws == made.laws
    assert again.sentence == made.sentence
    assert again.data_hash == made.data_hash
    body = json.loads(path.read_text())
    assert {"date", "versions", "data_hash", "laws", "level"} <= set(body)
    body["lower"][0] -= 0.1
    path.write_text(json.dumps(body))
    with pytest.raises(ValueError, match=r"forecast\.json.*checksum"):
        Forecast.load(path)
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"forecast\.json"):
        Forecast.load(path)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        Forecast.load(tmp_path / "none.json")  # type: ignore[operator]


def test_a_score_counts_what_is_inside_and_how_the_widening_should_change() -> None:
    made = forecast(grid(), N=[2e9, 4e9], D=1e10)
    at = made.points
    half = (made.upper - made.loss)[1]
    runs = at.assign(loss=[made.loss[0], made.loss[1] + 1.5 * half])
    found = score(made, runs)
    assert found.table.inside.tolist() == [True, False]
    assert found.coverage == 0.5
    assert found.widening == pytest.approx(1.5)
    width, miss = made.upper - made.lower, 0.5 * half
    assert found.score == pytest.approx((width[0] + width[1] + 40 * miss) / 2)
    near = score(made, at.assign(N=at.N * 1.01, loss=made.loss))
    assert near.coverage == 1.0
    assert near.widening == pytest.approx(0.0)
    with pytest.raises(ValueError, match=r"N=2e\+09"):
        score(made, at.assign(N=at.N * 1.5, loss=made.loss))


def test_a_forecast_shows_itself(made: Forecast) -> None:
    for shown in (repr(made), made._repr_html_()):
        assert made.sentence.split(" is forecast")[0] in shown
        assert "AdditiveLaw" in shown
        assert "6.7958" in shown
    assert "<table" in made._repr_html_()
