"""Documents of the user's own: text files whole, jsonl and parquet a document a row."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.data import limits
from scaling.data.atomic_files import sha256
from sweeps.corpora.documents import Document, Unreadable, decode


def _mark(path: Path) -> tuple[int, str]:
    """Size and content hash; of a file that the system does not read, which gives no document, -1 and why."""
    try:
        return path.stat().st_size, sha256(path)
    except OSError as error:
        return -1, str(error.strerror)


@dataclass(frozen=True)
class UserFiles:
    """The user's own documents: text files whole, jsonl and parquet a document a row."""

    pattern: str
    val_share: float = 0.05

    def recipe(self) -> dict[str, Any]:
        """Path, size and content hash of every file; of one that cannot be read, why."""
        entries = [[str(path), *_mark(path)] for path in self._paths()]
        return {"source": "files", "pattern": self.pattern, "files": entries}

    def _paths(self) -> list[Path]:
        found = (Path(name) for name in glob.glob(os.path.expanduser(self.pattern), recursive=True))
        paths = sorted(path for path in found if path.is_file())
        if not paths:
            raise ValueError(f"corpus files:{self.pattern} matches no file; quote the pattern for the shell")
        return paths

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The documents of every matching file, in the order of their paths."""
        for path in self._paths():
            domain = path.parent.name or "files"
            try:
                if path.suffix == ".jsonl":
                    yield from _jsonl(path, domain)
                elif path.suffix == ".parquet":
                    yield from _parquet(path, domain)
                else:
                    yield decode(str(path), _whole(path), domain, "unknown")
            except OSError as error:
                yield Unreadable(str(path), str(error))


def _whole(path: Path) -> bytes:
    return limits.read_bytes(
        path, limits.DOCUMENT, "cut it into documents: jsonl with one a line, or parquet"
    )


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, none read further than a document may be long."""
    with path.open("rb") as file:
        while line := file.readline(limits.DOCUMENT + 1):
            limits.check(path, len(line), limits.DOCUMENT, "jsonl holds one document a line")
            yield line


def _jsonl(path: Path, domain: str) -> Iterator[Document | Unreadable]:
    """One document a line: {"text": ..., "domain"?: ..., "licence"?: ...}."""
    for number, line in enumerate(_lines(path), 1):
        name = f"{path}:{number}"
        try:
            row = json.loads(line)
            text = row["text"]
            if not isinstance(text, str):
                raise TypeError("`text` is not a string")
            text.encode()  # half a surrogate pair is a string to JSON, and no text
        except (ValueError, KeyError, TypeError) as error:
            yield Unreadable(name, f"no JSON object with a string `text`: {error}")
            continue
        yield Document(name, text, str(row.get("domain", domain)), str(row.get("licence", "unknown")))


def _parquet(path: Path, domain: str) -> Iterator[Document | Unreadable]:
    """One document a row, from the column `text` (or `content`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        yield Unreadable(str(path), str(error).splitlines()[0])
        return
    column = next((name for name in ("text", "content") if name in file.schema_arrow.names), None)
    if column is None:
        yield Unreadable(str(path), "no column `text` or `content`")
        return
    number = 0
    for batch in file.iter_batches(batch_size=1024, columns=[column]):
        for value in batch.column(0).to_pylist():
            number += 1
            if isinstance(value, str):
                yield Document(f"{path}:{number}", value, domain)
            else:
                yield Unreadable(f"{path}:{number}", "the text is empty")
