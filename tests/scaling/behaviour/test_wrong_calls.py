"""Wrong calls of the library: a ValueError that quotes what was given, never an error from deep inside."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.fit.compare_command import compared
from scaling import AdditiveLaw, ParallelLaw
from scaling.data.query import each, mapping
from scaling.fitting import save
from scaling.optimise.objectives import LAD, Objective


@pytest.fixture(scope="module")
def pile(losses):
    return losses[losses["corpus"] == "pile"]


@pytest.fixture(scope="module")
def one(pile):
    return scaling.fit(ParallelLaw, pile)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda runs, one: scaling.fit("cubic", runs), "unknown law 'cubic'"),
        (lambda runs, one: scaling.compare(ParallelLaw, runs), "give a list of laws"),
        (lambda runs, one: scaling.backtest(3, runs), "3 is no law"),
        (lambda runs, one: scaling.fit(ParallelLaw, "runs.csv"), "table='runs.csv': read it first"),
        (
            lambda runs, one: scaling.fit(ParallelLaw, runs, scaling.LeastSquares),
            "objective=<class .* is none",
        ),
        (lambda runs, one: one.predict(method=scaling.Bootstrap, N=1e9, P=2), "method=<class .* is none"),
        (lambda runs, one: ParallelLaw.from_vector([1.0, 2.0]), "2 values for E, A, alpha, k of ParallelLaw"),
        (lambda runs, one: LAD(delta=0), "delta=0 must be a positive number"),
        (
            lambda runs, one: scaling.suggest(one, pd.DataFrame({"N": [1e9], "P": [8]}), budget_flops=1e22),
            r"budget_flops=1e\+22: candidates have neither C nor N and D",
        ),
    ],
)
def test_a_wrong_call_is_told_in_one_line(call, message, pile, one):
    with pytest.raises(ValueError, match=message):
        call(pile, one)


def test_a_fitted_law_is_a_law_wherever_one_is_asked_for(pile, one):
    assert scaling.fit(one.law, pile).law == one.law
    assert list(scaling.compare([one.law, AdditiveLaw], pile).table.index) == ["AdditiveLaw", "ParallelLaw"]
    assert len(scaling.backtest(one.law, pile).table) > 1


def test_an_empty_group_label_is_named(pile):
    labels = pd.Series([pd.NA, *"abcdefghijklmnopqrstuvw"], dtype="string")
    with pytest.raises(ValueError, match="groups: row 1 has no label"):
        scaling.fit(ParallelLaw, pile, groups=labels)


def test_one_column_cannot_be_two(tmp_path):
    (tmp_path / "runs.csv").write_text("params,loss\n1e9,2\n2e9,1.9\n")
    with pytest.raises(ValueError, match="column 'params' cannot be both N and D"):
        scaling.read_runs(tmp_path / "runs.csv", mapping("N=params,D=params", "--columns"))


def test_names_in_jsonl_stay_words(tmp_path):
    (tmp_path / "runs.jsonl").write_text(
        '{"run_id": "1e5", "N": 1e9, "loss": 2}\n{"run_id": "12", "N": 2e9, "loss": 1}\n'
    )
    assert list(scaling.read_runs(tmp_path / "runs.jsonl")["run_id"]) == ["1e5", "12"]


def test_an_error_in_a_group_names_the_group(pile):
    runs = pd.concat([pile, pile.assign(corpus="other", loss=-1.0)])
    with pytest.raises(ValueError, match="corpus=other: row 1, column loss: -1 must be finite and > 0"):
        each(runs, "corpus", "runs.csv", lambda part: scaling.fit(ParallelLaw, part))


def test_an_objective_that_is_not_defined_is_named_when_its_fit_is_loaded(pile, tmp_path):
    @dataclass(frozen=True)
    class Own(scaling.LeastSquares):
        """Least squares under another name."""

    assert issubclass(Own, Objective)
    scaling.fit(AdditiveLaw, pile, Own()).save(tmp_path / "fit.json")
    assert isinstance(scaling.Fit.load(tmp_path / "fit.json").problem.objective, Own)
    body = json.loads((tmp_path / "fit.json").read_text())
    body["objective"]["name"] = "Gone"
    body.pop("checksum")
    (tmp_path / "fit.json").write_text(json.dumps(body | {"checksum": save._checksum(body)}))
    with pytest.raises(ValueError, match="the objective Gone is not defined here: import it before loading"):
        scaling.Fit.load(tmp_path / "fit.json")


def test_numbers_in_json_are_whole(pile):
    found = compared(scaling.compare([ParallelLaw, AdditiveLaw], pile))
    assert found["laws"]["ParallelLaw"]["rmse"] == scaling.compare([ParallelLaw], pile).table["rmse"].iloc[0]
    assert np.isfinite(found["laws"]["ParallelLaw"]["rmse"])
