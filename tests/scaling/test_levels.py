"""Which runs are of one size, whatever their streams add to N."""

import numpy as np
import pandas as pd

from scaling.levels import axis_levels, size_levels


def test_streams_add_parameters_to_a_size_and_make_no_size_of_their_own():
    backbone = np.repeat([24_864.0, 49_696.0, 139_072.0], 4)
    P = np.tile([1, 2, 4, 8], 3)
    N = backbone * np.tile([1.0, 1.1, 1.21, 1.42], 3)
    assert axis_levels(N, P).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert axis_levels(N).max() > 2
    shuffled = np.random.default_rng(0).permutation(N.size)
    assert (axis_levels(N[shuffled], P[shuffled]) == axis_levels(N, P)[shuffled]).all()


def test_named_sizes_are_levels_however_much_streams_add():
    rows = [("a", 24_864, 1), ("a", 66_912, 32), ("b", 49_696, 1), ("c", 139_072, 1), ("b", 62_280, 8)]
    runs = pd.DataFrame(rows, columns=["size", "N", "P"])
    assert size_levels(runs).tolist() == [0, 0, 1, 2, 1]
    assert size_levels(runs.drop(columns="size")).tolist() == [0, 1, 1, 2, 1]  # N alone cannot tell
    assert size_levels(runs.assign(size=["a", None, "b", "c", "b"])).tolist() == [0, 1, 1, 2, 1]


def test_sizes_without_a_run_of_one_stream_are_levels_if_far_apart():
    N = np.asarray([1e6, 1.1e6, 2e6, 4e6])
    assert axis_levels(N, np.asarray([1, 2, 2, 2])).tolist() == [0, 0, 1, 2]
