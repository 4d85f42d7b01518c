"""What a doubling is worth: known worths are recovered, with the stated coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.sweep.arm_worth import (
    ResourceLaw,
    answer,
    contrast,
    fieller,
    pays,
    ratio_interval,
    worth_by_law,
    worth_by_pairs,
)

SIZES = {"a": 25e3, "b": 93e3, "c": 185e3, "d": 407e3}
ARMS = {  # arm: axis, doublings, P, r, experts
    "base": ("", 0, 1, 1, 1), "P=2": ("streams", 1, 2, 1, 1), "P=4": ("streams", 2, 4, 1, 1),
    "r=2": ("loops", 1, 1, 2, 1), "r=4": ("loops", 2, 1, 4, 1), "E=4": ("experts", 2, 1, 1, 4),
}  # fmt: skip
TRUE = ResourceLaw(E=0.0, A=3e2, alpha=0.5, phi=0.4, k=0.2, gamma=0.5)


def runs_of(noise, seed=0, seeds=3):
    random = np.random.default_rng(seed)
    rows = [
        {"size": size, "N": N, "N_recurrent": N / 2, "seed": s, "arm": arm}
        | dict(zip(("axis", "doublings", "P", "r", "experts"), about, strict=True))
        for size, N in SIZES.items()
        for s in range(seeds)
        for arm, about in ARMS.items()
    ]
    table = pd.DataFrame(rows)
    axes = {"N_once": table["N"] / 2, **{n: table[n] for n in ("N_recurrent", "P", "r", "experts")}}
    return table.assign(loss=TRUE.predict(**axes) * np.exp(noise * random.standard_normal(len(table))))


def test_known_worths_come_back():
    table = worth_by_pairs(runs_of(1e-9)).set_index("axis")
    assert table.loc["experts", "worth"] == pytest.approx(2**0.5, rel=1e-6)
    assert 1 + 0.2 * np.log(2) == pytest.approx(
        table.loc["streams", "worth"], rel=0.02
    )  # mean over P = 2 and 4
    assert table["cells"].tolist() == [12] * 3
    assert table["answer"].tolist() == ["helps"] * 3
    law = worth_by_law(runs_of(1e-3)).set_index("axis")
    assert law.loc["streams", "estimate"] == pytest.approx(0.2, abs=0.01)
    assert law.loc["loops", "by_law"] == pytest.approx((1 + 2**0.4) / 2, rel=0.01)
    assert (law["law_lower"] < law["by_law"]).all()


def share_held(scatter, shared=0.0, trials=250):
    """Of intervals of ln worth at four sizes and three seeds; offsets of sizes: scatter of the gain, shared by both losses."""
    random = np.random.default_rng(0)
    cells = pd.MultiIndex.from_product([SIZES, range(3)], names=["size", "seed"])
    log_N, inside = pd.Series(np.repeat(np.log([*SIZES.values()]), 3), cells), []
    for _ in range(trials):
        base, arm = 0.2 * random.standard_normal((2, 12))  # noise of the log loss, the base's in both numbers
        of_gain, of_both = np.repeat([scatter, shared] * random.standard_normal((4, 2)), 3, axis=0).T
        log_loss, gain = 5 - 0.5 * log_N + base + of_both, np.log(2) / 4 + (base - arm) / 2 + of_gain
        _, low, high = ratio_interval(log_N, log_loss, pd.Series(gain, cells), 0.95)
        inside.append(low <= np.log(2) / 2 <= high)
    return np.mean(inside)


@pytest.mark.parametrize(("scatter", "shared"), [(0.0, 0.0), (0.15, 0.0), (0.5, 0.0), (0.0, 0.4)])
def test_intervals_hold_where_the_gain_scatters_from_size_to_size_and_where_not(scatter, shared):
    assert 0.93 <= share_held(scatter, shared) <= 0.985


def interval_of(gains, seeds):
    """About ln worth, where BASE lies on its line of slope 1/2 and gains are given by size and seed."""
    cells = pd.MultiIndex.from_product([SIZES, range(seeds)], names=["size", "seed"])
    log_N = pd.Series(np.repeat(np.log([*SIZES.values()]), seeds), cells)
    return ratio_interval(log_N, -0.5 * log_N, pd.Series(np.ravel(gains), cells), 0.95)


def test_seeds_that_repeat_each_other_tell_no_more_than_one():
    once = interval_of([0.1, 0.3, 0.2, 0.6], 1)
    assert interval_of(np.repeat([0.1, 0.3, 0.2, 0.6], 3), 3) == pytest.approx(once, rel=1e-9)
    half = stats.t.ppf(0.975, 3) * np.std([0.2, 0.6, 0.4, 1.2], ddof=1) / 2
    assert once == pytest.approx((0.6, 0.6 - half, 0.6 + half))


def test_seeds_of_sizes_with_one_gain_all_tell():
    half = stats.t.ppf(0.975, 11) * np.std(np.tile([0.2, 0.4, 0.6], 4), ddof=1) / np.sqrt(12)
    assert interval_of(np.tile([0.1, 0.2, 0.3], 4), 3) == pytest.approx((0.4, 0.4 - half, 0.4 + half))


def test_a_contrast_of_two_arms_knows_that_sizes_differ():
    runs = runs_of(0.01)
    alike = contrast(runs, "P=2", "r=2")
    offset = runs["size"].map({"a": 1, "b": -1, "c": 1, "d": -1}) * (runs["arm"] == "r=2")
    apart = runs.assign(loss=runs["loss"] * np.exp(offset))
    found = contrast(apart, "P=2", "r=2")
    assert found["gain"] == pytest.approx(alike["gain"], abs=1e-9)
    half = stats.t.ppf(0.975, 3) * np.std([1, -1, 1, -1], ddof=1) / 2  # noise left out
    assert found["upper"] - found["gain"] == pytest.approx(half, rel=0.02)


def test_what_cannot_be_told_is_open():
    runs = runs_of(0.1)
    (row,) = worth_by_pairs(runs[(runs["size"] == "a") & runs["axis"].isin(["", "loops"])]).to_dict("records")
    assert (row["lower"], row["upper"], row["answer"]) == (0.0, np.inf, "cannot tell")
    assert fieller(1.0, 0.1, np.diag([0.01, 0.01]), 2.0) == (-np.inf, np.inf)
    low, high = fieller(1.0, 2.0, np.diag([0.01, 0.0]), 2.0)
    assert (low, high) == pytest.approx((0.4, 0.6))
    together = np.array([[0.01, 0.005], [0.005, 0.01]])  # roots of 3.96 x^2 - 3.96 x + 0.96
    assert fieller(1.0, 2.0, together, 2.0) == pytest.approx((0.41296, 0.58704), abs=1e-5)
    assert [answer(1.01, 2), answer(0.9, 1.05), answer(0.9, 1.2)] == [
        "helps",
        "no more than 1.1",
        "cannot tell",
    ]
    twice = pd.concat([runs, runs[runs["arm"] == "base"]])
    with pytest.raises(ValueError, match="base"):
        worth_by_pairs(twice)


def test_contrasts_pair_cells():
    found = contrast(runs_of(1e-9), "P=2", "r=2")
    gain = 0.5 * np.log((1 + 0.2 * np.log(2)) / ((1 + 2**0.4) / 2))
    assert (found["cells"], found["gain"]) == (12, pytest.approx(gain, rel=1e-5))
    assert found["lower"] < found["gain"] < found["upper"]
    assert contrast(runs_of(0.1), "P=2", "none")["cells"] == 0


def test_an_arm_pays_where_its_loss_is_worth_more_than_it_costs():
    runs = runs_of(0.02)
    cost = {"r=2": 1.2, "r=4": 4.0}
    runs = runs.assign(parameters=runs["N"], flops_a_token=2 * runs["N"] * runs["arm"].map(cost).fillna(1.0))
    table = pays(runs).set_index(["budget", "arm"])
    worth = (1 + 2**0.4) / 2
    assert table.loc[("parameters", "r=2"), "factor"] == pytest.approx(worth, rel=0.1)
    assert table.loc[("FLOPs a token", "r=2"), "factor"] == pytest.approx(worth / 1.2, rel=0.1)
    assert table.loc[("parameters", "r=4"), "answer"] == "pays"
    assert table.loc[("FLOPs a token", "r=4"), "answer"] == "does not pay"
    assert table.loc[("parameters", "P=2"), "lower"] < 1.2 < table.loc[("parameters", "P=4"), "upper"]
    with pytest.raises(ValueError, match="base"):
        pays(runs[runs["arm"] != "base"])
    with pytest.raises(ValueError, match="latency_s"):
        pays(runs.assign(parameters=np.nan).drop(columns="flops_a_token"))
