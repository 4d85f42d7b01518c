"""The largest file that is read whole. A wrong, huge file is refused by name before it fills the memory.

One limit per kind of file, far above what a sweep, a fit or a corpus needs.
"""

from __future__ import annotations

from pathlib import Path

TABLE = 1_000_000_000  # bytes of a runs table, unpacked: some ten million runs
CURVES = 10_000_000_000  # bytes of a sweep's training curves, unpacked: some hundred million points
JSON = 256_000_000  # bytes of a fit (its data included), a configuration or another description
DOCUMENT = 100_000_000  # bytes of one document of a corpus, or of one line that holds one
MEMBER = 4_000_000  # bytes of a wheel's member: a longer one is data, not a document


class TooLarge(ValueError):
    """A file above the limit of its kind: the message names it, its size and the limit."""


def check(path: str | Path, size: int, most: int, remedy: str) -> None:
    """Raise TooLarge if `size` exceeds `most`, both in bytes. remedy: what to do instead."""
    if size > most:
        raise TooLarge(f"{path}: {size:,} bytes, more than the {most:,} read at once: {remedy}")


def read_bytes(path: Path, most: int, remedy: str) -> bytes:
    """A whole file or pipe of at most `most` bytes. Raises TooLarge with the remedy if it holds more."""
    check(path, path.stat().st_size, most, remedy)
    with path.open("rb") as file:
        found = file.read(most + 1)  # a pipe or a device states no size
    check(path, len(found), most, remedy)
    return found


def read_json(path: str | Path) -> str:
    """The text of a JSON file of at most JSON bytes. Raises TooLarge, or ValueError if it is not UTF-8."""
    return read_bytes(Path(path), JSON, "this is not the file meant").decode("utf-8")
