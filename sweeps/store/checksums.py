"""Files of a sweep that are written whole and tell when they are damaged.

A table carries checksums of its pages and of the whole file, a row the checksum of its values. Files
without, of earlier versions or of others, are read as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scaling.data.atomic_files import intact, replacing, seal

REMEDY = "`parscale sweep` sets it aside and makes again what it can. A copy, or git, may have it whole"


class Damaged(ValueError):
    """A file that is not what was written. The message names it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged ({reason}). {REMEDY}")


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Write under a temporary name, force to disk if durable, rename: readers see old or new, whole."""
    with replacing(path, durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """The same for a table, with its checksums."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False, write_page_checksum=True)
        seal(temporary)


def seal_curve(path: Path, run_id: str) -> None:
    """Write a run's curve again: with checksums, and under the id that its sweep knows the run by."""
    import pyarrow as pa
    from pyarrow.parquet import read_table, write_table  # its types as they are, not by way of pandas

    verify_checksum(path)
    table = read_table(path)
    named = table.set_column(0, "run_id", pa.array([run_id] * len(table), pa.string()))
    with replacing(path) as temporary:
        write_table(named, temporary, write_page_checksum=True)
        seal(temporary)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table, or those of the columns that it has. Damaged where it is not what was written,
    FileNotFoundError where there is none.
    """
    if intact(path) is False:
        raise Damaged(path, "it fails its checksum")
    try:
        if columns is not None:
            from pyarrow.parquet import read_schema

            columns = [name for name in columns if name in read_schema(path).names]
        return pd.read_parquet(path, columns=columns, page_checksum_verification=True)
    except (FileNotFoundError, PermissionError):
        raise
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        NotImplementedError,
    ) as error:  # pyarrow's, of bad bytes
        raise Damaged(path, str(error).splitlines()[0]) from None


def verify_checksum(path: Path) -> None:
    """Raise Damaged as `read_parquet` would. A table with a seal need not be read for that."""
    if not intact(path):
        read_parquet(path)


def write_row(path: Path, row: dict[str, Any]) -> None:
    """A row as JSON, with the checksum of its values."""
    write_text(path, json.dumps({"sha256": _sum(json.loads(json.dumps(row))), "row": row}))


def read_row(path: Path) -> dict[str, Any]:
    """A row. Damaged where it is not what was written, FileNotFoundError where there is none."""
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        if found.keys() != {"sha256", "row"}:  # of an earlier version: the row alone
            return {**found, "run_id": found["run_id"]}
        row = dict(found["row"])
    except (ValueError, TypeError, KeyError):
        raise Damaged(path, "it is no row") from None
    if _sum(row) != found["sha256"]:
        raise Damaged(path, "it fails its checksum")
    return row


def _sum(row: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()


def set_aside(path: Path) -> Path:
    """Rename what is damaged, so that nobody reads it and its owner can look at it."""
    return path.replace(path.with_name(f"{path.name}.damaged"))
