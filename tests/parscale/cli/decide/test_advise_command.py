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


@pytest.fixture
def arms(tmp_path):
    """A table of arms: two sizes and two seeds, and the arm twice the costs of the baseline."""
    rows = [
        {
            "router": arm,
            "size": size,
            "seed": seed,
            "N": N,
            "C": cost * N,
            "D": 1e6,
            "memory_bytes": cost * N,
            "loss": gain * N**-0.5 * (1 + 0.01 * seed),
        }
        for size, N in (("s", 1e5), ("m", 3e5), ("l", 1e6))
        for seed in (0, 1)
        for arm, gain, cost in (("none", 1.0, 1e6), ("top1", 0.5, 2e6), ("top4", 0.25, 1e9))
    ]
    table = str(tmp_path / "runs.csv")
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def test_arms_are_compared_under_each_budget(arms, tmp_path, capsys):
    words = ["advise", arms, "--arms", "router", "--baseline", "none", "--json", "--out", str(tmp_path)]
    assert parscale.main(words) == 0
    rows = json.loads(capsys.readouterr().out.split("\n]")[0] + "\n]")
    found = {row["budget"]: row for row in rows if row["arm"] == "top1"}
    assert found["parameters"]["factor"] == pytest.approx(4.0, rel=1e-6)  # half the loss at alpha = 0.5
    assert found["training FLOPs"]["factor"] == pytest.approx(2.0, rel=1e-6)
    assert found["training FLOPs"]["answer"] == "pays"
    assert (tmp_path / "budgets.png").exists()
    assert parscale.main(["advise", "--arms", "router"]) == 2
    assert parscale.main(["advise", arms, "--arms", "optimiser"]) == 2


@pytest.mark.parametrize("limit", [("--memory", "700GB"), ("--flops", "7e11")])
def test_limits_leave_out_runs_of_arms(arms, tmp_path, capsys, limit):
    """Of top1 two sizes of three are within, of top4 none."""
    words = ["advise", arms, "--arms", "router", "--baseline", "none", *limit]
    assert parscale.main([*words, "--json"]) == 0
    found = {(row["budget"], row["arm"]): row for row in json.loads(capsys.readouterr().out)}
    assert found["parameters", "top1"]["cells"] == 4
    assert found["parameters", "top1"]["factor"] == pytest.approx(4.0, rel=1e-6)
    assert found["memory", "top4"]["cells"] == 0
    assert found["memory", "top4"]["answer"] == "over the limits"
    assert found["memory", "top4"]["factor"] is None
    assert parscale.main([*words, "--out", str(tmp_path)]) == 0
    assert "limits" in capsys.readouterr().out
    assert (tmp_path / "budgets.png").exists()


def test_limits_that_no_arm_meets_or_that_were_not_measured(arms, capsys):
    words = ["advise", arms, "--arms", "router", "--baseline", "none"]
    assert parscale.main([*words, "--memory", "5GB"]) == 2
    assert re.search(r"--memory 5GB.*top1 2e\+11, top4 1e\+14", capsys.readouterr().err)
    assert parscale.main([*words, "--latency", "1s"]) == 2
    assert re.search(r"--latency 1s.*latency_s", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["--arms", "router", "--loss", "2", "--price", "3", "--in", "9"], "--in, --loss, --price"),
        (["--arms", "router", "--fit", "x.json"], "--fit"),
        (["--arms", "router", "--accuracy", "0.9"], "--accuracy"),
        (["--accuracy", "0.9", "--minimise", "memory", "--where", "P=1"], "--where, --minimise"),
        (["--loss", "2", "--task", "hops"], "--task"),
        (["--loss", "2", "--baseline", "none"], "--baseline"),
    ],
)
def test_options_that_are_not_used_are_refused(arms, capsys, words, flags):
    assert parscale.main(["advise", arms, *words]) == 2
    assert f"{flags}: " in capsys.readouterr().err


THINKING = "results/sweeps/worth-thinking"


def test_the_cheapest_way_of_answering(capsys, request, monkeypatch):
    """The plain model does not follow four hops; of those that write their steps P = 4 does with every random seed."""
    monkeypatch.chdir(request.config.rootpath)
    words = ["advise", THINKING, "--accuracy", "0.9", "--task", "hops 4"]
    assert parscale.main([*words, "--json"]) == 0
    found = {row["least"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["plain"]["answer"] == "does not"
    assert found["plain"]["times"] is None
    row = found["flops"]
    assert (row["P"], row["work"], row["reaching"], row["seeds"], row["answer"]) == (4, 3, 3, 3, "reaches")
    assert row["times"] == pytest.approx(row["flops"] / found["plain"]["flops"])
    assert {*found} == {"plain", "flops", "latency_s_1", "memory_bytes_1", "latency_s_8", "memory_bytes_8"}
    assert parscale.main([*words, "--memory", "0.8MB"]) == 0
    assert parscale.main([*words, "--memory", "0.8MB", "--batch", "8"]) == 1
    assert parscale.main([*words, "--flops", "1e7"]) == 1
    assert "no measured way within the limits" in capsys.readouterr().out


def test_an_accuracy_that_none_reaches_is_exit_code_1(capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    assert parscale.main(["advise", THINKING, "--accuracy", "0.9"]) == 1
    said = capsys.readouterr().out
    assert re.search(
        r"hops 2\b.*\(none\).*0\.9: the most accurate has 0\.788 \(0\.733 to 0\.834\)", said, re.DOTALL
    )
    assert "nan" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([THINKING, "--accuracy", "90"], r"accuracy=90"),
        ([THINKING, "--accuracy", "0.9", "--task", "facts"], r"'facts'.*arithmetic 3, hops 1"),
        ([THINKING, "--accuracy", "0.9", "--memory", "1MB", "--batch", "4"], "--batch 4"),
        (["results/sweeps/worth", "--accuracy", "0.9"], r"inference\.parquet.*parscale inference results/sweeps/worth"),
        (["--accuracy", "0.9"], "--accuracy"),
    ],
)  # fmt: skip
def test_questions_about_answers_that_are_refused(words, message, capsys, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    assert parscale.main(["advise", *words]) == 2
    assert re.search(message, capsys.readouterr().err)
