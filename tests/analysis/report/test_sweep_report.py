"""The report of a table of runs."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis import report
from analysis.inference_cost import estimate
from analysis.report import sweep_report
from tests.analysis.sweep_of_runs import SHAPE, sweep


@pytest.mark.slow
def test_a_report_says_that_laws_of_N_and_P_mix_budgets_and_ranks_those_of_D(tmp_path):
    law = scaling.ParallelLaw(E=1.5, A=2e5, alpha=0.3, k=0.3)
    sizes = enumerate(np.geomspace(1e6, 3e7, 5))
    rows = [(f"s{i}", N, P, D) for i, N in sizes for D in (1e8, 1e9) for P in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["size", "N", "P", "D"])
    loss = law.predict(N=table["N"], P=table["P"]) - np.where(table["D"] > 1e8, 0.2, 0.0)
    table.assign(loss=loss).to_csv(tmp_path / "runs.csv", index=False)
    where = tmp_path / "runs.csv", tmp_path / "report.html"
    text = report.write_report(*where, objective=scaling.LeastSquares()).read_text()
    assert "one D " in text
    assert "ParallelDataLaw" in text
    assert report.write is report.write_report  # its name in version 0.1


@pytest.mark.slow
def test_a_report_names_kinds_of_runs_that_are_fitted_as_one(tmp_path):
    law = scaling.ParallelLaw(E=1.3, A=2e8, alpha=0.2, k=0.3)
    N, P = (a.ravel() for a in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1, 2, 4], indexing="ij"))
    one = pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * np.cos(np.arange(15))})
    mixed = pd.concat([one.assign(lab="a"), one.assign(lab="b", loss=one["loss"] + 0.1)])
    mixed.to_csv(tmp_path / "runs.csv", index=False)
    where = tmp_path / "runs.csv", tmp_path / "report.html"
    text = report.write_report(*where, objective=scaling.LeastSquares()).read_text()
    assert " lab (a, b) " in text


@pytest.mark.slow
def test_the_report_is_one_page_that_asks_nothing_of_the_network(tmp_path):
    more = {"wall_s": 12.5, "versions": '{"torch": "2.13"}', "git_commit": "abc1234"}
    sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4), **SHAPE, **more)
    path = sweep_report.write_report(tmp_path / "s", command="parscale report")
    assert path == tmp_path / "s" / "report.html"
    html = path.read_text()
    assert "http" not in html.replace("http://www.w3.org", "")
    for section in ("Constants", "Comparison of laws", "Backtest", "Costs", "Every run", "Provenance"):
        assert f"<summary>{section}" in html
    assert (
        html.index('class="verdict"') < html.index("<figure") < html.index("<nav>") < html.index("<details>")
    )
    for said in ("51,234", "torch 2.13", "abc1234", "12.5", "made by: parscale report", "No curves.parquet"):
        assert said in html
    assert html.count("<figure") == html.count("<img alt=") == 10


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
    assert f">{1024 * short:,.1f}</td>" in html
    assert f">{1024 * long:,.1f}</td>" not in html


def test_the_report_gives_no_inference_cost_of_a_mixture_of_experts(tmp_path):
    sweep(tmp_path / "s", (773184,), (1,), status="diverged", loss=np.nan, N_active=254528, **SHAPE)
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert "latency" not in html


def test_the_report_of_a_sweep_without_results_says_what_is_missing(tmp_path):
    sweep(tmp_path / "s", (51234, 181000), (1, 2), status="diverged", loss=np.nan)
    html = sweep_report.write_report(tmp_path / "s").read_text()
    assert sweep_report.write_report(tmp_path / "s", tmp_path / "other.html").read_text() == html
    assert re.search(r"4.*4.*diverged", html)
    assert "wall_s" in html
    assert "<td" in html
