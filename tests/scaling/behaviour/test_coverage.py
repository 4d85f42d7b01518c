"""What intervals cover, measured: the study, and a part of it again."""

import itertools
from dataclasses import replace

import pandas as pd
import pytest

import scaling
from benchmarks.coverage import intervals as coverage
from scaling import ParallelLaw


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "objective"),
    [
        ("paper, 24 points", "Huber 1e-3"),
        ("3 x 3 grid, 1 seed", "Huber 1e-3"),
        ("3 x 3 grid, 1 seed", "least squares"),
    ],
)
def test_measured_coverage_of_the_default(design: str, objective: str) -> None:
    """A short run of docs/coverage.md: 300 trials tell 95 % from 91 % at three standard errors."""
    part = coverage.cell(design, objective, "profile", 300)
    assert part.coverage.between(0.91, 0.99).all(), part.to_string()


def test_a_method_that_is_too_short_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study itself: intervals at the 80 % threshold must not pass for 95 %."""
    monkeypatch.setattr(coverage, "LEVEL", 0.80)
    part = coverage.cell("3 x 3 grid, 1 seed", "least squares", "covariance", 400)
    assert part.coverage.max() < 0.88


def test_the_published_coverage_table_is_complete() -> None:
    table = pd.read_csv(coverage.TABLE)
    cells = table.set_index(coverage.KEYS).coverage
    for design, objective in itertools.product(
        ["paper, 24 points", "3 x 3 grid, 1 seed"], coverage.OBJECTIVES
    ):
        low, high = (0.94, 0.96) if objective == "least squares" else (0.93, 0.97)
        profile = cells.loc[(design, objective, "profile")]
        assert len(profile) == 7
        assert profile.between(low, high).all()
    for objective in coverage.OBJECTIVES:  # what rows in clusters get
        assert cells.loc[("paper, 3 rows a run", objective, "bootstrap normal")].between(0.94, 0.985).all()
    assert {d for d, _, _ in cells.index} >= {"paper, t noise (3 dof)"}


def test_simulated_trials_are_optima() -> None:
    design, squares = coverage.designs()["3 x 3 grid, 1 seed"], scaling.LeastSquares(log=True)
    problem, theta = coverage.simulate(design, squares, 20, 7)
    for i in (0, 13):
        alone = scaling.fit(ParallelLaw, {"N": design.N, "P": design.P, "loss": problem.y[i]}, squares)
        one = replace(problem, y=problem.y[i])
        assert one.value(theta[i : i + 1])[0] == pytest.approx(alone.objective_value, rel=1e-9)
