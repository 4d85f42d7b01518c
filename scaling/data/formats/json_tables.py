"""Tables in JSON: a record a line, or one value that holds records or columns. Nested records are flattened."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from scaling.data.formats.text_tables import Content, encoding_of, open_text

LARGEST = 2**63 - 1  # what an integer column holds


def read_lines(content: Content) -> pd.DataFrame:
    """A table of one JSON object per line. Raises ValueError naming the first line that is not one."""
    encoding = encoding_of(content)
    with open_text(content, encoding) as file:
        first = next((line for line in file if line.strip()), "{}")
    _once(first)
    try:
        if isinstance(content, io.BytesIO):
            content.seek(0)
        return flat(pd.read_json(content, lines=True, dtype=False, encoding=encoding))
    except ValueError:  # integers above 2^63, NaN: what only the slow reader takes
        return _slowly(content, encoding)


def _slowly(content: Content, encoding: str) -> pd.DataFrame:
    records = []
    with open_text(content, encoding) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    records.append(json.loads(line))
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("each line must be one object, {...}")
    return _of_records(records)


def _once(text: str) -> None:
    """Refuse an object with one name twice: readers silently keep the last."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise TwoOfOneName(f"{twice!r} occurs twice in one record. Drop or rename one")
        return dict(found)

    try:
        json.loads(text, object_pairs_hook=pairs)
    except TwoOfOneName:
        raise
    except ValueError:
        return  # reported where the whole is read


class TwoOfOneName(ValueError):
    """A record with one name twice."""


def read_json_table(content: Content) -> pd.DataFrame:
    """The table in one JSON value: records, columns, rows by name, or what pandas writes. Else ValueError."""
    with open_text(content, encoding_of(content)) as file:
        text = file.read()
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        return read_lines(content)
    _once(text[:100_000] if isinstance(value, Mapping) else "{}")
    return _of_value(value)


def _of_value(value: Any) -> pd.DataFrame:
    if isinstance(value, list):
        return _of_records(value)
    if not isinstance(value, Mapping):
        raise ValueError("it is one value: give records, [{...}, {...}], or columns, {...: [...]}")
    if "law" in value and "certificate" in value:
        raise ValueError("it is a saved fit, not a table of runs: give the table that it was made of")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # orient "split"
        return pd.DataFrame(value["data"], columns=value["columns"])
    parts = {name: part for name, part in value.items() if isinstance(part, list | Mapping)}
    lists = [
        part for part in parts.values() if isinstance(part, list) and part and isinstance(part[0], Mapping)
    ]
    if len(lists) == 1:  # {"runs": [...]}, or orient "table"
        return _of_records(lists[0])
    if parts and all(isinstance(part, Mapping) for part in value.values()):
        return _of_mappings(value)
    if parts and all(isinstance(part, list) for part in value.values()):
        return pd.DataFrame(value)
    return _of_records([value])


def _of_mappings(value: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Columns by row ({"N": {"0": 1}}, as pandas writes) or rows by name ({"run-1": {"N": 1}})."""
    inner = list(dict.fromkeys(name for part in value.values() for name in part))
    if all(name.isdigit() for name in inner):
        return pd.DataFrame({name: list(part.values()) for name, part in value.items()})
    return _of_records(list(value.values()))


def _of_records(records: Iterable[Any]) -> pd.DataFrame:
    records = list(records)
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("its rows must be objects, [{...}, {...}]")
    return flat(pd.DataFrame.from_records(records))


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with nested objects as columns of their own, config.N, and integers too large for one as floats."""
    nested = [name for name in frame if _holds(frame[name], Mapping)]
    for name in nested:
        rows = [dict(value) if isinstance(value, Mapping) else {} for value in frame[name]]
        inner = pd.json_normalize(rows).add_prefix(f"{name}.").set_axis(frame.index)
        frame = pd.concat([frame.drop(columns=name), inner], axis=1)
    for name in frame:
        if _holds(frame[name], int) and any(isinstance(v, int) and abs(v) > LARGEST for v in frame[name]):
            frame[name] = pd.to_numeric(frame[name].map(lambda v: float(v) if isinstance(v, int) else v))
    return frame


def _holds(column: Any, kind: Any) -> bool:
    """Whether a column of objects begins with a value of a kind."""
    if getattr(getattr(column, "dtype", None), "kind", "") != "O":
        return False
    first = next((value for value in column if value is not None and value is not pd.NA), None)
    return isinstance(first, kind)
