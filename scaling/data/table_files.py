"""Files of tables: text, JSON, parquet and spreadsheets, compressed or not, up to a stated size."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from scaling.data import atomic_files, limits
from scaling.data.formats import json_tables, text_tables
from scaling.data.formats.text_tables import Content
from scaling.data.reading import Guess, Reading, reading_of, with_reading

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat", ".md")
LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq", ".parq")
SHEETS = (".xlsx", ".xlsm")
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
KNOWN = (*PARQUET[:2], *TEXT[:3], *LINES, ".json", ".feather", SHEETS[0])
READ = (*TEXT, *LINES, *PARQUET, *SHEETS, ".json", ".feather", ".arrow")
MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".feather", b"\x1f\x8b": ".gz"}  # content that tells its kind
SMALLER = "keep the rows and columns that the fit needs"


def load_table(source: Path, most: int | None = None, repeated: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a file of at most `most` bytes, by default limits.TABLE.

    repeated: text columns with few distinct values. A parquet file is then read for millions of rows: these columns
    become categories, and nothing is copied in memory, so the table must not be written to.
    The table's attrs record the guesses (`scaling.data.reading`). A row's label is its number in the file.
    Raises ValueError naming the fault.
    """
    kind, packed = ending_of(source)
    if kind not in READ:
        known = f"{', '.join(KNOWN)}, also packed as {', '.join(PACKED)}"
        raise ValueError(f"{source}: cannot read {kind or 'a file without ending'}. Use {known}")
    size, most = source.stat().st_size, limits.TABLE if most is None else most
    limits.check(source, size, most, SMALLER)
    if size == 0 and source.is_file():
        raise ValueError(f"{source}: the file is empty")
    whole = atomic_files.intact(source) if kind in PARQUET and not packed and source.is_file() else None
    if whole is False:
        raise ValueError(f"{source} is damaged: it fails its checksum. Restore it from a copy or from git")
    try:
        content, kind = _content(source, kind, packed, most)
        if (kind := _true_kind(content, kind)) not in PARQUET:
            return _index_as_columns(_read(content, kind), kind)
        limits.check(source, _unpacked(content), most, SMALLER)
        return _index_as_columns(_parquet(content, repeated, verify=not whole), kind)
    except (limits.TooLarge, PermissionError):
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        lzma.LZMAError,
        zipfile.BadZipFile,
        pd.errors.ParserError,
    ) as error:
        raise ValueError(f"{source}: {_reason(kind, error)}") from error


def ending_of(source: Path) -> tuple[str, str]:
    """A file's kind and compression by its name, in lower case: (".csv", ".gz")."""
    ends = [end.lower() for end in source.suffixes[-2:]]
    if ends and ends[-1] in PACKED:
        inner = ends[0] if len(ends) == 2 else ""
        return (inner if inner in (*TEXT, *LINES, *PARQUET, *SHEETS, ".json") else ".csv"), ends[-1]
    return (ends[-1] if ends else ""), ""


def _content(source: Path, kind: str, packed: str, most: int) -> tuple[Content, str]:
    """The file, unpacked if needed, with its kind. For a zip, the kind of its member."""
    if not packed and source.is_file() and text_tables.start_of(source, 2) == b"\x1f\x8b":
        packed = ".gz"
    if not packed:
        return source, kind
    if packed != ".zip":
        with _opened(source, packed) as file:
            return _bytes(file, source, most), kind
    with zipfile.ZipFile(source) as archive:
        names = [
            n for n in archive.namelist() if not n.endswith("/") and not Path(n).name.startswith((".", "__"))
        ]
        tables = [
            n
            for n in names
            if "__MACOSX" not in n and ending_of(Path(n))[0] in (*TEXT, *LINES, *PARQUET, ".json")
        ]
        if len(tables) != 1:
            raise ValueError(
                f"it holds {len(tables)} tables ({', '.join(names[:4])}): unpack it and give one"
            )
        with archive.open(tables[0]) as file:
            return _bytes(file, source, most), ending_of(Path(tables[0]))[0]


