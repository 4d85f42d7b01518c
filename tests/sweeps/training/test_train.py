"""Training: it learns, records, resumes to the bit, refuses, and notices divergence."""

import importlib
import json
import os
import random
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.corpora import build as corpora
from sweeps.training import snapshots
from sweeps.training.compiling import cxx_compiler
from sweeps.training.evaluate import evaluate
from sweeps.training.interrupt import Interrupted
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train
from tests.sweeps.small_run import ONE, config

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus with something to learn, built once."""
    root = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(5)
    for domain in ("poems", "lists"):
        (root / domain).mkdir()
        for number in range(120):
            words = generator.choice(WORDS, 150)
            lines = [f"{w} {'rhymes' if domain == 'poems' else 'counts'} {number}" for w in words]
            (root / domain / f"{number}.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(root / "cache"))
        name = f"files:{root}/*/*.txt"
        corpora.open_corpus(name, 300, lambda line: None)
        yield name


def weights_of(folder):
    return {name: value.clone() for name, value in load_checkpoint(folder).state_dict().items()}


def assert_same_end(a, b, row_a, row_b):
    for name in ("loss", "loss_se", "train_loss"):
        assert row_a[name] == row_b[name], name
    wa, wb = weights_of(a), weights_of(b)
    assert all(torch.equal(wa[name], wb[name]) for name in wa)
    pd.testing.assert_frame_equal(pd.read_parquet(a / "curve.parquet"), pd.read_parquet(b / "curve.parquet"))


@pytest.mark.parametrize("P", [1, 4])
def test_training_learns_and_leaves_a_complete_row(corpus, tmp_path, P):
    run = config(corpus, P, steps=60, evaluations=2)
    before = evaluate(build_model(run), corpora.open_for(run).valid, 32, 32, limit=4000).loss
    told = []
    row = train(run, tmp_path / "run", execution=ONE, progress=told.append)
    assert row["loss"] < before - 1.5
    assert 0 < row["loss_se"] < 0.1
    assert (row["N"], row["P"], row["D"], row["status"]) == (run.model.N, P, 60 * 128, "ok")
    assert json.loads(row["config"]) == json.loads(run.to_json())
    assert row["tokens_per_s"] > 100
    assert row["peak_memory_bytes"] > 1e7
    assert [now["step"] for now in told] == list(range(1, 61))
    curve = pd.read_parquet(tmp_path / "run" / "curve.parquet")
    assert list(curve.step) == list(range(1, 61))
    assert curve.val_loss.notna().sum() == 2
    assert curve.val_loss.iloc[-1] == row["loss"]
    assert curve[f"weight_{P - 1}"].dropna().between(0, 1).all()
    by_domain = json.loads((tmp_path / "run" / "domains.json").read_text())
    assert {part["domain"] for part in by_domain} == {"lists", "poems"}
    assert all(part["bits_per_byte"] < part["loss"] for part in by_domain)


def test_the_saved_model_has_the_loss_of_the_row(corpus, tmp_path):
    run = config(corpus, P=2)
    row = train(run, tmp_path / "run", execution=ONE)
    again = evaluate(load_checkpoint(tmp_path / "run"), corpora.open_for(run).valid, 32, 32, limit=4000)
    assert again.loss == pytest.approx(row["loss"], abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "muon", "schedule": "wsd"},
        {"precision": "bf16", "accumulate": 2},
    ],
    ids=["adamw", "muon", "bf16"],
)
def test_a_resumed_run_ends_bit_identical(corpus, tmp_path, changes):
    run = config(corpus, P=2, evaluations=3, **changes)
    whole = train(run, tmp_path / "whole", execution=ONE)
    steps = iter([7, 16])
    for stop_at in steps:
        seen = []
        with pytest.raises(Interrupted, match=f"stopped at step {stop_at}"):
            train(
                run,
                tmp_path / "parts",
                execution=ONE,
                progress=seen.append,
                stop=lambda: seen and seen[-1]["step"] == stop_at,  # noqa: B023 -- called in this turn
            )
    parts = train(run, tmp_path / "parts", execution=ONE)
    assert_same_end(tmp_path / "whole", tmp_path / "parts", whole, parts)


@pytest.mark.slow
@pytest.mark.skipif(
    cxx_compiler() is None and "CI" not in os.environ, reason="torch.compile needs a C++ compiler"
)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own, compiling
def test_a_compiled_run_resumes_bit_identical(corpus, tmp_path):
    counters = importlib.import_module("torch._dynamo.utils").counters
    counters.clear()
    run = config(corpus, P=2, steps=12, compile=True)
    run = replace(run, model=replace(run.model, layers=1))  # each kind of block takes 20 s to compile
    whole = train(run, tmp_path / "whole", execution=ONE)
    interrupted_at(run, tmp_path / "parts", 5)
    parts = train(run, tmp_path / "parts", execution=ONE)
    assert_same_end(tmp_path / "whole", tmp_path / "parts", whole, parts)
    assert counters["stats"]["unique_graphs"] > 0  # it was compiled


def interrupted_at(run, folder, step):
    seen = []
    with pytest.raises(Interrupted):
        train(
            run,
            folder,
            execution=ONE,
            progress=seen.append,
            stop=lambda: bool(seen) and seen[-1]["step"] >= step,
        )


def test_loggers_hold_the_whole_curve_after_a_resumption(corpus, tmp_path):
    run = config(corpus, P=2, log_points=6)
    both = replace(ONE, loggers="csv,tensorboard")
    seen = []
    with pytest.raises(Interrupted):
        train(
            run,
            tmp_path,
            execution=both,
            progress=seen.append,
            stop=lambda: bool(seen) and seen[-1]["step"] >= 10,
        )
    train(run, tmp_path, execution=both)
    logged = pd.read_csv(tmp_path / "csv" / "metrics.csv").groupby("step").first()
    curve = pd.read_parquet(tmp_path / "curve.parquet").set_index("step")
    assert list(logged.index) == list(curve.index)
    assert list(logged.train_loss) == pytest.approx(list(curve.train_loss))
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_a_run_goes_on_from_the_snapshot_it_is_told_and_half_written_ones_are_removed(corpus, tmp_path):
    run, told = config(corpus), []
    interrupted_at(run, tmp_path, 5)
    half = tmp_path / ".snapshot-12.tmp"
    half.write_bytes(b"half")
    assert snapshots.choose(run, tmp_path, told.append) == next(tmp_path.glob("step-*.ckpt"))
    assert told == [f"run {run.run_id}: goes on from step 5"]
    assert not half.exists()
    begun = []
    train(run, tmp_path, execution=ONE, progress=begun.append, snapshot=None)
    assert begun[0]["step"] == 1


def test_a_damaged_snapshot_is_set_aside_and_the_one_before_used(corpus, tmp_path):
    run = config(corpus)
    whole = train(run, tmp_path / "whole", execution=ONE)
    interrupted_at(run, tmp_path / "run", 5)
    interrupted_at(run, tmp_path / "run", 9)
    _, new = sorted((tmp_path / "run").glob("step-*.ckpt"))
    damaged = bytearray(new.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    new.write_bytes(bytes(damaged))
    told, seen = [], []
    row = train(run, tmp_path / "run", execution=ONE, report=told.append, progress=seen.append)
    assert "fails its checksum; set aside" in told[0]
    assert seen[0]["step"] == 6
    assert_same_end(tmp_path / "whole", tmp_path / "run", whole, row)


def test_a_half_written_snapshot_is_never_read(corpus, tmp_path):
    run = config(corpus)
    interrupted_at(run, tmp_path / "run", 5)
    (tmp_path / "run" / ".snapshot-99.tmp").write_bytes(b"half")
    seen = []
    train(run, tmp_path / "run", execution=ONE, progress=seen.append)
    assert seen[0]["step"] == 6


def test_a_snapshot_of_another_configuration_or_torch_is_refused(corpus, tmp_path, monkeypatch):
    run = config(corpus)
    interrupted_at(run, tmp_path / "run", 5)
    with pytest.raises(snapshots.SnapshotError, match="a snapshot of another configuration; delete it"):
        train(replace(run, lr=1e-3), tmp_path / "run", execution=ONE)
    monkeypatch.setattr(torch, "__version__", "1.0.0")
    with pytest.raises(snapshots.SnapshotError, match=r"written with torch .*, this is 1.0.0; install"):
        train(run, tmp_path / "run", execution=ONE)


def test_a_clock_that_jumps_changes_nothing(corpus, tmp_path, monkeypatch):
    calm = train(config(corpus), tmp_path / "calm", execution=ONE)
    right, days, published = time.time, random.Random(5), []
    monkeypatch.setattr(time, "time", lambda: right() + days.choice([-86_400, 0, 86_400]))
    publish = snapshots.publish
    monkeypatch.setattr(snapshots, "publish", lambda *args: published.append(publish(*args)))
    hourly = replace(ONE, checkpoint_minutes=60)
    row = train(config(corpus), tmp_path / "jumping", execution=hourly)
    assert not published
    assert 0 < row["wall_s"] < 3600
    train(config(corpus), tmp_path / "often", execution=replace(ONE, checkpoint_minutes=1e-9))
    assert len(published) == config(corpus).steps - 1
    assert_same_end(tmp_path / "calm", tmp_path / "jumping", calm, row)


def test_more_tokens_than_the_corpus_holds_are_refused_unless_repeated(corpus, tmp_path):
    run = config(corpus, steps=10**6)
    with pytest.raises(ValueError, match=r"wants 128,000,000; lower --tokens"):
        corpora.bind([run])
    tokens = len(corpora.open_for(run).train)
    more = replace(run, steps=tokens // 128 + 2, repeat=True)
    assert corpora.windows_of(more, corpora.open_for(more)).epochs(more.steps) > 1


def test_another_corpus_than_planned_is_refused(corpus):
    with pytest.raises(ValueError, match="its tokens differ from those the run was planned with"):
        corpora.open_for(config(corpus, corpus_hash="f" * 64))
