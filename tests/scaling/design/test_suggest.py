"""Which runs to train next: the choice, its expected interval, its budget."""

import itertools

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, ParallelLaw

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
    with pytest.raises(ValueError, match=r"candidates.*cheapest.*3\.28e"):
        scaling.suggest(fit, CANDIDATES, budget_flops=1e3)
    with pytest.raises(ValueError, match=r"target.*'q'.*ParallelLaw.*E.*A"):
        scaling.suggest(fit, CANDIDATES, target="q")
    with pytest.raises(ValueError, match=r"count=0.*1"):
        scaling.suggest(fit, CANDIDATES, count=0)
    for column in ("C", "D"):
        with pytest.raises(ValueError, match=f"candidates: row 1, column {column}: -1 "):
            scaling.suggest(fit, CANDIDATES.assign(**{column: -1.0}))
    with pytest.raises(ValueError, match="N=nan"):
        scaling.suggest(fit, CANDIDATES.assign(N=np.nan))
    with pytest.raises(ValueError, match="missing P"):
        scaling.suggest(fit, CANDIDATES.drop(columns="P"))
