"""Shards are read and hashed once, then opened in place. A shard that does not fit is named."""

import os
import shutil

import numpy as np
import pytest

from scaling.data import atomic_files
from sweeps.corpora import build as corpora
from sweeps.corpora import sealing, tokens
from sweeps.corpora.encoding import Encoder
from tests.sweeps.made_text import text_of

VOCAB = 400  # of the model, more than the tokenizer has


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.train_tokenizer([text_of(i) for i in range(150)], VOCAB)


@pytest.fixture
def shards(cache, tokenizer):
    """Three shards of text with their tokenizer."""
    folder = cache / "shards"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    encoder = Encoder(tokenizer)
    ids = [np.append(encoder.ids(text_of(i)), 0) for i in range(150)]
    np.concatenate(ids[:100]).astype("uint16").tofile(folder / "train_1.bin")
    np.concatenate(ids[100:140]).astype("uint16").tofile(folder / "train_2.bin")
    np.concatenate(ids[140:]).astype("uint16").tofile(folder / "val.bin")
    return folder


def opened(folder, more="", vocab=VOCAB, said=lambda line: None, **options):
    return corpora.open_corpus(f"tokens:{folder}{more}", vocab, said, **options)


def test_shards_are_hashed_once(shards, monkeypatch):
    said = []
    first = opened(shards, said=said.append)
    assert len(said) == 3
    counts = first.manifest["train"]
    assert counts["documents"] == 140
    assert counts["tokens"] == len(first.train) == sum(os.stat(p).st_size for p in shards.glob("tr*")) // 2
    held_out = sum(len(text_of(i).encode()) for i in range(140, 150))
    assert first.bytes_per_token() == held_out / len(first.valid)
    monkeypatch.setattr(atomic_files, "sha256", lambda path: pytest.fail(f"hashed {path}"))
    again = opened(shards, said=said.append)
    assert (again.hash, len(said)) == (first.hash, 3)
    np.testing.assert_array_equal(again.train[:], first.train[:])


def test_content_decides_not_the_folder(shards):
    first = opened(shards)
    moved = shutil.copytree(shards, shards.parent / "elsewhere")
    assert opened(moved).hash == first.hash
    os.utime(shards / "train_1.bin")  # touched: read again, and the same
    assert opened(shards).hash == first.hash
    raw = bytearray((shards / "train_1.bin").read_bytes())
    raw[1000] ^= 1
    stat = (shards / "train_1.bin").stat()
    (shards / "train_1.bin").write_bytes(raw)
    os.utime(shards / "train_1.bin", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert corpora.verify(opened(shards)) == f"{shards}/train_1.bin fails its checksum"
    os.utime(shards / "train_1.bin")
    assert opened(shards).hash != first.hash


def test_without_a_tokenizer_a_vocabulary_will_do(shards):
    (shards / "tokenizer.json").unlink()
    corpus = opened(shards, f"#vocab={VOCAB}")
    assert corpus.tokenizer is None
    assert np.isnan(corpus.bytes_per_token())
    assert corpus.manifest["train"]["documents"] is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda ids: ids + VOCAB, r"id .*\b0\b.*\b400\b"),
        (lambda ids: ids * 7 % 251, "tokenizer.json"),
        (lambda ids: ids.astype("uint32").view("uint16"), "uint32.*uint16"),
    ],
)
def test_a_shard_of_another_kind_is_named(shards, spoil, said):
    ids = np.fromfile(shards / "train_2.bin", np.uint16)
    spoil(ids).tofile(shards / "train_2.bin")
    with pytest.raises(ValueError, match=rf"train_2.bin.*{said}"):
        opened(shards)
    assert not list(sealing.cache_folder().glob("corpora/*/manifest.json"))


def test_a_model_or_a_tokenizer_that_does_not_fit_is_refused(shards, cache):
    with pytest.raises(ValueError, match=r"\d+.*\b260\b"):
        opened(shards, vocab=260)
    other = tokens.train_tokenizer(["zebras graze at dusk "] * 9, 300)
    other.save(str(cache / "other.json"))
    with pytest.raises(ValueError, match="--tokenizer"):
        opened(shards, tokenizer=str(cache / "other.json"))


def test_shards_of_two_types_are_refused(shards):
    (shards / "tokens.json").write_text('{"dtype": "uint32", "train": ["train_1.bin", "train_2.bin"]}')
    with pytest.raises(ValueError, match=r"400.*uint32"):
        opened(shards)
