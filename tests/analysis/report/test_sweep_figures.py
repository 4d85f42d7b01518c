"""Figures of any sweep: what is missing is said, and the rest is drawn."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.output.html_page import Page
from analysis.report import report_sections, sweep_figures
from analysis.sweep import figure_tables, recipe_tables, results, sweep_folder
from tests.analysis.sweep_of_runs import sweep


@pytest.mark.slow
def test_a_whole_sweep(tmp_path):
    table = sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4))
    curves = [
        pd.DataFrame({"run_id": r, "tokens": [1e4, 2e4, 3e4], "train_loss": [4.0, 3.5, 3.4]})
        for r in table["run_id"]
    ]
    pd.concat(curves).to_parquet(tmp_path / "s" / "curves.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert seen.missing == ()
    few = results.read_sweep(tmp_path / "s")
    lost = few.runs["run_id"].iloc[4]
    few = replace(few, curves=few.curves[few.curves["run_id"] != lost])
    assert list(recipe_tables.without_curves(few)) == ["s181000"]
    remarks = sweep_folder.remarks(tmp_path / "s", few.runs, few.curves, None)
    assert any(re.search("1 of 9 .*s181000 at P = 2", line) for line in remarks)
    assert seen.notes == {}
    assert seen.sound["stdlib"].law.k == pytest.approx(0.27, abs=0.05)
    assert seen.curves["P"].isin([1, 2, 4]).all()
    known = sweep_figures.sweep_figures(seen)
    assert {"fig2", "excess", "observed", "equivalents", "rivals", "training"} <= set(known)
    assert list(known).index("beside-one") < list(known).index("training")  # its lines overlap
    above = [
        sweep_figures.sweep_figures(seen, titled=t)["pair_k"]().legends[0].get_title() for t in (True, False)
    ]
    assert [bool(title.get_text()) for title in above] == [True, False]
    (axes,) = known["equivalents"]().axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "4", "8", "16", "32"]
    files = sweep_figures.save_figures(
        tmp_path / "s", out=tmp_path / "f", only=["fig2"], command="parscale figures s"
    )
    assert [p.name for p in files] == ["fig2.png", "fig2.pdf", "fig2.svg"]
    assert b"parscale figures s" in files[0].read_bytes()
    with pytest.raises(ValueError, match=r"'fig9'.*fig2.*excess"):
        sweep_figures.save_figures(tmp_path / "s", out=tmp_path / "f", only=["fig9"])


@pytest.mark.parametrize(
    ("sizes", "streams", "columns", "said"),
    [
        ((51234, 81000, 181000, 401000, 702000), (1,), {}, "stdlib: ParallelLaw "),
        ((51234,), (1, 2, 4), {}, "3 finished runs"),
        ((51234, 181000, 702000), (1, 2), {"status": "diverged", "loss": np.nan}, "diverged"),
    ],
    ids=["one P", "one N", "diverged"],
)
def test_a_sweep_that_lacks_something_says_so_and_shows_the_rest(tmp_path, sizes, streams, columns, said):
    sweep(tmp_path / "s", sizes, streams, **columns)
    seen = results.read_sweep(tmp_path / "s")
    assert any(said in line for line in seen.missing), seen.missing
    assert any("curves.parquet" in line for line in seen.missing)
    drawn = {name: make() for name, make in sweep_figures.sweep_figures(seen).items()}
    assert ("fig2" in drawn) == (len(sizes) > 1 and "diverged" not in said)
    assert not {"fig3", "rivals", "residuals", "equivalents", "pair_k"} & set(drawn)  # they would be empty
    if "diverged" not in said:
        assert all(axes.has_data() for figure in drawn.values() for axes in figure.axes)


def test_every_coefficient_at_its_bound_has_a_line_in_the_figure(tmp_path, monkeypatch):
    lines = ["E = 0, with an open interval", "k = 0, with an interval up to 0.3"]
    monkeypatch.setattr(results, "one_sided", lambda fitted: lines)
    table = sweep(tmp_path / "t", (51234, 181000, 702000, 900000), (1,))  # no P to fit
    seen = results.read_sweep(tmp_path / "t")
    assert seen.notes["stdlib"].split("\n") == lines
    words = figures.fig2(table, {}, notes={"stdlib": seen.notes["stdlib"]}).axes[0].texts[0].get_text()
    assert words.split("\n")[1:] == lines


def test_a_table_of_averaged_streams_beside_the_runs_is_drawn(tmp_path):
    runs = sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4))
    seen = results.read_sweep(tmp_path / "s")
    assert "ensemble" not in sweep_figures.sweep_figures(seen)
    run, m = runs[runs["P"] == 4].iloc[0], np.arange(1, 5)
    gain = 0.07 * (run["loss"] - seen.sound["stdlib"].law.E) * (1 - 1 / m)
    table = pd.DataFrame({"m": m, "loss": run["loss"] - gain, "gain": gain, "gain_se": 1e-4, "line": gain})
    table.assign(run_id=run["run_id"], size="s", N=51234, P=4).to_parquet(tmp_path / "s" / "streams.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert figure_tables.ensemble_rho_table(seen.streams, seen.sound)["rho"].to_numpy() == pytest.approx(0.93)
    assert figure_tables.ensemble_rho_table(seen.streams, {})["rho"].isna().all()
    assert re.search(
        r"\$P\$.* 0\.07", sweep_figures.sweep_figures(seen)["ensemble"]().axes[0].texts[0].get_text()
    )
    page = Page("t", "o")
    report_sections.add_averaged_streams(page, sweep_figures.sweep_figures(seen))
    assert "<figure" in page.html
