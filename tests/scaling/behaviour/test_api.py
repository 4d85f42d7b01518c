"""The calls that a user of statsmodels, lmfit or scikit-learn types first, on their values and types."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, Bootstrap, Covariance, DenseLaw, ParallelLaw, Profile
from scaling.selection.paired_gains import gains as paired
from scaling.uncertainty.prediction import METHODS
from tests.scaling.one_line import in_one_line


@pytest.mark.slow
def test_a_name_is_the_object_it_names(pile, pile_fit, ranking):
    assert pile_fit.law == scaling.fit(ParallelLaw, pile, scaling.LogHuber(1e-3)).law
    squares = scaling.fit(ParallelLaw, pile, scaling.LeastSquares())
    assert scaling.fit("parallel", pile, "least-squares").law == squares.law
    for name, method in {"profile": Profile(), "covariance": Covariance()}.items():
        assert pile_fit.intervals(method=name).equals(pile_fit.intervals(method=method))
    assert METHODS["bootstrap"] == Bootstrap()
    assert list(ranking.table.index) == ["ParallelLaw", "DenseLaw"]


def test_many_rows_have_the_profile_of_their_cells_which_is_then_the_covariance(pile, monkeypatch):
    rng, rows = np.random.default_rng(5), pd.concat([pile[["N", "P", "loss"]]] * 1_000, ignore_index=True)
    law = scaling.fit("parallel", pile).law
    loss = law.predict(N=rows.N, P=rows.P) * np.exp(0.003 * rng.standard_normal(len(rows)))
    fit = scaling.fit("parallel", rows.assign(loss=loss), "least-squares")
    ends, plain = fit.intervals(), fit.intervals(method="covariance")
    assert isinstance(sys.modules["scaling.uncertainty.prediction"].default_method(fit), Profile)
    assert "24,000" in ends.attrs["method"]
    width = plain.upper - plain.lower
    for end in ("lower", "upper"):
        assert ((ends[end] - plain[end]).abs() < 0.05 * width).all()
    points = {"N": np.geomspace(1e9, 1e10, 5), "P": 2}
    whole = fit.predict(points)
    monkeypatch.setattr(sys.modules["scaling.uncertainty.profile"], "TOGETHER", 2)
    ends = ["lower", "upper"]
    np.testing.assert_allclose(fit.predict(points)[ends], whole[ends], rtol=1e-6)


@pytest.mark.slow
def test_gains_and_suggestions_stand_in_for_their_tables(losses, pile_fit):
    found = scaling.gains(losses)
    assert found["k"].equals(found.table["k"])
    assert len(found) == 36
    assert re.search("36 .* 36 ", found.verdict)
    assert paired(losses).table.equals(found.table)
    assert len(scaling.gains(losses[losses["P"] > 1])) == 0
    assert "P = 1" in scaling.gains(losses[losses["P"] > 1]).verdict
    (stack, pile) = scaling.pooled_k(losses)
    assert stack.low < stack.k < stack.high
    assert pile.corpus == "pile"
    records = losses.assign(N=[f"{N:.0f}" for N in losses["N"]]).to_dict("records")
    assert scaling.gains(records).table["k"].to_numpy() == pytest.approx(found["k"].to_numpy())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda runs: scaling.fit(runs, ParallelLaw), "table=.*ParallelLaw"),
        (lambda runs: scaling.fit(runs, "parallel"), "table='parallel'"),
        (lambda runs: scaling.fit(runs, runs), r"a table \(DataFrame\)"),
        (lambda runs: scaling.fit(runs.to_dict("records"), runs), "records"),
        (lambda runs: scaling.fit("cubic", runs), "'cubic'"),
        (lambda runs: scaling.fit("parallel", runs, "hubert"), "'hubert'"),
        (lambda runs: scaling.fit("parallel", runs, {"E": 1.6}), "'E': 1.6"),
        (lambda runs: scaling.fit("parallel", runs, scaling.LeastSquares), "<class .*LeastSquares"),
        (lambda runs: scaling.fit("dense", runs.assign(loss="2,111")), "'2,111'"),
        (lambda runs: ParallelLaw.from_vector([1.0, 2.0]), "2.*E.*A.*ParallelLaw"),
        (lambda runs: scaling.fit("parallel", None), "table=None.*DataFrame"),
        (lambda runs: scaling.fit("parallel", Path("runs.csv")), "scaling.read_runs"),
        (lambda runs: scaling.fit("parallel", runs.drop(columns="P")), "'P'"),
        (
            lambda runs: scaling.fit("parallel", {"N": [1, 2], "P": [1], "loss": [2, 3]}),
            "table.*length",
        ),
        (lambda runs: scaling.fit("parallel", runs.groupby("size")), r"table.*GroupBy"),
        (
            lambda runs: scaling.fit("parallel", runs, weights="size"),
            "weights='size'",
        ),
        (lambda runs: scaling.fit("parallel", runs, start="many"), "start='many'"),
        (lambda runs: scaling.compare(runs, ["parallel"]), r"runs=\['parallel'\]"),
        (lambda runs: scaling.compare("parallel", runs), "laws='parallel'"),
        (lambda runs: scaling.compare(4, runs), "laws=4"),
        (lambda runs: scaling.backtest(runs, ParallelLaw), "runs=.*ParallelLaw"),
        (lambda runs: scaling.gains(DenseLaw), "runs=.*DenseLaw"),
        (lambda runs: scaling.gains(runs[["N", "P"]]), "'loss'"),
        (lambda runs: scaling.pooled_k("runs.csv"), "'runs.csv'"),
        (lambda runs: scaling.adequacy(runs), "fit=a.*DataFrame"),
        (lambda runs: scaling.suggest(ParallelLaw, runs), "fit=.*ParallelLaw"),
        (lambda runs: scaling.allocate("chinchilla", 1e21), "law='chinchilla'"),
        (lambda runs: scaling.detectable(runs), "fit=a table"),
        (lambda runs: scaling.optimum_estimates("runs.csv"), "runs='runs.csv'"),
        (lambda runs: scaling.published("tables"), "'tables'.*losses"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(pile, call, words):
    with pytest.raises(ValueError, match=words) as error:
        call(pile)
    in_one_line(error)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda pile_fit: pile_fit.intervals(method="jackknife"),
            "'jackknife'",
        ),
        (lambda pile_fit: pile_fit.intervals(method=Profile), "<class .*Profile"),
        (lambda pile_fit: pile_fit.intervals(level=95), "level=95.*0.*1"),
        (lambda pile_fit: pile_fit.predict(0.95, N=1e9, P=4), "table=0.95.*DataFrame"),
        (lambda pile_fit: pile_fit.predict(pd.DataFrame({"N": [1e9]})), "'P'"),
        (
            lambda pile_fit: pile_fit.predict(pd.DataFrame({"N": [1e9, np.nan], "P": 1})),
            "2.*N.*nan",
        ),
        (lambda pile_fit: pile_fit.predict(N=1e9), "missing P"),
        (lambda pile_fit: pile_fit.predict(N=[1e9, 2e9], P=[1, 2, 3]), "2 of N, 3 of P"),
        (lambda pile_fit: pile_fit.predict(method=Bootstrap, N=1e9, P=2), "<class .*Bootstrap"),
        (lambda pile_fit: pile_fit.intervals(Bootstrap()), "level=Bootstrap"),
        (lambda pile_fit: pile_fit.equivalent("N", {}, N=1e9, P=2), "no axis"),
        (lambda pile_fit: pile_fit.sensitivity("E", []), "no values of E"),
        (
            lambda pile_fit: scaling.suggest(
                pile_fit, pd.DataFrame({"N": [1e9], "P": [8]}), budget_flops=1e22
            ),
            r"budget_flops=1e\+22.*C.*N.*D",
        ),
        (lambda pile_fit: pile_fit.equivalent_N(N=-1, P=4), "N=-1"),
        (lambda pile_fit: pile_fit.equivalent_N(N=1e9, P=4, level=2), "level=2"),
    ],
)
def test_a_wrong_question_to_a_fit_is_told_in_one_line(pile_fit, call, words):
    with pytest.raises(ValueError, match=words) as error:
        call(pile_fit)
    in_one_line(error)


@pytest.mark.slow
def test_a_fitted_law_is_a_law_wherever_one_is_asked_for(pile, pile_fit):
    law = pile_fit.law
    assert scaling.fit(law, pile).law == law
    assert list(scaling.compare([law, AdditiveLaw], pile).table.index) == ["AdditiveLaw", "ParallelLaw"]
    assert len(scaling.backtest(law, pile, objective="log-least-squares").table) > 1


def test_version_and_load(pile_fit, tmp_path):
    assert scaling.__version__ == version("parscale")
    pile_fit.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").law == pile_fit.law
    with pytest.raises(FileNotFoundError):
        scaling.load(tmp_path / "none.json")
