"""Tables of every kind that people hold: each gives the same frame and the same fit."""

import numpy as np
import pandas as pd
import pytest

from scaling import DenseLaw
from scaling.data.any_table import as_frame, axis_columns, runs_frame

PLAIN = pd.DataFrame({"N": [1e9, 2e9, 3e9], "P": [1, 2, 4], "loss": [2.5, 2.4, 2.3]})


def test_a_frame_is_given_back_as_it_is():
    assert as_frame(PLAIN) is PLAIN


@pytest.mark.parametrize(
    "given",
    [PLAIN.to_dict("list"), PLAIN.to_dict("records"), PLAIN.to_records(index=False)],
    ids=["mapping", "records", "structured array"],
)
def test_other_kinds_have_the_same_columns_and_values(given):
    pd.testing.assert_frame_equal(as_frame(given), PLAIN, check_dtype=False)


def test_columns_of_a_mapping_are_taken_by_position_whatever_their_index():
    backwards = PLAIN["loss"].set_axis([2, 1, 0])
    found = as_frame({"N": PLAIN["N"], "loss": backwards})
    assert found["loss"].tolist() == [2.5, 2.4, 2.3]


@pytest.mark.parametrize(
    "given",
    [None, 3, [], [1.0, 2.0], "runs.csv", DenseLaw, "parallel", PLAIN["N"], PLAIN.to_numpy(), pd.DataFrame],
)
def test_what_is_no_table_is_refused_under_the_name_of_its_option(given):
    with pytest.raises(ValueError, match=r"^rows( is one column)?[ =,]") as error:
        as_frame(given, "rows")
    assert len(str(error.value).splitlines()) == 1


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'N'"):
        as_frame(pd.concat([PLAIN, PLAIN["N"]], axis=1))


def test_axes_are_float64_and_a_missing_one_is_named():
    found = axis_columns(PLAIN, ("N", "P"))
    assert {name: values.dtype for name, values in found.items()} == {"N": np.float64, "P": np.float64}
    assert found["P"].tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="'D'"):
        axis_columns(PLAIN, ("N", "D"))


def test_sizes_in_words_become_numbers_and_other_columns_stay():
    words = PLAIN.assign(N=["1B", "2B", "3B"], size=["s", "m", "l"])
    found = runs_frame(words)
    assert found["N"].tolist() == [1e9, 2e9, 3e9]
    assert found["size"].tolist() == ["s", "m", "l"]
    assert words["N"].tolist() == ["1B", "2B", "3B"]  # what was given is not changed
