"""Profile intervals: ends where a refit costs the threshold, also at bounds."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares, minimize

import scaling
from scaling import AdditiveLaw, Covariance, ParallelLaw, Profile
from scaling.uncertainty.interval_methods import spread, t_quantile

SQUARES = scaling.LeastSquares(log=True)


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


@pytest.mark.parametrize(
    ("corpus", "objective"), [("pile", SQUARES), ("stack-v2-python", scaling.LogHuber())]
)
def test_profile_ends_move_smoothly_with_the_point(
    losses: pd.DataFrame, corpus: str, objective: scaling.Objective
) -> None:
    """Along N and along P in steps of 1 %, half-widths move by a few percent. Each end costs the threshold."""
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == corpus], objective, groups=False)
    for N, P in ((np.geomspace(2e9, 8e9, 140), 2.0), (3.82e9, np.geomspace(4, 16, 140))):
        table = fit.predict(N=N, P=P)
        for half in (table.loss - table.lower, table.upper - table.loss):
            assert np.abs(np.diff(np.log(half))).max() < 0.035
    for at, row in table.iloc[::70].iterrows():
        rise = Profile().curve(
            fit, lambda law, P=row.P: np.asarray(law.predict(N=3.82e9, P=P)), [row.lower, row.upper]
        )
        np.testing.assert_allclose(rise, t_quantile(fit, 0.95) ** 2, rtol=5e-3, err_msg=str(at))


def test_an_undetermined_rate_has_an_infinite_end() -> None:
    """Streams that act like noise leave beta of the additive law undetermined."""
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
    assert "51-66 %" in fit.intervals(method=Covariance()).attrs["caveat"]
    (upper,) = fit.intervals().loc[["E"], "upper"]
    assert upper < loss.min()

    def residual(v: np.ndarray) -> np.ndarray:
        size = N / 1e5 * (v[2] ** 2 * np.log(P) + 1)
        return upper + np.exp(v[0]) * size ** -v[1] - loss

    held = min(least_squares(residual, [0.0, slope, 0.4]).cost for slope in (0.2, 0.5))
    variance = fit.objective_value / (15 - 3)  # E, at its bound, explains nothing
    assert (2 * held - fit.objective_value) / variance == pytest.approx(t_quantile(fit, 0.95) ** 2, rel=0.02)
