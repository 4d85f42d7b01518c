"""A user's own law works everywhere: the law of docs/guides/own-law.md."""

from dataclasses import dataclass

import numpy as np
import pytest

import scaling
from scaling import Law, Range


@dataclass(frozen=True)
class RootLaw(Law):
    """L = E + A / N^alpha + C / sqrt(1 + g (P - 1)): gains that start at P = 2 and fade slowly."""

    E: float
    A: float
    alpha: float
    C: float
    g: float

    nonlinear = {"alpha": Range(0.02, 1.6), "g": Range(0.05, 20.0)}  # noqa: RUF012 - as a user would write it

    @staticmethod
    def terms(N, P, alpha, g):
        return 1.0, N**-alpha, (1 + g * (P - 1)) ** -0.5


TRUTH = RootLaw(E=1.13, A=61.7, alpha=0.257, C=0.171, g=0.83)
N, P = (v.ravel() for v in np.meshgrid(np.geomspace(4e7, 3e9, 5), [1.0, 2.0, 4.0, 8.0, 16.0]))


@pytest.fixture(scope="module")
def runs() -> dict:
    rng = np.random.default_rng(11)
    return {"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P) * np.exp(1e-3 * rng.standard_normal(N.size))}


def test_it_recovers_its_truth() -> None:
    fit = scaling.fit(RootLaw, {"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P)})
    assert fit.status == scaling.Status.CONVERGED
    np.testing.assert_allclose(fit.law.vector, TRUTH.vector, rtol=1e-6)


def test_gradient_inverse_and_sizes() -> None:
    numeric = (RootLaw(1.13, 61.7, 0.257, 0.171, 0.8301).predict(N=N, P=P)
               - RootLaw(1.13, 61.7, 0.257, 0.171, 0.8299).predict(N=N, P=P)) / 2e-4  # fmt: skip
    np.testing.assert_allclose(TRUTH.gradient(N=N, P=P)[:, 4], numeric, rtol=1e-5, atol=1e-9)
    assert TRUTH.inverse(TRUTH.predict(N=3e8, P=2), P=2) == pytest.approx(3e8)
    assert TRUTH.equivalent_N(N=3e8, P=4) > 3e8


def test_intervals_hold_the_truth(runs: dict) -> None:
    fit = scaling.fit(RootLaw, runs, "log-least-squares")
    for method in (scaling.Covariance(), scaling.Profile(), scaling.Bootstrap(500)):
        table = fit.intervals(level=0.99, method=method)
        assert list(table.columns) == ["estimate", "lower", "upper"]
        assert (table.lower < table.estimate).all()
        assert (table.estimate < table.upper).all()
        for name in ("E", "alpha", "C"):
            assert table.lower[name] <= getattr(TRUTH, name) <= table.upper[name]


@pytest.mark.slow
def test_comparison_and_backtest(runs: dict) -> None:
    ranking = scaling.compare([RootLaw, scaling.ParallelLaw, scaling.DenseLaw], runs)
    assert ranking.table.index[0] == "RootLaw"
    assert ranking.table.delta_aicc["DenseLaw"] > 10
    report = scaling.backtest(RootLaw, runs, by="N", objective="log-least-squares")
    assert report.table.rmse.iloc[1:].max() < 0.01  # two levels of N say nothing of E
    assert scaling.adequacy(ranking.fits["RootLaw"]).structure_p > 0.01


def test_terms_are_what_a_law_must_state() -> None:
    @dataclass(frozen=True)
    class Empty(Law):
        E: float

    with pytest.raises(NotImplementedError, match=r"terms.*predict"):
        Empty(1.0).predict(N=1e9, P=1)
