"""Options that commands share: rows and columns, the objective, the level, the form."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from parscale.cli.decide import gains_command
from parscale.cli.fit import backtest_command, compare_command, fit_command, predict_command
from parscale.cli.table_options import FormatOptions, LevelOptions, RowOptions, RunsOptions, SweepFitOptions
from tests.scaling.command_line import LOSSES, run


def test_json_is_a_form_whatever_else_was_asked_for():
    assert FormatOptions().form == "text"
    assert FormatOptions(format="latex").form == "latex"
    assert FormatOptions(format="latex", json=True).form == "json"


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_a_level_that_is_no_share_is_refused_under_its_option(level):
    with pytest.raises(ValueError, match=r"^--level "):
        LevelOptions(level=level).check_level()


def test_a_level_between_0_and_1_passes():
    assert LevelOptions(level=0.5).check_level() is None


def test_every_command_has_the_one_default_objective():
    for command in (fit_command, compare_command, backtest_command):
        assert command.Options(runs=LOSSES).fitted_by == scaling.DEFAULT_OBJECTIVE


def test_runs_are_read_by_the_columns_and_rows_asked_for(losses):
    asked = RunsOptions(runs=LOSSES, columns="C=D", where="corpus=pile,P=4")
    read = asked.read()
    pile = losses[(losses["corpus"] == "pile") & (losses["P"] == 4)]
    assert len(read) == 6
    assert read["C"].tolist() == pile["D"].tolist()
    assert asked.asked.words == ["--columns", "C=D", "--where", "corpus=pile,P=4"]


@pytest.mark.parametrize(
    ("options", "objective"),
    [
        ({}, scaling.LogHuber(1e-3)),
        ({"delta": 0.02}, scaling.LogHuber(0.02)),
        ({"objective": "least-squares"}, scaling.LeastSquares()),
        ({"objective": "lad"}, scaling.LAD()),
    ],
)
def test_the_objective_of_a_fit(options, objective):
    assert RunsOptions(runs="x", **options).fitted_by == objective


@pytest.mark.parametrize("delta", [0.0, -1.0, float("inf"), float("nan")])
def test_a_delta_that_is_none_is_refused(delta):
    with pytest.raises(ValueError, match=f"--delta {delta:g}"):
        _ = RunsOptions(runs="x", delta=delta).fitted_by


def test_a_sweep_is_fitted_by_the_laws_own_objective_unless_one_is_named():
    assert SweepFitOptions().fitted_by is None
    assert SweepFitOptions(objective="lad").fitted_by == scaling.LAD()
    with pytest.raises(ValueError, match="'hubert'"):
        _ = SweepFitOptions(objective="hubert").fitted_by


def test_the_call_is_written_as_it_was_given():
    call = SweepFitOptions(objective="lad", where="P=1")
    assert call.words("parscale report", "s") == "parscale report s --objective lad --where P=1"
    assert SweepFitOptions().words("parscale report", "s") == "parscale report s"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Six sizes at four P, twice each, with offsets of pairs that no column tells by name."""
    rng = np.random.default_rng(4)
    N, P, _ = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 6), [1.0, 2.0, 4.0, 8.0], [0, 1]))
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    machine = np.arange(48) % 12
    off = 4e-3 * rng.standard_normal(12)[machine] + 1e-3 * rng.standard_normal(48)
    more = {"machine": machine, "seed": machine, "times": 1 + machine % 2, "spread": 1e-3 * (1 + machine % 3)}
    return pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + off, "size": N} | more)


@pytest.fixture(scope="module")
def runs(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("rows") / "runs.csv"
    table.assign(weight=1 / table.spread**2).to_csv(path, index=False)
    return str(path)


@pytest.mark.slow
def test_a_fit_takes_its_groups_counts_and_errors_from_columns(
    table: pd.DataFrame, runs: str, tmp_path: Path
) -> None:
    given = {"groups": "machine", "weights": "times", "se": "spread"}
    body = json.loads(run(fit_command, runs=runs, out=str(tmp_path), json=True, **given))["all"]
    fit = scaling.fit("parallel", table, **given)
    assert body["grouping"] == fit.grouping == "column machine"
    assert body["data"]["weights"] == table.times.tolist()
    assert body["parameters"] == pytest.approx(dict(fit.params))
    assert body["intervals"]["k"][1:] == pytest.approx(fit.intervals().loc["k", ["lower", "upper"]].tolist())
    alone = json.loads(run(fit_command, runs=runs, out=str(tmp_path), json=True, groups="none"))["all"]
    assert alone["grouping"] == "off"
    assert alone["intervals"]["k"][2] - alone["intervals"]["k"][1] != pytest.approx(
        body["intervals"]["k"][2] - body["intervals"]["k"][1], rel=0.05
    )


def test_predict_prints_the_notes_that_fit_prints(runs: str, tmp_path: Path) -> None:
    text = run(fit_command, runs=runs, out=str(tmp_path), groups="machine")
    (note,) = [line for line in text.splitlines() if "column machine" in line]
    file = next(tmp_path.glob("**/*.json"))
    assert note[:60] in run(predict_command, fit=str(file), N="1e9", P="2")
    body = json.loads(run(predict_command, fit=str(file), N="1e9", P="2", json=True))
    assert any("column machine" in words for words in body["notes"])


@pytest.mark.slow
def test_compare_backtest_and_gains_take_them_too(table: pd.DataFrame, runs: str) -> None:
    given = {"groups": "machine", "se": "spread"}
    laws = json.loads(run(compare_command, runs=runs, laws="parallel,additive", json=True, **given))["all"]
    found = scaling.compare(["parallel", "additive"], table, **given).table
    assert laws["laws"]["ParallelLaw"]["loo_rmse"] == pytest.approx(found.loo_rmse["ParallelLaw"])
    windows = json.loads(run(backtest_command, runs=runs, json=True, **given))["all"]["windows"]
    expected = scaling.backtest("parallel", table, objective=scaling.LogHuber(), **given).table
    assert [row["rmse"] for row in windows] == pytest.approx(expected.rmse.tolist())
    plain = scaling.backtest("parallel", table, objective=scaling.LogHuber(), groups=False).table
    assert [row["test"] for row in windows] == expected.test.tolist()
    assert not np.allclose(expected.rmse, plain.rmse)
    gained = json.loads(run(gains_command, source=runs, json=True, se="spread"))["gains"]
    own = scaling.gains(table, se="spread").table
    assert [row["k"] for row in gained] == pytest.approx(own.k.tolist())
    assert not np.allclose(own.k, scaling.gains(table).table.k)


@pytest.mark.parametrize("option", ["groups", "weights", "se"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    option: str, runs: str, table: pd.DataFrame
) -> None:
    with pytest.raises(ValueError, match=rf"--{option} nowhere.*machine"):
        run(fit_command, runs=runs, **{option: "nowhere"})
    assert RowOptions(groups="none").of_rows(table)["groups"] is False
    assert RowOptions(groups="none").of_rows(table.assign(none=1))["groups"] == "none"


def test_weights_that_are_no_counts_are_refused_with_the_remedy(runs: str, table: pd.DataFrame) -> None:
    for given in ("weight", "spread"):
        with pytest.raises(ValueError, match="se="):
            run(fit_command, runs=runs, weights=given)
    shares = table.times / table.times.sum()
    with pytest.raises(ValueError, match="shares"):
        scaling.fit("parallel", table, weights=shares)
