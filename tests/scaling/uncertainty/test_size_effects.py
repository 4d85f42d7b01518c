"""Rows that share offsets: found, not found where there are none, and intervals that keep their coverage.

Limits are those of a binomial at four standard errors: a few dozen trials, seeded.
"""

import numpy as np
import pandas as pd
import pytest

import scaling
from benchmarks.coverage import shared_offsets
from scaling import ChinchillaLaw, LeastSquares, ParallelLaw, Profile
from scaling.fitting.summary import notes_of
from scaling.uncertainty.cluster_profile import ClusterProfile, new_run_spread, thresholds
from scaling.uncertainty.prediction import default_method
from scaling.uncertainty.size_effects import explain, explanations, group_test, growth_test, noticed
from scaling.uncertainty.tangent import Grouping, Tangent, groupings

SQUARES = LeastSquares(log=True)
SEEDS = "4 sizes x 3 P x 3 seeds"


def least(share: float, trials: int) -> float:
    """The share of trials below which a true `share` would be four standard errors away."""
    return share - 4 * np.sqrt(share * (1 - share) / trials)


def drawn(name: str, seed: int = 3, column: str = "") -> pd.DataFrame:
    design = shared_offsets.designs()[name]
    loss = np.asarray(design.law.predict(**design.axes)) * np.exp(
        design.noise(np.random.default_rng(seed), 1)[0]
    )
    table = pd.DataFrame(design.axes | {"loss": loss})
    return table.assign(**{column: [f"run-{g}" for g in design.shared]}) if column else table


# ---- groups that a table tells --------------------------------------------------------------
@pytest.mark.parametrize("column", ["run_id", "Name", "run"])
def test_a_column_of_runs_whose_labels_repeat_gives_the_groups(column: str) -> None:
    table = drawn("6 runs x 12 checkpoints", column=column)
    fit = scaling.fit(ChinchillaLaw, table, SQUARES)
    assert fit.grouping == f"column {column}"
    assert len(set(fit.groups)) == 6
    assert fit.clustered
    assert type(default_method(fit)) is ClusterProfile
    off = scaling.fit(ChinchillaLaw, table, SQUARES, groups=False)
    assert (off.groups, off.grouping) == (None, "off")
    assert type(default_method(off)) is Profile
    assert off.law == fit.law


@pytest.mark.parametrize("column", ["step", "checkpoint"])
def test_rows_that_differ_in_their_step_alone_are_of_one_run(column: str) -> None:
    design = shared_offsets.designs()["6 runs x 12 checkpoints"]
    table = drawn("6 runs x 12 checkpoints").assign(**{column: np.tile(np.arange(12), 6), "seed": 1})
    fit = scaling.fit(ChinchillaLaw, table, SQUARES)
    assert fit.grouping == f"column {column}"
    assert Grouping("run", pd.factorize(fit.groups)[0]).count == design.shared.max() + 1
    two = table.assign(seed=np.tile([1, 2], 36))
    assert len(set(scaling.fit(ChinchillaLaw, two, SQUARES).groups)) == 12


def test_a_column_that_numbers_replicates_or_names_every_row_gives_none() -> None:
    table = drawn(f"{SEEDS}, size offsets 0 sigma")
    replicates = scaling.fit(ParallelLaw, table.assign(run=np.tile([0, 1, 2], 12)), SQUARES)
    every = scaling.fit(ParallelLaw, table.assign(run_id=np.arange(36)), SQUARES)
    assert replicates.grouping == every.grouping == ""
    assert replicates.groups is None


def test_a_saved_fit_knows_its_groups_and_says_them(tmp_path) -> None:
    fit = scaling.fit(ChinchillaLaw, drawn("6 runs x 12 checkpoints", column="run_id"), SQUARES)
    fit.save(tmp_path / "fit.json")
    again = scaling.Fit.load(tmp_path / "fit.json")
    assert again.grouping == "column run_id"
    assert again.intervals().equals(fit.intervals())
    assert notes_of(again) == notes_of(fit)
    assert "6 " in notes_of(again)[0]


