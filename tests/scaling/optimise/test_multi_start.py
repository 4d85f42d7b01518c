"""Many starts and a second algorithm: agreement is counted and reported."""

import re
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import DenseLaw, Law, LeastSquares, ParallelLaw, Status
from scaling.optimise.multi_start import agreement
from tests.scaling.twenty_runs import runs


def test_starts_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["scaling.optimise.multi_start"]
    monkeypatch.setattr(module, "AGREE", -1e-3)  # no start, not even the best, is that close
    fit = scaling.fit(ParallelLaw, runs())
    assert fit.starts_agreeing == 0
    assert fit.status == Status.DISAGREE
    assert re.search(rf"\b{fit.certificate.starts_agreeing}\b", fit.certificate.detail)


def test_a_second_algorithm_that_stops_elsewhere_confirms_nothing(losses: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == "pile"], scaling.Asymmetric())
    notes = " ".join(fit.certificate.notes)
    assert bool(re.search(r"[+-]\d.*%", notes)) == (abs(fit.certificate.second_gap) > 1e-3)
    assert abs(fit.certificate.second_gap) > 1e-3


@pytest.mark.parametrize(("values", "agreeing"), [([1.0, 2.0, np.nan], 1), ([np.nan, np.nan], 0)])
def test_a_start_that_ends_nowhere_makes_no_others_agree(values: list[float], agreeing: int) -> None:
    ends: Any = SimpleNamespace(value=np.array(values))
    problem: Any = SimpleNamespace(rounding=0.0)
    assert agreement(problem, ends) == agreeing


def test_a_law_with_one_start_is_fitted() -> None:
    fit = scaling.fit(DenseLaw.with_fixed(alpha=0.213), runs())
    assert fit.law.alpha == 0.213


@dataclass(frozen=True)
class Straight(Law):
    """L = E + A N^-1/4."""

    E: float
    A: float

    axes = ("N",)
    nonlinear: ClassVar[dict[str, Any]] = {}

    @staticmethod
    def terms(N: Any) -> Any:
        return 1.0, N**-0.25


def test_a_law_of_coefficients_alone_is_a_linear_regression() -> None:
    N = np.geomspace(1e6, 1e9, 12)
    loss = 1 + 40 * N**-0.25 + 0.01 * np.random.default_rng(0).standard_normal(12)
    fit = scaling.fit(Straight, {"N": N, "loss": loss}, LeastSquares())
    expected = np.linalg.lstsq(np.stack([np.ones(12), N**-0.25], -1), loss)[0]
    assert fit.status == Status.CONVERGED
    assert np.array([fit.law.E, fit.law.A]) == pytest.approx(expected, rel=1e-9)
    ends = fit.intervals().loc[["E", "A"], ["lower", "upper"]].to_numpy()
    assert ((ends[:, 0] < expected) & (expected < ends[:, 1])).all()


@pytest.mark.slow
def test_runs_without_an_effect_of_N_end_in_the_constant() -> None:
    """A, a power of 1 / alpha, once was infinite, and with it every prediction."""
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e8, 4e9, 6), [1.0, 2.0, 4.0, 8.0]))
    loss = 2.0 * np.exp(0.01 * np.random.default_rng(0).normal(size=24)) * P**-0.02
    fit = scaling.fit("saturating", {"N": N, "P": P, "loss": loss}, groups=False)
    assert np.isfinite(fit.law.vector).all()
    assert fit.status == Status.AT_BOUND
    assert fit.form is scaling.SaturatingLaw
    assert fit.predicted == pytest.approx(loss, rel=0.05)
    assert fit.predict(N=1e10, P=2).loss[0] == pytest.approx(2.0 * 2**-0.02, rel=0.02)
