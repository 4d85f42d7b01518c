"""Files written whole, named by what is in them, and able to tell that they are damaged."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

SEAL = b"sha256 "  # what a parquet file's own checksum begins with
PIECE = 1 << 20  # bytes read at a time, and that a disk is asked to take to hear why it took no more


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """A temporary name in the folder of `path`. It is renamed at the end, so no reader sees half a file.

    durable: flush to disk before the rename, so that the file survives a power cut. OSError names `path`,
    not the temporary name. A failed write leaves no file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):  # None: a write or a sync failed
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming_full_disk(folder: Path) -> Iterator[None]:
    """Where writing into `folder` fails without a word on where, raise the disk's OSError with the folder in it.

    Libraries say of a full disk that a position is unexpected, or give its error without a place.
    """
    try:
        yield
    except Exception as error:
        if getattr(error, "filename", None) is None:
            _write_a_piece(folder, error)
        raise


def _write_a_piece(folder: Path, why: Exception) -> None:
    """OSError that names the folder if it takes no piece more, or is not there."""
    trial = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        with trial.open("wb") as file:
            file.write(bytes(PIECE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from why
    finally:
        trial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> None:
    """Put a parquet file's SHA-256 into it, between its pages and its footer.

    Readers go to where the footer points and do not see it. The format's own checksums leave footer and
    page headers out: a flipped bit there renames a column or changes its type.
    """
    with path.open("r+b") as file:
        begin = _footer(file)
        digest = _digest(file, begin, begin)
        file.seek(begin)
        footer = file.read()
        file.seek(begin)
        file.write(SEAL + digest + footer)


def intact(path: Path) -> bool | None:
    """Whether a sealed parquet file is unchanged since it was written. None without a seal."""
    with path.open("rb") as file:
        begin = _footer(file)
        body = begin - len(SEAL) - hashlib.sha256().digest_size
        if body < 0:
            return None
        file.seek(body)
        mark, said = file.read(len(SEAL)), file.read(begin - body - len(SEAL))
        return said == _digest(file, body, begin) if mark == SEAL else None


def _footer(file: BinaryIO) -> int:
    """Where a parquet file's footer begins. The four bytes before the last four hold its length."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 8))
    return max(0, end - 8 - int.from_bytes(file.read(4), "little"))


def _digest(file: BinaryIO, body: int, footer: int) -> bytes:
    """SHA-256 of a file's first `body` bytes and of those from `footer` on."""
    found, left = hashlib.sha256(), body
    file.seek(0)
    while left and (piece := file.read(min(left, PIECE))):
        found.update(piece)
        left -= len(piece)
    file.seek(footer)
    found.update(file.read())
    return found.digest()


def write_between(path: Path, marks: tuple[str, str], body: str, new: str = "") -> None:
    """Write `body` between two marks of a text file. Text outside the marks does not change.

    Missing marks are added at the end. new: the text of a file that does not exist yet.
    """
    begin, end = marks
    old = path.read_text(encoding="utf-8") if path.exists() else new
    before, found, rest = old.partition(begin)
    before = before if found else f"{before.rstrip()}\n\n"
    after = rest.partition(end)[2] if found else "\n"
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")
