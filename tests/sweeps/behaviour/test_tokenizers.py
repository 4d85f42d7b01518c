"""The option --tokenizer: a tokenizer.json on disk, one of the hub, and what a vocabulary must hold."""

import hashlib
import inspect
import json
import re
import shutil
from dataclasses import replace

import pytest

import parscale
from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.corpora import tokens
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find

TEXTS = [inspect.getsource(json.decoder), inspect.getsource(shutil)]
SIZE = 320


@pytest.fixture
def file(tmp_path):
    """A tokenizer.json of SIZE entries in a layout unlike ours. It would truncate texts at 4 tokens."""
    tokenizer = tokens.train_tokenizer(TEXTS, SIZE)
    tokenizer.enable_truncation(4)
    path = tmp_path / "of-others.json"
    path.write_text(tokenizer.to_str(pretty=False) + "\n")
    return path


@pytest.fixture
def hub(file, monkeypatch):
    """A hub that has the file as some/name: the calls it was asked, the second time from its cache."""
    asked = []

    def download(name, filename, local_files_only):
        asked.append((name, filename, local_files_only))
        if name == "some/name" and (not local_files_only or len(asked) > 2):
            return str(file)
        raise FileNotFoundError("no such thing in the cache. Second sentence.\nsecond line")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return asked


def test_a_run_trains_with_a_tokenizer_of_others(documents, file, tmp_path, monkeypatch):
    from sweeps.training.train import train

    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    model = ModelConfig(vocab=SIZE, width=16, ffn=32, layers=1, heads=2, kv_heads=1)
    run = RunConfig(
        model, "s", "16x1", seed=0, corpus=documents, steps=2, batch=2, seq_len=16, eval_tokens=500
    )
    run = replace(run, tokenizer=str(file))
    row = train(run, tmp_path / "run", execution=Execution(threads=1, accelerator="cpu"), report=lambda _: 0)
    assert 5.5 < row["loss"] < 6.5  # ln 320 = 5.8
    built = corpora.open_for(run)
    marks = {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (file, tmp_path / "run/tokenizer.json")
    }
    assert marks == {built.manifest["sha256"]["tokenizer.json"]}  # the file as it was
    assert len(built.valid) > 50 * built.manifest["valid"]["documents"]  # texts are not cut
    copied = replace(run, tokenizer=str(tmp_path / "run/tokenizer.json"))
    assert corpora.open_for(copied).hash == built.hash


def test_a_tokenizer_of_the_hub_comes_from_its_cache_first(documents, hub, tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    first = corpora.open_corpus(documents, SIZE, lambda line: None, "hf:some/name")
    assert hub == [("some/name", "tokenizer.json", True), ("some/name", "tokenizer.json", False)]
    again = corpora.open_corpus(documents, SIZE, lambda line: None, "hf:some/name")
    assert hub[2:] == [("some/name", "tokenizer.json", True)]
    assert again.folder == first.folder


def test_a_tokenizer_that_cannot_be_fetched_is_one_line_with_the_remedy(hub, capsys):
    assert parscale.main(["sweep", "ci", "--tokenizer", "hf:who/what", "--dry-run"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert re.match("parscale sweep: .*hf:who/what", err)
    assert err.endswith("tokenizer.json\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [["sweep", "ci", "--dry-run"], ["corpus", "stdlib"]])
def test_a_path_that_leads_nowhere_is_one_line(command, capsys):
    assert parscale.main([*command, "--tokenizer", "nowhere.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"parscale {command[0]}: tokenizer nowhere.json: ")


@pytest.mark.parametrize("recipe", ["scratch", "two-stage"])
def test_models_that_start_anew_take_the_tokenizers_size(file, recipe):
    axes = Axes(tokenizer=str(file), recipe=recipe, stage2_share=0.1)
    runs, plain = find("ci")(axes), find("ci")(replace(axes, tokenizer=None))
    assert {(run.model.vocab, run.tokenizer) for run in runs} == {(SIZE, str(file))}
    assert [run.model.N for run in runs] == [run.model.N for run in plain]
    parents = {run.parent for run in runs} - {""}
    assert parents <= {run.run_id for run in runs}
    assert not {run.run_id for run in runs} & {run.run_id for run in plain}


def test_the_papers_tokenizer_leaves_the_papers_grid_as_it_is(hub):
    assert find("paper")(Axes(tokenizer="hf:Qwen/Qwen2.5-0.5B")) == find("paper")()
    assert not hub
    assert {run.tokenizer for run in find("paper")(Axes(tokenizer="bpe"))} == {"bpe"}


def test_a_dry_run_says_what_the_vocabulary_has_become(file, capsys):
    assert parscale.main(["sweep", "ci", "--tokenizer", str(file), "--rate", "1e9", "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"512.*8.*64", said)
    assert re.search(rf"{file}\b.*\b320\b", said)


def test_a_base_keeps_its_vocabulary(file, tmp_path):
    from sweeps.checkpoint import hf_config
    from sweeps.store.checksums import write_text

    base = tmp_path / "base"
    base.mkdir()
    (plain,) = find("ci")(Axes(sizes=["32x1"], streams=[1]))
    write_text(base / "config.json", json.dumps(hf_config.hf_json(plain.model, "float32")))
    shutil.copy(file, base / "tokenizer.json")
    axes = Axes(sizes=["32x1"], recipe="peft", base=str(base))
    assert {run.tokenizer for run in find("ci")(axes)} == {str(base / "tokenizer.json")}
    runs = find("ci")(replace(axes, tokenizer=str(file)))
    assert {(run.model.vocab, run.tokenizer, run.size) for run in runs} == {(512, str(file), "32x1")}


def test_a_vocabulary_too_small_is_refused_before_the_documents_are_read(documents, file, monkeypatch):
    monkeypatch.setattr(
        "sweeps.corpora.sources.user_files.UserFiles.documents", lambda *_: pytest.fail("read")
    )
    with pytest.raises(ValueError, match=r"320.*300.*320"):
        corpora.open_corpus(documents, 300, lambda line: None, str(file))
    file.write_text(file.read_text().replace(tokens.END, "<|end|>"))
    with pytest.raises(ValueError, match=r"of-others.json .*<\|endoftext\|>"):
        corpora.open_corpus(documents, 320, lambda line: None, str(file))
    file.write_text("{}")
    with pytest.raises(ValueError, match=r"of-others.json"):
        corpora.open_corpus(documents, 320, lambda line: None, str(file))
