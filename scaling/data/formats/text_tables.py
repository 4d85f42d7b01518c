"""Tables in text: their separator, their first line and their decimal mark."""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.reading import Guess, reading_of, with_reading

Content = Path | io.BytesIO  # a file, unpacked if needed
SPACES = r"\s+"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACES: "spaces"}
HEAD = 40  # lines that are looked at
REMARK = "#"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins
_SEP_LINE = re.compile(r"^\"?sep=(.)\"?$", re.IGNORECASE)  # Excel's first line
_RULE = r"\s*:?-+:?\s*"  # under the header of a Markdown table
_COMMA = re.compile(r"\s*[+-]?[\d.]*\d,\d[\d.,]*(?:e[+-]?\d+)?\s*[kmbgt]?\s*", re.IGNORECASE)
_DECIMAL = re.compile(
    r"\s*[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?(?:e[+-]?\d+)?\s*[kmbgt]?\s*", re.IGNORECASE
)
_GROUPS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+\s*[kmbgt]?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """Where a text table begins and how it is written."""

    separator: str
    names: tuple[str, ...]
    skip: int  # lines before the header, or before the first row where the header is a remark
    named: bool  # whether the first line after `skip` is the header
    encoding: str
    rows: tuple[tuple[str, ...], ...] = field(default=())  # the first ones
    spaced: bool = False  # whether spaces follow separators


def open_text(content: Content, encoding: str) -> io.TextIOBase:
    """The content as text, from its start."""
    if isinstance(content, Path):
        return content.open(encoding=encoding, errors="replace", newline="")
    content.seek(0)
    return io.TextIOWrapper(io.BytesIO(content.getbuffer()), encoding, errors="replace", newline="")


def start_of(content: Content, size: int = 4096) -> bytes:
    """The first bytes of the content."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return file.read(size)
    return bytes(content.getbuffer()[:size])


def encoding_of(content: Content) -> str:
    """UTF-8 unless a byte order mark says UTF-16. The mark is not part of the text."""
    start = start_of(content, 3)
    return "utf-16" if start[:2] in UTF_16 else "utf-8-sig" if start == b"\xef\xbb\xbf" else "utf-8"


def layout_of(content: Content, ending: str) -> Layout:
    """How a text table is written, from its first lines. The file's `ending` decides if they are ambiguous."""
    encoding = encoding_of(content)
    with open_text(content, encoding) as file:
        lines = [line.rstrip("\r\n") for line in itertools.islice(file, HEAD)]
    skip, told, remark = 0, "", ""
    for line in lines:
        if line.startswith(REMARK):
            remark = line.lstrip(f"{REMARK} \t")
        elif found := _SEP_LINE.match(line):
            told = found[1]
        elif line.strip():
            break
        skip += 1
    body = lines[skip:]
    separator = told or _separator(body, ending)
    rows = tuple(tuple(_cells(line, separator)) for line in body if line.strip())
    names, named = (rows[0] if rows else ()), True
    spaced = any(f"{separator} " in line for line in body)
    above = tuple(_cells(remark, separator))
    if rows and len(above) == len(names) > 1 and _numbers(names) and not _numbers(above):
        return Layout(separator, above, skip, False, encoding, rows, spaced)
    return Layout(separator, names, skip, named, encoding, rows[1:], spaced)


def _separator(lines: list[str], ending: str) -> str:
    """The separator of columns in these lines, the header first."""
    if not lines:
        return ","
    bare = re.sub(r'"[^"]*"', "", lines[0])
    usual = "\t" if ending in (".tsv", ".tab") else ","
    if usual in bare:
        return usual
    counts = {mark: bare.count(mark) for mark in SEPARATORS if mark != SPACES}
    if any(counts.values()):
        return max(counts, key=lambda mark: counts[mark])
    words = {len(line.split()) for line in lines if line.strip()}
    first = len(bare.split())
    return SPACES if first > 1 and words <= {first, first + 1} and '"' not in lines[0] else usual


def _cells(line: str, separator: str) -> list[str]:
    if separator == SPACES:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]


def _numbers(cells: tuple[str, ...]) -> bool:
    """Whether all cells are numbers, so that they name no columns."""
    return all(re.fullmatch(r"[+-]?[\d.]+(?:e[+-]?\d+)?", cell, re.IGNORECASE) for cell in cells)


def read_text(content: Content, ending: str) -> pd.DataFrame:
    """A text table, its rows numbered as in the file. Its attrs record the guesses.

    A name that occurs twice in the header names two columns. Raises ValueError for rows longer than the header,
    a missing header, and a table with both decimal points and decimal commas.
    """
    layout = layout_of(content, ending)
    if len(layout.names) > 1 and layout.named and _numbers(layout.names):
        raise ValueError("its first line holds numbers: write the names of the columns above it, N,P,loss")
    guesses: list[Guess] = []
    frame = _without_fillers(_decoded(content, layout, guesses), guesses)
    if layout.separator != ",":
        frame = _decimal_commas(content, layout, frame, guesses)
    return with_reading(frame, reading_of(frame).also(guesses))


def _decoded(content: Content, layout: Layout, guesses: list[Guess], **options: Any) -> pd.DataFrame:
    """The table as pandas reads it. Text that is not UTF-8 is read as Windows-1252."""
    try:
        return _parsed(content, layout, options)
    except UnicodeDecodeError:
        guesses.append(Guess("table", "", "it is not UTF-8", "text read as Windows-1252"))
        return _parsed(content, layout, {**options, "encoding": "cp1252"})


