"""Files written whole, and named by what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """A name beside `path` to write under; renamed to it at the end, so that no reader sees half a file.

    Forced to disk before that if `durable`: what is renamed survives a power cut whole. OSError names
    `path`, not the other name; nothing is left of what could not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_between(path: Path, marks: tuple[str, str], body: str, new: str = "") -> None:
    """Write `body` between two marks of a text file; what stands outside them stays as it is.

    Marks that are not there yet are set at the end; `new` is the text of a file that is not there yet.
    """
    begin, end = marks
    old = path.read_text(encoding="utf-8") if path.exists() else new
    before, found, rest = old.partition(begin)
    before = before if found else f"{before.rstrip()}\n\n"
    after = rest.partition(end)[2] if found else "\n"
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{begin}\n{body}\n{end}{after}", encoding="utf-8")
