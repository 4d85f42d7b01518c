"""The envelope of training runs: where sizes pass each other, and runs that no cheaper run beats."""

import re

import numpy as np
import pytest

from scaling.allocation.frontier import frontier
from tests.scaling.isoflop_runs import CHINCHILLA, EXPONENT, closed_form, isoflop_runs


def lengths(sizes: int, ratios: np.ndarray, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    N = np.repeat(np.geomspace(5e7, 5e9, sizes), ratios.size)
    D = N * np.tile(ratios, sizes)
    loss = CHINCHILLA.predict(N=N, D=D) * np.exp(noise * np.random.default_rng(3).standard_normal(N.size))
    return N, D, loss


def test_sizes_pass_each_other_at_the_optimum() -> None:
    N, D, loss = lengths(8, np.geomspace(4, 160, 12), 1e-3)
    edge = frontier(N, D, 6 * N * D, loss)
    truth = np.array([closed_form(C) for C in edge.points["C"]])
    assert len(edge.points) == 7
    assert np.log(edge.points["N"] / truth).abs().max() < 0.12
    low, high = edge.log_N.exponent_ends(0.95)
    assert low < EXPONENT < high
    assert edge.log_N.at(1e23, 0.95)[1] < closed_form(1e23) < edge.log_N.at(1e23, 0.95)[2]
    assert edge.log_D.exponent == pytest.approx(1 - edge.log_N.exponent)


def test_runs_on_their_own_have_an_envelope_too() -> None:
    rng = np.random.default_rng(5)
    C = np.exp(rng.uniform(np.log(1e18), np.log(1e22), 80))
    N = np.array([closed_form(c) for c in C]) * rng.lognormal(0, 0.7, 80)
    edge = frontier(N, C / 6 / N, C, CHINCHILLA.predict(N=N, D=C / 6 / N))
    assert re.match(r"\d+ sizes", edge.how)
    low, high = edge.log_N.exponent_ends(0.95)
    assert low < EXPONENT < high


def test_the_grid_of_sizes_is_an_error() -> None:
    runs = isoflop_runs(budgets=6)
    edge = frontier(runs["N"], runs["D"], 6 * runs["N"] * runs["D"], runs["loss"])
    _, low, high = edge.log_N.at(1e20, 0.95)
    step = np.log(25) / 8
    assert len(edge.points) == 6
    assert np.log(high / low) > step
    assert low < closed_form(1e20) < high


def test_a_ladder_and_sizes_without_others_beside_them_tell_nothing() -> None:
    N = np.geomspace(1e8, 1e10, 8)
    ladder = frontier(N, 20 * N, 120 * N * N, CHINCHILLA.predict(N=N, D=20 * N))
    assert ladder.log_N is None
    assert {"N", "D"} <= set(ladder.why.split())
    N, D, loss = lengths(6, np.array([10.0, 20.0, 40.0]))
    apart = frontier(N, D, 6 * N * D, loss)
    assert apart.log_N is None
    assert apart.why not in ("", ladder.why)


def test_off_centre_budgets_tell_nothing() -> None:
    runs = isoflop_runs(centre=8.0, factor=4.0)
    edge = frontier(runs["N"], runs["D"], 6 * runs["N"] * runs["D"], runs["loss"])
    assert edge.log_N is None
