"""Documents: read from bytes, counted by domain, described in a few lines."""

import re

from sweeps.corpora.documents import LISTED, Document, Unreadable, decode, described, domains_of


def test_text_is_decoded_without_its_mark_and_with_plain_line_ends():
    found = decode("a.txt", "\ufeffGrüße\r\nzwei\n".encode(), "letters", "MIT")
    assert found == Document("a.txt", "Grüße\nzwei\n", "letters", "MIT")


def test_what_is_no_utf8_is_unreadable_with_the_place():
    found = decode("a.txt", b"caf\xe9", "letters", "MIT")
    assert isinstance(found, Unreadable)
    assert found.name == "a.txt"
    assert "byte 3" in found.reason


def manifest(**more):
    return {
        "train": {"domains": {"a": {"documents": 3, "tokens": 50}, "b": {"documents": 1, "tokens": 9}}},
        "valid": {"domains": {"a": {"documents": 1, "tokens": 7}}},
        "dropped": {"duplicate": 1200, "empty": 0, "unreadable_documents": []},
        "licences": {"a: MIT": 3, "b: MIT": 1, "b: BSD": 1},
        "recipe": {"source": {"files": ["x", "y"], "version": 3}},
    } | more


def test_domains_are_counted_over_both_parts():
    assert domains_of(manifest()) == {"a": {"documents": 4, "tokens": 57}, "b": {"documents": 1, "tokens": 9}}


def test_what_was_dropped_and_the_source_are_told():
    dropped, licences, source = described(manifest())
    assert dropped == "dropped: duplicates 1,200"
    assert licences == "licences (documents): MIT (4), BSD (1)"
    assert source == "2 files, version 3"
    whole = manifest(dropped={"unreadable_documents": []})
    assert re.fullmatch(r"dropped: \D+", described(whole)[0])


def test_long_lists_end_with_how_many_more_there_are():
    many = [[f"{i}.txt", "not UTF-8"] for i in range(LISTED + 3)]
    licences = {f"a: licence {i}": 1 for i in range(LISTED + 2)}
    dropped = {"unreadable": 99, "unreadable_documents": many, "unreadable_unlisted": 50}
    lines = described(manifest(dropped=dropped, licences=licences))
    assert re.search(r"\b2 \w+$", lines[1])
    assert len([line for line in lines if line.endswith("not UTF-8")]) == LISTED
    assert f"{3 + 50} " in lines[-2]


def test_licences_are_counted_over_domains():
    manifest = {
        "dropped": {"unreadable": 0, "unreadable_documents": []},
        "licences": {"a: MIT": 3, "b: MIT": 2, **{f"c: L{n}": 1 for n in range(9)}},
        "recipe": {"source": {"source": "wheels", "kind": "text", "pins": ["x"] * 1200}},
    }
    dropped, licences, source = described(manifest)
    assert re.fullmatch(r"dropped: \D+", dropped)
    assert licences.startswith("licences (documents): MIT (5), L0 (1), ")
    assert re.search(r", 2 \w+$", licences)
    assert source == "source wheels, kind text, 1,200 pins"
