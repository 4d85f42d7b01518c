"""`parscale advise`: what to take, its interval, and no answer as exit code 1."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling


@pytest.mark.slow
def test_the_command_says_what_to_take_with_its_interval(tmp_path, capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    words = ["advise", "--loss", "1.05", "--memory", "4GB", "--latency", "0.6s", "--out", str(tmp_path)]
    assert parscale.main(words) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"N = 1\.4B, P = 8\b.* 1\.0500 \(1\.0[234]\d\d\D+1\.0[567]\d\d\), 0\.127 s, 3\.06 GiB", said
    )
    assert "nan" not in said
    assert {"frontier.png", "frontier.pdf"} <= {path.name for path in tmp_path.iterdir()}


@pytest.fixture(scope="module")
def fit(stack):
    return scaling.fit(scaling.ParallelLaw, stack)


@pytest.mark.slow
def test_nothing_is_written_unless_told_and_no_answer_is_exit_1(tmp_path, capsys, fit):
    path = tmp_path / "mine/fits/parallel.json"
    path.parent.mkdir(parents=True)
    fit.save(path)
    assert parscale.main(["advise", "--fit", str(path), "--loss", "1.05", "--memory", "1MB"]) == 1
    assert "memory" in capsys.readouterr().out
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [path]
    assert parscale.main(["advise", "--fit", str(path), "--loss", "0.5", "--json"]) == 1


def test_a_law_of_other_axes_is_refused(capsys, tmp_path):
    N, experts = (v.ravel() for v in np.meshgrid([1e7, 4e7, 2e8, 1e9], [1.0, 8.0]))
    runs = pd.DataFrame({"N": N, "experts": experts, "loss": 1.5 + 20 * (N * experts**0.3) ** -0.2})
    scaling.fit("experts", runs).save(tmp_path / "experts.json")
    assert parscale.main(["advise", "--fit", str(tmp_path / "experts.json"), "--loss", "2.5"]) == 2
    assert "ExpertsLaw" in capsys.readouterr().err


@pytest.mark.slow
def test_runs_are_fitted_and_the_price_of_the_run_told(tmp_path, capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    words = ["results/published/runs/chinchilla_kyo.csv", "--loss", "2.1", "--gpu", "h100", "--price", "2.5"]
    assert parscale.main(["advise", *words, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"N = 11\.5B, P = 1, D = 262B\b.* 2\.1000 \(", said)
    assert re.search(r"12,7\d\d \D+\(\d,.*H100 SXM.* 40%.* 31,\d\d\d \(", said)
    assert "nan" not in said
    assert parscale.main(["advise", *words[:1], "--loss", "1.5"]) == 1
    assert "1.784" in capsys.readouterr().out


@pytest.mark.parametrize("words", [
    ["runs.csv", "--fit", "fit.json", "--loss", "2"], ["--law", "chinchilla", "--loss", "2"], ["--groups", "run"],
    ["--loss", "2", "--mfu", "40"], ["--loss", "2", "--price", "0"], ["--loss", "1.1", "--minimise", "training"],
])  # fmt: skip
def test_options_that_contradict_are_refused(words, capsys):
    assert parscale.main(["advise", *words]) == 2
    assert capsys.readouterr().err


@pytest.mark.slow
def test_json_has_null_for_what_is_not_known(capsys):
    assert parscale.main(["advise", "--memory", "4GB", "--json"]) == 0
    said = capsys.readouterr().out
    assert "NaN" not in said
    assert json.loads(said)["options"][0]["N_lower"] is None


def test_arms_are_compared_under_each_budget(tmp_path, capsys):
    rows = [
        {
            "router": arm,
            "size": size,
            "seed": seed,
            "N": N,
            "C": cost * N,
            "D": 1e6,
            "loss": gain * N**-0.5 * (1 + 0.01 * seed),
        }
        for size, N in (("s", 1e5), ("m", 3e5), ("l", 1e6))
        for seed in (0, 1)
        for arm, gain, cost in (("none", 1.0, 1e6), ("top1", 0.5, 2e6))
    ]
    table = str(tmp_path / "runs.csv")
    pd.DataFrame(rows).to_csv(table, index=False)
    words = ["advise", table, "--arms", "router", "--baseline", "none", "--json", "--out", str(tmp_path)]
    assert parscale.main(words) == 0
    found = {row["budget"]: row for row in json.loads(capsys.readouterr().out.split("\n]")[0] + "\n]")}
    assert found["parameters"]["factor"] == pytest.approx(4.0, rel=1e-6)  # half the loss at alpha = 0.5
    assert found["training FLOPs"]["factor"] == pytest.approx(2.0, rel=1e-6)
    assert found["training FLOPs"]["answer"] == "pays"
    assert (tmp_path / "budgets.png").exists()
    assert parscale.main(["advise", "--arms", "router"]) == 2
    assert parscale.main(["advise", table, "--arms", "optimiser"]) == 2
