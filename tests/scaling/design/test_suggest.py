"""Next runs, allocation under budgets, and optima without a law."""

import itertools

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, ChinchillaLaw, ParallelDataLaw, ParallelLaw

CANDIDATES = pd.DataFrame(
    list(itertools.product([1.3e8, 5.4e8, 1.6e9, 4.4e9], [1.0, 2.0, 4.0, 8.0, 16.0, 32.0])),
    columns=["N", "P"],
).assign(D=42e9)


def test_small_N_and_large_P_tell_the_laws_apart(pile: pd.DataFrame) -> None:
    fit, rival = (scaling.fit(law, pile) for law in (ParallelLaw, REGISTRY["additive-half"]))
    chosen = scaling.suggest(fit, CANDIDATES, target=rival, count=3)
    assert (chosen.N <= 5.4e8).all()
    assert (np.diff(chosen.evidence) > 0).all()
    priceless = scaling.suggest(fit, CANDIDATES.assign(C=1.0), target=rival, count=1).iloc[0]
    assert priceless.N <= 5.4e8
    assert priceless.P == 32
    assert priceless.evidence > 3
    half_billion = rival.law.predict(N=5.358e8, P=32) - fit.law.predict(N=5.358e8, P=32)
    assert 0.015 <= half_billion <= 0.031


def test_the_expected_interval_is_what_linear_theory_says(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(log=True), groups=False)
    chosen = scaling.suggest(fit, CANDIDATES, target="k", count=4)
    assert (np.diff(chosen.half_width) < 0).all()
    now = fit.intervals(method=scaling.Covariance()).loc["k"]
    assert chosen.attrs["before"] == pytest.approx((now.upper - now.lower) / 2, rel=1e-3)
    first = chosen.iloc[0]
    more = pd.concat(
        [pile[["N", "P", "loss"]], pd.DataFrame([{"N": first.N, "P": first.P}])], ignore_index=True
    )
    more.loc[24, "loss"] = fit.law.predict(
        N=first.N, P=first.P
    )  # exactly on the curve: only precision changes
    after = scaling.fit(ParallelLaw, more, scaling.LeastSquares(log=True), groups=False)
    table = after.intervals(method=scaling.Covariance()).loc["k"]
    noise = after.noise / fit.noise * 2.0796138 / 2.0859634  # Student's t at 20 and 21 degrees of freedom
    assert (table.upper - table.lower) / 2 == pytest.approx(first.half_width * noise, rel=0.02)


def test_greedy_by_gain_per_flop(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile)
    free = scaling.suggest(fit, CANDIDATES, target="k", count=1).iloc[0]
    priced = CANDIDATES.assign(C=np.where((CANDIDATES.N == free.N) & (CANDIDATES.P == free.P), 1e30, 1e18))
    assert tuple(scaling.suggest(fit, priced, target="k", count=1)[["N", "P"]].iloc[0]) != (free.N, free.P)


def test_the_budget_is_kept(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile)
    cheapest = 6 * 1.3e8 * 42e9
    chosen = scaling.suggest(
        fit, CANDIDATES, budget_flops=30 * cheapest, target={"N": 1e11, "P": 8}, count=50
    )
    assert chosen.total_C.iloc[-1] <= 30 * cheapest
    assert len(chosen) >= 2
    with pytest.raises(ValueError, match=r"pays for none of the candidates: the cheapest costs 3\.28e"):
        scaling.suggest(fit, CANDIDATES, budget_flops=1e3)
    with pytest.raises(ValueError, match="target 'q' is no free parameter of ParallelLaw: E, A, alpha, k"):
        scaling.suggest(fit, CANDIDATES, target="q")
    with pytest.raises(ValueError, match="count=0 must be at least 1"):
        scaling.suggest(fit, CANDIDATES, count=0)
    for column in ("C", "D"):
        with pytest.raises(ValueError, match=f"candidates: row 1, column {column}: -1 must be > 0"):
            scaling.suggest(fit, CANDIDATES.assign(**{column: -1.0}))
    with pytest.raises(ValueError, match="N=nan must be finite"):
        scaling.suggest(fit, CANDIDATES.assign(N=np.nan))
    with pytest.raises(ValueError, match="missing P"):
        scaling.suggest(fit, CANDIDATES.drop(columns="P"))


CHINCHILLA = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


def test_allocation_is_the_closed_form() -> None:
    law, C = CHINCHILLA, 5.76e23
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    N = G * (C / 6) ** (law.beta / (law.alpha + law.beta))
    best = scaling.allocate(law, C)
    assert pytest.approx(N, rel=0.012) == best.N  # the search grid's step
    assert pytest.approx(C / 6 / best.N, rel=1e-9) == best.D
    assert best.verdict == "an interior optimum"
    assert best.intervals is None


