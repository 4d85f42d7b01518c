"""Ends of profile intervals: against scipy's SLSQP, at kinks, and where a search is misled."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from benchmarks import interval_ends
from parscale.cli.fit import fit_command
from scaling.uncertainty import profile, profile_ends
from scaling.uncertainty.interval_methods import at_points
from scaling.uncertainty.profile import Profile


@pytest.mark.slow
def test_ends_are_the_extremes_that_slsqp_finds() -> None:
    """A few of the cases that `make ends` runs through: every law, objective, published table and window."""
    some = [interval_ends.Case("pile", "parallel", 1.0, objective) for objective in ("huber", "lad")]
    some += [
        interval_ends.Case("gemstones_hot_sampled_like_chinchilla", "chinchilla", 1.0, "least-squares"),
        interval_ends.Case("gemstones_lr_ablation_hot_sampled_like_chinchilla", "dense", 1.0, "asymmetric"),
    ]  # of the last an end was once 4.8% short
    fits = [fit for case in some if (fit := case.fit()) is not None]
    found = pd.concat([interval_ends.checked(fit, starts=2) for fit in fits])
    assert np.isfinite(found.beyond).sum() > 15
    assert not interval_ends.wrong(found).any()
    there = found.beyond.abs() < interval_ends.WRONG  # SLSQP, which may stop early, gets to 14 of these 22
    assert there.mean() > 0.6


@pytest.fixture
def four_rows(pile: pd.DataFrame) -> scaling.Fit:
    """A law of three parameters fitted to four runs by a loss with kinks: refits end in folds."""
    rows = pile[pile.P == 1]
    return scaling.fit("dense", rows[rows.N.quantile(0.7) >= rows.N], "asymmetric", groups=False)


@pytest.mark.slow
def test_ends_at_kinks_are_refitted_from_other_places(four_rows: scaling.Fit) -> None:
    """A refit that ended in a fold once gave a lower end of 1.266, where SLSQP reaches 0.995 and less."""
    far = {"N": np.array([3 * four_rows.axes["N"].max()])}
    _, lower, upper, lost = Profile().searched(four_rows, at_points(far, ("N",)), 0.95)
    assert lower[0] < 0.9
    assert np.isinf(upper[0])  # A overflows on the way there
    assert not lost[0].any()


@pytest.mark.slow
def test_an_end_that_no_refit_confirms_is_open_and_named(
    four_rows: scaling.Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(profile_ends, "ROUNDS", 0)
    at = four_rows.predict(N=3 * four_rows.axes["N"].max())
    assert any(end.startswith("lower") for end in at.attrs["unconfirmed"])
    assert at.lower[0] == 0.0  # no loss is below it
    monkeypatch.setattr(profile_ends.Ends, "_easier", lambda self, rows: rows)
    ends = four_rows.intervals()
    named = ends.attrs["unconfirmed"]
    assert named
    for end, name in (words.split() for words in named):
        assert ends.loc[name, end] in (0.0, np.inf)
    assert all(words in repr(four_rows) for words in named)
    assert fit_command.content(four_rows, 0.95)["unconfirmed"] == named
    four_rows.save(tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text())["unconfirmed"] == named
    assert scaling.load(tmp_path / "fit.json").params.equals(four_rows.params)
    monkeypatch.undo()
    assert not scaling.fit("parallel", pile_like()).intervals().attrs["unconfirmed"]


def pile_like() -> pd.DataFrame:
    """Runs with noise that determine a law."""
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1.0, 2.0, 4.0]))
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    return pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * np.sin(np.arange(15.0))})


def test_an_interval_reaches_into_another_valley() -> None:
    """Exchanging the terms of N and D fits these rows nearly as well: beta once ended at 0.162."""
    fit = interval_ends.Case(
        "gemstones_lr_ablation_hot_sampled_like_chinchilla", "no-floor", 0.5, "log-least-squares"
    ).fit()
    assert fit is not None
    ends = fit.intervals()
    assert ends.lower["beta"] < 0.0822  # where the other valley is lowest
    assert ends.upper["alpha"] > 0.842


def test_an_end_that_a_climb_missed_is_found(pile: pd.DataFrame) -> None:
    """Steps in the wrong direction once put this interval, 2.0025 to 2.0142, above its estimate."""
    fit = scaling.fit(AdditiveHalf, pile[pile.N < 7.1e8], scaling.LeastSquares(), groups=False)
    at = fit.predict(N=1.088e9, P=1).iloc[0]
    assert at.loss == pytest.approx(2.0006, abs=1e-4)
    assert at.lower == pytest.approx(1.9912, abs=2e-4)
    assert at.upper == pytest.approx(2.0620, abs=2e-4)
    assert at.new_lower < at.lower < at.upper < at.new_upper


def test_ends_do_not_hang_on_the_last_digits_of_the_optimum() -> None:
    """E comes close to 0 on the way to the lower end: with the optimum 1e-9 elsewhere that end was once lost."""
    table = pd.read_csv(interval_ends.PUBLISHED / "tables/precision.csv")
    runs = table[table.level == "4"].rename(columns={"non_embedding_parameters": "N", "tokens": "D"})
    fit = scaling.fit("chinchilla", runs[runs.N < 4e8], "huber", groups=False)
    far = at_points({"N": np.array([443068288.0]), "D": np.array([42999742464.0])}, fit.law.axes)
    ends = [
        np.concatenate(Profile().searched(nudged(fit, size, seed), far, 0.95)[1:3])
        for size, seed in ((0.0, 0), (1e-9, 0))
    ]
    assert np.isfinite(ends).all()
    assert np.ptp(ends, axis=0).max() < 1e-4 * (ends[0][1] - ends[0][0]) / 2


def nudged(fit: scaling.Fit, size: float, seed: int) -> scaling.Fit:
    """The fit with its optimum moved by random shares of `size`."""
    theta = fit.theta * (1 + size * np.random.default_rng(seed).standard_normal(fit.theta.size))
    return replace(fit, theta=theta, law=fit.problem.law.from_vector(fit.problem.named(theta[None])[0]))


AdditiveHalf = scaling.AdditiveLaw.with_fixed(beta=0.5)


def test_wrong_proposals_are_mended(monkeypatch: pytest.MonkeyPatch, pile: pd.DataFrame) -> None:
    """The ends do not depend on what a climb proposes: too short, the wrong direction or nothing."""
    fit = scaling.fit(scaling.ParallelLaw, pile, scaling.LeastSquares())
    right = fit.intervals()
    climb = profile._Climb.run

    def spoiled(self: profile._Climb, steps: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        reached, theta = climb(self, steps, tolerance)
        rows = np.arange(reached.size)
        reached = np.where(rows % 3 == 0, 2 * self.estimate - reached, reached)
        reached = np.where(rows % 3 == 1, np.nan, reached)
        short = rows % 3 == 2
        theta = np.where(short[:, None], 0.5 * (theta + self.theta), theta)
        return np.where(short, 0.5 * (reached + self.estimate), reached), theta

    monkeypatch.setattr(profile._Climb, "run", spoiled)
    width = right.upper - right.lower
    assert (np.abs(fit.intervals() - right).max(axis=1) / width).max() < 5e-3


def test_both_branches_of_a_curve_are_seen(stack: pd.DataFrame) -> None:
    """A grows along the valley of E and alpha either way: its upper end lies at small alpha, not at large."""
    law, window = scaling.DiversityLaw, stack[stack.N < 1.2e9]
    fit = scaling.fit(law, window, scaling.LeastSquares())
    table = fit.intervals()
    low_alpha = scaling.fit(
        law.with_fixed(alpha=table.lower["alpha"] * 1.0001), window, scaling.LeastSquares()
    )
    assert table.upper["A"] >= 0.99 * low_alpha.law.A
