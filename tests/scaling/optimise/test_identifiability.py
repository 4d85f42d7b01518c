"""Parameters that a design does not identify are withheld by name. The others are given."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import scaling
from scaling import Axis, ChinchillaLaw, Law, ParallelDataLaw, Range, Status
from scaling.optimise.identifiability import tied_axes

SQUARES = scaling.LeastSquares()


def ladder(seed: int = 0) -> scaling.Fit:
    N = np.geomspace(1e8, 1e10, 12)
    law = ChinchillaLaw(E=1.69, A=406.0, B=410.0, alpha=0.34, beta=0.28)
    loss = law.predict(N=N, D=20 * N) * np.exp(2e-3 * np.random.default_rng(seed).standard_normal(12))
    return scaling.fit(ChinchillaLaw, {"N": N, "D": 20 * N, "loss": loss}, SQUARES)


@pytest.fixture(scope="module")
def budgets() -> scaling.Fit:
    """Two budgets of D, with four sizes and P in 1, 2, 4 each."""
    grid = itertools.product(np.geomspace(1e8, 3e9, 4), (1.0, 2.0, 4.0), (2e9, 2e10))
    N, P, D = (np.array(v) for v in zip(*grid, strict=True))
    law = ParallelDataLaw(E=1.5, A=3e7, alpha=0.25, k=0.3, B=400.0, beta=0.28)
    loss = law.predict(N=N, P=P, D=D) * np.exp(2e-3 * np.random.default_rng(1).standard_normal(24))
    return scaling.fit(ParallelDataLaw, {"N": N, "P": P, "D": D, "loss": loss}, SQUARES)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [SQUARES, scaling.LogHuber()], ids=["squares", "huber"])
def test_a_ladder_tells_the_ladder(objective: scaling.Objective) -> None:
    given = ladder()
    fit = scaling.fit(ChinchillaLaw, {**given.axes, "loss": given.loss}, objective)
    assert fit.status == Status.FLAT
    assert tied_axes(fit.problem, fit.law) == ("N", "D")
    assert fit.undetermined == ("A", "B", "alpha", "beta")
    assert 'fixed={"beta": ' in fit.certificate.detail
    ends = fit.intervals()[["lower", "upper"]]
    assert ends.loc[["A", "B", "alpha", "beta"]].isna().all(axis=None)
    assert np.isfinite(ends.loc["E"]).all()
    points = fit.predict(N=[1e9, 1e11, 1e9], D=[2e10, 2e12, 1e12])
    known = points[["lower", "upper", "new_lower", "new_upper"]].notna().all(axis=1)
    assert known.tolist() == [True, True, False]
    assert (points.lower <= points.loss)[:2].all()
    assert (points.loss <= points.upper)[:2].all()


def test_what_is_held_is_told_again() -> None:
    given = ladder()
    fit = scaling.fit(ChinchillaLaw.with_fixed(beta=0.28), {**given.axes, "loss": given.loss}, SQUARES)
    assert fit.status != Status.FLAT
    assert fit.undetermined == ()
    assert fit.intervals(method="covariance").notna().all(axis=None)


def test_two_budgets_withhold_beta_and_give_k(budgets: scaling.Fit) -> None:
    assert budgets.status == Status.FLAT
    assert budgets.undetermined == ("E", "B", "beta")
    ends = budgets.intervals()
    assert ends.lower["k"] < 0.3 < ends.upper["k"]
    assert ends.lower["alpha"] < 0.25 < ends.upper["alpha"]
    assert ends.loc[["E", "B", "beta"], ["lower", "upper"]].isna().all(axis=None)
    points = budgets.predict(N=1e9, P=2, D=[2e9, 2e10, 2e11])
    assert points.lower.notna().tolist() == [True, True, False]
    assert re.search(r"E.*B.*beta", repr(budgets))


def test_two_budgets_tell_what_streams_are_worth(budgets: scaling.Fit) -> None:
    told, ends = budgets.equivalent_N(N=1e9, P=4, D=[2e9, 2e10]), budgets.intervals().loc["k"]
    for end in ("lower", "upper"):
        worth = told[end].to_numpy() / 1e9
        assert worth == pytest.approx(1 + ends[end] * np.log(4), rel=1e-3)
    verdict = budgets.verdict()
    assert (verdict.streams.answer, verdict.law.answer) == ("yes", "cannot tell")


def test_a_ladder_of_sizes_tells_no_other_size_of_equal_loss() -> None:
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 3e9, 4), [1.0, 2.0, 4.0]))
    law = ParallelDataLaw(E=1.5, A=3e7, alpha=0.25, k=0.3, B=400.0, beta=0.28)
    loss = law.predict(N=N, P=P, D=20 * N) * np.exp(2e-3 * np.random.default_rng(1).standard_normal(12))
    fit = scaling.fit(ParallelDataLaw, {"N": N, "P": P, "D": 20 * N, "loss": loss}, SQUARES)
    assert fit.status == Status.FLAT
    assert fit.equivalent_N(N=1e9, P=4, D=2e10)[["lower", "upper"]].isna().all(axis=None)


@pytest.mark.slow
def test_what_is_given_holds() -> None:
    """Along the ladder, at ten times its largest N: 8 trials, the truth held in 95 of 100."""
    law, held = ChinchillaLaw(E=1.69, A=406.0, B=410.0, alpha=0.34, beta=0.28), []
    for seed in range(8):
        at = ladder(seed).predict(N=[1e9, 1e11], D=[2e10, 2e12])
        truth = law.predict(N=at.N.to_numpy(), D=at.D.to_numpy())
        held.append((at.lower <= truth) & (truth <= at.upper))
    assert np.mean(held) >= 0.8


@pytest.mark.slow
def test_many_rows_take_no_matrix_of_rows_by_rows() -> None:
    """Two budgets of D at 100,000 rows: a square matrix of them would take 80 GB."""
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(18, 22, 100_000)), rng.choice([2e10, 4e10], 100_000)
    loss = ChinchillaLaw(E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28).predict(N=N, D=D)
    fit = scaling.fit(ChinchillaLaw, {"N": N, "D": D, "loss": loss}, scaling.LeastSquares())
    assert fit.status == Status.FLAT
    assert set(fit.undetermined) == {"E", "B", "beta"}


def two_arms(codes: Sequence[Any]) -> scaling.Fit:
    """Arms with an A each, at one D."""
    N, arm, D = np.tile(np.geomspace(1e8, 1e10, 6), 2), np.repeat([0, 1], 6), np.full(12, 1e10)
    loss = 1.69 + np.where(arm, 430.0, 406.0) / N**0.34 + 410 / D**0.28
    loss = loss * np.exp(2e-3 * np.random.default_rng(3).standard_normal(12))
    table = {"N": N, "D": D, "prefix": [codes[one] for one in arm], "loss": loss}
    return scaling.fit(scaling.Arms("chinchilla", "prefix", own=("A",)), table, SQUARES)


def test_a_category_of_number_0_is_predicted_as_any_other() -> None:
    told = []
    for codes in ((0, 1), (1, 2), ("no", "yes")):
        fit = two_arms(codes)
        assert fit.status == Status.FLAT
        assert fit.undetermined == ("E", "B", "beta")
        points = fit.predict(N=2e9, D=[1e10, 1e10, 1e11], prefix=[codes[0], codes[1], codes[1]])
        told.append(points[["loss", "lower", "upper"]].to_numpy())
    assert np.isfinite(told[0]).all(axis=1).tolist() == [True, True, False]
    np.testing.assert_allclose(told[1], told[0], rtol=1e-6)
    np.testing.assert_allclose(told[2], told[0], rtol=1e-6)


@dataclass(frozen=True)
class TunedLaw(Law):
    """A power law of N and one of D that has a value at D = 0."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    axes = ("N", "D")
    axis_rules = {"D": Axis(reached=True)}  # noqa: RUF012
    nonlinear = {"alpha": Range(0.1, 0.8, 6), "beta": Range(0.1, 0.8, 6)}  # noqa: RUF012

    @staticmethod
    def terms(N: Any, D: Any, alpha: Any, beta: Any) -> Sequence[Any]:
        return 1.0, (N / 1e8) ** -alpha, (1 + D / 1e8) ** -beta