def _opened(source: Path, packed: str) -> IO[bytes]:
    if packed == ".zst":
        import pyarrow as pa  # slow to import, and only such files need it

        stream: Any = pa.CompressedInputStream(pa.OSFile(str(source)), "zstd")
        return stream  # type: ignore[no-any-return]
    return {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[packed](source, "rb")  # type: ignore[operator,no-any-return]


def _bytes(file: IO[bytes], source: Path, most: int) -> io.BytesIO:
    found = file.read(most + 1)
    limits.check(source, len(found), most, SMALLER)
    return io.BytesIO(found)


def _true_kind(content: Content, kind: str) -> str:
    """The kind by content if that is clear. Raises ValueError for binary data under the name of text."""
    start = text_tables.start_of(content)
    for mark, other in MAGIC.items():
        if start.startswith(mark):
            return other
    if kind in (*TEXT, *LINES, ".json") and b"\0" in start and start[:2] not in text_tables.UTF_16:
        raise ValueError("it holds bytes, not text. Save the table as text, or give it its own ending")
    return kind


def _read(content: Content, kind: str) -> pd.DataFrame:
    """The table of a kind other than parquet."""
    if kind in TEXT:
        return text_tables.read_text(content, kind)
    if kind in SHEETS:
        return _sheet(content)
    others: dict[str, Callable[[Any], pd.DataFrame]] = {
        ".json": json_tables.read_json_table,
        ".feather": pd.read_feather,
        ".arrow": pd.read_feather,
    }
    return others.get(kind, json_tables.read_lines)(content)


def _parquet(content: Content, repeated: Sequence[str], *, verify: bool) -> pd.DataFrame:
    """A parquet file, as `load` says. verify: check the checksums of its pages."""
    if not repeated:
        return json_tables.flat(pd.read_parquet(content, page_checksum_verification=verify))
    from pyarrow.parquet import read_table

    table = read_table(content, page_checksum_verification=verify, read_dictionary=list(repeated))
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame


def _unpacked(content: Content) -> int:
    """Bytes of a parquet file's values once read. A few pages may hold any number of rows."""
    from pyarrow.parquet import read_metadata

    found = read_metadata(content)
    pages = sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups))
    return int(max(pages, 8 * found.num_rows * found.num_columns))


def _sheet(content: Content) -> pd.DataFrame:
    """The first sheet with rows of an Excel file."""
    try:
        sheets = pd.read_excel(content, sheet_name=None)
    except ImportError:
        how = "pip install openpyxl, or save the sheet as CSV"
        raise ValueError(f"reading a spreadsheet needs openpyxl: {how}") from None
    filled = {name: frame.dropna(how="all") for name, frame in sheets.items() if len(frame.dropna(how="all"))}
    if not filled:
        raise ValueError("no sheet of it has rows")
    name, frame = next(iter(filled.items()))
    frame = frame.rename(columns=lambda column: str(column).strip())
    others = [str(other) for other in filled if other != name]
    if not others:
        return frame
    told = Guess("table", "", f"it also holds {', '.join(others[:3])}", f"the sheet {name} is read")
    return with_reading(frame, Reading((told,)))


def _index_as_columns(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Levels of the index that have a name are columns: what groupby leaves. Rows are then numbered."""
    named = [name for name in frame.index.names if name is not None]
    if not named:
        return frame.reset_index(drop=True) if kind in PARQUET else frame
    new = [(i, name) for i, name in enumerate(frame.index.names) if name in named and name not in frame]
    levels = {str(name): frame.index.get_level_values(i).array for i, name in new}
    plain = frame.reset_index(drop=True).assign(**levels)
    return with_reading(plain, reading_of(frame))


def _reason(kind: str, error: Exception) -> str:
    """Why a table cannot be read, with the remedy if known."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    own = isinstance(error, ValueError) and not isinstance(error, UnicodeError | pd.errors.ParserError)
    if (own and kind in TEXT) or isinstance(error, json_tables.TwoOfOneName):
        return first
    return f"not a readable {kind[1:]} table ({first})"


def place(source: Path, row: int) -> str:
    """Where row number `row` (from 0) of a table is, in words: of a text file with its line."""
    kind, packed = ending_of(source)
    if packed or kind not in (*TEXT, *LINES) or not source.is_file():
        return f"row {row + 1}"
    skip, header = 0, 0
    if kind in TEXT:
        layout = text_tables.layout_of(source, kind)
        skip, header = layout.skip, int(layout.named)
    with text_tables.open_text(source, text_tables.encoding_of(source)) as file:
        told = (number for number, line in enumerate(file, 1) if number > skip and line.strip())
        return f"row {row + 1} (line {next(itertools.islice(told, row + header, None), '?')})"