# ---- groups that the axes give --------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "found"),
    [(f"{SEEDS}, cell offsets 2 sigma, k = 0", "cell"), ("6 sizes x 4 P, size offsets 3 sigma", "size")],
)
def test_what_shares_offsets_is_found(name: str, found: str) -> None:
    fit = scaling.fit(ParallelLaw, drawn(name), SQUARES)
    assert fit.grouping == found
    assert len(set(fit.groups)) == {"cell": 12, "size": 6}[found]
    if found == "cell":
        return
    wide, plain = fit.intervals(), fit.intervals(method=Profile())
    assert wide.upper["alpha"] - wide.lower["alpha"] > 1.3 * (plain.upper["alpha"] - plain.lower["alpha"])


@pytest.mark.parametrize("name", [f"{SEEDS}, size offsets 0 sigma", "6 sizes x 4 P, size offsets 0 sigma"])
def test_nothing_is_found_where_nothing_is_five_times_in_a_hundred(name: str) -> None:
    trials = 400
    problem, theta = shared_offsets.simulate(shared_offsets.designs()[name], SQUARES, trials, 11)
    by = groupings(problem)
    rate = noticed(Tangent(problem, theta), by).any(-1).mean()
    assert 0.01 < rate < 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)
    grows = (growth_test(Tangent(problem, theta, by), by) < 0.05).mean()
    assert 0.01 < grows < 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)


def test_the_test_is_the_textbook_f_test() -> None:
    fit = scaling.fit(ParallelLaw, drawn("6 sizes x 4 P, size offsets 1 sigma"), SQUARES, groups=False)
    r, J = fit.problem.linearised(fit.theta[None])
    sizes = np.unique(fit.axes["N"], return_inverse=True)[1]
    small, large = J[0].T, np.concatenate([J[0].T, (sizes[:, None] == np.arange(6)).astype(float)], axis=1)
    rss = [r[0] @ (r[0] - X @ np.linalg.lstsq(X, r[0], rcond=None)[0]) for X in (small, large)]
    from scipy import stats

    rank = np.linalg.matrix_rank(large)
    F = (rss[0] - rss[1]) / (rank - 4) / (rss[1] / (24 - rank))
    found = group_test(Tangent(fit.problem, fit.theta[None]), Grouping("size", sizes))[0]
    assert found == pytest.approx(stats.f.sf(F, rank - 4, 24 - rank), rel=1e-6)


def test_two_variance_components_are_recovered() -> None:
    design = shared_offsets.designs()["22 runs x 10 checkpoints"]
    problem, theta = shared_offsets.simulate(design, SQUARES, 60, 5)
    by = groupings(problem, design.shared)
    found = np.array([[one.name == "run" for one in by]] * 60)
    why = explain(Tangent(problem, theta, by), by, found, np.zeros(60, bool))
    assert np.median(why.noise) == pytest.approx(design.sigma, rel=0.05)
    assert np.median(why.offset) == pytest.approx(design.tau, rel=0.15)


# ---- intervals ------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quantities", "before"),
    [
        ("10 runs x 8 checkpoints", ["A", "alpha", "N x 10"], 0.75),
        ("6 sizes x 4 P, size offsets 3 sigma", ["E", "alpha", "inside", "new run N x 10"], 0.85),
        ("6 sizes x 4 P, noise as N^0.5", ["new run N x 10"], 0.7),
    ],
)
def test_intervals_hold_where_rows_are_not_independent(
    name: str, quantities: list[str], before: float
) -> None:
    trials = 40
    part = shared_offsets.cell(name, "least squares", trials).set_index(["intervals", "quantity"]).coverage
    assert (part.loc["default"][quantities] >= least(0.94, trials)).all(), part.to_string()
    assert (part.loc["independent"][quantities] < before).all(), part.to_string()


def test_intervals_of_independent_rows_stay_short_enough() -> None:
    part = shared_offsets.cell("9 sizes x 2 P, size offsets 0 sigma", "least squares", 40)
    part = part.set_index(["intervals", "quantity"])
    length = part.median_length.loc["default"] / part.median_length.loc["independent"]
    assert length[["E", "alpha", "k", "inside", "N x 10"]].max() < 1.35
    assert length["k"] == pytest.approx(1, abs=0.1)
    assert (part.coverage.loc["default"] >= least(0.95, 40)).all()


