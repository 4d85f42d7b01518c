"""The grid's rows as arms, and its tables on a part of them."""

import numpy as np
import pandas as pd
import pytest

from results.grids import worth, worth_table

N = {"32x2": 24864, "64x2": 92736}


def rows():
    """Two sizes, two seeds, on memory: a doubling of experts is worth 2, streams nothing, wider models in one cell."""
    random = np.random.default_rng(0)
    found = []
    for size, n in N.items():
        for seed in (0, 1):
            plain = n**-0.5 * np.exp(0.01 * random.standard_normal())
            row = {
                "corpus": worth.MEMORY,
                "C": 6e5 * n,
                "D": 1e5,
                "seed": seed,
                "status": "ok",
                "N_recurrent": n / 2,
                "r": 1,
                "experts": 1,
            }
            found += [
                row | {"size": size, "P": 1, "N": n, "loss": plain},
                row
                | {
                    "size": size,
                    "P": 2,
                    "N": n * 1.1,
                    "loss": plain * np.exp(0.01 * random.standard_normal()),
                },
                row | {"size": f"{size}e4", "P": 1, "experts": 4, "N": 2 * n, "loss": plain / 2},
                row | {"size": f"{size}params", "P": 1, "N": 1.2 * n, "loss": plain / 1.1},
            ]
    return pd.DataFrame([*found, found[0] | {"status": "diverged", "seed": 2}, found[0] | {"corpus": "code"}])


def test_arms_are_named_and_their_worth_told():
    runs = worth_table.named_arms(rows())
    assert {*runs["arm"]} == {"base", "P2", "e4", "params"}
    assert len(runs) == 16
    by_arm = runs[runs["size"] == "32x2"].groupby("arm")["N"].first()
    assert by_arm["P2"] == by_arm["e4"] == by_arm["base"] == 24864  # the backbone's
    assert by_arm["params"] == pytest.approx(1.2 * 24864)
    table = worth_table.worth_table(runs).set_index("axis")
    assert table.loc["experts", "worth"] == pytest.approx(
        2.0, rel=0.05
    )  # loss halved, alpha 0.5, two doublings
    assert table.loc["experts", "by_law"] == pytest.approx(2.0, rel=0.05)
    assert table.loc["streams", "lower"] < 1 < table.loc["streams", "upper"]
    assert {*table["task"]} == {"memory"}
    contrasts = worth_table.contrast_table(runs).set_index(["one", "other"])
    assert contrasts.loc[("P2", "base"), "cells"] == 4
    assert contrasts.loc[("e4", "r4"), "cells"] == 0
    budgets = worth_table.budget_table(runs).set_index(["budget", "arm"])
    assert budgets.loc[("training FLOPs", "e4"), "factor"] == pytest.approx(
        4.0, rel=0.1
    )  # loss halved, as cheap
    assert budgets.loc[("parameters", "e4"), "factor"] == pytest.approx(
        2.0, rel=0.1
    )  # at twice the parameters
    assert budgets.loc[("parameters", "e4"), "answer"] == "pays"
    one = worth_table.worth_table(runs[runs["size"] == "32x2"])
    assert set(one["answer"]) == {"cannot tell"}


def test_registered_forecasts_are_scored_by_the_runs_made_since():
    runs = worth_table.named_arms(pd.read_parquet("results/sweeps/worth/runs.parquet"))
    table = worth_table.score_table(runs)
    arm = runs[(runs["line"] == "memory-r4") & (runs["size"] == "64x4")]
    told = table[(table["task"] == "memory") & (table["arm"] == "r4") & (table["size"] == "64x4")].iloc[0]
    assert told["observed"] == pytest.approx(arm["loss"].mean())
    assert (
        told["inside"] == arm["loss"].between(told["lower"], told["upper"]).sum() <= told["runs"] == len(arm)
    )
    assert not {*table["size"]} & {*worth.SIZES[:2]}  # what a forecast was fitted to is not scored
    accuracies = worth_table.accuracy_table(runs).set_index(["task", "arm", "size"])
    at = accuracies.loc[("memory", "r4", "64x4")]
    assert at["exact_match"] == pytest.approx(arm["exact_match"].mean())
    assert at["forecast_lower"] < at["by_forecast"] < at["forecast_upper"]
    assert (accuracies["inside"] <= accuracies["models"]).all()
    assert len(accuracies) == len(table)


def test_a_size_that_was_added_counts_once_it_is_whole():
    arms = ["base", "P2", "P4", "P8", "r2", "r4", "e4", "prefix", "params", "compute"]
    cells = [(size, arm, seed) for size in ("64x2", *worth.BETWEEN) for arm in arms for seed in worth.SEEDS]
    runs = pd.DataFrame(cells, columns=["size", "arm", "seed"]).assign(task="memory", loss=1.0)
    assert len(worth_table.whole_sizes(runs)) == len(runs)
    lacks = runs.drop(runs.index[-1])
    assert {*worth_table.whole_sizes(lacks)["size"]} == {"64x2", worth.BETWEEN[0]}
    other = pd.concat([runs, lacks.assign(task="reasoning")])
    assert worth_table.whole_sizes(other).groupby("task")["size"].nunique().to_dict() == {
        "memory": 3,
        "reasoning": 2,
    }
