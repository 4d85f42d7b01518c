"""Many starts and a second algorithm: agreement is counted and told."""

import sys

import pandas as pd
import pytest

import scaling
from scaling import DenseLaw, ParallelLaw, Status
from tests.scaling.twenty_runs import runs


def test_starts_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["scaling.optimise.multi_start"]
    monkeypatch.setattr(module, "AGREE", -1e-3)  # no start, not even the best, is that close
    fit = scaling.fit(ParallelLaw, runs())
    assert fit.starts_agreeing == 0
    assert fit.status == Status.DISAGREE
    assert "try more starts" in fit.certificate.detail


def test_a_second_algorithm_that_stops_elsewhere_confirms_nothing(losses: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == "pile"], scaling.Asymmetric())
    notes = " ".join(fit.certificate.notes)
    assert ("does not confirm this optimum" in notes) == (abs(fit.certificate.second_gap) > 1e-3)
    assert abs(fit.certificate.second_gap) > 1e-3


def test_a_law_with_one_start_is_fitted() -> None:
    fit = scaling.fit(DenseLaw.with_fixed(alpha=0.213), runs())
    assert fit.law.alpha == 0.213
