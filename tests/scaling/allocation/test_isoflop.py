"""isoFLOP curves: minima with errors, budgets that tell nothing, and the law through the minima."""

import numpy as np
import pytest

from scaling import ChinchillaLaw
from scaling.allocation.isoflop import FLAT, OUTSIDE, isoflop, lengthened
from tests.scaling.isoflop_runs import CHINCHILLA, EXPONENT, closed_form, isoflop_runs


def curves(shape: bool = True, **how: object):
    runs = isoflop_runs(**how)
    return isoflop(runs["N"], runs["D"], 6 * runs["N"] * runs["D"], runs["loss"], shape=shape)


def test_minima_have_errors_and_intervals_that_hold_the_truth() -> None:
    one = curves(noise=2e-3)
    budgets = one.budgets
    truth = np.array([closed_form(C) for C in budgets["C"]])
    assert budgets["used"].all()
    assert ((budgets["lower"] < truth) & (truth < budgets["upper"])).all()
    assert (budgets["N"] * budgets["D"] * 6).to_numpy() == pytest.approx(budgets["C"].to_numpy(), rel=1e-9)
    assert budgets["loss"].to_numpy() == pytest.approx(
        CHINCHILLA.predict(N=truth, D=budgets["C"] / 6 / truth), rel=3e-3
    )
    assert (budgets["standard_error"] > 0.01).all()
    assert one.noise == pytest.approx(2e-3, rel=0.4)


def test_the_error_is_the_scatter_of_minima_over_repeats() -> None:
    found = [curves(noise=2e-3, seed=seed).budgets for seed in range(20)]
    spread = np.std([np.log(one["N"].to_numpy()) for one in found], axis=0)
    error = np.mean([one["standard_error"].to_numpy() for one in found], axis=0)
    assert error == pytest.approx(spread, rel=0.45)


def test_a_shared_skew_takes_out_what_an_off_centre_grid_does_to_a_parabola() -> None:
    law = ChinchillaLaw(E=1.5, A=2000.0, B=300.0, alpha=0.45, beta=0.25)
    C = np.repeat(np.geomspace(1e18, 1e21, 5), 9)
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / 0.7)
    best = G * (C / 6) ** (0.25 / 0.7)
    N = best * 2.5 * np.tile(np.geomspace(1 / 8, 8, 9), 5)
    loss = law.predict(N=N, D=C / 6 / N)
    plain, skewed = (isoflop(N, C / 6 / N, C, loss, shape=shape).budgets for shape in (False, True))
    off = [np.abs(np.log(one["N"].to_numpy() / best[::9])).max() for one in (plain, skewed)]
    assert off[0] > 0.03
    assert off[1] < 0.003


def test_runs_of_a_budget_may_differ_in_compute() -> None:
    runs = isoflop_runs(1e-4)
    stray = np.exp(0.04 * np.random.default_rng(0).standard_normal(runs["N"].size))
    D = runs["D"] * stray
    one = isoflop(runs["N"], D, 6 * runs["N"] * D, CHINCHILLA.predict(N=runs["N"], D=D))
    truth = np.array([closed_form(C) for C in one.budgets["C"]])
    assert one.widest > 1.05
    assert np.log(one.budgets["N"] / truth).abs().max() < 0.05


def test_what_a_budget_cannot_tell_is_said() -> None:
    flat = curves(noise=0.05, factor=1.3)
    assert not flat.budgets["used"].all()
    row = flat.budgets[flat.budgets["note"] == FLAT].iloc[0]
    assert (row["lower"], row["upper"]) == (0.0, np.inf)
    assert (flat.curve["bend"][flat.budgets["note"] == FLAT] > 0).any()  # bent, within the noise
    away = curves(noise=1e-4, centre=6.0, factor=4.0)
    assert (away.budgets["note"] == OUTSIDE).all()
    assert away.law() is None
    assert away.scatter(1e20, 0.95) == (0.0, 0.0)


def test_the_law_through_the_minima() -> None:
    one = curves(noise=2e-3)
    law, tokens = one.law(), one.law("D")
    low, high = law.exponent_ends(0.95)
    assert low < EXPONENT < high
    assert tokens.exponent == pytest.approx(1 - law.exponent, abs=1e-9)
    N, lower, upper = law.at(1e23, 0.95)
    assert lower < closed_form(1e23) < upper
    assert tokens.at(1e23, 0.95)[0] * N * 6 == pytest.approx(1e23, rel=1e-6)


def test_scatter_of_budgets_is_found_where_it_is_and_lengthens() -> None:
    assert curves(noise=2e-3).scatter(1e22, 0.95) == (0.0, 0.0)
    log_N, a = curves(noise=2e-3, scatter=0.3).scatter(1e22, 0.95)
    assert log_N > 0.2
    assert a > 0.02
    assert lengthened(1.0, 0.7, 1.3, 0.4) == pytest.approx((0.5, 1.5))


def test_too_few_runs_are_none() -> None:
    runs = {name: x[:3] for name, x in isoflop_runs().items()}
    C = 6 * runs["N"] * runs["D"]
    assert isoflop(runs["N"], runs["D"], C, runs["loss"]) is None
    four = isoflop_runs(1e-3, sizes=4, budgets=1)
    assert isoflop(four["N"], four["D"], 6 * four["N"] * four["D"], four["loss"]) is None


def test_exact_runs_have_no_error() -> None:
    one = curves()
    assert one.budgets["standard_error"].max() < 1e-2
    assert one.law().exponent == pytest.approx(EXPONENT, abs=1e-3)
