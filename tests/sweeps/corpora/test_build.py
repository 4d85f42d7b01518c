"""Corpora: cleaning, splitting, caching, and the names a user may give."""

import hashlib
import json
import zipfile
from collections import Counter

import numpy as np
import pytest

import parscale
from scaling.data import limits
from sweeps.corpora import build as corpora
from sweeps.corpora import cleaning
from sweeps.corpora.documents import Document, Unreadable
from sweeps.corpora.sources import huggingface
from sweeps.corpora.sources.registry import Wheels, source_of
from sweeps.corpora.tokens import END


def text_of(number, lines=30):
    return "\n".join(f"value_{number}_{i} = {number} * {i} + offset({i})" for i in range(lines))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    return tmp_path


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
    assert "building it" in told[0]
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
    assert "is damaged" in told[0]


def test_a_missing_token_file_is_rebuilt(documents):
    built = corpora.open_corpus(documents, 300, lambda line: None)
    (built.folder / "train.bin").unlink()
    told = []
    corpora.open_corpus(documents, 300, told.append)
    assert "train.bin is missing" in told[0]


def test_the_hash_follows_content_and_vocabulary(documents, cache):
    first = corpora.open_corpus(documents, 300, lambda line: None).hash
    assert corpora.open_corpus(documents, 310, lambda line: None).hash != first
    (cache / "documents" / "7.txt").write_text("something else\n" * 9)
    assert corpora.open_corpus(documents, 300, lambda line: None).hash != first


def test_the_split_depends_on_content_alone():
    many = [Document(str(i), text_of(i), "x") for i in range(400)]
    parts = cleaning.split_documents(many, 0.2)
    few = cleaning.split_documents(many[:200], 0.2)
    assert 40 <= len(parts["valid"]) <= 120
    held = {d.text for d in parts["valid"]}
    assert {d.text for d in few["valid"]} == held & {d.text for d in many[:200]}
    assert not held & {d.text for d in parts["train"]}


def test_a_domain_large_enough_is_never_without_held_out_documents():
    hashes = {i: hashlib.sha256(text_of(i).encode()).digest()[-8:] for i in range(400)}
    late = [i for i, code in hashes.items() if code[0] >= 128]  # none of them below the limit
    small = [Document(str(i), text_of(i), "small") for i in late[:19]]
    large = [Document(str(i), text_of(i), "large") for i in late[19:60]]
    rest = [Document(str(i), text_of(i), "rest") for i in hashes if i not in late]
    held = cleaning.split_documents(small + large + rest, 0.05)["valid"]
    assert Counter(d.domain for d in held)["large"] == 1
    assert not [d for d in held if d.domain == "small"]
    assert {d.name for d in held if d.domain == "rest"} == {
        str(i) for i, code in hashes.items() if int.from_bytes(code, "big") < 0.05 * 2**64
    }


def test_cleaning_drops_copies_generated_files_and_near_duplicates():
    original = text_of(1, lines=200)
    near = original.replace("offset(7)", "offset(8)")
    given = [
        Document("a", original, "x"),
        Document("b", original, "x"),
        Document("c", near, "x"),
        Document("d", "# @generated\n" + text_of(2), "x"),
        Document("e", "DATA = [" + "1, 22, " * 4000 + "]", "x"),
        Document("f", "  \n", "x"),
        Unreadable("g", "not UTF-8"),
        Document("h", text_of(3), "x"),
    ]
    kept, dropped = cleaning.clean(iter(given))
    assert [d.name for d in kept] == ["a", "h"]
    assert dropped["duplicate"] == dropped["near_duplicate"] == dropped["empty"] == 1
    assert dropped["generated"] == 2
    assert dropped["unreadable_documents"] == [["g", "not UTF-8"]]


def test_unreadable_documents_are_skipped_counted_and_listed(documents, cache):
    (cache / "documents" / "bad.txt").write_bytes(b"caf\xe9 \xff\xfe")
    manifest = corpora.open_corpus(documents, 300, lambda line: None).manifest
    assert manifest["dropped"]["unreadable"] == 1
    name, reason = manifest["dropped"]["unreadable_documents"][0]
    assert name.endswith("bad.txt")
    assert "not UTF-8" in reason


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stdlob", "unknown corpus 'stdlob'; choose one of stdlib, code"),
        ("files:", "unknown corpus 'files:'"),
        ("files:/nowhere/*.txt", "matches no file"),
    ],
)
def test_wrong_names_are_refused(cache, name, message):
    with pytest.raises(ValueError, match=message):
        corpora.open_corpus(name, 300)


def test_too_few_documents_are_refused(cache):
    (cache / "one.txt").write_text(text_of(1))
    with pytest.raises(ValueError, match="too few to hold out"):
        corpora.open_corpus(f"files:{cache}/one.txt", 300, lambda line: None)


def test_a_wheel_with_hostile_paths_writes_nothing(cache):
    wheel = cache / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../../outside.py", text_of(1))
        archive.writestr("/absolute.py", text_of(2))
        archive.writestr("evil-1.0.dist-info/METADATA", "Name: evil\nLicense: MIT\n\nbody")
    before = sorted(cache.rglob("*"))
    found = list(Wheels((), "code")._members(wheel))
    assert sorted(cache.rglob("*")) == before
    assert {d.licence for d in found} == {"MIT"}
    assert {d.domain for d in found} == {"evil"}


def test_the_standard_library_leaves_its_tests_out(tmp_path):
    names = [d.name for d in source_of("stdlib").documents(tmp_path)]
    assert "argparse.py" in names
    assert "json/decoder.py" in names
    assert not [n for n in names if n.startswith("test/") or "/tests/" in n or "site-packages" in n]
    assert END not in names
