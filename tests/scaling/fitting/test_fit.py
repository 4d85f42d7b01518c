"""Weights that are no counts are refused, or noted; a fit says how its table was read, and keeps saying so."""

import numpy as np
import pytest

import scaling
from scaling.data.reading import Guess, Reading
from tests.scaling.tables import K_OF_ALL, K_OF_FINISHED, STREAMS, TABLES

ROWS = len(STREAMS)


@pytest.mark.parametrize(
    ("weights", "says"),
    [(np.full(ROWS, 1 / 0.002**2), "weights of 250000 are no counts"), (1 / np.linspace(0.001, 0.01, ROWS) ** 2, "are no counts"),
     (np.full(ROWS, 1 / ROWS), "they sum to 1 as shares do"), (np.full(ROWS, 0.3 / ROWS), "they sum to 0.3")],
)  # fmt: skip
def test_weights_that_are_no_counts_are_refused_with_the_remedy(weights: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says) as told:
        scaling.fit("dense", STREAMS, weights=weights)
    assert "se=" in str(told.value)


def test_weights_that_are_hardly_counts_are_noted() -> None:
    fit = scaling.fit("dense", STREAMS, weights=np.full(ROWS, 500.0))
    assert [doubt.axis for doubt in fit.reading.doubts] == ["weights"]
    assert "weights of 500" in repr(fit)


@pytest.mark.parametrize(
    "weights", [np.full(ROWS, 0.5), np.full(ROWS, 20.0), np.linspace(0.2, 3, ROWS), np.eye(ROWS)[:6].sum(0)]
)
def test_counts_and_relative_weights_are_taken(weights: np.ndarray) -> None:
    assert not scaling.fit("dense", STREAMS, weights=weights).reading


def test_a_fit_says_how_its_table_was_read(tmp_path) -> None:
    fit = scaling.fit("parallel", scaling.read_runs(TABLES / "crashed.csv"))
    assert fit.reading == Reading((Guess("status", "state", "they did not finish", "left out: 6 crashed"),))
    fit.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").reading == fit.reading
    assert not scaling.fit("parallel", STREAMS).reading


def test_a_fit_of_before_is_read() -> None:
    fit = scaling.load(TABLES / "streams_fit.json")
    assert not fit.reading
    assert fit.law.k == pytest.approx(K_OF_ALL, abs=1e-4) != K_OF_FINISHED
