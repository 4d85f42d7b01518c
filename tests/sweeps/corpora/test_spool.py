"""Documents on disk, in the order of their hashes whatever the order they came in."""

import hashlib
import random

import pytest

from sweeps.corpora import spool
from sweeps.corpora.documents import Document

DOCUMENTS = [
    Document(f"n{i}ä", f"text {i % 290} 江", "ab"[i % 2], "MIT", (None, True, False)[i % 3])
    for i in range(300)
]


def read(folder):
    found = []
    domains, licences = spool.names(folder)
    for bucket in spool.buckets(folder):
        records = spool.read_index(folder, bucket)
        for record, text in zip(records, spool.texts(folder, bucket, records), strict=True):
            name = spool.name_of(folder, bucket, record)
            kind = {value: kind for kind, value in spool.KINDS.items()}[int(record["code"])]
            found.append(Document(name, text, domains[record["domain"]], licences[record["licence"]], kind))
    return found


@pytest.mark.parametrize(("buffer", "buckets"), [(16_000_000, 1), (2_000, 170)])
def test_documents_come_back_whole_in_the_order_of_their_hashes(tmp_path, monkeypatch, buffer, buckets):
    monkeypatch.setattr(spool, "BUFFER", buffer)
    wanted = sorted(DOCUMENTS, key=lambda d: hashlib.sha256(d.text.encode()).digest())  # copies as they came
    dealt = spool.Spool(tmp_path / "s")
    for document in DOCUMENTS:
        dealt.add(document)
    dealt.close()
    assert read(tmp_path / "s") == wanted
    assert len(spool.buckets(tmp_path / "s")) >= buckets
    assert dealt.bytes == sum(len(d.text.encode()) for d in DOCUMENTS)


def test_places_are_the_last_bytes_of_the_hash(tmp_path):
    shuffled = random.Random(1).sample(DOCUMENTS, 20)
    dealt = spool.Spool(tmp_path / "s")
    for document in shuffled:
        dealt.add(document)
    dealt.close()
    digests = sorted(hashlib.sha256(d.text.encode()).digest() for d in shuffled)
    places = spool.hash_places(spool.read_index(tmp_path / "s", 0)).tolist()
    assert places == [int.from_bytes(digest[-8:], "big") for digest in digests]
