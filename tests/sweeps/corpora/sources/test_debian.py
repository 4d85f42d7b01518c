"""Prose from Debian packages: what is kept of an archive, and what is refused."""

import gzip
import shutil
import subprocess

import pytest

from sweeps.corpora.sources import debian
from sweeps.corpora.sources.debian import DebianPackages, texts_of

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
SENTENCE = "The quick brown fox jumps over the lazy dog and goes on its way. "


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "root"
    doc, man = root / "usr/share/doc/prose", root / "usr/share/man/man1"
    for folder in (root / "DEBIAN", doc, man):
        folder.mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        "Package: prose\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: x\n"
    )
    head = "<html><head><title>T</title></head><body><script>bad()</script>"
    (doc / "page.html").write_text(f"{head}<p>{SENTENCE * 10}&amp; so</p></body>")
    (doc / "copyright").write_text(f"Files: *\nLicense: GPL-2+\n {SENTENCE * 20}\nLicense: MIT\n")
    (doc / "data.bin").write_bytes(bytes(range(256)) * 20)
    (doc / "short.txt").write_text("tiny")
    (doc / "words.txt.gz").write_bytes(gzip.compress("\n\n".join([SENTENCE * 30] * 30).encode()))
    (man / "fox.1.gz").write_bytes(
        gzip.compress(f".TH FOX 1\n.SH NAME\n\\fBfox\\fR \\- {SENTENCE * 9}\n".encode())
    )
    archive = tmp_path / "prose_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(archive)], check=True, capture_output=True)
    return archive


def test_pages_manuals_and_long_texts_become_documents(package):
    found = list(texts_of(package, "prose", "essays"))
    names = [d.name.rsplit("/", 1)[1] for d in found]
    assert names == ["page.html#0", "words.txt.gz#0", "words.txt.gz#1", "words.txt.gz#2", "fox.1.gz#0"]
    page, manual = found[0].text, found[-1].text
    assert "bad()" not in page
    assert page.endswith("& so\n")
    assert "fox - The quick" in manual
    assert {(d.domain, d.licence) for d in found} == {("essays", "GPL-2+")}


def test_a_licence_is_the_first_one_stated():
    assert debian.licence_of("All of it: /usr/share/common-licenses/GFDL-1.2.\n") == "GFDL-1.2"
    assert debian.licence_of("Do what you like.") == "unknown"


def test_wordnets_glosses_are_text(tmp_path):
    lines = [f"0000174{i} 03 n 01 a_thing 0 003 ~ 00001930 n 0000 | {SENTENCE}" for i in range(9)]
    text = debian._text(debian.PurePosixPath("usr/share/wordnet/data.noun"), "\n".join(lines).encode())
    assert text.split("\n\n") == [f"a thing: {SENTENCE.strip()}"] * 9


def test_no_package_outweighs_the_others(package, monkeypatch):
    monkeypatch.setattr(debian, "MOST", 45_000)
    found = list(texts_of(package, "prose", "essays"))
    assert 0 < sum(len(d.text) for d in found) <= 45_000


def test_a_broken_archive_is_listed_not_fatal(tmp_path):
    (tmp_path / "x.deb").write_bytes(b"no archive")
    (only,) = texts_of(tmp_path / "x.deb", "x", "essays")
    assert only.name == "x"


def test_without_apt_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match=r"apt-get.*dpkg-deb"):
        next(DebianPackages("text-debian.tsv").documents(tmp_path))
