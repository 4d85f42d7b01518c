"""Intervals: their ends, what they cover, and what is said where they fall short."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares, minimize

import scaling
from scaling import AdditiveLaw, Bootstrap, Covariance, ParallelLaw, Profile
from scaling.uncertainty.cluster_profile import ClusterProfile
from scaling.uncertainty.interval_methods import slopes, spread, t_quantile
from scaling.uncertainty.prediction import default_method

SQUARES = scaling.LeastSquares(log=True)


@pytest.fixture(scope="module")
def fit(pile: pd.DataFrame) -> scaling.Fit:
    return scaling.fit(ParallelLaw, pile, SQUARES, groups=False)


def test_profile_ends_are_where_a_refit_costs_the_threshold(fit: scaling.Fit) -> None:
    """scipy's SLSQP takes each parameter to its extreme under the same rise of the objective."""

    def room(v: np.ndarray) -> float:
        return float(allowed - fit.problem.value((fit.theta * v)[None])[0]) / unit

    _, unit = spread(fit)
    allowed = fit.objective_value + t_quantile(fit, 0.95) ** 2 * unit
    table = fit.intervals(method=Profile())
    for name, side in itertools.product(("alpha", "k"), (1, -1)):
        i = fit.law.names().index(name)
        end = minimize(
            lambda v, i=i, side=side: side * fit.problem.named((fit.theta * v)[None])[0][i],
            np.ones(4) + 1e-4 * side, method="SLSQP", options={"ftol": 1e-13, "maxiter": 400},
            bounds=[(0.3, 3)] * 4,
            constraints={"type": "ineq", "fun": room},
        )  # fmt: skip
        mine = table.lower[name] if side == 1 else table.upper[name]
        assert mine == pytest.approx(side * end.fun, rel=2e-4), (name, side)


def test_profile_curve_meets_its_ends(fit: scaling.Fit) -> None:
    table = fit.intervals(method=Profile())
    rise = Profile().curve(
        fit, lambda law: np.asarray(law.k), [table.lower["k"], fit.law.k, table.upper["k"]]
    )
    np.testing.assert_allclose(
        rise, [t_quantile(fit, 0.95) ** 2, 0, t_quantile(fit, 0.95) ** 2], rtol=5e-3, atol=1e-4
    )


def test_profile_curve_at_a_bound_is_the_same_in_any_units() -> None:
    fit = scaling.fit(ParallelLaw, scaling.read_runs(Path(__file__).parents[3] / "results" / "demo"))
    assert fit.certificate.at_bound == ("k",)
    at = np.linspace(0, 0.06, 13)
    rise = Profile().curve(fit, lambda law: np.asarray(law.k), at)
    assert np.all(np.diff(rise) > 0)
    for unit in (1e-3, 1e3):
        scaled = Profile().curve(fit, lambda law, u=unit: np.asarray(law.k) * u, at * unit)
        np.testing.assert_allclose(scaled, rise, rtol=1e-3, atol=1e-6)


def test_an_infinite_quantity_has_no_slope_and_no_warning(fit: scaling.Fit) -> None:
    infinite = slopes(fit.problem, fit.theta[None], lambda law: np.full(np.shape(law.k), np.inf))
    assert np.isnan(infinite).all()


@pytest.mark.parametrize("corpus", ["pile", "stack-v2-python"])
@pytest.mark.parametrize("objective", [SQUARES, scaling.LogHuber()], ids=lambda o: type(o).__name__)
def test_profile_ends_move_smoothly_with_the_point(
    losses: pd.DataFrame, corpus: str, objective: scaling.Objective
) -> None:
    """Along N and along P in steps of 1 %, half-widths move by a few; each end costs the threshold."""
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == corpus], objective, groups=False)
    for N, P in ((np.geomspace(5e8, 1.6e10, 350), 2.0), (3.82e9, np.geomspace(1, 16, 280))):
        table = fit.predict(N=N, P=P)
        for half in (table.loss - table.lower, table.upper - table.loss):
            assert np.abs(np.diff(np.log(half))).max() < 0.035
    for at, row in table.iloc[::70].iterrows():
        rise = Profile().curve(
            fit, lambda law, P=row.P: np.asarray(law.predict(N=3.82e9, P=P)), [row.lower, row.upper]
        )
        np.testing.assert_allclose(rise, t_quantile(fit, 0.95) ** 2, rtol=5e-3, err_msg=str(at))


