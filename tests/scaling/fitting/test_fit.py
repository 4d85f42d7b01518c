"""Weights that are not counts are refused or noted. A fit reports how its table was read, also once saved."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ParallelLaw
from scaling.data.reading import Guess, Reading
from scaling.optimise.multi_start import FitError
from tests.scaling.tables import K_OF_ALL, K_OF_FINISHED, STREAMS, TABLES
from tests.scaling.twenty_runs import runs

ROWS = len(STREAMS)


@pytest.mark.parametrize(
    ("weights", "says"),
    [(np.full(ROWS, 1 / 0.002**2), "250000"), (1 / np.linspace(0.001, 0.01, ROWS) ** 2, "weights "),
     (np.full(ROWS, 1 / ROWS), " 1 "), (np.full(ROWS, 0.3 / ROWS), "0.3")],
)  # fmt: skip
def test_weights_that_are_no_counts_are_refused_with_the_remedy(weights: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says) as told:
        scaling.fit("dense", STREAMS, weights=weights)
    assert "se=" in str(told.value)


def test_weights_that_are_hardly_counts_are_noted() -> None:
    fit = scaling.fit("dense", STREAMS, weights=np.full(ROWS, 500.0))
    assert [doubt.axis for doubt in fit.reading.doubts] == ["weights"]
    assert re.search(r"weights.*\b500\b", repr(fit))


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


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"groups": "run_id"}, "groups='run_id'.*N.*P"),
        ({"weights": "w"}, "weights='w'"),
        ({"groups": ["a"]}, "groups.*1.*20"),
        ({"groups": ["a"] * 19 + [None]}, "groups.*20"),
        ({"start": 0}, "start=0.*1"),
    ],
)
def test_refused_keywords(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaling.fit(ParallelLaw, runs(), **keywords)


def test_too_few_rows_counts_free_parameters(pile):
    three = pile.iloc[[0, 7, 20]]
    with pytest.raises(FitError, match=r"3.*4"):
        scaling.fit("parallel", three)
    assert scaling.fit("parallel", three, fixed={"E": 1.2, "k": 0.3}).degrees_of_freedom == 1


def test_residuals_stand_on_the_index_of_the_table(pile):
    table = pile.set_index(pile["size"] + "-" + pile["P"].astype(str)).assign(status="ok")
    table.iloc[3, table.columns.get_loc("status")] = "diverged"
    weights = np.ones(24)
    weights[5] = 0
    fit = scaling.fit("parallel", table, weights=weights)
    assert isinstance(fit.residuals, pd.Series)
    assert list(fit.residuals.index) == list(np.delete(table.index, [3, 5]))
    expected = table["loss"] - fit.law.predict(N=table["N"], P=table["P"])
    np.testing.assert_allclose(fit.residuals, expected[fit.residuals.index], rtol=1e-9)
    without = scaling.fit("parallel", table.drop(index=table.index[[3, 5]]))
    assert list(fit.runs["size"]) == list(without.runs["size"])
    assert str(scaling.verdict(fit)) == str(scaling.verdict(without))


def test_an_empty_group_label_is_named(pile):
    labels = pd.Series([pd.NA, *"abcdefghijklmnopqrstuvw"], dtype="string")
    with pytest.raises(ValueError, match=r"groups.*1"):
        scaling.fit(ParallelLaw, pile, groups=labels)