def tuned(N: Any, D: Any) -> scaling.Fit:
    law = TunedLaw(E=1.7, A=0.9, B=0.4, alpha=0.34, beta=0.28)
    loss = law.predict(N=N, D=D) * np.exp(2e-3 * np.random.default_rng(2).standard_normal(N.size))
    return scaling.fit(TunedLaw, {"N": N, "D": D, "loss": loss}, SQUARES)


def test_two_budgets_of_which_one_is_0_are_told() -> None:
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 6), [0.0, 1e10]))
    fit = tuned(N, D)
    assert fit.undetermined == ("E", "B", "beta")
    points = fit.predict(N=3e9, D=[0.0, 1e10, 1e9])
    assert points.lower.notna().tolist() == [True, True, False]


def test_a_ladder_that_begins_at_0_tells_the_ladder() -> None:
    """D grows by as much as N is multiplied, so the two are one curve although D has no logarithm."""
    t = np.arange(12.0)
    fit = tuned(1e8 * 1.5**t, 1e9 * t)
    assert tied_axes(fit.problem, fit.law) == ("N", "D")
    assert fit.undetermined == ("A", "B", "alpha", "beta")
    points = fit.predict(N=1e8 * 1.5 ** np.array([0, 5.5, 14, 5.5]), D=1e9 * np.array([0, 5.5, 14, 8]))
    assert points.lower.notna().tolist() == [True, True, True, False]