def test_covariance_is_the_textbook_formula(fit: scaling.Fit) -> None:
    J = fit.law.gradient(**fit.axes) / fit.predicted[:, None]
    r = np.log(fit.predicted / fit.loss)
    s2 = (r @ r) / 20
    se = np.sqrt(np.diag(s2 * np.linalg.inv(J.T @ J)))
    table = fit.intervals(method=Covariance())
    for i, name in enumerate(fit.law.names()):
        if name != "A":  # its interval is formed on the logarithm
            assert (table.upper[name] - table.lower[name]) / 2 == pytest.approx(2.0859634 * se[i], rel=1e-4)


def test_methods_agree_where_the_law_is_nearly_linear() -> None:
    N, P = (
        np.array(v)
        for v in zip(*itertools.product(np.geomspace(1e7, 1e10, 12), [1.0, 2.0, 4.0, 8.0, 16.0]), strict=True)
    )
    loss = ParallelLaw(1.2, 3e7, 0.31, 0.41).predict(N=N, P=P) * np.exp(
        1e-4 * np.random.default_rng(4).standard_normal(60)
    )
    fit = scaling.fit(ParallelLaw, {"N": N, "P": P, "loss": loss}, SQUARES)
    one = fit.intervals(method=Covariance())
    for method in (
        Profile(),
        Bootstrap(4000, kind="residual"),
        Bootstrap(4000),
        Bootstrap(4000, kind="normal"),
    ):
        other = fit.intervals(method=method)
        np.testing.assert_allclose((other.upper - other.lower) / (one.upper - one.lower), 1, atol=0.2)


def test_bootstrap_refits_are_full_refits(fit: scaling.Fit) -> None:
    problem, theta = Bootstrap(100, kind="case", seed=3).refits(fit)
    for i in (0, 57):
        alone = scaling.fit(ParallelLaw, {**fit.axes, "loss": fit.loss}, SQUARES, weights=problem.w[i])
        np.testing.assert_allclose(problem.named(theta[i : i + 1])[0], alone.law.vector, rtol=2e-4)


def test_bootstrap_is_seeded_and_refuses_nonsense(fit: scaling.Fit) -> None:
    assert fit.intervals(method=Bootstrap(200)).equals(fit.intervals(method=Bootstrap(200)))
    assert not fit.intervals(method=Bootstrap(200)).equals(fit.intervals(method=Bootstrap(200, seed=1)))
    with pytest.raises(ValueError, match="kind='jackknife': known are normal, wild"):
        Bootstrap(kind="jackknife")
    with pytest.raises(ValueError, match="fewer than 100 give no interval"):
        Bootstrap(10)
    with pytest.raises(ValueError, match="level=95 must lie between 0 and 1"):
        fit.intervals(level=95)


def test_new_runs_scatter_more_than_the_mean(fit: scaling.Fit) -> None:
    at = fit.predict(N=2.8e9, P=4).iloc[0]
    half, new = (at.upper - at.lower) / 2, (at.new_upper - at.new_lower) / 2
    expected = np.hypot(half, t_quantile(fit, 0.95) * fit.noise * at.loss)
    assert new == pytest.approx(expected, rel=0.01)


def test_an_undetermined_rate_has_an_infinite_end() -> None:
    """Streams that act like noise: beta of the additive law is anything."""
    N, P = (np.array(v) for v in zip(*itertools.product([1e8, 4e8, 2e9], [1.0, 2.0, 4.0]), strict=True))
    noise = np.exp(2e-3 * np.random.default_rng(1).standard_normal(9))
    loss = AdditiveLaw(E=1.3, A=90.0, alpha=0.28, C=0.004, beta=0.9).predict(N=N, P=P) * noise
    fit = scaling.fit(AdditiveLaw, {"N": N, "P": P, "loss": loss}, SQUARES)
    ends = fit.intervals()
    assert ends.upper["beta"] - ends.lower["beta"] > 5 or np.isinf(ends.upper["beta"])