def test_no_interior_optimum_is_said() -> None:
    lopsided = ChinchillaLaw(E=1.69, A=1e-9, B=410.7, alpha=0.34, beta=0.28)
    assert scaling.allocate(lopsided, 1e21).verdict.startswith("no interior optimum")
    streams = ParallelDataLaw(E=1.4, A=2.9e7, B=1e-6, alpha=0.317, k=5.0, beta=0.277)
    cheap = scaling.allocate(streams, 1e21, cost=lambda N, P, D: N, limit=1e7)
    assert cheap.verdict.startswith("limited by the inference cost")
    free = scaling.allocate(ParallelDataLaw(1.4, 2.9e7, 0.317, 9.0, 411.0, 0.277), 1e21, streams=(1, 2))
    assert free.P == 2
    assert "no interior optimum in P" in free.verdict


def test_an_inference_budget_trades_parameters_for_streams() -> None:
    law = ParallelDataLaw(E=1.43, A=2.9e7, B=37.0, alpha=0.317, k=0.487, beta=0.277)
    free = scaling.allocate(law, 1e22)
    memory = scaling.allocate(law, 1e22, cost=lambda N, P, D: 2 * N, limit=free.N / 4)
    assert memory.N <= free.N / 8 * 1.0001
    assert memory.P > free.P >= 1
    assert memory.loss > free.loss
    with pytest.raises(ValueError, match="no \\(N, P\\) searched costs that little"):
        scaling.allocate(law, 1e22, cost=lambda N, P, D: N, limit=1.0)


def test_a_fit_gives_intervals(kyo: pd.DataFrame) -> None:
    fit = scaling.fit(ChinchillaLaw, kyo)
    best = scaling.allocate(fit, 1e22)
    table = best.intervals
    assert table is not None
    assert (table.lower < table.upper)[["N", "D", "loss"]].all()
    assert table.lower["P"] == table.upper["P"] == 1
    assert table.lower["N"] < best.N < table.upper["N"]
    assert table.lower["loss"] < best.loss < table.upper["loss"]
    assert best.at_edge == 0
    assert scaling.allocate(fit, 1e22).intervals.equals(table)  # deterministic


def test_allocation_refusals() -> None:
    with pytest.raises(ValueError, match="ParallelLaw has no data term"):
        scaling.allocate(ParallelLaw(1.3, 1e8, 0.2, 0.3), 1e21)
    with pytest.raises(ValueError, match="training_flops=nan must be a positive number"):
        scaling.allocate(CHINCHILLA, float("nan"))
    with pytest.raises(ValueError, match="level=95 must lie between 0 and 1"):
        scaling.allocate(CHINCHILLA, 1e21, level=95)


def isoflop(noise: float = 0.0) -> dict:
    """Nine sizes about the optimum at each of six budgets."""
    law, rng = CHINCHILLA, np.random.default_rng(2)
    a = law.beta / (law.alpha + law.beta)
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta)) * 6**-a
    rows = []
    for C in np.geomspace(1e18, 1e22, 6):
        for f in np.geomspace(0.2, 5, 9):
            N = 1.1 * G * C**a * f
            rows.append((N, C / 6 / N))
    N, D = np.array(rows).T
    return {
        "N": N,
        "D": D,
        "loss": CHINCHILLA.predict(N=N, D=D) * np.exp(noise * rng.standard_normal(N.size)),
    }


def test_isoflop_and_parametric_agree_on_made_runs() -> None:
    table = scaling.optimum_estimates(isoflop(1e-4))
    truth = CHINCHILLA.beta / (CHINCHILLA.alpha + CHINCHILLA.beta)
    assert list(table.index) == ["isoFLOP, degree 2", "isoFLOP, degree 3", "envelope", "parametric"]
    assert table.exponent["parametric"] == pytest.approx(truth, abs=2e-3)
    assert table.exponent["isoFLOP, degree 3"] == pytest.approx(truth, abs=0.02)
    assert table.exponent["isoFLOP, degree 2"] == pytest.approx(truth, abs=0.02)
    assert (table.budgets[:2] == 6).all()
    assert all(isinstance(note, str) and note for note in table.note)


def test_disagreement_is_noted(kyo: pd.DataFrame) -> None:
    table = scaling.optimum_estimates(kyo)
    assert 0.4 < table.exponent["parametric"] < 0.6
    assert any(
        "parts from the parametric fit by" in n or "agrees" in n or "usable budgets" in n for n in table.note
    )


def test_too_few_budgets_are_said() -> None:
    one = {k: v[:9] for k, v in isoflop().items()}
    table = scaling.optimum_estimates(one)
    assert np.isnan(table.exponent["isoFLOP, degree 2"])
    assert "usable budgets: no estimate" in table.note["isoFLOP, degree 2"]
