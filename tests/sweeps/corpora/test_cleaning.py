"""What is kept and what is held out: by the rules of format 1, and by those for a user's text."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from sweeps.corpora import bucket_work, cleaning, spool
from sweeps.corpora.documents import Document, Unreadable
from tests.sweeps.made_text import text_of

PROSE = "The river was low that year, and the ferry lay on its side. " * 12  # a paragraph in one line


def spooled(folder, documents):
    dealt = spool.Spool(folder)
    for document in documents:
        dealt.add(document)
    dealt.close()
    return folder


def fates(folder, documents):
    """{name: what became of it} by the rules of format 2."""
    spooled(folder, documents)
    for bucket in spool.buckets(folder):
        bucket_work.inspect(folder, bucket, {"sample": 1})
    cleaning.drop_near_duplicates(folder, 1 << 20)
    return {
        spool.name_of(folder, bucket, record): spool.FATES[record["fate"]]
        for bucket in spool.buckets(folder)
        for record in spool.read_index(folder, bucket)
    }


def held(folder, documents, share):
    """The names of those held out."""
    spooled(folder, documents)
    below = cleaning.held_out_below(folder, share)
    return {
        spool.name_of(folder, bucket, record)
        for bucket in spool.buckets(folder)
        for records in [spool.read_index(folder, bucket)]
        for record in records[cleaning.is_held_out(folder, records, below)]
    }


def test_the_split_depends_on_content_alone(tmp_path):
    many = [Document(str(i), text_of(i), "x") for i in range(400)]
    whole, few = held(tmp_path / "many", many, 0.2), held(tmp_path / "few", many[:200], 0.2)
    assert 40 <= len(whole) <= 120
    assert few == whole & {d.name for d in many[:200]}


def test_a_domain_large_enough_is_never_without_held_out_documents(tmp_path):
    hashes = {i: hashlib.sha256(text_of(i).encode()).digest()[-8:] for i in range(400)}
    late = [i for i, code in hashes.items() if code[0] >= 128]  # none of them below the limit
    small = [Document(str(i), text_of(i), "small") for i in late[:19]]
    large = [Document(str(i), text_of(i), "large") for i in late[19:60]]
    rest = [Document(str(i), text_of(i), "rest") for i in hashes if i not in late]
    found = held(tmp_path / "all", small + large + rest, 0.05)
    assert len(found & {d.name for d in large}) == 1
    assert not found & {d.name for d in small}
    below = {str(i) for i, code in hashes.items() if int.from_bytes(code, "big") < 0.05 * 2**64}
    assert found & {d.name for d in rest} == below


def test_format_1_drops_copies_generated_files_and_near_duplicates_in_order():
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
        Document("i", PROSE, "x"),
    ]
    dropped = cleaning.Dropped()
    kept = cleaning.clean_in_order(dropped.readable(given), dropped)
    assert [d.name for d in kept] == ["a", "h"]
    counts = {"duplicate": 1, "near_duplicate": 1, "generated": 3, "empty": 1, "unreadable": 1}
    assert dropped.shown() == counts | {"unreadable_documents": [["g", "not UTF-8"]]}


def test_rules_on_code_apply_to_code(tmp_path):
    data = "DATA = [" + "1, 22, " * 4000 + "]"
    original = text_of(1, lines=200)
    given = [
        Document("prose", PROSE, "x"),
        Document("again", PROSE, "y"),
        Document("chinese", "江水那年很低渡船侧卧在岸边" * 900, "x"),
        Document("marked prose", "Do not edit a diary. " + PROSE, "x"),
        Document("table in prose", data, "x", code=False),
        Document("data", data + "\n", "x", code=True),
        Document("minified", "function(){return[0]};" * 900, "x"),
        Document("marked", "# @generated\n" + text_of(2), "x", code=True),
        Document("code", original, "x", code=True),
        Document("near", original.replace("offset(7)", "offset(8)"), "x", code=True),
        Document("empty", " \n", "x"),
        Document("tiny", "a\nb\nc\nd", "x"),
        Document("tinier", "a\nb\nc\ne", "x"),
    ]
    found = fates(tmp_path / "s", given)
    twins = {found.pop("code"), found.pop("near")}  # which comes first is for their hashes to say
    assert twins == {"kept", "near_duplicate"}
    assert {name: fate for name, fate in found.items() if fate != "kept"} == dict.fromkeys(
        ("data", "minified", "marked"), "generated"
    ) | {"again": "duplicate", "empty": "empty"}


def test_what_was_dropped_is_counted_and_shown(tmp_path):
    fates(tmp_path / "s", [Document(f"d{i}", " " * i, "x") for i in range(5)] + [Document("k", PROSE, "x")])
    dropped = cleaning.Dropped()
    cleaning.count_fates(tmp_path / "s", dropped)
    assert dropped.counts == Counter(empty=5)
    assert len(dropped.examples["empty"]) == cleaning.EXAMPLES


@pytest.mark.parametrize(
    ("suffix", "code"),
    [(".py", True), (".HPP", True), (".c", True), (".txt", False), ("", None), (".log", None)],
)
def test_a_suffix_says_what_is_code(suffix, code):
    assert cleaning.code_by_suffix(suffix) is code


def test_shingles_do_not_depend_on_where_a_long_text_is_cut(monkeypatch):
    text = text_of(1, lines=300) + "\n" * 50 + text_of(2, lines=300)
    whole = cleaning.shingles_of(text, 2)
    monkeypatch.setattr(cleaning, "LINES_AT_ONCE", 100)
    np.testing.assert_array_equal(cleaning.shingles_of(text, 2), whole)
    assert len(whole) > 100


def test_the_filter_forgets_nothing_and_seldom_errs():
    hashes = np.random.default_rng(0).integers(0, 2**64, 60_000, np.uint64)
    seen = cleaning.Filter(1 << 20)
    seen.add(hashes[:20_000])
    assert seen.seen(hashes[:20_000]) == 20_000
    assert seen.seen(hashes[20_000:]) < 0.01 * 40_000
