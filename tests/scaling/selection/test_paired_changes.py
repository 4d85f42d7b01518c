"""Which runs are set beside which, and which of them one law of N describes."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.selection.paired_gains import gains, of_one_law, one_stream_fits, paired
from scaling.selection.pooled_k import pooled_k

LAW = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.3)
SIZES = np.geomspace(1e6, 3e7, 5)


def runs(budgets, gain=0.2):
    """P in {1, 2, 4} at the sizes of each budget of tokens; ten times the tokens lower every loss by .2."""
    rows = [
        {"size": f"s{i}", "N": SIZES[i], "P": P, "D": D, "loss": float(LAW.predict(N=SIZES[i], P=P)) - lower}
        for lower, (D, indices) in zip((0.0, gain), budgets.items(), strict=False)
        for i in indices
        for P in (1, 2, 4)
    ]
    return pd.DataFrame(rows)


def test_each_budget_of_tokens_has_a_law_of_N_of_its_own():
    both = runs({1e8: range(5), 1e9: range(2, 5)})
    assert list(of_one_law(both)) == ["100M tokens", "1B tokens"]
    assert gains(both)["k"].to_numpy() == pytest.approx(0.3, abs=1e-6)
    assert {name: one.loss.size for name, one in one_stream_fits(both).items()} == {
        "100M tokens": 5,
        "1B tokens": 3,
    }
    (pooled,) = pooled_k(both)  # four sizes are the least for a jackknife
    assert (pooled.corpus, pooled.k) == ("100M tokens", pytest.approx(0.3, abs=1e-6))


def test_a_diagonal_on_which_each_size_has_its_own_tokens_is_one_law():
    diagonal = runs({1e8: range(5)})
    diagonal["D"] = 20 * diagonal.groupby("size")["N"].transform("min")
    assert list(of_one_law(diagonal)) == [""]
    assert gains(diagonal)["k"].to_numpy() == pytest.approx(0.3, abs=1e-6)


def test_runs_of_which_some_do_not_tell_their_tokens_are_refused():
    some = runs({1e8: range(5)})
    some.loc[3, "D"] = np.nan
    with pytest.raises(ValueError, match="D is missing in 1 of 15 runs: changes are taken at equal tokens"):
        paired(some)
    with pytest.raises(ValueError, match="D is missing in 1 of 15 runs"):
        gains(some)
    assert (paired(some.assign(D=np.nan))["D"] == 0).all()


def test_runs_of_one_N_are_of_one_size_where_none_is_named():
    unnamed = runs({1e8: range(5)}).drop(columns="size")
    assert gains(unnamed)["k"].to_numpy() == pytest.approx(0.3, abs=1e-6)
    unnamed["N"] *= np.where(unnamed["P"] > 1, 1.01, 1.0)
    assert not len(gains(unnamed))
