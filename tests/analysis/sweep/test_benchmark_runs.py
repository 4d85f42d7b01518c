"""The runs of a sweep joined with their accuracies: at their own P and r, of one task and metric."""

import pandas as pd
import pytest

from analysis.sweep.benchmark_runs import benchmarked_runs
from sweeps.store.checksums import write_parquet

RUNS = pd.DataFrame(
    {
        "run_id": ["a", "b", "c", "d"],
        "corpus": ["code", "code", "text", "code"],
        "N": [1e6, 2e6, 3e6, 4e6],
        "P": [1, 2, 1, 1],
        "r": [1, 1, 2, 1],
        "loss": [2.5, 2.4, 2.3, 2.2],
        "exact_match": 0.9,
        "status": ["ok", "ok", "ok", "diverged"],
    }
)


def rows(task="sums", metric="acc", runs="abcd", values=(0.1, 0.2, 0.3, 0.4), **more):
    own = RUNS.set_index("run_id").loc[list(runs)]
    told = {"value": values[: len(runs)], "value_se": 0.01, "items": range(10, 10 + len(runs))}
    given = {"run_id": list(runs), "task": task, "metric": metric, "P": own["P"], "r": own["r"]}
    return pd.DataFrame(given | told | {"harness": "0.4.13"} | more)


@pytest.fixture
def sweep(tmp_path):
    """A folder of four runs, one of them diverged, and what the harness said of them."""
    write_parquet(tmp_path / "runs.parquet", RUNS)
    parts = [
        rows(),
        rows(P=4, values=(0.8,) * 4),
        rows(metric="perplexity", values=(3.0,) * 4),
        rows("maths", "exact_match,strict-match"),
        rows("maths", "exact_match,flexible-extract", values=(0.5,) * 4),
        rows("few", runs="ab"),
        rows("ours:hops", "exact_match"),
        rows(runs="a").assign(run_id="gone"),
    ]
    write_parquet(tmp_path / "benchmarks.parquet", pd.concat(parts, ignore_index=True))
    return tmp_path


def test_each_finished_run_has_the_accuracy_of_its_own_streams_and_loops(sweep):
    found = benchmarked_runs(sweep, "sums")
    assert found[["run_id", "loss", "accuracy", "items"]].to_numpy().tolist() == [
        ["a", 2.5, 0.1, 10],
        ["b", 2.4, 0.2, 11],
        ["c", 2.3, 0.3, 12],
    ]
    assert found.attrs["left_out"] == 3  # at P = 4
    assert benchmarked_runs(sweep / "runs.parquet", "sums:acc")["run_id"].tolist() == ["a", "b", "c"]
    strict = benchmarked_runs(sweep, "maths:exact_match,strict-match")
    assert strict["accuracy"].tolist() == [0.1, 0.2, 0.3]
    assert len(benchmarked_runs(sweep, "ours:hops")) == len(benchmarked_runs(sweep, "ours:hops:exact_match"))


def test_runs_of_a_table_without_loops_are_of_one(sweep):
    write_parquet(sweep / "runs.parquet", RUNS.drop(columns="r"))
    with pytest.raises(ValueError, match=r"2 finished runs.*4 at another"):
        benchmarked_runs(sweep, "sums")


@pytest.mark.parametrize(
    ("benchmark", "where", "words"),
    [
        ("summs", None, "'summs'.*sums, maths, few"),
        ("summs:acc", None, "'summs'"),
        ("sums:f1", None, "'f1'.*acc, perplexity"),
        ("sums:perplexity", None, "perplexity .* 3 "),
        ("maths", None, "maths:exact_match,strict-match"),
        ("few", None, "few .* 2 finished runs .* at least 3"),
        ("sums", "corpus=code", "2 finished runs.*2 at another"),
        ("sums", "corpus=wiki", "corpus=wiki"),
    ],
)
def test_what_cannot_be_fitted_is_told_with_what_there_is(benchmark, where, words, sweep):
    with pytest.raises(ValueError, match=words):
        benchmarked_runs(sweep, benchmark, where)


def test_a_sweep_without_benchmarks_is_told_the_command(sweep):
    (sweep / "benchmarks.parquet").unlink()
    with pytest.raises(ValueError, match=r"benchmarks\.parquet.*parscale benchmark"):
        benchmarked_runs(sweep, "sums")
