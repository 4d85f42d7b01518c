"""Rows that belong together, compute against 6 N D, and columns in a few words."""

import re

import numpy as np
import pandas as pd
import pytest

from scaling.selection.run_structure import compute_note, holds, other_columns, repeat_notes

N = np.array([1e8, 2e8, 4e8, 8e8])


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1.0, "C is 6 N D"), (1.2, "1.2 times"), (np.array([1, 2, 1, 1]), "1 to 2 times")],
)
def test_compute_is_held_beside_six_n_d(factor, said):
    runs = pd.DataFrame({"N": N, "D": 20 * N, "C": 120 * N**2 * factor})
    axes = {"N": N, "P": np.ones(4), "D": 20 * N}
    assert said in compute_note(runs, np.ones(4, bool), axes)[0]
    assert compute_note(runs.drop(columns="C"), np.ones(4, bool), axes) == ()


def test_nothing_is_said_of_runs_that_do_not_repeat():
    assert repeat_notes(pd.DataFrame({"N": N, "step": 7}), {"N": N}) == ()


def test_steps_within_a_size_are_checkpoints():
    sizes, steps = np.repeat(N, 5), np.tile([1, 2, 3, 4, 5], 4)
    runs = pd.DataFrame({"N": sizes, "loss": np.arange(20.0) + 1, "global_step": steps})
    (_, note) = repeat_notes(runs, {"N": sizes})
    assert re.search(r"--where.*global_step=5", note)
    ragged = runs.iloc[:-1]
    assert "--groups" in repeat_notes(ragged, {"N": sizes[:-1]})[-1]
    by_size = runs.assign(global_step=np.repeat([1, 2, 3, 4], 5))  # a budget a size
    assert len(repeat_notes(by_size, {"N": sizes})) == 1


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1, 2, 2, np.nan], "1, 2, 1 empty"),
        (["b", "a", "b", "a"], "b, a"),
        (np.arange(20) / 10, "20 values, 0 to 1.9"),
        ([f"run {i}" for i in range(9)], "9 values such as run 0"),
        ([None, None], "empty"),
        ([{"a": 1}, {"b": 2}], "dicts"),
        ([True, False], "True, False"),
        (["x" * 50, "y"], f"{'x' * 29}..., y"),
    ],
)
def test_a_column_in_a_few_words(column, words):
    assert holds(pd.Series(column)) == words


def test_axes_are_no_other_columns():
    runs = pd.DataFrame({"N": N, "lr": 0.1})
    assert other_columns(runs, {"N"}) == {"lr": "0.1"}
