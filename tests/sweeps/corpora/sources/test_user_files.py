"""A user's own files: text, JSON lines, parquet; what is too long."""

import json

import pytest

from scaling.data import limits
from sweeps.corpora import build as corpora
from sweeps.corpora.sources.user_files import UserFiles
from tests.sweeps.made_text import text_of


def test_jsonl_keeps_domains_and_skips_bad_lines(cache):
    path = cache / "d.jsonl"
    rows = [json.dumps({"text": text_of(i), "domain": "ab"[i % 2]}) for i in range(200)]
    half = r'{"text": "\ud83d"}'  # of a surrogate pair, as scraped text has it
    path.write_text("\n".join([*rows, "{not json", json.dumps({"no": "text"}), half]))
    corpus = corpora.open_corpus(f"files:{path}", 300, lambda line: None)
    assert corpus.manifest["dropped"]["unreadable"] == 3
    assert set(corpus.manifest["train"]["domains"]) == {"a", "b"}
    spans = sorted(corpus.valid_spans.values())
    assert spans[0][0] == 0
    assert spans[-1][1] == len(corpus.valid)


def test_parquet_documents(cache):
    import pandas as pd

    pd.DataFrame({"text": [text_of(i) for i in range(150)]}).to_parquet(cache / "d.parquet")
    corpus = corpora.open_corpus(f"files:{cache}/*.parquet", 300, lambda line: None)
    assert corpus.manifest["train"]["documents"] + corpus.manifest["valid"]["documents"] == 150


def test_a_document(tmp_path, monkeypatch):
    (tmp_path / "long.txt").write_text("word " * 30)
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    with pytest.raises(limits.TooLarge, match=r"long\.txt: 150 bytes.*cut it into documents"):
        list(UserFiles(f"{tmp_path}/*.txt").documents(tmp_path))


def test_a_line_without_end_is_not_read_to_it(tmp_path, monkeypatch):
    lines = [json.dumps({"text": "short"}), json.dumps({"text": "word " * 300})]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    found = UserFiles(f"{tmp_path}/*.jsonl").documents(tmp_path)
    assert next(found).text == "short"
    with pytest.raises(limits.TooLarge, match=r"d\.jsonl: 101 bytes.*one document a line"):
        next(found)