def test_without_groups_and_growth_thresholds_are_students() -> None:
    fit = scaling.fit(ParallelLaw, drawn("6 sizes x 4 P, size offsets 0 sigma"), SQUARES, groups=False)
    why = explanations(fit)
    t = thresholds(fit.problem, fit.theta[None], np.eye(4)[None], 0.95, why)
    np.testing.assert_allclose(t, 2.0859634, rtol=1e-6)
    np.testing.assert_allclose(
        new_run_spread(fit, {"N": np.array([1e9]), "P": np.array([2.0])}, 0.95),
        2.0859634 * fit.noise,
        rtol=1e-6,
    )
    found = fit.intervals(method=ClusterProfile())
    np.testing.assert_allclose(found, fit.intervals(method=Profile()), rtol=1e-6)


@pytest.mark.slow
def test_beta_of_real_checkpoints_covers_what_leaving_runs_out_moves_it_to() -> None:
    table = scaling.read_runs(shared_offsets.ROOT / "results/published/runs/gemstones_hot_100bplus.csv")
    fit = scaling.fit(ChinchillaLaw, table)
    assert fit.grouping == "column run"
    lower, upper = fit.intervals().loc["beta", ["lower", "upper"]]
    left_out = [
        scaling.fit(ChinchillaLaw, table[table["run"] != run], groups=False).law.beta
        for run in table["run"].unique()
    ]
    assert lower < min(left_out)
    assert upper > max(left_out)


def test_draws_are_as_wide_as_intervals() -> None:
    fit = scaling.fit(ChinchillaLaw, drawn("22 runs x 10 checkpoints", column="run"), SQUARES)
    ends = fit.intervals()
    drawn_laws = ClusterProfile().draws(fit, 4000)
    low, high = np.quantile(drawn_laws.alpha, [0.025, 0.975])
    assert high - low == pytest.approx(ends.upper["alpha"] - ends.lower["alpha"], rel=0.15)


# ---- decisions ------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_true_law_keeps_its_support_where_cells_share_offsets() -> None:
    """Two tables on which independent rows put a rival ahead by more than 10, as 8% of such tables do."""
    laws = [ParallelLaw, scaling.AdditiveLaw, scaling.SaturatingLaw, scaling.REGISTRY["power"]]
    for seed in (1, 10):
        table = drawn(shared_offsets.WRONGED, seed)
        naive, honest = (
            scaling.compare(laws, table, groups=g).table.delta_aicc["ParallelLaw"] for g in (False, None)
        )
        assert naive > 10
        assert honest < 7


@pytest.mark.slow
def test_a_run_is_left_out_and_held_out_as_a_whole() -> None:
    table = drawn("10 runs x 8 checkpoints", column="run_id")
    alone, together = (
        scaling.compare([ChinchillaLaw], table, SQUARES, groups=g).table.iloc[0] for g in (False, None)
    )
    assert together.loo_rmse > 1.05 * alone.loo_rmse
    seen = scaling.backtest(ChinchillaLaw, table, "N", SQUARES, groups="run_id", weights=np.ones(80))
    assert (seen.table.train % 8 == 0).all()


def test_more_runs_of_a_size_that_has_an_offset_are_worth_less_than_a_new_size() -> None:
    fit = scaling.fit(ParallelLaw, drawn("6 sizes x 4 P, size offsets 3 sigma"), SQUARES)
    sizes = np.unique(fit.axes["N"])
    candidates = pd.DataFrame({"N": [sizes[3], np.sqrt(sizes[3] * sizes[4])], "P": 2.0, "C": 1.0})
    chosen = scaling.suggest(fit, candidates, target="alpha", count=1)
    assert chosen.N.iloc[0] == candidates.N[1]
    ends = fit.intervals(method=ClusterProfile()).loc["alpha"]
    assert chosen.attrs["before"] == pytest.approx((ends.upper - ends.lower) / 2, rel=0.25)
