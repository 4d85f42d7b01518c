"""Corpora in the cache: found by name or hash, and known to be whole without reading them.

A corpus's files are hashed when it is built. Their `seal.json` keeps each file's hash, size and time of change.
While size and time stay, the file counts as unchanged. Otherwise it is hashed again, once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.data.atomic_files import replacing, sha256
from sweeps.corpora.corpus import manifest_hash, read_manifest
from sweeps.store.locks import Locks

SEAL = "seal.json"


def cache_folder() -> Path:
    """Where built corpora live: $PARSCALE_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("PARSCALE_CACHE") or platformdirs.user_cache_dir("parscale"))


@contextmanager
def one_builder(root: Path, name: str) -> Iterator[None]:
    """One builder at a time on all machines that share the cache. The lock of a dead builder is taken over."""
    folder = root / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"the corpus cache {root} cannot be written ({error.strerror})"
        raise ValueError(f"{text}. Name another folder: PARSCALE_CACHE=FOLDER parscale ...") from error
    with Locks(folder).hold(name):
        yield


def _mark(path: Path) -> list[int]:
    """Size and time of change."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def seal_corpus(folder: Path, names: Sequence[str], hashes: dict[str, str] | None = None) -> None:
    """Note what the files are, now that they are hashed: names within the folder, or absolute paths."""
    hashes = hashes or read_manifest(folder)["sha256"]
    files = {name: [*_mark(folder / name), hashes[name]] for name in names}
    text = json.dumps({"manifest": sha256(folder / "manifest.json"), "files": files})
    with replacing(folder / SEAL) as temporary:
        temporary.write_text(text, encoding="utf-8")


def fault(folder: Path, every: bool = False) -> str | None:
    """What is wrong with a cached corpus, or None. every: hash all its files, not only those that have changed."""
    try:
        found = _sealed(folder)
        if found["manifest"] not in (None, sha256(folder / "manifest.json")):
            return "manifest.json fails its checksum"
        stale = found["manifest"] is None
        for name, (size, changed, wanted) in found["files"].items():
            mark = _mark(folder / name)
            if not every and mark == [size, changed]:
                continue
            if sha256(folder / name) != wanted:
                return f"{name} fails its checksum"
            stale = True
        if stale:
            hashes = {name: mark[-1] for name, mark in found["files"].items()}
            seal_corpus(folder, list(hashes), hashes)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "manifest.json is not a manifest"
    return None


def _sealed(folder: Path) -> dict[str, Any]:
    """The seal. For a corpus older than seals, its manifest's hashes."""
    if (folder / SEAL).exists():
        found: dict[str, Any] = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return found
    hashes = read_manifest(folder)["sha256"]
    return {"manifest": None, "files": {name: [-1, -1, wanted] for name, wanted in hashes.items()}}


@dataclass(frozen=True)
class Entry:
    """What the cache remembers under a name: the folder, and the state of the files it was built from."""

    root: Path
    key: str

    @classmethod
    def of(cls, root: Path, *name: object) -> Entry:
        """The cache entry of a corpus's name, vocabulary and tokenizer."""
        return cls(root, hashlib.sha256(json.dumps(name, sort_keys=True).encode()).hexdigest()[:16])

    @property
    def _path(self) -> Path:
        return self.root / "corpora" / "by-name" / f"{self.key}.json"

    def folder(self, state: str | None) -> Path | None:
        """The corpus, if it is whole and was built from files in this state (None: whatever theirs was)."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            folder = self.root / "corpora" / found["folder"]
            same = state in (None, found["state"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return folder if same and fault(folder) is None else None

    def keep(self, folder: Path, state: str) -> None:
        """Remember the folder, by its hash too."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps({"folder": folder.name, "state": state}), encoding="utf-8")
        keep_hash(self.root, manifest_hash(read_manifest(folder)), folder)


def keep_hash(root: Path, code: str, folder: Path) -> None:
    """Remember which folder holds the corpus of a hash."""
    path = root / "corpora" / "by-hash" / code
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(folder.name, encoding="utf-8")


def folder_of_hash(root: Path, code: str) -> Path | None:
    """The folder that holds the corpus of a hash, if it is whole."""
    path = root / "corpora" / "by-hash" / code
    if not path.exists():
        for manifest in (root / "corpora").glob("*/manifest.json"):  # of before this was kept
            try:
                if manifest_hash(read_manifest(manifest.parent)) == code:
                    keep_hash(root, code, manifest.parent)
                    break
            except (ValueError, KeyError, AttributeError):
                continue
        else:
            return None
    folder = root / "corpora" / path.read_text(encoding="utf-8")
    return folder if fault(folder) is None else None
