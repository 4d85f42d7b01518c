"""Datasets of the hub: read as a folder, up to a limit, refused in one line."""

import json

import parscale
from scaling.data import limits
from sweeps.corpora import build as corpora
from sweeps.corpora.sources import huggingface
from tests.sweeps.made_text import text_of


def test_a_dataset_folder_is_read_as_the_hub_is(cache):
    folder = cache / "dataset"
    folder.mkdir()
    rows = [{"text": text_of(i), "meta": {"pile_set_name": "ab"[i % 2]}} for i in range(200)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, [*rows, {"text": None, "meta": None}])))
    corpus = corpora.open_corpus(f"hf:{folder}", 300, lambda line: None)
    assert corpus.manifest["train"]["documents"] + corpus.manifest["valid"]["documents"] == 200
    assert set(corpus.manifest["valid"]["domains"]) == {"a", "b"}
    assert corpus.manifest["dropped"]["unreadable"] == 1
    before = corpus.hash
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows[:150])))
    assert corpora.open_corpus(f"hf:{folder}", 300, lambda line: None).hash != before


def test_a_dataset_is_read_up_to_a_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(
        huggingface.HubDataset, "_rows", lambda self: ({"content": "word " * 20} for _ in range(99))
    )
    monkeypatch.setattr(limits, "HUB", 950)
    assert len(list(huggingface.HubDataset("someone/something").documents(tmp_path))) == 10


def test_a_dataset_that_cannot_be_reached_is_one_line(cache, monkeypatch, capsys):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert parscale.main(["corpus", "hf:nobody/nothing"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("parscale corpus: cannot read hf:nobody/nothing: Couldn't reach")
    assert said.endswith("check the name and the connection, or take files you have with files:GLOB")
