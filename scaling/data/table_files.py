"""Files of tables: csv, tsv, jsonl and parquet, no larger than is stated, read as they are."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from scaling.data import atomic_files, limits

TEXT = (".csv", ".tsv", ".jsonl")
SMALLER = "keep the rows and columns that the fit needs"


def _text(source: Path, sep: str) -> pd.DataFrame:
    """A csv or tsv file; lines before its header that begin with # are remarks."""
    with source.open(encoding="utf-8", errors="replace") as file:
        remarks = sum(1 for _ in itertools.takewhile(lambda line: line.startswith("#"), file))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(
            source, sep=sep, dtype_backend="numpy_nullable", skiprows=remarks, index_col=False
        ).rename(columns=lambda name: str(name).strip())


def _parquet(source: Path, repeated: Sequence[str], *, verify: bool) -> pd.DataFrame:
    """A parquet file, as `load` says; verify: the checksums of its pages."""
    if not repeated:
        return pd.read_parquet(source, page_checksum_verification=verify)
    from pyarrow.parquet import read_table

    table = read_table(source, page_checksum_verification=verify, read_dictionary=list(repeated))
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def _is_text(source: Path) -> None:
    """Refuse, with the remedy, a file that is no UTF-8 text: UTF-16 as spreadsheets save it, or bytes."""
    with source.open("rb") as file:
        start = file.read(4096)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("it is UTF-16; save it as UTF-8, in a spreadsheet 'CSV UTF-8'")
    if b"\0" in start:
        raise ValueError("it is no text but bytes; save the table as text, or name it by its own ending")


def _decimal_commas(source: Path) -> bool:
    """Whether a text file looks as spreadsheets of some languages write it: 1;2,5."""
    with source.open(encoding="utf-8", errors="replace") as file:
        lines = [line for line in itertools.islice(file, 20) if not line.startswith("#")]
    return bool(lines) and ";" in lines[0] and any("," in line for line in lines[1:])


def load(source: Path, most: int | None = None, repeated: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a file of at most `most` bytes, limits.TABLE unless told; ValueError tells the fault.

    repeated: columns of text that say the same many times over. A parquet file is then read for millions
    of rows: such columns as categories, and all without a second copy in memory, so not to be written to.
    """
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".parquet": lambda f: _parquet(f, repeated, verify=not whole),
        ".csv": lambda f: _text(f, ","),
        ".tsv": lambda f: _text(f, "\t"),
        ".jsonl": lambda f: pd.read_json(f, lines=True, dtype=False),
    }
    if source.suffix not in readers:
        raise ValueError(
            f"{source}: cannot read {source.suffix or 'a file without ending'}; use {', '.join(readers)}"
        )
    size, most = source.stat().st_size, limits.TABLE if most is None else most
    limits.check(source, size, most, SMALLER)
    if size == 0 and source.is_file():
        raise ValueError(f"{source}: the file is empty")
    whole = atomic_files.intact(source) if source.suffix == ".parquet" and source.is_file() else None
    if whole is False:
        raise ValueError(f"{source} is damaged: it fails its checksum; restore it from a copy or from git")
    try:
        if source.suffix == ".parquet":
            limits.check(source, _unpacked(source), most, SMALLER)
        else:
            _is_text(source)
        return readers[source.suffix](source)
    except limits.TooLarge:
        raise
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{source}: {_reason(source, error)}") from error


def _reason(source: Path, error: Exception) -> str:
    """Why a table cannot be read, with the remedy where it is known."""
    if source.suffix == ".csv" and _decimal_commas(source):
        how = "write commas between columns and a point before decimals"
        return f"semicolons between columns and commas in numbers: {how}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text: save it so"
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"not a readable {source.suffix[1:]} table ({first})"


def place(source: Path, row: int) -> str:
    """Where row number `row` (from 0) of a table is, in words: of a text file with its line."""
    if source.suffix not in TEXT or not source.is_file():
        return f"row {row + 1}"
    with source.open(encoding="utf-8", errors="replace") as file:
        table = itertools.dropwhile(lambda line: line[1].startswith("#"), enumerate(file, 1))  # after remarks
        told = (number for number, line in table if line.strip())
        header = source.suffix != ".jsonl"
        return f"row {row + 1} (line {next(itertools.islice(told, row + header, None), '?')})"


def _unpacked(source: Path) -> int:
    """Bytes of a parquet file's values once they are read; a few pages may hold any number of rows."""
    from pyarrow.parquet import read_metadata

    found = read_metadata(source)
    pages = sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups))
    return int(max(pages, 8 * found.num_rows * found.num_columns))