rng = np.random.default_rng(0)


def test_axes_that_move_together_are_named():
    N = np.geomspace(1e8, 1e10, 12)
    runs = {"N": N, "D": 20 * N, "loss": 1.7 + 400 / N**0.34 + 410 / (20 * N) ** 0.28}
    notes = scaling.fit(ChinchillaLaw, runs, SQUARES).certificate.notes
    assert re.search(r"\bD\b.*\bN\b.*\+1\.0000", " ".join(notes))
    correlation = r"\bD\b.*\bN\b.*[+-][01]\.\d{4}"
    for D, moves in ((N[::-1] ** 0.5 * 1e5, True), (rng.permutation(N**0.5 * 1e5), False)):
        loss = 1.7 + 400 / N**0.34 + 410 / D**0.28
        fit = scaling.fit(ChinchillaLaw, {"N": N, "D": D, "loss": loss}, SQUARES)
        assert any(re.search(correlation, note) for note in fit.certificate.notes) == moves


def in_arms(D_per_N: Sequence[float], start: Sequence[float] = (1e8, 1e8)) -> dict[str, Any]:
    """Ten sizes in two arms that differ in E, each on a ladder of its own."""
    law, noise = ChinchillaLaw(E=0.0, A=406.0, B=410.0, alpha=0.34, beta=0.28), np.random.default_rng(0)
    N = np.concatenate([np.geomspace(first, 100 * first, 10) for first in start])
    D, E = N * np.repeat(D_per_N, 10), np.repeat([1.7, 1.6], 10)
    loss = (E + law.predict(N=N, D=D)) * np.exp(2e-3 * noise.standard_normal(20))
    return {"N": N, "D": D, "optimizer": ["adam"] * 10 + ["muon"] * 10, "loss": loss}


@pytest.mark.parametrize("own", [("E",), ("E", "A", "B", "alpha", "beta"), ("E", "alpha")], ids=len)
def test_arms_on_one_ladder_tell_the_ladder(own: tuple[str, ...]) -> None:
    """As one arm alone does, whatever they share."""
    runs = in_arms((20, 20))
    fit = scaling.fit(scaling.Arms(ChinchillaLaw, "optimizer", own=own), runs, SQUARES)
    assert tied_axes(fit.problem, fit.law) == ("N", "D")
    assert fit.status == Status.FLAT
    assert {name.split("[")[0] for name in fit.undetermined} == {"A", "B", "alpha", "beta"}
    law = ChinchillaLaw.with_fixed(beta=0.28)
    assert scaling.fit(scaling.Arms(law, "optimizer", own=("E",)), runs, SQUARES).status == Status.CONVERGED


def test_arms_on_two_ladders_tell_both_exponents() -> None:
    fit = scaling.fit(scaling.Arms(ChinchillaLaw, "optimizer", own=("E",)), in_arms((20, 200)), SQUARES)
    assert tied_axes(fit.problem, fit.law) == ()
    assert fit.undetermined == ()


@pytest.mark.parametrize(("start", "apart"), [((1e8, 1e8), 0.0), ((1e6, 1e12), 0.978)])
def test_arms_that_move_with_an_axis_are_correlated_with_it(start: Sequence[float], apart: float) -> None:
    fit = scaling.fit(
        scaling.Arms(ChinchillaLaw, "optimizer", own=("E",)), in_arms((20, 200), start), SQUARES
    )
    assert fit.problem.log_correlations["N", "optimizer"] == pytest.approx(apart, abs=1e-3)
