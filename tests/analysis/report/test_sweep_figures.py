"""Figures of any sweep: what is missing is said, and the rest is drawn."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.inference_cost import estimate
from analysis.output.html_page import Page
from analysis.report import report_sections, sweep_figures, sweep_report
from analysis.sweep import figure_tables, results
from scaling import ParallelLaw

LAW = ParallelLaw(E=3.1, A=4e5, alpha=0.31, k=0.27)
SHAPE = {"width": 96, "ffn": 256, "layers": 4, "heads": 4, "kv_heads": 2, "vocab": 2048}


def sweep(folder, sizes, streams, **columns):
    rng = np.random.default_rng(3)
    rows = [
        {
            "run_id": f"{n}-{p}",
            "size": f"s{n}",
            "N": n,
            "P": p,
            "loss": LAW.predict(N=n, P=p) + rng.normal(0, 0.003),
        }
        for n in sizes
        for p in streams
    ]
    folder.mkdir()
    table = pd.DataFrame(rows).assign(**{"corpus": "stdlib", "recipe": "scratch", "status": "ok", **columns})
    table.to_parquet(folder / "runs.parquet")
    return table


def test_a_whole_sweep(tmp_path):
    table = sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4))
    curves = [
        pd.DataFrame({"run_id": r, "tokens": [1e4, 2e4, 3e4], "train_loss": [4.0, 3.5, 3.4]})
        for r in table["run_id"]
    ]
    pd.concat(curves).to_parquet(tmp_path / "s" / "curves.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert seen.missing == ()
    assert seen.notes == {}
    assert seen.sound["stdlib"].law.k == pytest.approx(0.27, abs=0.05)
    assert seen.curves["P"].isin([1, 2, 4]).all()
    known = sweep_figures.sweep_figures(seen)
    assert {"fig2", "equivalents", "rivals", "training"} <= set(known)
    (axes,) = known["equivalents"]().axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "4", "8", "16", "32"]
    files = sweep_figures.save_figures(
        tmp_path / "s", out=tmp_path / "f", only=["fig2"], command="parscale figures s"
    )
    assert [p.name for p in files] == ["fig2.png", "fig2.pdf"]
    assert b"parscale figures s" in files[0].read_bytes()
    with pytest.raises(ValueError, match="no figure 'fig9'; there are fig2, fig3"):
        sweep_figures.save_figures(tmp_path / "s", out=tmp_path / "f", only=["fig9"])


@pytest.mark.parametrize(
    ("sizes", "streams", "columns", "said"),
    [
        ((51234, 81000, 181000, 401000, 702000), (1,), {}, "Eq 5 is in doubt: P takes one value"),
        ((51234,), (1, 2, 4), {}, "3 finished runs are too few to fit parallel"),
        ((51234, 181000, 702000), (1, 2), {"status": "diverged", "loss": np.nan}, "6 of 6 runs diverged"),
    ],
    ids=["one P", "one N", "diverged"],
)
def test_a_sweep_that_lacks_something_says_so_and_shows_the_rest(tmp_path, sizes, streams, columns, said):
    sweep(tmp_path / "s", sizes, streams, **columns)
    seen = results.read_sweep(tmp_path / "s")
    assert any(said in line for line in seen.missing), seen.missing
    assert any("no curves.parquet" in line for line in seen.missing)
    drawn = {name: make() for name, make in sweep_figures.sweep_figures(seen).items()}
    assert "fig2" in drawn
    if "equivalents" in drawn and "too few" not in said:
        assert "no law of P" in drawn["equivalents"].axes[0].texts[0].get_text()
    assert all(figure.axes for figure in drawn.values())


def test_a_fit_at_a_bound_keeps_its_one_sided_interval(request):
    seen = results.read_sweep(request.config.rootpath / "results" / "demo")
    upper = seen.parallel["stdlib"].intervals().loc["k", "upper"]
    assert seen.notes == {"stdlib": f"k = 0, at its bound; 95% interval up to {upper:.3g}"}
    assert any("k ended at the edge" in line and f"up to {upper:.3g}" in line for line in seen.missing)
    table = figure_tables.profile_table(seen.sound).query("parameter == 'k'")
    assert table["value"].min() == 0  # there is nothing below
    assert np.all(np.diff(table["rise"]) > 0.2)
    curves, _ = results.equivalent_tables(seen)
    last = curves["stdlib"].iloc[-1]
    assert last["lower"] == pytest.approx(last["N"])
    assert last["upper"] == pytest.approx(last["N"] * (upper * np.log(last["P"]) + 1), rel=1e-3)


def test_every_coefficient_at_its_bound_has_a_line_in_the_figure(tmp_path, monkeypatch):
    lines = ["E = 0, at its bound; 95% interval open upwards", "k = 0, at its bound; 95% interval up to 0.3"]
    monkeypatch.setattr(results, "one_sided", lambda fitted: lines)
    table = sweep(tmp_path / "t", (51234, 181000, 702000, 900000), (1,))  # no P to fit
    seen = results.read_sweep(tmp_path / "t")
    assert seen.notes["stdlib"].split("\n") == lines
    low, high = (
        figures.fig2(table, {}, notes={"stdlib": text}).axes[0].get_ylim() for text in ("one", "one\ntwo")
    )
    assert high[1] > low[1]  # room for each line


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
    assert "= 0.07" in sweep_figures.sweep_figures(seen)["ensemble"]().axes[0].texts[0].get_text()
    page = Page("t", "o")
    report_sections.add_averaged_streams(page, sweep_figures.sweep_figures(seen))
    assert "<h2>Streams averaged" in page.html


def test_mixed_recipes_are_fitted_apart(tmp_path):
    table = sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4))
    both = pd.concat([table, table.assign(recipe="two-stage", loss=table["loss"] - 0.1)])
    both.to_parquet(tmp_path / "s" / "runs.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["stdlib, scratch", "stdlib, two-stage"]
    names = list(sweep_figures.sweep_figures(seen))
    assert "rivals-stdlib--scratch" in names


@pytest.mark.slow
def test_the_report_is_one_page_that_asks_nothing_of_the_network(tmp_path):
    more = {"wall_s": 12.5, "versions": '{"torch": "2.13"}', "git_commit": "abc1234"}
    sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4), **SHAPE, **more)
    path = sweep_report.write_report(tmp_path / "s", command="parscale report")
    assert path == tmp_path / "s" / "report.html"
    html = path.read_text()
    assert "http" not in html.replace("http://www.w3.org", "")
    for section in (
        "Runs",
        "The law of Eq 5",
        "Comparison of laws",
        "Backtest",
        "Equivalent",
        "Costs",
        "Provenance",
    ):
        assert f"<h2>{section}" in html
    for said in ("51,234", "torch 2.13", "abc1234", "12.5", "made by: parscale report", "no curves.parquet"):
        assert said in html
    assert html.count("<figure>") == html.count("<img alt=") == 10


def test_the_report_tells_every_machine_that_trained_a_run(tmp_path):
    sweep(tmp_path / "s", (51234,), (1, 2, 4, 8), **SHAPE)
    table = pd.read_parquet(tmp_path / "s" / "runs.parquet")
    devices = ["a", "b", "c", *["d"] * (len(table) - 3)]
    table["versions"] = [json.dumps({"device": name}) for name in devices]
    table.to_parquet(tmp_path / "s" / "runs.parquet")
    html = sweep_report.write_report(tmp_path / "s").read_text()
    for name, count in (("a", 1), ("b", 1), ("c", 1), ("d", len(table) - 3)):
        assert f"device {name} ({count} runs)" in html


def test_the_report_serves_the_prefix_that_the_runs_have(tmp_path):
    sweep(tmp_path / "s", (51234,), (4,), status="diverged", loss=np.nan, prefix_tokens=4, **SHAPE)
    html = sweep_report.write_report(tmp_path / "s").read_text()
    lengths = {"input_tokens": 512, "output_tokens": 512}
    short, long = (estimate(**SHAPE, P=4, **lengths, prefix_tokens=K).memory_gib for K in (4, 48))
    assert f">{short:.3g}</td>" in html
    assert f">{long:.3g}</td>" not in html


def test_the_report_gives_no_inference_cost_of_a_mixture_of_experts(tmp_path):
    sweep(tmp_path / "s", (773184,), (1,), status="diverged", loss=np.nan, N_active=254528, **SHAPE)
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert "no inference cost: mixtures of experts are not modelled" in html
    assert "latency_s" not in html


def test_the_report_of_a_sweep_without_results_says_what_is_missing(tmp_path):
    sweep(tmp_path / "s", (51234, 181000), (1, 2), status="diverged", loss=np.nan)
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert sweep_report.write_report(tmp_path / "s", tmp_path / "other.html").read_text() == html
    assert "4 of 4 runs diverged" in html
    assert "no fit of Eq 5 that could be relied on" in html
    assert "no wall_s" in html
    assert "<td" in html
