"""Documents of the user's own: text files whole, jsonl and parquet a document a row."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from scaling.data import limits
from scaling.data.atomic_files import sha256
from sweeps.corpora.cleaning import code_by_suffix
from sweeps.corpora.documents import Document, Unreadable, decode, signature

COLUMNS = ("text", "content")  # where a row's text is looked for
PLACES = ("path", "max_stars_repo_path", "filename", "ext")  # columns that give a row's suffix


def _mark(path: Path) -> tuple[int, str]:
    """Size and content hash. For a file that the system cannot read, which gives no document, -1 and why."""
    try:
        return path.stat().st_size, sha256(path)
    except OSError as error:
        return -1, str(error.strerror)


@dataclass(frozen=True)
class UserFiles:
    """The user's own documents. `column` holds the text of jsonl and parquet files.

    `first`: the rules of format 1, which identify documents by path and name domains after the last folder.
    """

    pattern: str
    column: str = ""
    first: bool = False
    val_share: float = 0.05

    def recipe(self) -> dict[str, Any]:
        """What is in every file, whatever its name. For one that cannot be read, why."""
        if self.first:
            entries = [[str(path), *_mark(path)] for path in self._paths]
            return {"source": "files", "pattern": self.pattern, "files": entries}
        marks = sorted((*_mark(path), path.suffix, self._domain(path)) for path in self._paths)
        content = hashlib.sha256(json.dumps(marks).encode()).hexdigest()
        refused = sum(mark[0] < 0 for mark in marks)
        found = {"source": "files", "files": len(marks), "content": content, "column": self.column}
        return found | ({"refused": refused} if refused else {})

    def state(self) -> str | None:
        """Path, size and time of change of every file, hashed. None if there is no file."""
        return signature(self._found) if self._found else None

    @cached_property
    def _found(self) -> list[Path]:
        found = (Path(name) for name in glob.glob(os.path.expanduser(self.pattern), recursive=True))
        return sorted(path for path in found if path.is_file())

    @property
    def _paths(self) -> list[Path]:
        if not self._found:
            raise ValueError(f"corpus files:{self.pattern} matches no file. Quote the pattern for the shell")
        return self._found

    @cached_property
    def _root(self) -> str:
        return os.path.commonpath([path.parent for path in self._paths])

    def _domain(self, path: Path) -> str:
        """The last folder's name. In format 2 "files" for the folder that holds all files."""
        return "files" if not self.first and str(path.parent) == self._root else path.parent.name or "files"

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The documents of every matching file, in the order of their paths."""
        for path in self._paths:
            try:
                if path.suffix == ".jsonl":
                    yield from _jsonl(path, self._domain(path), self.column)
                elif path.suffix == ".parquet":
                    more = () if self.first else ("domain", "licence", "license", *PLACES)
                    yield from _parquet(path, self._domain(path), self.column, more)
                else:
                    yield decode(
                        str(path), _whole(path), self._domain(path), "unknown", code_by_suffix(path.suffix)
                    )
            except OSError as error:
                yield Unreadable(str(path), str(error))


def document_of(name: str, row: dict[str, Any], column: str, domain: str) -> Document | Unreadable:
    """The document in a row: its text in `column`, or in the first of COLUMNS that is there.

    `domain`, `licence` and the path of the file it was are columns too.
    """
    wanted = column or next((known for known in COLUMNS if known in row), "")
    if wanted not in row:
        named, remedy = (f"`{column}`", "") if column else ("`text` or `content`", ". Name one: #column=NAME")
        return Unreadable(name, f"no column {named}, only {', '.join(row) or 'none'}{remedy}")
    text = row[wanted]
    if not isinstance(text, str):
        kind = "empty" if text is None else f"a {type(text).__name__}, not a string"
        return Unreadable(name, f"column `{wanted}` is {kind}")
    try:
        text.encode()  # half a surrogate pair is valid JSON but not text
    except UnicodeEncodeError as error:
        return Unreadable(name, f"column `{wanted}` is no text: {error.reason}")
    place = str(next((row[key] for key in PLACES if row.get(key)), ""))
    code = code_by_suffix(PurePosixPath(place).suffix or f".{place}")
    licence = str(row.get("licence") or row.get("license") or "unknown")
    return Document(name, text, str(row.get("domain") or domain), licence, code)


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


def _jsonl(path: Path, domain: str, column: str) -> Iterator[Document | Unreadable]:
    """One document a line: {"text": ..., "domain"?: ..., "licence"?: ...}."""
    for number, line in enumerate(_lines(path), 1):
        name = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            yield Unreadable(name, f"no JSON: {error}")
            continue
        if isinstance(row, dict):
            yield document_of(name, row, column, domain)
        else:
            yield Unreadable(name, f"no JSON object but a {type(row).__name__}")


def _parquet(path: Path, domain: str, column: str, more: Iterable[str]) -> Iterator[Document | Unreadable]:
    """One document per row, with the values of the columns `more`. Raises ValueError naming a column that is not text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        yield Unreadable(str(path), str(error).splitlines()[0])
        return
    schema = file.schema_arrow
    wanted = column or next((known for known in COLUMNS if known in schema.names), "")
    if wanted not in schema.names:
        named = f"`{column}`" if column else "`text` or `content`"
        raise ValueError(
            f"{path}: no column {named}, only {', '.join(schema.names)}. Name one: files:GLOB#column=NAME"
        )
    kind = schema.field(wanted).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise ValueError(
            f"{path}: column `{wanted}` is {kind}, not string. "
            "Write it as strings, or name another: files:GLOB#column=NAME"
        )
    others = set(more) & set(schema.names)
    number = 0
    for batch in file.iter_batches(batch_size=256, columns=[wanted, *sorted(others - {wanted})]):
        for row in batch.to_pylist():
            number += 1
            yield document_of(f"{path}:{number}", row, wanted, domain)
