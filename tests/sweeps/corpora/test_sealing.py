"""Corpora in the cache: whole without being read, found by name or by hash."""

import json
import os
import re

import pytest

from scaling.data.atomic_files import sha256
from sweeps.corpora import sealing


@pytest.fixture
def folder(cache):
    """A corpus of format 1 as it was left before there were seals."""
    folder = cache / "cache/corpora/old"
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(b"tokens" * 9)
    hashes = {"train.bin": sha256(folder / "train.bin")}
    (folder / "manifest.json").write_text(json.dumps({"sha256": hashes, "train": {"tokens": 27}}))
    return folder


def test_a_corpus_without_a_seal_is_hashed_once(folder, monkeypatch):
    assert sealing.fault(folder) is None
    hashed = []
    monkeypatch.setattr(sealing, "sha256", lambda path: hashed.append(path.name) or sha256(path))
    assert sealing.fault(folder) is None
    assert hashed == ["manifest.json"]
    os.utime(folder / "train.bin", ns=(1, 1))  # as after a copy
    assert sealing.fault(folder) is None
    assert "train.bin" in hashed
    hashed.clear()
    assert sealing.fault(folder) is None
    assert hashed == ["manifest.json"]


def test_what_has_changed_is_named(folder):
    assert sealing.fault(folder) is None
    stat = (folder / "train.bin").stat()
    (folder / "train.bin").write_bytes(b"tokenz" * 9)
    assert sealing.fault(folder) == "train.bin fails its checksum"
    os.utime(folder / "train.bin", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sealing.fault(folder) is None  # what only reading it would show
    assert sealing.fault(folder, every=True) == "train.bin fails its checksum"
    (folder / "manifest.json").write_text("{}")
    assert sealing.fault(folder) == "manifest.json fails its checksum"
    (folder / "manifest.json").unlink()
    assert sealing.fault(folder) == "manifest.json is missing"


def test_a_corpus_is_found_by_its_hash_and_by_name_while_its_files_stand(folder):
    root = sealing.cache_folder()
    code = sealing.manifest_hash(sealing.read_manifest(folder))
    assert sealing.folder_of_hash(root, code) == folder  # looked for
    assert sealing.folder_of_hash(root, "0" * 64) is None
    entry = sealing.Entry.of(root, "files:a", 300)
    assert entry.folder("state") is None
    entry.keep(folder, "state")
    assert (entry.folder("state"), entry.folder(None), entry.folder("other")) == (folder, folder, None)
    assert sealing.Entry.of(root, "files:a", 301).folder(None) is None
    (folder / "train.bin").unlink()
    assert entry.folder("state") is None
    assert sealing.folder_of_hash(root, code) is None


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "home").write_text("a file, where a folder is needed")
    root = tmp_path / "home/parscale"
    with (
        pytest.raises(ValueError, match=rf"{re.escape(str(root))}.*PARSCALE_CACHE="),
        sealing.one_builder(root, "x"),
    ):
        pass
