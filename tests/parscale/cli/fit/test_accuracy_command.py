"""`parscale accuracy`: the sigmoid and accuracies at losses, in text and JSON."""

import json

import numpy as np
import pandas as pd
import pytest

import parscale
import scaling
from analysis.sweep.benchmark_runs import benchmarked_runs
from parscale.cli.fit import accuracy_command
from sweeps.inspect.harness import keep_benchmarks
from sweeps.store.checksums import write_parquet
from tests.scaling.command_line import run

FILE = "results/published/tables/loss_and_accuracy.csv"


def test_text_and_json_tell_the_same():
    given = {"file": FILE, "where": "tasks=code", "groups": "size", "at": "0.95,1.0"}
    text, body = run(accuracy_command, **given), json.loads(run(accuracy_command, **given, json=True))
    assert [row["loss"] for row in body["at"]] == [0.95, 1.0]
    assert f"{body['at'][1]['accuracy']:.4g}" in text
    assert body["table"][0]["parameter"] == "slope"
    assert body["verdict"]


LOSS = np.linspace(1.7, 2.6, 8)
TRUE = 0.25 + 0.75 / (1 + np.exp(3.1 * (LOSS - 1.93)))


@pytest.fixture
def sweep(tmp_path):
    """A sweep of eight runs, seven of them true to one sigmoid, the last of 1 item far from it."""
    names = [f"run{i}" for i in range(8)]
    runs = {"run_id": names, "corpus": "text", "N": np.geomspace(1e6, 1e8, 8), "P": 1, "r": 1, "loss": LOSS}
    write_parquet(tmp_path / "runs.parquet", pd.DataFrame(runs).assign(status="ok"))
    for i, (name, value) in enumerate(zip(names, TRUE, strict=True)):
        row = {
            "task": "quiz",
            "metric": "acc",
            "value": value,
            "value_se": 0.01,
            "items": 10_000,
            "P": 1,
            "r": 1,
        }
        row |= {"value": 1.0, "items": 1} if i == 7 else {}
        keep_benchmarks(tmp_path, name, pd.DataFrame([row, row | {"P": 2, "value": 0.9}][: 1 + (i == 0)]))
    return tmp_path


def test_a_law_from_loss_to_accuracy_is_fitted_to_the_benchmarks_of_a_sweep(sweep, capsys):
    call = ["accuracy", str(sweep), "--benchmark", "quiz:acc", "--chance", "0.25", "--at", "2.0"]
    assert parscale.main(call) == 0
    assert "left out, at another P or r than the run's: 1." in capsys.readouterr().out
    assert parscale.main([*call, "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    law = {row["parameter"]: row["estimate"] for row in body["table"]}
    assert law == pytest.approx({"slope": 3.1, "middle": 1.93}, abs=0.01)
    assert body["at"][0]["accuracy"] == pytest.approx(0.25 + 0.75 / (1 + np.exp(3.1 * 0.07)), abs=0.002)
    assert "items" in body["verdict"]
    own = scaling.accuracy_by_loss(benchmarked_runs(sweep, "quiz"), chance=0.25, items="items")
    assert own.table["estimate"].to_dict() == pytest.approx(law, rel=1e-12)


@pytest.mark.parametrize("column", ["accuracy", "items"])
def test_a_column_of_a_table_is_refused_with_a_benchmark(column, sweep, capsys):
    assert parscale.main(["accuracy", str(sweep), "--benchmark", "quiz", f"--{column}", "exact_match"]) == 2
    assert f"--{column}" in capsys.readouterr().err


def test_what_is_not_there_is_told(sweep, capsys):
    assert parscale.main(["accuracy", str(sweep), "--benchmark", "quizz"]) == 2
    assert "'quizz'. There are quiz" in capsys.readouterr().err
    assert parscale.main(["accuracy", str(sweep / "none"), "--benchmark", "quiz"]) == 2
    assert "none" in capsys.readouterr().err
