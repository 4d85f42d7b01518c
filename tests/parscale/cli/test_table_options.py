"""Options that commands share: rows and columns, the objective, the level, the form."""

import pytest

import scaling
from parscale.cli.table_options import FormatOptions, LevelOptions, RunsOptions, SweepFitOptions
from tests.scaling.command_line import LOSSES


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
