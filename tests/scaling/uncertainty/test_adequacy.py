"""The structure test speaks up at its level, also where noise changes along an axis, and where it should."""

from dataclasses import replace

import numpy as np
import pytest

import scaling
from scaling.optimise.solver import minimise
from scaling.uncertainty.adequacy import structure_test
from tests.scaling.isoflop_runs import CHINCHILLA

N, D = (x.ravel() for x in np.meshgrid(np.geomspace(7e7, 6e9, 8), np.geomspace(2e9, 1e11, 8)))
TRIALS = 300


def share_that_speaks_up(growth: float) -> float:
    """Of trials about the fitted law, noise growing as exp(growth z), z the standardised log N."""
    z = (np.log(N) - np.log(N).mean()) / np.log(N).std()
    drawn = np.random.default_rng(7).standard_normal((TRIALS, N.size))
    y = CHINCHILLA.predict(N=N, D=D) * np.exp(0.005 * np.exp(growth * z) * drawn)
    base = scaling.fit("chinchilla", {"N": N, "D": D, "loss": y[0]}, "log-least-squares", start=8)
    problem = replace(base.problem, y=y)
    theta = minimise(problem, np.repeat(problem.internal(CHINCHILLA)[None], TRIALS, 0), tolerance=1e-12).theta
    found = []
    for i, at in enumerate(theta):
        law = problem.law.from_vector(problem.named(at[None])[0])
        found.append(structure_test(replace(base, law=law, problem=replace(problem, y=y[i]), theta=at)))
    return float(np.mean(np.array(found) < 0.05))


@pytest.mark.parametrize("growth", [0.0, -1.1, 1.1])
def test_it_speaks_up_in_a_twentieth_of_trials_without_structure(growth: float) -> None:
    assert 0.015 < share_that_speaks_up(growth) < 0.1  # the F test alone: 0.19 and 0.16 where noise changes


def test_it_speaks_up_where_another_law_made_the_losses() -> None:
    other = scaling.InteractionLaw(E=1.7, A=2.2e8, B=3.1e9, alpha=0.42, beta=0.36, gamma=0.6)
    noise = np.exp(0.003 * np.random.default_rng(1).standard_normal(N.size))
    fit = scaling.fit("chinchilla", {"N": N, "D": D, "loss": other.predict(N=N, D=D) * noise})
    assert structure_test(fit) < 1e-6
    assert "not noise" in scaling.adequacy(fit).verdict
