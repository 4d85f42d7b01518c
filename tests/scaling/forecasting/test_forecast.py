"""Forecasts: what they hold, what they refuse, and what they say."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import Axis, Category, ChinchillaLaw, Forecast, Law, Range, forecast
from scaling.forecasting.forecast import Tuned
from scaling.forecasting.pooling import refitted
from tests.scaling.forecast_runs import TRUTH, grid, member_of


@dataclass(frozen=True)
class MixLaw(Law):
    """L = E + A_recipe N^-alpha + B (code - best)^2: an own law of a share, which may be 0, and a recipe."""

    E: float
    A: float
    alpha: float
    s: float
    B: float
    best: float

    axes = ("N", "code")
    axis_rules = {"code": Axis(lowest=0, reached=True, more_is_better=None)}  # noqa: RUF012
    categories = {"recipe": Category("s", reference="plain")}  # noqa: RUF012
    nonlinear = {"alpha": Range(0.02, 1.6), "s": Range(0.3, 3.0, 4, 0.01, 100), "best": Range(0.1, 0.9, 3)}  # noqa: RUF012

    @staticmethod
    def terms(N, code, alpha, s, best):
        return 1.0, s * N**-alpha, (code - best) ** 2


def mixtures(seed: int = 1) -> tuple[pd.DataFrame, object]:
    """Runs of two recipes at shares of code from 0, and the true loss at any point."""
    N, code = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), [0.0, 0.3, 0.6, 1.0]))

    def truth(N, code, recipe):
        return 1.7 + np.where(recipe == "plain", 400, 330) * N**-0.34 + 0.3 * (code - 0.4) ** 2

    rng, parts = np.random.default_rng(seed), []
    for recipe in ("plain", "tuned"):
        loss = truth(N, code, recipe) * np.exp(0.002 * rng.standard_normal(N.size))
        parts.append(pd.DataFrame({"N": N, "code": code, "recipe": recipe, "loss": loss, "P": "unused"}))
    return pd.concat(parts, ignore_index=True), truth


def test_an_own_law_of_a_share_and_a_category_is_forecast() -> None:
    runs, truth = mixtures()
    at = {"N": ["10B", 1e10, 1e9], "code": [0.5, 0, 0.4], "recipe": ["tuned", "plain", "tuned"]}
    made = forecast(runs, laws=[MixLaw], **at)
    true = truth(made.points.N, made.points.code, made.points.recipe)
    assert ((made.lower < true) & (true < made.upper)).all()
    assert made.points.recipe.tolist() == at["recipe"]
    assert made.outside.tolist() == ["N", "N", ""]
    assert made.parts["the law's form"].tolist()[2] == 0 < made.parts["the law's form"][0]
    assert set(made.drift.index) == {"N"}
    new = made.points.assign(loss=true, N=made.points.N * 1.01)
    other = new.assign(recipe=["plain", "other", "other"])
    assert scaling.score(made, new).table.observed.tolist() == true.tolist()
    assert len(scaling.score(made, pd.concat([other, new[:1]])).table) == 1


def test_registered_laws_of_the_axes_asked_for_are_pooled() -> None:
    N, experts = (v.ravel() for v in np.meshgrid(np.geomspace(2e7, 1e9, 5), [1, 4, 16, 64]))
    loss = 1.5 + (300 / (N * experts**0.3)) ** 0.3 * np.exp(
        0.003 * np.random.default_rng(0).standard_normal(N.size)
    )
    runs = {"N": N, "experts": experts, "val_loss": loss}
    made = forecast(runs, N=1e10, experts=64)
    assert set(made.laws) == {"ExpertsLaw", "RoutedLaw", "RoutedFloorLaw"}
    assert made.lower[0] < 1.5 + (300 / (1e10 * 64**0.3)) ** 0.3 < made.upper[0]
    assert "experts" not in forecast(runs, N=1e10).points


def test_forecasts_of_the_published_losses_are_what_they_were(pile: pd.DataFrame) -> None:
    made = forecast(pile, N=["30B", "30B", "1B"], P=[1, 8, 4])
    found = made.table[["loss", "lower", "upper"]].to_numpy()
    assert found == pytest.approx(
        np.array(
            [
                [1.703176036690, 1.678487069867, 1.727385649479],
                [1.636350841053, 1.612574756658, 1.660495253750],
                [1.9626025648790841, 1.9549527649604401, 1.970527469934808],
            ]
        ),
        rel=1e-7,
    )
    assert made.data_hash == "c64e47984a32abd6"


def test_a_point_is_forecast_alike_alone_and_among_others(made: Forecast, pile: pd.DataFrame) -> None:
    alone = forecast(pile, N=30e9, P=8)
    assert alone.lower[0] == pytest.approx(made.lower[1], rel=1e-12)
    assert alone.upper[0] == pytest.approx(made.upper[1], rel=1e-12)


def test_the_interval_widens_with_level_and_with_reach() -> None:
    runs = grid()
    more = {"D": 1e10, "laws": [ChinchillaLaw, scaling.NoFloorLaw]}
    narrow, wide = (forecast(runs, N=4e9, level=level, **more) for level in (0.8, 0.99))
    assert wide.lower[0] < narrow.lower[0] < narrow.upper[0] < wide.upper[0]
    width = np.diff(
        np.log(forecast(runs, N=[4e8, 2e9, 1e10, 5e10], **more).table[["lower", "upper"]])
    ).ravel()
    assert (np.diff(width) > 0).all()
    sure = forecast(runs, N=[4e8, 5e10], tuned=Tuned(prior=1e-9), **more)
    without = np.diff(np.log(sure.table[["lower", "upper"]])).ravel()
    assert without[0] == pytest.approx(width[0], rel=1e-6)
    assert without[1] < 0.95 * width[3]


def test_a_point_within_the_runs_is_not_widened() -> None:
    runs = grid()
    laws = [ChinchillaLaw, scaling.NoFloorLaw]
    inside = forecast(runs, N=1e8, D=1e10, laws=laws)
    assert inside.parts["the law's form"][0] == 0
    assert inside.beyond[0] == 1
    assert inside.outside[0] == ""
    assert inside.drift.empty
    assert "beyond" not in inside.sentence
    far = forecast(
        runs, N=[1e8, 1e6, 1e12], D=[1e10, 1e8, 1e14], laws=laws, tuned=Tuned(prior=10.0)
    )  # without a warning
    assert far.upper[0] == pytest.approx(inside.upper[0], rel=1e-12)


def test_compute_alone_can_leave_the_runs() -> None:
    runs = grid()
    ladder = runs[runs.N * runs.D < 1e18]
    corner = forecast(ladder, N=ladder.N.max(), D=ladder.D.max(), laws=[ChinchillaLaw])
    assert corner.outside[0] == "C"
    assert corner.beyond[0] > 1.5
    assert corner.parts["the law's form"][0] > 0


@pytest.mark.slow
def test_the_truth_is_held_where_it_is_one_of_the_laws() -> None:
    held = []
    for seed in range(5):
        found = forecast(grid(seed=seed), N=[2e9, 1e10], D=[2e10, 1e11])
        truth = TRUTH.predict(N=found.points.N, D=found.points.D)
        held += list((found.lower < truth) & (truth < found.upper))
    assert np.mean(held) >= 0.9


@pytest.mark.slow
def test_a_truth_that_is_none_of_the_laws_is_held() -> None:
    held = []
    for seed in range(4):
        runs = grid(seed=seed)
        x = np.log(runs.N / 1e7)
        runs["loss"] = (1.6 + 1.5 * np.exp((-0.35 + 0.02 * x) * x) + 0.6 * (runs.D / 1e9) ** -0.3) * np.exp(
            0.003 * np.random.default_rng(seed).standard_normal(len(runs))
        )
        found, y = forecast(runs, N=2e9, D=2e10), np.log(2e9 / 1e7)
        truth = 1.6 + 1.5 * np.exp((-0.35 + 0.02 * y) * y) + 0.6 * 20**-0.3
        held.append(found.lower[0] < truth < found.upper[0])
    assert np.mean(held) >= 0.75


def test_the_paper_s_larger_models_are_held() -> None:
    runs = scaling.read_runs("results/published/losses.csv").query("corpus == 'stack-v2-python'")
    large = runs[runs.N > 2e9]
    found = forecast(runs[runs.N < 2e9], N=large.N, P=large.P)
    assert ((found.lower <= large.loss) & (large.loss <= found.upper)).all()


@pytest.mark.slow
def test_rows_of_one_run_share_an_offset_and_say_less() -> None:
    rng, held, width = np.random.default_rng(4), {"run": [], False: []}, {"run": [], False: []}
    for _ in range(4):
        run = np.repeat(np.arange(8), 6)
        runs = pd.DataFrame(
            {"N": np.geomspace(2e7, 1e9, 8)[run], "D": np.tile(np.geomspace(1e9, 2e10, 6), 8), "run": run}
        )
        truth = TRUTH.predict(N=runs.N, D=runs.D)
        runs["loss"] = truth * np.exp(0.006 * rng.standard_normal(8)[run] + 0.002 * rng.standard_normal(48))
        new = TRUTH.predict(N=8e9, D=2e10) * np.exp(0.006 * rng.standard_normal())
        for groups, found in held.items():
            made = forecast(runs, N=8e9, D=2e10, groups=groups, laws=[ChinchillaLaw])
            found.append(made.lower[0] < new < made.upper[0])
            width[groups].append(np.log(made.upper[0] / made.lower[0]))
    assert np.mean(held["run"]) >= 0.75
    assert np.mean(width["run"]) > 1.3 * np.mean(width[False])


def test_a_row_that_counts_twice_is_two_rows_and_one_that_counts_nothing_is_none() -> None:
    runs = grid()
    twice = pd.concat([runs, runs.iloc[:5]], ignore_index=True)
    counts = np.r_[np.full(5, 2), np.ones(len(runs) - 5)]
    more = {"N": 4e9, "D": 2e10, "laws": [ChinchillaLaw, scaling.NoFloorLaw]}
    repeated, counted = forecast(twice, **more), forecast(runs, weights=counts, **more)
    assert counted.weights.to_dict() == pytest.approx(repeated.weights.to_dict(), abs=1e-3)
    assert counted.loss[0] == pytest.approx(repeated.loss[0], rel=2e-4)
    bad = runs.assign(loss=runs.loss.where(runs.index != 3, 9.0))
    ignored = forecast(bad, weights=(bad.index != 3).astype(float), **more)
    without = forecast(bad.drop(index=3), **more)
    assert ignored.upper[0] == pytest.approx(without.upper[0], rel=2e-3)


def test_a_noisy_row_weighs_less_by_its_standard_error() -> None:
    runs = grid()
    bad = runs.assign(
        loss=runs.loss.where(runs.index != 3, runs.loss * 1.05), se=np.where(runs.index == 3, 0.3, 0.01)
    )
    more = {"N": 4e9, "D": 2e10, "laws": [ChinchillaLaw]}
    known, unknown, good = forecast(bad, se="se", **more), forecast(bad, **more), forecast(runs, **more)
    assert abs(known.loss[0] - good.loss[0]) < 0.2 * abs(unknown.loss[0] - good.loss[0])
    with pytest.raises(ValueError, match="row 4"):
        forecast(bad.assign(se=np.where(runs.index == 3, -1.0, 0.01)), se="se", **more)


def test_where_one_law_has_the_axes_laws_of_fewer_join(pile: pd.DataFrame) -> None:
    alone = forecast(pile[pile.P == 1], N=30e9)
    assert set(alone.weights.index) == {"DenseLaw", "DenseLaw(E=0.0)"}
    rows = [grid(seed=s).assign(P=P) for s, P in enumerate((1, 2, 4))]
    three = pd.concat([r.assign(loss=r.loss * r.P**-0.02) for r in rows])
    made = forecast(three, N=4e9, P=2, D=2e10)
    assert {"ParallelDataLaw", "ChinchillaLaw", "ParallelLaw"} <= set(made.weights.index)
    assert made.weights.index[0] == "ParallelDataLaw"


def test_a_ladder_is_forecast_along_itself_and_not_off_it() -> None:
    N = np.geomspace(1e7, 1e9, 8)
    noise = np.exp(1e-3 * np.random.default_rng(1).standard_normal(8))
    ladder = pd.DataFrame({"N": N, "D": 20 * N, "loss": TRUTH.predict(N=N, D=20 * N) * noise})
    along = forecast(ladder, N=1e10, D=2e11, laws=[ChinchillaLaw])
    assert along.lower[0] < TRUTH.predict(N=1e10, D=2e11) < along.upper[0]
    with pytest.raises(scaling.FitError, match="ChinchillaLaw"):
        forecast(ladder, N=1e10, D=1e9, laws=[ChinchillaLaw])


def test_laws_fitted_to_some_of_the_rows_are_those_fitted_to_them_alone() -> None:
    runs = grid()
    one = member_of(runs)
    keeps = [(cut > runs.N).to_numpy() for cut in (1.2e7, 1e8, 3e8)]
    few, *others = refitted([one], keeps)
    assert keeps[0].sum() == 4
    assert few == []  # of five parameters
    for keep, found in zip(keeps[1:], others, strict=True):
        alone = member_of(runs[keep])
        points = {"N": np.array([4e8, 1e7]), "D": np.array([2e10, 2e10])}
        assert found[0].log_loss(points) == pytest.approx(alone.log_loss(points), abs=2e-5)
        assert found[0].rows == keep.sum()


def test_what_runs_at_two_sizes_cannot_tell_is_not_known() -> None:
    two = grid(sizes=2)
    far, near = {"N": np.array([4e9]), "D": np.array([1e10])}, {a: two[a].to_numpy() for a in ("N", "D")}
    assert not member_of(two).tells(far).any()
    assert member_of(two).tells(near).all()
    assert member_of(grid(sizes=3)).tells(far).all()
    assert member_of(two, scaling.NoFloorLaw).tells(far).all()
    found = forecast(two, N=4e9, D=1e10, laws=[ChinchillaLaw, scaling.NoFloorLaw])
    assert "ChinchillaLaw" not in found.laws
    assert "NoFloorLaw" in found.laws
    assert any("ChinchillaLaw" in note for note in found.notes)


def test_many_rows_are_sampled_and_it_is_said() -> None:
    rng = np.random.default_rng(3)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e9), 5000)), np.exp(rng.uniform(21, 25, 5000))
    runs = pd.DataFrame(
        {"N": N, "D": D, "loss": TRUTH.predict(N=N, D=D) * np.exp(0.01 * rng.standard_normal(5000))}
    )
    found = forecast(runs, N=5e9, D=1e11, laws=[ChinchillaLaw])
    assert found.rows == 5000
    assert any(re.search("2,000.*5,000", note) for note in found.notes)


def test_sizes_that_miss_the_laws_together_are_allowed_for_as_predict_does() -> None:
    """Without size effects 60% of 40 new sizes between the runs were covered, with them 93% of 30."""
    sizes = np.geomspace(5e8, 5e9, 6)
    N, P, _ = (v.ravel() for v in np.meshgrid(sizes, [1.0, 2.0, 4.0, 8.0], [0, 1], indexing="ij"))
    rng = np.random.default_rng(3)
    off = np.repeat(rng.normal(size=6) * 0.009, 8) + rng.normal(size=48) * 0.003
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.33)
    runs = {"N": N, "P": P, "loss": law.predict(N=N, P=P) * np.exp(off)}
    here = {"N": float(np.sqrt(sizes[2] * sizes[3])), "P": 2}
    fit = scaling.fit("parallel", runs, "log-least-squares")
    assert fit.grouping == "size"
    told = fit.predict(**here).iloc[0]
    made = scaling.forecast(runs, laws=[scaling.ParallelLaw], **here)
    width = made.upper[0] - made.lower[0]
    assert 0.7 < width / (told.new_upper - told.new_lower) < 1.4
    apart = scaling.forecast(runs, groups=False, laws=[scaling.ParallelLaw], **here)
    assert width > 1.5 * (apart.upper[0] - apart.lower[0])
