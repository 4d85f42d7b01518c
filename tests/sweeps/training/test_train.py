"""Training: it learns, records, resumes to the bit, refuses, and notices divergence."""

import gzip
import json
from dataclasses import replace

import pandas as pd
import pytest

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.corpora import build as corpora
from sweeps.training.evaluate import evaluate
from sweeps.training.interrupt import Interrupted
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train
from tests.sweeps.ends_of_runs import assert_same_end
from tests.sweeps.small_run import ONE, config


def test_training_learns_and_leaves_a_complete_row_and_the_model_of_its_loss(rhymes, tmp_path):
    run = config(rhymes, 4, steps=60, evaluations=2)
    before = evaluate(build_model(run), corpora.open_for(run).valid, 32, 32, limit=4000).loss
    told = []
    row = train(run, tmp_path / "run", execution=ONE, progress=told.append)
    assert row["loss"] < before - 1.5
    assert 0 < row["loss_se"] < 0.1
    assert (row["N"], row["P"], row["D"], row["status"]) == (run.model.N, 4, 60 * 128, "ok")
    assert json.loads(row["config"]) == json.loads(run.to_json())
    assert row["tokens_per_s"] > 100
    assert row["peak_memory_bytes"] > 1e7
    assert [now["step"] for now in told] == list(range(1, 61))
    curve = pd.read_parquet(tmp_path / "run" / "curve.parquet")
    assert list(curve.step) == list(range(1, 61))
    assert curve.val_loss.notna().sum() == 2
    assert curve.val_loss.iloc[-1] == row["loss"]
    assert curve["weight_3"].dropna().between(0, 1).all()
    by_domain = json.loads((tmp_path / "run" / "domains.json").read_text())
    assert {part["domain"] for part in by_domain} == {"lists", "poems"}
    assert all(part["bits_per_byte"] < part["loss"] for part in by_domain)
    again = evaluate(load_checkpoint(tmp_path / "run"), corpora.open_for(run).valid, 32, 32, limit=4000)
    assert again.loss == pytest.approx(row["loss"], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "muon", "schedule": "wsd"},
        {"precision": "bf16", "accumulate": 2},
    ],
    ids=["adamw", "muon", "bf16"],
)
def test_a_resumed_run_ends_bit_identical(rhymes, tmp_path, changes):
    run = config(rhymes, P=2, evaluations=3, **changes)
    whole = train(run, tmp_path / "whole", execution=ONE)
    steps = iter([7, 16])
    for stop_at in steps:
        seen = []
        with pytest.raises(Interrupted, match=f"step {stop_at}"):
            train(
                run,
                tmp_path / "parts",
                execution=ONE,
                progress=seen.append,
                stop=lambda: seen and seen[-1]["step"] == stop_at,  # noqa: B023 -- called in this turn
            )
    parts = train(run, tmp_path / "parts", execution=ONE)
    assert_same_end(tmp_path / "whole", tmp_path / "parts", whole, parts)


def test_loggers_hold_the_whole_curve_after_a_resumption(rhymes, tmp_path):
    run = config(rhymes, P=2, log_points=6)
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


def test_more_tokens_than_the_corpus_holds_are_refused_unless_repeated(rhymes, tmp_path):
    run = config(rhymes, steps=10**6)
    with pytest.raises(ValueError, match=r"128,000,000.*--tokens"):
        corpora.bind([run])
    tokens = len(corpora.open_for(run).train)
    more = replace(run, steps=tokens // 128 + 2, repeat=True)
    assert corpora.windows_of(more, corpora.open_for(more)).epochs(more.steps) > 1


def test_another_corpus_than_planned_is_refused(rhymes):
    with pytest.raises(ValueError, match=r"planned f{8}"):
        corpora.open_for(config(rhymes, corpus_hash="f" * 64))


def test_samples_and_a_profile_change_nothing_of_the_run(corpus, tmp_path):
    run = config(corpus, P=2, evaluations=3, steps=12)
    plain = train(run, tmp_path / "plain", execution=ONE)
    watched = replace(ONE, samples=2, profile=True)
    train(run, tmp_path / "watched", execution=replace(watched, until=5, profile=False))
    row = train(run, tmp_path / "watched", execution=watched)
    assert_same_end(tmp_path / "plain", tmp_path / "watched", plain, row)
    texts = [json.loads(line) for line in (tmp_path / "watched" / "samples.jsonl").read_text().splitlines()]
    assert [text["step"] for text in texts] == [4, 4, 8, 8, 12, 12]
    assert len({text["prompt"] for text in texts}) == 2
    assert texts[0]["text"] != texts[-2]["text"]
    with gzip.open(tmp_path / "watched" / "profile" / "trace-0.json.gz") as file:
        names = {event.get("name", "") for event in json.load(file)["traceEvents"]}
    assert any("aten::mm" in name or "aten::addmm" in name for name in names)
    assert "Self CPU" in (tmp_path / "watched" / "profile" / "operators-0.txt").read_text()


def test_a_run_paused_on_the_way_ends_as_one_that_was_not(corpus, tmp_path):
    run = config(corpus, log_points=7)
    whole = train(run, tmp_path / "whole", execution=ONE)
    paused = train(run, tmp_path / "paused", execution=replace(ONE, until=10))
    assert (paused["status"], paused["ended_step"]) == ("stopped", 10)
    assert not (tmp_path / "paused" / "config.json").exists()
    curve = pd.read_parquet(tmp_path / "paused" / "curve.parquet")
    again = train(run, tmp_path / "paused", execution=replace(ONE, until=10))  # killed before it was noted
    assert again["train_loss"] == paused["train_loss"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "paused" / "curve.parquet"), curve)
    assert_same_end(
        tmp_path / "whole", tmp_path / "paused", whole, train(run, tmp_path / "paused", execution=ONE)
    )