def _parsed(content: Content, layout: Layout, options: dict[str, Any]) -> pd.DataFrame:
    names = list(layout.names)
    keywords: dict[str, Any] = {
        "sep": layout.separator,
        "skiprows": layout.skip,
        "encoding": layout.encoding,
        "skipinitialspace": layout.spaced,
        "dtype_backend": "numpy_nullable",
        **({} if layout.named else {"header": None, "names": names}),
        **options,
    }
    if isinstance(content, io.BytesIO):
        content.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        try:
            frame: pd.DataFrame = pd.read_csv(content, index_col=False, **keywords)
        except pd.errors.ParserWarning:
            frame = _longer(content, layout, keywords)
    if len(set(names)) < len(names) == len(frame.columns):  # pandas has renamed those that occur twice
        frame.columns = pd.Index([name or f"Unnamed: {i}" for i, name in enumerate(names)])
    return frame.rename(columns=lambda name: str(name).strip())


def _longer(content: Content, layout: Layout, keywords: dict[str, Any]) -> pd.DataFrame:
    """Rows one cell longer than the header: the cell empty at the end, or the row's number at the start."""
    names = list(layout.names)
    widest = max((len(row) for row in layout.rows), default=0)
    if widest == len(names) + 1:
        columns = {"header": None, "skiprows": layout.skip + layout.named}
        if isinstance(content, io.BytesIO):
            content.seek(0)
        extra: pd.DataFrame = pd.read_csv(
            content, **{**keywords, **columns, "names": [*names, "_extra"]}, index_col=False
        )
        if extra["_extra"].isna().all():
            return extra.drop(columns="_extra")
        first: pd.DataFrame = extra.set_axis(["_row", *names], axis=1)
        if list(first["_row"]) == list(range(len(first))):
            return first.drop(columns="_row")
    raise ValueError(f"some rows are longer than the header of {len(names)} columns")


def _without_fillers(frame: pd.DataFrame, guesses: list[Guess]) -> pd.DataFrame:
    """The table without empty rows and columns, rules under a header and headers between rows."""
    blank = [
        i
        for i, name in enumerate(frame)
        if str(name).startswith("Unnamed:") and frame.iloc[:, i].isna().all()
    ]
    frame = frame.drop(columns=frame.columns[blank]) if blank else frame
    if not len(frame) or not len(frame.columns):
        return frame
    first = frame.iloc[:, 0]
    if first.isna().any() and (empty := frame.isna().all(axis=1)).any():
        frame = frame[~empty]
        rows = f"{int(empty.sum())} empty row{'s' * int(empty.sum() > 1)}"
        guesses.append(Guess("table", "", "every cell is empty", f"{rows} left out"))
    return frame if pd.api.types.is_numeric_dtype(first) else _without_headers(frame, guesses)


def _without_headers(frame: pd.DataFrame, guesses: list[Guess]) -> pd.DataFrame:
    """The table without the lines that repeat its header or rule it off: files put one after the other."""
    first = frame.iloc[:, 0].astype("string")
    odd = first == frame.columns[0]
    odd.iloc[:HEAD] |= first.iloc[:HEAD].str.fullmatch(_RULE)
    if not odd.any():
        return frame
    text = frame[odd.fillna(False)].astype("string").apply(lambda column: column.str.strip())
    header = np.asarray(text.to_numpy(object) == np.array(list(frame.columns), dtype=object)).all(axis=1)
    ruled = text.apply(lambda column: column.str.fullmatch(_RULE)).fillna(False).all(axis=1).to_numpy()
    gone = text.index[header | ruled]
    if not len(gone):
        return frame
    if header.any():
        why, what = "they repeat the names of the columns", f"{int(header.sum())} further headers left out"
        guesses.append(Guess("table", "", why, what))
    numbers: pd.DataFrame = frame.drop(index=gone).apply(
        lambda column: _converted(column.astype("string").str.strip())
    )
    return numbers


def _converted(column: pd.Series[Any]) -> pd.Series[Any]:
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _texts(frame: pd.DataFrame) -> Iterator[Any]:
    """The columns of text, as their distinct values that hold a comma."""
    for _, column in frame.items():
        if not pd.api.types.is_numeric_dtype(column):
            values = column.dropna().astype(str).unique()
            if found := [value for value in values if _COMMA.fullmatch(value)]:
                yield found


def _decimal_commas(
    content: Content, layout: Layout, frame: pd.DataFrame, guesses: list[Guess]
) -> pd.DataFrame:
    """The table with decimal points, if the file has decimal commas: 2,5 and 1.100.000,5."""
    cells = list(itertools.chain.from_iterable(_texts(frame)))
    commas = [cell for cell in cells if not _GROUPS.fullmatch(cell)]  # 1,100 may be either
    if not commas:
        return frame
    whole = _without_fillers(_decoded(content, layout, [], dtype=str), [])
    points = [i for i, (_, column) in enumerate(frame.items()) if pd.api.types.is_float_dtype(column)]
    mixed = next((v for i in points for v in whole.iloc[:, i].dropna() if not _DECIMAL.fullmatch(v)), None)
    odd = next((cell for cell in commas if not _DECIMAL.fullmatch(cell)), mixed)
    if odd is not None:
        raise ValueError(f"{commas[0]!r} and {odd!r}: write a point before decimals in every number")
    guesses.append(
        Guess("table", "", f"numbers such as {commas[0].strip()}", "commas read as decimal points")
    )
    return whole.apply(_points).convert_dtypes()


def _points(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of numbers with decimal commas as float, if all are. Sizes such as 1,1B get a decimal point."""
    words = column.astype("string")
    if not words.dropna().str.fullmatch(_DECIMAL).all():
        return column
    return _converted(words.str.replace(".", "", regex=False).str.replace(",", ".", regex=False))