def test_an_estimate_at_its_bound_has_the_end_that_refits_give() -> None:
    """E estimated 0: losses down to 2.74 were seen, so its upper end lies below, where refits put it."""
    one = np.array([24864, 49696, 139072, 231744, 407136.0])
    N, P = np.concatenate([one, 1.06 * one, 1.14 * one]), np.repeat([1.0, 2.0, 4.0], 5)
    loss = np.array(
        [3.77, 3.63, 3.19, 3.03, 2.85, 3.73, 3.60, 2.98, 2.96, 2.74, 3.73, 3.45, 2.99, 2.93, 2.74]
    )
    fit = scaling.fit(ParallelLaw, {"N": N, "P": P, "loss": loss}, scaling.LeastSquares(), groups=False)
    assert fit.law.E == 0
    assert "takes E, at its bound, as known" in fit.intervals(method=Covariance()).attrs["caveat"]
    (upper,) = fit.intervals().loc[["E"], "upper"]
    assert upper < loss.min()

    def residual(v: np.ndarray) -> np.ndarray:
        size = N / 1e5 * (v[2] ** 2 * np.log(P) + 1)
        return upper + np.exp(v[0]) * size ** -v[1] - loss

    held = min(least_squares(residual, [0.0, slope, 0.4]).cost for slope in (0.2, 0.5))
    variance = fit.objective_value / (15 - 3)  # E, at its bound, explains nothing
    assert (2 * held - fit.objective_value) / variance == pytest.approx(t_quantile(fit, 0.95) ** 2, rel=0.02)


def test_clusters_get_longer_profile_intervals(pile: pd.DataFrame) -> None:
    three = pd.concat([pile] * 3, ignore_index=True)
    wobble = 1e-4 * np.random.default_rng(0).standard_normal(72)
    three["loss"] *= np.exp(wobble)
    three["run"] = np.tile(np.arange(24), 3)
    naive, honest = (scaling.fit(ParallelLaw, three, SQUARES, groups=g) for g in (False, "run"))
    assert type(default_method(naive)) is Profile
    assert type(default_method(honest)) is ClusterProfile
    k = [f.intervals().loc["k"] for f in (naive, honest)]
    assert (k[1].upper - k[1].lower) > 1.4 * (k[0].upper - k[0].lower)  # sqrt(3) were the rows all alike
    assert "takes rows as independent" in Profile().caveat(honest)
    assert "rows of one group (column run) are correlated: 24 groups" in repr(honest)
    pairs = scaling.fit(ParallelLaw, pile, SQUARES, groups=np.arange(24) // 2)
    assert default_method(pairs).caveat(pairs) == ""  # no advice to take what counts rows as independent


def test_where_a_method_falls_short_it_is_said(fit: scaling.Fit) -> None:
    assert fit.intervals().attrs == {"method": "profile likelihood", "caveat": "", "unconfirmed": []}
    assert "measured 80-96 % for 95 %" in fit.intervals(method=Bootstrap(200)).attrs["caveat"]
    assert "prefactors measured" in fit.intervals(method=Covariance()).attrs["caveat"]


def test_correlations_are_those_of_the_replicates(pile):
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(), groups=False)
    found = fit.correlations()
    assert list(found.index) == list(found.columns) == ["E", "A", "alpha", "k"]
    laws = Bootstrap(kind="normal", replicates=2_000).draws(fit, 2_000)
    drawn = np.corrcoef([laws.E, np.log(laws.A), laws.alpha, laws.k])
    np.testing.assert_allclose(found.to_numpy(), drawn, atol=0.1)


def test_a_parameter_at_its_bound_correlates_with_nothing():
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e9, 6), [1, 2, 4]))
    worse = {"N": N, "P": P, "loss": 1.5 + (2e8 / N) ** 0.3 * (1 + 0.05 * np.log(P))}
    found = scaling.fit(ParallelLaw, worse, scaling.LeastSquares()).correlations()
    assert found["k"].isna().all()
    assert found.loc["E", "E"] == pytest.approx(1)
