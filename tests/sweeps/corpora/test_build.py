"""Corpora: built once, cached, verified."""

import numpy as np
import pytest

from sweeps.corpora import build as corpora
from tests.sweeps.made_text import text_of


@pytest.fixture
def documents(cache):
    folder = cache / "documents"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.txt").write_text(text_of(number))
    return f"files:{folder}/*.txt"


def test_a_corpus_is_built_once_and_verified_on_reuse(documents):
    told = []
    first = corpora.open_corpus(documents, 300, told.append)
    again = corpora.open_corpus(documents, 300, told.append)
    assert len(told) == 1
    assert "vocabulary" in told[0]
    assert first.hash == again.hash
    np.testing.assert_array_equal(first.train, again.train)
    counts = first.manifest
    assert counts["train"]["documents"] + counts["valid"]["documents"] == 150
    assert first.train.dtype == np.uint16
    assert 1 < first.bytes_per_token() < 10


@pytest.mark.parametrize("name", ["train.bin", "valid.bin", "tokenizer.json", "manifest.json"])
def test_a_damaged_cache_is_rebuilt_with_a_word_never_used(documents, name):
    built = corpora.open_corpus(documents, 300, lambda line: None)
    hash_before = built.hash
    path = built.folder / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0x55
    path.write_bytes(bytes(damaged[:-2]))
    told = []
    assert corpora.open_corpus(documents, 300, told.append).hash == hash_before
    assert told


def test_a_missing_token_file_is_rebuilt(documents):
    built = corpora.open_corpus(documents, 300, lambda line: None)
    (built.folder / "train.bin").unlink()
    told = []
    corpora.open_corpus(documents, 300, told.append)
    assert "train.bin" in told[0]


def test_the_hash_follows_content_and_vocabulary(documents, cache):
    first = corpora.open_corpus(documents, 300, lambda line: None).hash
    assert corpora.open_corpus(documents, 270, lambda line: None).hash != first
    (cache / "documents" / "7.txt").write_text("something else\n" * 9)
    assert corpora.open_corpus(documents, 300, lambda line: None).hash != first


def test_unreadable_documents_are_skipped_counted_and_listed(documents, cache):
    (cache / "documents" / "bad.txt").write_bytes(b"caf\xe9 \xff\xfe")
    manifest = corpora.open_corpus(documents, 300, lambda line: None).manifest
    assert manifest["dropped"]["unreadable"] == 1
    name, reason = manifest["dropped"]["unreadable_documents"][0]
    assert name.endswith("bad.txt")
    assert "not UTF-8" in reason


def test_too_few_documents_are_refused(cache):
    (cache / "one.txt").write_text(text_of(1))
    with pytest.raises(ValueError, match="1 documents"):
        corpora.open_corpus(f"files:{cache}/one.txt", 300, lambda line: None)
