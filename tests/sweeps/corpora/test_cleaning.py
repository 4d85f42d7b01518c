"""Cleaning and splitting documents."""

import hashlib
from collections import Counter

import pytest

from scaling.data import limits
from sweeps.corpora import cleaning
from sweeps.corpora.cleaning import clean
from sweeps.corpora.documents import Document, Unreadable
from tests.sweeps.made_text import text_of


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


def test_a_corpus(monkeypatch):
    texts = (Document(f"d{i}", f"{i} " * 10, "a") for i in range(9))
    monkeypatch.setattr(limits, "CORPUS", 110)
    with pytest.raises(ValueError, match=r"^d5: with it the corpus has more than 110 characters"):
        clean(texts)
