"""A user's own files: text, JSON lines, parquet, and what is too long."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scaling.data import limits
from sweeps.corpora import build as corpora
from sweeps.corpora.documents import Document, Unreadable
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


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([b"abc"], ".*`text`.*binary"),
        ([["a", "b"]], ".*`text`.*list<"),
        ([{"a": 1}], ".*`text`.*struct<"),
    ],
)
def test_a_column_that_is_no_text_is_named_as_what_it_is(tmp_path, values, said):
    pq.write_table(pa.table({"text": values, "id": [1]}), tmp_path / "d.parquet")
    with pytest.raises(ValueError, match=rf"d.parquet: {said}"):
        list(UserFiles(f"{tmp_path}/*.parquet").documents(tmp_path))


def test_the_column_may_have_another_name(tmp_path):
    pq.write_table(pa.table({"body": ["one", None], "path": ["a.py", "b.txt"]}), tmp_path / "d.parquet")
    (tmp_path / "d.jsonl").write_text('{"body": "two"}\n{"body": ["x"]}\n{"text": "three"}\n[1]')
    found = list(UserFiles(f"{tmp_path}/d.*", "body").documents(tmp_path))
    assert [(d.text, d.code) for d in found if isinstance(d, Document)] == [("two", None), ("one", True)]
    reasons = [d.reason for d in found if isinstance(d, Unreadable)]
    parts = ["`body`.*list", "`body`.*text", "JSON.*list", "`body`"]
    assert all(re.search(part, reason) for part, reason in zip(parts, reasons, strict=True))
    with pytest.raises(ValueError, match=r"body.*path.*#column=NAME"):
        list(UserFiles(f"{tmp_path}/*.parquet").documents(tmp_path))


def test_the_recipe_is_the_content_the_state_the_files(tmp_path):
    for name in ("a/x.txt", "b/x.txt", "c/other.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("a text\n")
    one, other, renamed = (UserFiles(f"{tmp_path}/{name}/*.txt") for name in "abc")
    assert one.recipe() == other.recipe() == renamed.recipe()
    assert one.state() != other.state()
    assert UserFiles(f"{tmp_path}/none/*").state() is None
    both = UserFiles(f"{tmp_path}/*/*.txt")
    assert {d.domain for d in both.documents(tmp_path)} == {"a", "b", "c"}
    assert {d.domain for d in one.documents(tmp_path)} == {"files"}
    assert {d.domain for d in UserFiles(f"{tmp_path}/a/*.txt", first=True).documents(tmp_path)} == {"a"}


def test_a_document(tmp_path, monkeypatch):
    (tmp_path / "long.txt").write_text("word " * 30)
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    with pytest.raises(limits.TooLarge, match=r"long\.txt.*150"):
        list(UserFiles(f"{tmp_path}/*.txt").documents(tmp_path))


def test_a_line_without_end_is_not_read_to_it(tmp_path, monkeypatch):
    lines = [json.dumps({"text": "short"}), json.dumps({"text": "word " * 300})]
    (tmp_path / "d.jsonl").write_text("\n".join(lines))
    monkeypatch.setattr(limits, "DOCUMENT", 100)
    found = UserFiles(f"{tmp_path}/*.jsonl").documents(tmp_path)
    assert next(found).text == "short"
    with pytest.raises(limits.TooLarge, match=r"d\.jsonl.*101"):
        next(found)
