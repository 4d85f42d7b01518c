"""Refits with a quantity held: what none confirms is open, and what the rounding of kinks costs is taken off."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.uncertainty.held_quantity import Held, noise_of, softened


def test_an_end_that_no_refit_confirms_is_open(monkeypatch: pytest.MonkeyPatch, pile: pd.DataFrame) -> None:
    """Also of the interval of a new run, which has its middle part within."""
    refit = Held.refit

    def failing(self: Held, *given: object) -> object:
        found = refit(self, *given)  # type: ignore[arg-type]
        return type(found)(found.theta, np.full_like(found.rise, np.nan), found.slope, found.value, found.met & False,
                           found.arrived & False)  # fmt: skip

    fit = scaling.fit(scaling.ParallelLaw, pile, scaling.LeastSquares())
    monkeypatch.setattr(Held, "refit", failing)
    at = fit.predict(N=1e10, P=2).iloc[0]
    assert np.isinf(at.upper)
    assert np.isinf(at.new_upper)
    assert at.new_lower <= at.lower <= at.loss


@pytest.mark.parametrize("objective", [scaling.LAD(log=False), scaling.Asymmetric(log=False)])
def test_the_rise_at_a_kink_is_that_of_the_objective_itself(
    objective: scaling.Objective, pile: pd.DataFrame
) -> None:
    """With E held a law of E and A is linear: its least asymmetric loss lies at one of the rows."""
    rows = pile[pile.P == 1]
    fit = scaling.fit(scaling.DenseLaw.with_fixed(alpha=0.2), rows, objective, groups=False)
    noise = noise_of(fit.problem, fit.theta[None])
    rounded = softened(fit.problem, noise)
    at = np.array([0.99, 1.01]) * fit.law.E
    start, held = np.repeat(fit.theta[None], 2, 0), np.zeros(2, int)
    lowest = np.full(2, fit.objective_value)
    refits = Held(fit.problem, lambda law: np.asarray(law.E)[:, None], held, np.full(2, fit.law.E), lowest,
                  np.full(2, 0.003), noise, rounded)  # fmt: skip
    found = refits.refit(start, at, np.arange(2))
    assert found.met.all()
    slope = rows.N.to_numpy() ** -0.2
    A = (rows.loss.to_numpy() - at[:, None]) / slope  # each passes through one row
    residual = at[:, None, None] + A[..., None] * slope - rows.loss.to_numpy()
    exact = objective.rho(residual).sum(-1).min(-1) - fit.objective_value
    np.testing.assert_allclose(0.003 * found.rise, exact, rtol=2e-4)
    assert (refits.risen(found.theta, np.arange(2)) > exact * 1.002).any()
