"""What streams are worth: by pairs of runs where four sizes have them, else by the law."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.fitting.summary import parameter_table
from scaling.selection.stream_worth import axis_worth, worth_of_streams


def made(k: float, sizes: int = 6, fall: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Runs of so many sizes and P = 1, 2, 4, 8 whose k falls by `fall` each doubling."""
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, sizes), [1.0, 2.0, 4.0, 8.0]))
    law = scaling.DenseLaw(E=1.37, A=3.1e7, alpha=0.213)
    loss = law.predict(N=N * (1 + (k - fall * (np.log2(np.maximum(P, 2)) - 1)) * np.log(P)))
    noise = 5e-4 * np.random.default_rng(seed).standard_normal(N.size)
    return pd.DataFrame({"N": N, "P": P, "loss": loss + noise})


def worth(runs: pd.DataFrame):
    fit = scaling.fit("parallel", runs)
    return worth_of_streams(fit, fit.intervals(method="covariance"), 0.95)


def test_pairs_decide_where_four_sizes_have_them():
    found = worth(made(0.3))
    assert found.answer == "yes"
    assert found.lower < 1 + 0.3 * np.log(8) < found.upper
    assert found.by_P["P"].tolist() == [2, 4, 8]
    assert found.by_P["k"].tolist() == pytest.approx([0.3] * 3, abs=0.05)
    assert found.falls == ""
    assert worth(made(-0.1)).answer == "no"
    nothing = worth(made(0.0))
    assert nothing.answer in ("no", "cannot tell")
    assert nothing.lower < 1 < nothing.upper


def test_three_sizes_are_judged_by_the_law():
    runs = made(0.3, sizes=3)
    fit = scaling.fit("parallel", runs)
    found = worth_of_streams(fit, parameter_table(fit), 0.95)
    told = fit.equivalent_N(N=np.median(runs["N"]), P=8).iloc[0]
    assert found.number == pytest.approx(told.multiple, rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx((told.lower / told.N, told.upper / told.N), rel=1e-9)


def test_a_k_that_falls_with_P_is_named():
    assert "k falls" in worth(made(0.5, fall=0.2)).falls


def test_intervals_that_exclude_each_other_are_not_believed():
    runs = made(0.3)
    parameters = pd.DataFrame({"estimate": [0.9], "lower": [0.8], "upper": [1.0]}, index=["k"])
    assert worth_of_streams(scaling.fit("parallel", runs), parameters, 0.95).answer == "cannot tell"


def test_another_axis_is_told_by_the_change_of_the_loss():
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 5), np.geomspace(1e9, 1e11, 4)))
    law = scaling.ChinchillaLaw(E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(N.size)
    found = axis_worth(
        scaling.fit("chinchilla", {"N": N, "D": D, "loss": law.predict(N=N, D=D) + noise}), 0.95
    )
    change = float(np.diff(law.predict(N=np.full(2, np.median(N)), D=np.array([1e9, 1e11])))[0])
    assert found.answer == "yes"
    assert found.lower < change < found.upper < 0
    assert "D" in found.question
