"""What identifies a corpus: of format 1 the manifest, since then the tokens."""

import hashlib
import json
import math

import numpy as np

from sweeps.corpora.corpus import SECOND, Corpus, manifest_hash

PART = {
    "documents": 1,
    "bytes": 90,
    "tokens": 30,
    "domains": {"a": {"bytes": 40, "tokens": 10}},
    "spans": {"a": [0, 30]},
}
NEW = {
    "format": 2,
    "dtype": "uint16",
    "sha256": {"train.bin": "0"},
    "train": PART,
    "valid": PART,
    "name": "x",
}


def test_the_hash_of_an_old_corpus_is_that_of_its_manifest():
    old = {"recipe": {"corpus": "stdlib"}, "train": PART}
    assert manifest_hash(old) == hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()


def test_the_hash_of_a_new_one_follows_its_tokens_not_its_name():
    code = manifest_hash(NEW)
    assert code.startswith(SECOND)
    assert len(code) == 64
    assert manifest_hash(NEW | {"name": "y", "recipe": {"files": 3}}) == code
    assert manifest_hash(NEW | {"sha256": {"train.bin": "1"}}) != code
    assert manifest_hash(NEW | {"valid": PART | {"spans": {"a": [0, 29]}}}) != code


def test_bytes_a_token_of_all_and_of_a_domain(tmp_path):
    corpus = Corpus(tmp_path, NEW, np.arange(9), np.arange(30))
    assert (corpus.bytes_per_token(), corpus.bytes_per_token("a")) == (3.0, 4.0)
    unknown = Corpus(tmp_path, NEW | {"valid": PART | {"bytes": None}}, np.arange(9), np.arange(30))
    assert math.isnan(unknown.bytes_per_token())
    assert corpus.tokenizer is None
