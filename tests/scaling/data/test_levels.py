"""Which runs are of one size, whatever their streams add to N."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.data.levels import axis_levels, level_table, levels_along, size_levels
from tests.scaling.runs_off_by_size import off_by_size


def test_streams_add_parameters_to_a_size_and_make_no_size_of_their_own():
    backbone = np.repeat([24_864.0, 49_696.0, 139_072.0], 4)
    P = np.tile([1, 2, 4, 8], 3)
    N = backbone * np.tile([1.0, 1.1, 1.21, 1.42], 3)
    assert axis_levels(N, P).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert axis_levels(N).max() > 2
    shuffled = np.random.default_rng(0).permutation(N.size)
    assert (axis_levels(N[shuffled], P[shuffled]) == axis_levels(N, P)[shuffled]).all()


def test_close_values_do_not_chain_into_one_level() -> None:
    """39 sizes from 84M to 1.7B, 8% apart, are not one size. Hundreds of budgets are windows."""
    N = np.geomspace(84e6, 1.7e9, 39)
    level = axis_levels(N)
    assert level.max() == 7
    assert np.bincount(level).min() >= 4
    for one in range(8):
        assert np.ptp(np.log(N[level == one])) < np.log(1.6)
    with_streams = axis_levels(np.tile(N, 2) * np.repeat([1.0, 1.02], 39), np.repeat([1.0, 4.0], 39))
    assert (with_streams[:39] == level).all()
    assert (with_streams[39:] == level).mean() > 0.8
    D = 10 ** np.random.default_rng(0).uniform(9, 11, 234)
    counts = np.bincount(axis_levels(D))
    assert counts.size > 10
    assert axis_levels(np.array([1e8, 1.1e8, 1.2e8, 4e8])).tolist() == [0, 0, 0, 1]  # one size that wobbles


def test_named_sizes_are_levels_however_much_streams_add():
    rows = [("a", 24_864, 1), ("a", 66_912, 32), ("b", 49_696, 1), ("c", 139_072, 1), ("b", 62_280, 8)]
    runs = pd.DataFrame(rows, columns=["size", "N", "P"])
    assert size_levels(runs).tolist() == [0, 0, 1, 2, 1]
    assert size_levels(runs.drop(columns="size")).tolist() == [0, 1, 1, 2, 1]  # N alone cannot tell
    assert size_levels(runs.assign(size=["a", None, "b", "c", "b"])).tolist() == [0, 1, 1, 2, 1]


def test_sizes_without_a_run_of_one_stream_are_levels_if_far_apart():
    N = np.asarray([1e6, 1.1e6, 2e6, 4e6])
    assert axis_levels(N, np.asarray([1, 2, 2, 2])).tolist() == [0, 0, 1, 2]


@pytest.mark.slow
def test_default_intervals_then_hold_and_those_of_independent_rows_do_not() -> None:
    """With shifted sizes the interval of alpha covered 2 in 3. That of k has its nominal coverage."""
    truth, held, alone = {"alpha": 0.213, "k": 0.287}, [], []
    for seed in range(20):
        fit = scaling.fit(scaling.ParallelLaw, off_by_size(5e-3, seed), scaling.LeastSquares(), start=6)
        for ends, into in ((fit.intervals(), held), (fit.intervals(method="profile"), alone)):
            into.append([ends.lower[name] <= value <= ends.upper[name] for name, value in truth.items()])
    assert (np.mean(held, axis=0) >= 0.8).all()
    assert np.mean(alone, axis=0)[0] <= 0.85


def test_a_level_table_counts_runs():
    N = np.array([1e9, 1.02e9, 2e9, 2e9, 4e9])
    table = level_table("N", {"N": N})
    assert table["runs"].tolist() == [2, 2, 1]
    assert table.iloc[0].tolist() == [1e9, 1.02e9, 2]
    dense = level_table("D", {"D": np.geomspace(1e9, 1e11, 1000)})
    assert 8 < len(dense) < 16
    assert dense["runs"].sum() == 1000
    assert (dense["lowest"].to_numpy()[1:] > dense["highest"].to_numpy()[:-1]).all()


def test_values_of_an_own_axis_that_repeat_are_levels_of_their_own() -> None:
    bits = np.tile([6.0, 7.0, 8.0], 4)
    assert levels_along("bits", bits, {}).tolist() == [0, 1, 2] * 4
    assert len(set(levels_along("N", bits, {}))) == 2  # 6 and then 7, 8: within 15 %
    assert levels_along("share", np.array([0.0, 0.5, 0.51]), {}).tolist() == [0, 1, 2]
