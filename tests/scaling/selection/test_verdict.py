"""Three answers about a table, computed once. An answer that is withheld has its reason."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.selection.backtest import Backtest
from scaling.selection.compare import Comparison


@pytest.fixture(scope="module")
def found(pile: pd.DataFrame) -> scaling.Verdict:
    return scaling.verdict(pile)


def test_the_published_losses_help_but_not_by_this_law(found: scaling.Verdict, pile: pd.DataFrame) -> None:
    assert [one.answer for one in found.answers] == ["yes", "no", "no"]
    assert found.streams.lower > 1
    assert found.fit.law.k == scaling.fit("parallel", pile).law.k
    assert found.comparison.table.index[0] == "AdditiveLaw"
    weights = np.exp(-found.comparison.table["delta_aicc"] / 2)
    assert found.law.number == pytest.approx(weights["ParallelLaw"] / weights.sum(), rel=1e-9)
    assert found.extrapolates.number == pytest.approx(found.backtest.table["bias"].iloc[0])
    assert f"{found.parameters['estimate']['k']:.3f}" in found.streams.text
    assert found.rival is scaling.AdditiveLaw  # far better, which decides and so comes first
    assert found.law.text.startswith("AdditiveLaw")
    assert found.extrapolates.number > 0
    assert re.search(r"\b8\b", found.extrapolates.text)
    assert found.text.splitlines()[:3] == list(found.lines)
    assert all(one.answer in found._repr_html_() for one in found.answers)


def test_losses_that_came_out_lower_are_called_lower(pile: pd.DataFrame) -> None:
    few = pile[pile["P"] < 3]
    falls = few["loss"].where(few["N"] < 2e9, few["loss"] - 0.05)
    told = scaling.verdict(few.assign(loss=falls), "parallel", objective="least-squares").extrapolates
    assert told.number < 0
    assert "lower" in told.text
    assert "higher" not in told.text


@pytest.mark.slow
def test_a_fit_gives_the_verdict_of_its_table(found: scaling.Verdict, pile: pd.DataFrame) -> None:
    assert scaling.fit("parallel", pile).verdict().text == found.text
    assert list(scaling.verdict(pile[pile["P"] == 1], by="corpus")) == ["pile"]


@pytest.mark.slow
def test_what_is_told_is_what_the_whole_backtest_tells(
    found: scaling.Verdict, ranking: Comparison, report: Backtest
) -> None:
    held = report.table.loc[found.backtest.table.index[0]]
    assert held.equals(found.backtest.table.iloc[0])
    assert ranking.table.loc["ParallelLaw", "holdout_bias"] == pytest.approx(held["bias"], rel=1e-6)


def test_json_is_strict(found: scaling.Verdict) -> None:
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["law"]["lower"] is None
    assert told["streams"]["answer"] == "yes"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (lambda t: t[t["P"] == 1], "P = 1"),
        (lambda t: t[t["size"] == "0.5B"], "N "),
        (lambda t: t[:2], "2 "),
        (lambda t: t.assign(status="diverged"), "24"),
    ],
)
def test_what_cannot_be_told_is_said_with_the_reason(rows, why: str, pile: pd.DataFrame) -> None:
    told = scaling.verdict(rows(pile), "parallel", objective="log-least-squares")
    assert told.streams.answer == told.law.answer == "cannot tell"
    assert why in told.streams.text
    assert told.extrapolates.answer == "cannot tell"


@pytest.mark.slow
def test_the_law_is_that_of_the_axes_which_vary(pile: pd.DataFrame) -> None:
    two = pd.concat([pile, pile.assign(D=pile["D"] * 3)])
    assert scaling.verdict(two[two["P"] == 1]).streams.question == "Does D matter?"


def test_a_law_that_is_the_true_one_is_not_refused() -> None:
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 6), [1.0, 2.0, 4.0, 8.0]))
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.4)
    noise = 1e-3 * np.random.default_rng(5).standard_normal(N.size)
    runs = {"N": N, "P": P, "loss": law.predict(N=N, P=P) + noise}
    told = scaling.verdict(runs, objective="log-least-squares")
    assert told.streams.answer == "yes"
    assert told.law.answer != "no"
    assert told.extrapolates.answer != "no"
