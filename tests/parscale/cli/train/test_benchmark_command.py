"""`parscale benchmark`: the harness's accuracies equal ours, and are stored with the runs."""

import json
import re
import shutil
from dataclasses import replace
from importlib import metadata

import pandas as pd
import pytest

import parscale
from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.corpora import build as corpora
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.inspect.harness import check_harness
from sweeps.store.store import Store
from sweeps.training.task_evaluation import score_tasks
from sweeps.training.train import train
from tests.sweeps.small_run import ONE

NAME = "task:facts#facts=40#value=2"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep's folder with one run that knows some of its facts."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(folder / "cache"))
        (run,) = find("ci")(Axes(sizes=("32x2",), streams=(2,), corpora=(NAME,)))
        (run,) = corpora.bind([replace(run, steps=60, seq_len=48, batch=8, eval_tokens=0)])
        store = Store(folder / "out")
        store.create("facts", "one")
        store.add([run])
        store.finish(run.run_id, train(run, store.checkpoint(run.run_id), execution=ONE))
        store.gather()
        yield store, run


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_harness_finds_our_own_accuracy_and_it_is_kept(trained, capsys, monkeypatch):
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    store, run = trained
    weights = store.checkpoint(run.run_id)
    assert parscale.main(["benchmark", str(weights), "--tasks", NAME]) == 0
    table = pd.read_parquet(store.folder / "benchmarks.parquet").set_index("metric")
    score = score_tasks(load_checkpoint(weights), corpora.open_for(run).questions(), every=False)["facts 40"]
    assert table.loc["acc", "value"] == pytest.approx(score.exact_match)
    assert 0 < score.exact_match < 1
    assert table.loc["acc", "value"] == store.table()["exact_match"].item()
    assert set(table["items"]) == {40}
    assert list(table["run_id"]) == [run.run_id] * 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_several_checkpoints_are_asked_one_after_another(trained, capsys, monkeypatch, tmp_path):
    """By default what each was trained on. A checkpoint outside a sweep is asked, and kept nowhere."""
    pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    store, run = trained
    weights = store.checkpoint(run.run_id)
    assert parscale.main(["benchmark", str(weights), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)
    copy = shutil.copytree(weights, tmp_path / "copy")
    assert parscale.main(["benchmark", str(copy), f"{weights}/", "--tasks", NAME, "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert {row.pop("checkpoint") for row in own} == {str(weights)}
    assert {row.pop("checkpoint") for row in both} == {str(copy), f"{weights}/"}
    assert both == own * 2
    assert len(pd.read_parquet(store.folder / "benchmarks.parquet")) == len(own)


def test_what_no_run_says_is_asked_for(trained, capsys, tmp_path):
    store, run = trained
    assert parscale.main(["benchmark", str(tmp_path)]) == 2
    assert "--tasks" in capsys.readouterr().err
    assert parscale.main(["benchmark", str(store.folder / "checkpoints" / "other")]) == 2
    assert "no run other" in capsys.readouterr().err
    prose = replace(run, corpus="prose")
    store.add([prose])
    assert parscale.main(["benchmark", str(store.checkpoint(prose.run_id))]) == 2
    assert "prose" in capsys.readouterr().err


@pytest.mark.slow
def test_what_cannot_be_judged_is_named(trained, monkeypatch, capsys, tmp_path):
    store, run = trained
    call = ["benchmark", str(store.checkpoint(run.run_id)), "--tasks"]
    if check_harness():
        assert parscale.main([*call, "no-such-task", "--include", str(tmp_path)]) == 2
        assert "'no-such-task'" in capsys.readouterr().err
    monkeypatch.setattr(metadata, "version", lambda name: "0.5.1")
    assert parscale.main([*call, NAME]) == 2
    assert re.search(r"0\.5\.1.*0\.4\.10.*0\.5", capsys.readouterr().err)

    def absent(name):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", absent)
    assert parscale.main([*call, NAME]) == 2
    assert "'parscale[eval]'" in capsys.readouterr().err


def test_a_checkpoint_without_a_tokenizer_is_named(trained, tmp_path, capsys):
    from sweeps.checkpoint.released_format import save_checkpoint

    store, run = trained
    bare = save_checkpoint(load_checkpoint(store.checkpoint(run.run_id)), tmp_path / "bare")
    assert parscale.main(["benchmark", str(bare), "--tasks", NAME]) == 2
    assert "tokenizer.json" in capsys.readouterr().err
