"""Documents on disk in the order of their hashes, so that a corpus may be larger than memory.

The first byte of a text's SHA-256 gives its bucket, one of 256. A few documents make one bucket. Buckets in turn,
each sorted, give all documents in order, and several buckets can be worked on at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.corpora.documents import Document

BUFFER = 16_000_000  # bytes kept before they are written
FATES = ("kept", "empty", "duplicate", "generated", "near_duplicate")  # what becomes of a document
KINDS = {None: 0, False: 1, True: 2}  # Document.code
RECORD = np.dtype(
    [
        ("digest", ">u8", (4,)),  # SHA-256 of the text
        ("number", "<i8"),  # its place among the documents that were added
        ("offset", "<i8"),  # of its name and, behind it, its text in the bucket's file
        ("name", "<u4"),  # bytes
        ("text", "<u4"),  # bytes
        ("domain", "<u4"),  # place in `Spool.domains`
        ("licence", "<u4"),
        ("code", "u1"),
        ("fate", "u1"),  # place in FATES
    ]
)
Records = npt.NDArray[Any]  # (documents,) of RECORD


class Spool:
    """Collects documents. What fits into BUFFER stays one bucket."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.count = self.bytes = self._held = 0
        self.domains: dict[str, int] = {}
        self.licences: dict[str, int] = {}
        self._pending: dict[int, list[tuple[tuple[Any, ...], bytes]]] = {}
        self._ends: dict[int, int] = {}

    def add(self, document: Document) -> None:
        """Put a document into its bucket."""
        text, name = document.text.encode(), document.name.encode("utf-8", "replace")
        digest = hashlib.sha256(text).digest()
        place = tuple(int.from_bytes(digest[i : i + 8], "big") for i in range(0, 32, 8))
        domain = self.domains.setdefault(document.domain, len(self.domains))
        licence = self.licences.setdefault(document.licence, len(self.licences))
        record = (place, self.count, len(name), len(text), domain, licence, KINDS[document.code])
        self._pending.setdefault(digest[0], []).append((record, name + text))
        self.count += 1
        self.bytes += len(text)
        self._held += len(name) + len(text) + 200
        if self._held > BUFFER:
            for bucket, added in self._pending.items():
                self._write(bucket, added)
            self._pending.clear()
            self._held = 0

    def _write(self, bucket: int, added: list[tuple[tuple[Any, ...], bytes]]) -> None:
        """Append documents to a bucket's files."""
        records = np.zeros(len(added), RECORD)
        end = self._ends.get(bucket, 0)
        with (self.folder / f"{bucket:03}.text").open("ab") as file:
            for row, (record, raw) in enumerate(added):
                place, number, *others = record
                records[row] = (place, number, end, *others, 0)
                end += file.write(raw)
        self._ends[bucket] = end
        with (self.folder / f"{bucket:03}.index").open("ab") as file:
            records.tofile(file)

    def close(self) -> None:
        """Write what is left, and sort every bucket's index."""
        if not self._ends:
            self._pending = {0: [one for added in self._pending.values() for one in added]}
        for bucket, added in self._pending.items():
            self._write(bucket, added)
        self._pending.clear()
        names = {"domains": list(self.domains), "licences": list(self.licences)}
        (self.folder / "names.json").write_text(json.dumps(names), encoding="utf-8")
        for bucket in buckets(self.folder):
            records = read_index(self.folder, bucket)
            digest = records["digest"]
            order = np.lexsort((records["number"], *(digest[:, column] for column in (3, 2, 1, 0))))
            write_index(self.folder, bucket, records[order])


def buckets(folder: Path) -> list[int]:
    """The buckets that hold documents, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.index"))


def read_index(folder: Path, bucket: int) -> Records:
    """A bucket's records, in the order of their hashes once the spool is closed."""
    return np.fromfile(folder / f"{bucket:03}.index", RECORD)


def write_index(folder: Path, bucket: int, records: Records) -> None:
    """Put the records back, their fates decided."""
    records.tofile(folder / f"{bucket:03}.index")


def texts(folder: Path, bucket: int, records: Iterable[Any]) -> Iterator[str]:
    """The texts of some records of a bucket."""
    with (folder / f"{bucket:03}.text").open("rb") as file:
        for record in records:
            file.seek(int(record["offset"]) + int(record["name"]))
            yield file.read(int(record["text"])).decode()


def name_of(folder: Path, bucket: int, record: Any) -> str:
    """What its source called a document."""
    with (folder / f"{bucket:03}.text").open("rb") as file:
        file.seek(int(record["offset"]))
        return file.read(int(record["name"])).decode()


def names(folder: Path) -> tuple[list[str], list[str]]:
    """The domains and the licences that records number."""
    found = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    return found["domains"], found["licences"]


def hash_places(records: Records) -> npt.NDArray[np.uint64]:
    """(documents,) each hash as a number between 0 and 2^64: its last eight bytes."""
    return records["digest"][:, 3].astype(np.uint64)
