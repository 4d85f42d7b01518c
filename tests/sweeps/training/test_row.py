"""The row of a run: bits per byte, how often the corpus is read, and what status makes of them."""

import json
import math
import re
from dataclasses import replace

import pandas as pd
import pytest

import parscale
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.tokens import END, read_tokenizer
from sweeps.store.store import Store

MODEL = ModelConfig(vocab=300, width=16, ffn=32, layers=1, heads=2, kv_heads=1)


def config(corpus, steps=3, **changes):
    return RunConfig(MODEL, "s", "16x1", seed=0, corpus=corpus, steps=steps, batch=4, seq_len=32, **changes)


def row_of(run, loss=2.5):
    """The row of a run that ended with a given validation loss, without training it."""
    from sweeps.training import row
    from sweeps.training.evaluate import Evaluation
    from sweeps.training.lightning_module import ParScaleModule, build_model

    corpus = corpora.open_for(run)
    module = ParScaleModule(run, build_model(run), corpora.windows_of(run, corpus))
    evaluation = Evaluation(loss, 0.01, {}, [1.0], math.nan)
    return row.row_of(run, module, evaluation, "now", corpus)


def test_bits_per_byte_are_those_of_the_held_out_text(corpus):
    run = config(corpus)
    built = corpora.open_for(run)
    text = read_tokenizer(built.folder / "tokenizer.json").decode(built.valid.tolist(), False)
    size = len(text.replace(END, "").encode())
    bits = 2.5 * len(built.valid) / math.log(2)
    assert row_of(run)["bits_per_byte"] == pytest.approx(bits / size, rel=1e-12)


def test_a_run_without_a_loss_has_no_bits_per_byte(corpus):
    assert math.isnan(row_of(config(corpus), math.nan)["bits_per_byte"])


def test_text_read_again_is_counted_and_said(corpus):
    there = (len(corpora.open_for(config(corpus)).train) - 1) // 32  # windows
    steps = there * 5 // 2 // 4
    run, said = config(corpus, steps - 2, start_step=2, repeat=True), []
    corpora.open_for(run, said.append)
    assert re.match(r"run 16x1 P=1 seed 0\b.*\b2\.5\b", *said)
    assert row_of(run)["epochs"] == pytest.approx(steps * 4 / there)
    once = replace(run, steps=3, start_step=0)
    corpora.open_for(once, said.append)
    assert len(said) == 1
    assert row_of(once)["epochs"] == pytest.approx(12 / there)


@pytest.fixture
def store(tmp_path):
    """Two finished runs of tokenizers that differ, one of them in a table that knows no bits per byte."""
    store = Store(tmp_path / "sweep")
    store.create("s", "rule")
    old = config("stdlib")
    new = replace(old, model=replace(MODEL, vocab=400))
    store.add([old, new])
    rows = {}
    for run in (old, new):
        facts = {"size": run.size, "N": run.model.N, "P": 1, "seed": 0, "corpus": run.corpus, "loss": 2.5}
        rows[run.run_id] = {**facts, "run_id": run.run_id, "status": "ok"}
    store.finish(old.run_id, rows[old.run_id])
    store.gather()
    store.finish(new.run_id, {**rows[new.run_id], "bits_per_byte": 1.25, "epochs": 0.5})
    return store


def test_a_table_without_the_columns_is_joined_by_rows_with_them(store):
    store.gather()
    table = store.table().sort_values("bits_per_byte")
    assert table["bits_per_byte"].tolist()[0] == 1.25
    assert table["epochs"].isna().tolist() == [False, True]


def test_status_compares_tokenizers_in_bits_per_byte(store, capsys):
    assert parscale.main(["status", str(store.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line.split() for line in lines if "size" in line)
    assert head == ["vocab", "size", "P", "seed", "state", "step", "loss", "bits/byte", "run_id"]
    found = [line.split()[:-1] for line in lines if "16x1" in line]  # all but the run's name
    assert sorted(found) == [
        ["300", "16x1", "1", "0", "done", "3/3", "2.5000"],
        ["400", "16x1", "1", "0", "done", "3/3", "2.5000", "1.2500"],
    ]
    assert parscale.main(["status", str(store.folder), "--json"]) == 0
    assert {one["bits_per_byte"] for one in json.loads(capsys.readouterr().out)} == {None, 1.25}


def test_status_of_one_tokenizer_has_nats_alone(tmp_path, capsys):
    store = Store(tmp_path / "sweep")
    store.create("s", "rule")
    store.add([config("stdlib")])
    assert parscale.main(["status", str(store.folder)]) == 0
    assert "bits" not in capsys.readouterr().out


def test_losses_by_domain(store, capsys):
    assert parscale.main(["status", str(store.folder), "--domains"]) == 2
    assert str(store.folder) in capsys.readouterr().err
    rows = [
        {"run_id": run_id, "domain": domain, "tokens": 100, "loss": loss, "bits_per_byte": loss / 2}
        for run_id, run in store.configs().items()
        for domain, loss in (("prose", run.model.vocab / 100), ("code", 1.0))
    ]
    pd.DataFrame(rows).to_parquet(store.folder / "domains.parquet")
    assert parscale.main(["status", str(store.folder), "--domains"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "16x1" in line]
    assert sorted(lines) == [
        ["300", "code", "16x1", "1", "0", "100", "1.0000", "0.5000"],
        ["300", "prose", "16x1", "1", "0", "100", "3.0000", "1.5000"],
        ["400", "code", "16x1", "1", "0", "100", "1.0000", "0.5000"],
        ["400", "prose", "16x1", "1", "0", "100", "4.0000", "2.0000"],
    ]
    assert [line[1] for line in lines] == ["code", "code", "prose", "prose"]
    assert parscale.main(["status", str(store.folder), "--domains", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 4
