"""Changes with P at equal seed: pairs, intervals, k, and the price of parameters."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import DenseLaw, LeastSquares
from scaling.selection.paired_gains import (
    gains,
    mean_change,
    needed_k,
    of_one_law,
    one_stream_fits,
    paired,
    pairs,
    worth,
)
from scaling.selection.pooled_k import pooled_k
from tests.scaling.paired_runs import DENSE, GAIN, made


def test_a_change_at_equal_seed_is_free_of_what_seeds_share() -> None:
    runs = made(apart=0.05)
    table = gains(runs)
    assert len(paired(runs)) == 24
    assert len(table) == 8
    assert (table["seeds"] == 3).all()
    for P, gain in GAIN.items():
        assert table[table["P"] == P]["change"].to_numpy() == pytest.approx(gain, abs=1e-12)
    assert table["spread"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_the_parameters_that_streams_bring_are_priced_by_the_runs_of_one() -> None:
    runs = made()
    (one,) = one_stream_fits(runs).values()
    assert one.law.predict(N=5e5) == pytest.approx(DENSE.predict(N=5e5), rel=1e-4)
    row = gains(runs).iloc[1]  # the smallest size at P = 4
    expected = DENSE.predict(N=20.0 * 32**2 * 1.1) - DENSE.predict(N=20.0 * 32**2)
    assert (row["P"], row["by_parameters"]) == (4, pytest.approx(expected, rel=1e-2))


@pytest.mark.slow
def test_k_is_that_of_the_law_where_it_holds_and_moves_where_it_does_not() -> None:
    runs = made()
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.4)
    held = runs.assign(loss=law.predict(N=runs["N"], P=runs["P"]))
    assert gains(held)["k"].to_numpy() == pytest.approx(0.4, rel=1e-3)
    flat = gains(runs).groupby("size")["k"].agg(["first", "last"])  # the loss falls by as much at every size
    assert np.ptp(flat["first"]) > 0.02
    (one,) = one_stream_fits(runs).values()
    below = paired(runs).assign(change=-2.0)
    assert needed_k(one, below[below["P"] == 2]) == np.inf
    assert np.isnan(gains(runs[runs["size"] == "32x2"])["k"]).all()


def test_the_interval_over_seeds_is_students() -> None:
    table = gains(made(noise=0.01))
    half = (table["high"] - table["low"]) / 2
    assert half.to_numpy() == pytest.approx(4.3027 / np.sqrt(3) * table["spread"].to_numpy(), rel=1e-3)
    assert ((table["low"] + table["high"]) / 2).to_numpy() == pytest.approx(table["change"].to_numpy())


def test_the_interval_over_seeds_covers() -> None:
    seeds, rng, held = 2, np.random.default_rng(2), []
    for _ in range(400):
        one, four = 0.01 * rng.standard_normal((2, seeds))
        rows = {
            "corpus": "x",
            "size": "s",
            "D": 1.0,
            "N_one": 1.0,
            "P": 4,
            "N": 1.2,
            "change": four - one - 0.02,
        }
        found = mean_change(pd.DataFrame(rows), 0.95)
        held.append(found["low"] <= -0.02 <= found["high"])
    assert 0.92 <= np.mean(held) <= 0.98  # standard error 0.011


def test_two_sizes_price_no_parameters() -> None:
    runs = made()
    few = runs[runs["size"].isin(["32x2", "64x2"])]
    assert one_stream_fits(few) == {}
    assert gains(few)["by_parameters"].isna().all()


def test_diverged_runs_and_runs_without_a_partner_are_left_out() -> None:
    runs = made(seeds=1)
    runs.loc[(runs["size"] == "32x2") & (runs["P"] == 1), "status"] = "diverged"
    assert set(gains(runs)["size"]) == {"64x2", "96x2", "128x2"}
    assert len(gains(runs.drop(columns="size"))) == 0


def test_what_parameters_are_worth_has_the_profile_interval() -> None:
    runs = made(noise=0.004)
    (one,) = one_stream_fits(runs).values()
    row = gains(runs).iloc[-1]
    assert row["by_low"] < row["by_parameters"] < row["by_high"]
    draws = scaling.Bootstrap(400).draws(one, 400)
    spread = np.std(draws.predict(N=np.array([[row["N"]]])) - draws.predict(N=np.array([[row["N_one"]]])))
    assert 0.6 < (row["by_high"] - row["by_low"]) / (4 * spread) < 2.5  # few sizes: Student's t


@pytest.mark.slow
def test_what_parameters_are_worth_is_covered_at_six_runs() -> None:
    sizes = np.array([24_864.0, 49_696, 139_072, 139_072, 231_744, 407_136])  # two seeds of one
    pair = pd.DataFrame({"N_one": [139_072.0], "N": [158_852.0]})
    truth, rng, held = DenseLaw(E=1.5, A=2e5, alpha=0.25), np.random.default_rng(1), []
    true = truth.predict(N=158_852.0) - truth.predict(N=139_072.0)
    for _ in range(200):
        loss = truth.predict(N=sizes) + 0.04 * rng.standard_normal(6)
        one = scaling.fit(DenseLaw, {"N": sizes, "loss": loss}, LeastSquares())
        ((_, low, high),) = worth(one, [pair], 0.95)
        held.append(low <= true <= high)
    assert 0.91 <= np.mean(held) <= 0.99  # standard error 0.015


def test_changes_of_two_budgets_of_tokens_are_pairs_of_their_own():
    runs = pd.concat([made(seeds=1).assign(D=1e6), made(seeds=1).assign(D=2e6)])
    assert pairs(runs)["D"].value_counts().to_dict() == {1e6: 8, 2e6: 8}


LAW = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.3)
SIZES = np.geomspace(1e6, 3e7, 5)


def runs(budgets, gain=0.2):
    """P in {1, 2, 4} at the sizes of each token budget. Ten times the tokens lower every loss by 0.2."""
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
    with pytest.raises(ValueError, match=r"D.*1.*15"):
        paired(some)
    with pytest.raises(ValueError, match=r"D.*1.*15"):
        gains(some)
    assert (paired(some.assign(D=np.nan))["D"] == 0).all()


def test_runs_of_one_N_are_of_one_size_where_none_is_named():
    unnamed = runs({1e8: range(5)}).drop(columns="size")
    assert gains(unnamed)["k"].to_numpy() == pytest.approx(0.3, abs=1e-6)
    unnamed["N"] *= np.where(unnamed["P"] > 1, 1.01, 1.0)
    assert not len(gains(unnamed))
