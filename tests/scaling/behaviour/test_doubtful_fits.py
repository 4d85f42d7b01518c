"""What a fit must not claim: numbers that the runs, the search or the method do not give."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, ChinchillaLaw, ParallelLaw
from scaling.allocation.optimum_exponents import optimum_estimates
from scaling.data.levels import approximate_C, levels_along
from scaling.fitting import summary
from scaling.laws.base import EXPONENT, Law
from scaling.selection.compare import MANY, leave_one_out
from scaling.uncertainty.interval_methods import leverage
from scaling.uncertainty.prediction import equivalent_interval

rng = np.random.default_rng(0)


@dataclass(frozen=True)
class OnlyData(Law):
    """L = E + B/D^beta: a law that does not know N."""

    E: float
    B: float
    beta: float

    axes = ("D",)
    nonlinear = {"beta": EXPONENT}  # noqa: RUF012 - as a user would write it
    source = "this test"

    @staticmethod
    def terms(D, beta):
        return 1.0, np.exp(-beta * np.log(D))

    @classmethod
    def terms_gradient(cls, D, beta):
        return [[0.0, -np.log(D) * np.exp(-beta * np.log(D))]]


def test_two_sizes_at_several_P_are_two_sizes(pile):
    two = pile[pile["size"].isin(["0.7B", "4.4B"])]
    assert re.search(r"\bN\b.*\b2\b", " ".join(scaling.fit(ParallelLaw, two).certificate.notes))


def test_runs_at_one_P_give_no_interval_and_no_equivalent_size(pile):
    dense = scaling.fit(ParallelLaw, pile[pile["P"] == 1])
    assert dense.predict(N=1e9, P=4)[["lower", "upper", "new_lower", "new_upper"]].isna().all(axis=None)
    assert np.isnan(equivalent_interval(dense, np.array([1e9]), np.array([4.0]), 1, 0.95)).all()
    with pytest.raises(ValueError, match=r"not identifiable.*\bP\b"):
        scaling.suggest(dense, pd.DataFrame({"N": [1e9], "P": [8]}))


def test_no_interval_of_a_loss_goes_below_zero_or_ends_where_the_search_does():
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e9, 4), [1, 2, 4]))
    noisy = {"N": N, "P": P, "loss": 2 + 0.5 * np.random.default_rng(2).standard_normal(N.size)}
    fit = scaling.fit(ParallelLaw, noisy, scaling.LeastSquares())
    assert fit.predict(N=1e7, P=4)["lower"].iloc[0] >= 0
    ends = fit.intervals()
    assert ends["upper"]["k"] == ends["upper"]["alpha"] == np.inf
    assert ends["lower"]["alpha"] == ends["lower"]["k"] == 0
    assert re.search(r"\bk\b.*\b0\b", summary.power_note(fit, ends))


def test_a_parameter_at_its_bound_has_no_interval_in_clusters_and_that_is_said():
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e9, 6), [1, 2, 4]))
    loss = 1.5 + (2e8 / N) ** 0.3 * (1 + 0.05 * np.log(P))  # streams make it worse
    rows = pd.DataFrame({"N": N, "P": P, "loss": loss}).loc[np.repeat(np.arange(N.size), 2)]
    fit = scaling.fit(ParallelLaw, rows, scaling.LeastSquares(), groups=np.repeat(np.arange(N.size), 2))
    found = fit.intervals(method=scaling.Bootstrap(replicates=100, kind="normal"))
    assert np.isnan(found.loc["k", ["lower", "upper"]]).all()
    assert re.search(r"\bk\b", found.attrs["caveat"])


def test_a_law_worse_than_the_mean_says_so(losses):
    mixed = losses.assign(loss=np.where(losses["corpus"] == "pile", losses["loss"] * 3, losses["loss"]))
    fit = scaling.fit(ParallelLaw, mixed)
    assert fit.r2 < 0
    assert re.search(r"^R2 +-", str(fit), re.MULTILINE)


def test_every_stream_is_paid_for_and_runs_of_several_P_are_not_pooled(kyo):
    assert approximate_C(np.array([1e9]), np.array([2e10]), 8.0) == 6 * 8 * 2e19
    law = scaling.fit(ChinchillaLaw, kyo)
    both = scaling.suggest(law, pd.DataFrame({"N": 1e9, "P": [1, 8], "D": 1e10}), target="E", count=2)
    assert sorted(both["C"]) == [6e19, 4.8e20]
    with pytest.raises(ValueError, match=r"P.*=.*1.*2.*P"):
        optimum_estimates(kyo.assign(P=np.arange(len(kyo)) % 2 + 1))


def test_budgets_spread_evenly_have_an_envelope_and_close_streams_are_two_levels():
    C = np.geomspace(1e18, 1e21, 60)
    N = (C / 120) ** 0.5 * rng.lognormal(0, 1.5, 60)
    runs = {"N": N, "D": C / 6 / N, "loss": 1.7 + 400 / N**0.34 + 410 / (C / 6 / N) ** 0.28}
    assert optimum_estimates(runs).loc["envelope", "budgets"] > 3
    assert list(levels_along("P", np.array([7.0, 8.0, 7.0]), {})) == [0, 1, 0]


def test_many_runs_are_left_out_by_their_leverage(pile):
    fit = scaling.fit(
        AdditiveLaw,
        pd.concat([pile] * (MANY // 24 + 1), ignore_index=True),
        scaling.LeastSquares(),
        groups=False,
    )
    assert leave_one_out(fit) == pytest.approx(fit.misfit, rel=0.02)
    few = scaling.fit(AdditiveLaw, pile, scaling.LeastSquares(), groups=False)
    assert few.misfit / (1 - leverage(few)) == pytest.approx(leave_one_out(few), rel=0.2, abs=1e-3)


def test_laws_without_N_are_questioned_too():
    D = np.geomspace(1e8, 1e11, 9)
    runs = {"D": D, "loss": 1.7 + 410 / D**0.28}
    fit = scaling.fit(OnlyData, runs, "log-least-squares")
    assert scaling.adequacy(fit).grid.shape == (9, 9)
    tested = scaling.backtest(OnlyData, runs, objective="log-least-squares").table
    assert tested["multiplier"].to_numpy() == pytest.approx(1.0, rel=1e-6)
    assert fit.status == "converged"
