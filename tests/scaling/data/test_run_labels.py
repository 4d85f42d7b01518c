"""Which rows of a table are of one run."""

import numpy as np
import pandas as pd
import pytest

from scaling.data.run_labels import run_labels

TABLE = {"N": [1e8, 1e8, 1e9, 1e9], "D": [1e9, 2e9, 1e9, 2e9], "loss": [3.0, 2.9, 2.5, 2.4]}
ALL = np.ones(4, bool)


@pytest.mark.parametrize("column", ["run_id", "Name", "RUN"])
def test_labels_that_repeat_are_runs(column: str) -> None:
    labels, how = run_labels(TABLE | {column: ["a", "a", "b", None]}, ALL)
    assert how == f"column {column}"
    assert labels.tolist() == ["a", "a", "b", "row 4"]
    labels, _ = run_labels(TABLE | {column: ["a", "a", "b", "b"]}, np.array([True, True, False, True]))
    assert labels.tolist() == ["a", "a", "b"]


def test_a_label_of_two_sizes_numbers_replicates() -> None:
    assert run_labels(TABLE | {"run": [1, 2, 1, 2]}, ALL) == (None, "")
    assert run_labels(TABLE | {"run": [1, 2, 3, 4]}, ALL) == (None, "")


def test_rows_that_differ_in_step_and_tokens_alone_are_of_one_run() -> None:
    labels, how = run_labels(pd.DataFrame(TABLE | {"step": [1, 2, 1, 2], "lr": [0.1, 0.1, 0.2, 0.2]}), ALL)
    assert how == "column step"
    assert pd.factorize(labels)[0].tolist() == [0, 0, 1, 1]
    assert run_labels(TABLE | {"step": [5, 5, 5, 5]}, ALL) == (None, "")
    assert run_labels([TABLE], ALL) == (None, "")
