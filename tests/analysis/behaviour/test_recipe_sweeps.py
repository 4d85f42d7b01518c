"""Two-stage, continual and PEFT sweeps from their folder to figures and report."""

import pandas as pd
import pytest

from analysis.report import sweep_figures, sweep_report
from analysis.sweep import recipe_tables, results
from tests.analysis.recipe_sweep import POINTS, STEP, recipe_sweep


@pytest.mark.slow
def test_a_two_stage_sweep_is_fitted_and_drawn_by_its_second_stage(tmp_path):
    recipe_sweep(tmp_path / "s")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["c"]
    assert (len(seen.runs), len(seen.table)) == (6, 8)
    assert any("stage-1" in line for line in seen.missing)
    assert not any("diverged" in line for line in seen.missing)
    known = sweep_figures.sweep_figures(seen)
    assert {"fig2", "training", "held-out", "beside-one"} <= set(known)
    assert "by-P" not in known
    assert [axes.get_title() for axes in known["training"]().axes] == ["32x2", "64x2"]
    assert {axes.get_xlabel() for axes in known["beside-one"]().axes} == {"training tokens of stage 2"}
    assert recipe_tables.gaps_to_one_stream(seen)["tokens"].max() == STEP * POINTS
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert recipe_tables.crossings(seen)["ahead of P = 1"].iloc[0] in html
    assert ">stage-1<" in html


def test_an_interrupted_sweep_says_what_is_left_and_shows_the_curves_there_are(tmp_path):
    runs, folder = recipe_sweep(tmp_path / "s"), tmp_path / "s"
    curves = pd.read_parquet(folder / "curves.parquet")
    (folder / "curves.parquet").unlink()
    (folder / "curves").mkdir()
    kept = runs[runs["size"] == "64x2"][:3]
    for run_id in kept["run_id"]:
        curves[curves["run_id"] == run_id].to_parquet(folder / "curves" / f"{run_id}.parquet")
    kept.to_parquet(folder / "runs.parquet")
    seen = results.read_sweep(folder)
    assert any("5 of 8" in line and "parscale status" in line for line in seen.missing)
    assert seen.counted.startswith("3 of 8 ")
    assert not any("no curves" in line for line in seen.missing)
    assert set(sweep_figures.sweep_figures(seen)) == {
        "gains",
        "training",
        "held-out",
        "beside-one",
    }


@pytest.mark.slow
def test_recipes_side_by_side_keep_their_own_tokens(tmp_path):
    two, one = recipe_sweep(tmp_path / "s"), recipe_sweep(tmp_path / "t", "scratch", sizes=("64x2",))
    pd.concat([two, one]).to_parquet(tmp_path / "s" / "runs.parquet")
    parts = [pd.read_parquet(tmp_path / name / "curves.parquet") for name in "st"]
    pd.concat(parts).to_parquet(tmp_path / "s" / "curves.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["c, two-stage", "c, scratch"]
    labels = {
        axes.get_title(): axes.get_xlabel() for axes in sweep_figures.sweep_figures(seen)["training"]().axes
    }
    labels.pop("", None)  # a place that no panel takes
    assert labels == {
        "32x2, c, two-stage": "training tokens of stage 2",
        "64x2, c, two-stage": "training tokens of stage 2",
        "64x2, c, scratch": "training tokens",
    }
