"""A corpus does not depend on the number of buckets, and what would be lost is reported first."""

import json

import numpy as np
import pytest

from sweeps.corpora import bucket_work, sealing, spool
from sweeps.corpora import build as corpora
from sweeps.corpora.tokens import read_tokenizer
from tests.sweeps.made_text import text_of

PROSE = "The river was low that year, and the ferry lay on its side in the reeds, number. " * 9


@pytest.fixture
def rows(cache):
    path = cache / "d.jsonl"
    texts = [text_of(i) if i % 3 else f"{i} {PROSE}<|endoftext|>" for i in range(240)]
    path.write_text("\n".join(json.dumps({"text": t, "domain": "ab"[i % 2]}) for i, t in enumerate(texts)))
    return path, texts


@pytest.mark.slow
def test_buckets_and_processes_do_not_show(rows, monkeypatch):
    path, texts = rows
    one = corpora.open_corpus(f"files:{path}", 300, lambda line: None)
    monkeypatch.setenv("PARSCALE_CACHE", str(path.parent / "cache-of-many"))
    monkeypatch.setattr(spool, "BUFFER", 9_000)
    monkeypatch.setattr(bucket_work, "cores", lambda: 2)
    many = corpora.open_corpus(f"files:{path}", 300, lambda line: None)
    assert many.hash == one.hash
    tokenizer = read_tokenizer(one.folder / "tokenizer.json")
    ids = np.concatenate([one.train, one.valid])
    documents = [tokenizer.decode(part.tolist()) for part in np.split(ids, np.flatnonzero(ids == 0) + 1)]
    assert sorted(documents[:-1]) == sorted(texts)  # every text once, whole, its own <|endoftext|> in it
    spans = one.valid_spans
    assert sum(last - first for first, last in spans.values()) == len(one.valid)
    assert one.manifest["valid"]["domains"]["a"]["tokens"] == spans["a"][1] - spans["a"][0]


def test_much_of_a_users_text_is_not_dropped_in_silence(cache):
    for i in range(150):
        (cache / f"{i}.py").write_text("# @generated\n" * (i % 2) + text_of(i))
    name = f"files:{cache}/*.py"
    with pytest.raises(ValueError, match=r"(?s)\b75\b.*\b150\b.*generated 75.*\.py") as refused:
        corpora.open_corpus(name, 300, lambda line: None)
    assert f"parscale corpus '{name}' --vocab 300 --drop-many" in str(refused.value)
    assert not list(sealing.cache_folder().glob("corpora/*/manifest.json"))
    built = corpora.open_corpus(name, 300, lambda line: None, drop_many=True)
    assert built.manifest["dropped"]["generated"] == 75
    assert corpora.open_corpus(name, 300, lambda line: pytest.fail(line)).hash == built.hash
