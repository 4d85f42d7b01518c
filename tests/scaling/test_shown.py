"""Values as a message quotes them: one line, cut short, tables by their kind."""

import numpy as np
import pandas as pd
import pytest

from scaling import ParallelLaw
from scaling.shown import ROOM, is_table, shown

FRAME = pd.DataFrame({"N": [1e9], "loss": [2.5]})


@pytest.mark.parametrize(
    ("value", "table"),
    [
        (FRAME, True),
        ({"N": [1e9]}, True),
        ([{"N": 1e9}, {"N": 2e9}], True),
        ([], False),
        ([{"N": 1e9}, 3], False),
        ([1.0, 2.0], False),
        (np.ones(3), False),
        (pd.DataFrame, False),
        (ParallelLaw, False),
        ("runs.csv", False),
        (None, False),
    ],
)
def test_what_looks_like_a_table(value, table):
    assert is_table(value) == table


def test_a_table_is_named_by_its_kind_and_an_array_by_its_shape():
    assert shown(FRAME) == "a table (DataFrame)"
    assert shown([{"N": 1e9}]) == "a table (list of records)"
    assert shown(pd.DataFrame) == repr(pd.DataFrame)  # the class, given by mistake
    assert shown(np.ones((3, 2))) == "ndarray of shape (3, 2)"


@pytest.mark.parametrize("value", [3, "runs.csv", {"E": 1.6}, None, [1.0, 2.0]])
def test_short_values_are_quoted_whole(value):
    assert shown(value) == repr(value)


def test_long_values_are_one_line_of_limited_length():
    told = shown("word\n" * 50)
    assert len(told) == ROOM
    assert told.endswith("...")
    assert "\n" not in shown({f"a{i}": "x\n\ny" for i in range(40)})
    exact = "x" * (ROOM - 2)  # two quotes
    assert shown(exact) == repr(exact)
