"""The trials of a search put into one table."""

import json
from dataclasses import replace

import pandas as pd
import pytest

pytest.importorskip("torch")

from results.grids.collect import collect
from scaling.data.atomic_files import intact
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.store.store import Store

MODEL = ModelConfig(vocab=300, width=32, ffn=96, layers=1, heads=2, kv_heads=1, prefix_tokens=4)
RUN = RunConfig(MODEL, "search-a", "32x1", 0, "stdlib", steps=5, batch=2, seq_len=8)


def trained(folder, *runs):
    """A trial's folder: its rule, a row and a curve of each run."""
    store = Store(folder)
    store.create(runs[0].sweep, f"the rule of {folder.name}")
    for run_id, run in store.add(runs).items():
        facts = {"corpus": "stdlib", "N": 1000, "P": 1, "seed": run.seed, "loss": 3.0, "status": "ok"}
        store.checkpoint(run_id).mkdir()
        curve = pd.DataFrame({"run_id": run_id, "step": [1, 2], "train_loss": [4.0, 3.0]})
        curve.to_parquet(store.checkpoint(run_id) / "curve.parquet")
        store.finish(run_id, {"sweep": run.sweep, **facts, "config": run.to_json()})
    store.gather(curves=True)
    return store


@pytest.fixture
def search(tmp_path):
    trained(tmp_path / "search/a", RUN, replace(RUN, seed=1))
    trained(tmp_path / "search/b", replace(RUN, sweep="search-b"))
    return tmp_path / "search"


def test_the_trials_of_a_search_become_one_table(search):
    collect(search)
    runs = pd.read_parquet(search / "runs.parquet")
    assert list(runs["sweep"]) == ["search-a", "search-a", "search-b"]
    assert len(pd.read_parquet(search / "curves.parquet")) == 6
    assert intact(search / "runs.parquet")
    said = json.loads((search / "sweep.json").read_text())
    assert said["trials"] == {"search-a": "the rule of a", "search-b": "the rule of b"}
    assert set(Store(search).configs()) == set(runs["run_id"])
    assert not list(search.rglob("configs"))
    assert list(search.glob("a/checkpoints/*"))  # weights are not the table's


def test_a_trial_that_comes_later_is_added(search):
    collect(search)
    trained(search / "c", replace(RUN, sweep="search-c"))
    collect(search)
    assert len(pd.read_parquet(search / "runs.parquet")) == 4
    assert len(json.loads((search / "sweep.json").read_text())["trials"]) == 3


def test_what_the_table_does_not_repeat_stays(search):
    Store(search / "a").add([replace(RUN, seed=2)])
    collect(search)
    assert [file.stem for file in search.glob("configs/*.json")] == [replace(RUN, seed=2).run_id]


def test_rows_not_gathered_yet_are_named(search):
    store, run = Store(search / "a"), replace(RUN, seed=3)
    store.finish(run.run_id, {"run_id": run.run_id})
    with pytest.raises(ValueError, match=f"{run.run_id}.json"):
        collect(search)
    assert (search / "a/runs.parquet").exists()
