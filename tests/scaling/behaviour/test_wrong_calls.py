"""Wrong calls of the library: a ValueError that quotes what was given, never an error from deep inside."""

import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, ParallelLaw
from scaling.optimise.objectives import LAD


@pytest.fixture(scope="module")
def one(pile):
    return scaling.fit(ParallelLaw, pile)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda runs, one: scaling.fit("cubic", runs), "'cubic'"),
        (lambda runs, one: scaling.compare(ParallelLaw, runs), "laws=.*ParallelLaw"),
        (lambda runs, one: scaling.backtest(3, runs), r"\b3\b"),
        (lambda runs, one: scaling.fit(ParallelLaw, "runs.csv"), "table='runs.csv'"),
        (
            lambda runs, one: scaling.fit(ParallelLaw, runs, scaling.LeastSquares),
            "<class .*LeastSquares",
        ),
        (lambda runs, one: one.predict(method=scaling.Bootstrap, N=1e9, P=2), "<class .*Bootstrap"),
        (lambda runs, one: ParallelLaw.from_vector([1.0, 2.0]), "2.*E.*A.*ParallelLaw"),
        (lambda runs, one: LAD(delta=0), "delta=0"),
        (lambda runs, one: one.intervals(scaling.Bootstrap()), "level=Bootstrap"),
        (lambda runs, one: one.predict(N=[1e9, 2e9], P=[1, 2, 3]), "2.*N.*3.*P"),
        (lambda runs, one: one.equivalent("N", {}, N=1e9, P=2), r"\{'P': 1\}"),
        (lambda runs, one: one.sensitivity("E", []), r"\bE\b.*\[1\.4, 1\.6\]"),
        (lambda runs, one: scaling.fit("dense", runs.assign(loss="2,111")), "'2,111'"),
        (
            lambda runs, one: scaling.suggest(one, pd.DataFrame({"N": [1e9], "P": [8]}), budget_flops=1e22),
            r"budget_flops=1e\+22.*C.*N.*D",
        ),
    ],
)
def test_a_wrong_call_is_told_in_one_line(call, message, pile, one):
    with pytest.raises(ValueError, match=message):
        call(pile, one)


@pytest.mark.slow
def test_a_fitted_law_is_a_law_wherever_one_is_asked_for(pile, one):
    assert scaling.fit(one.law, pile).law == one.law
    assert list(scaling.compare([one.law, AdditiveLaw], pile).table.index) == ["AdditiveLaw", "ParallelLaw"]
    assert len(scaling.backtest(one.law, pile).table) > 1
