"""Tables as people have them, as one DataFrame: pandas, mappings, records, pyarrow, polars, Hugging Face datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from scaling.data.columns.recognise import missing_column, once, recognised
from scaling.data.formats.json_tables import flat
from scaling.data.runs import arrays
from scaling.laws import REGISTRY
from scaling.laws.axis import Axis
from scaling.laws.base import Array, Law
from scaling.laws.constrained import ConstrainedLaw
from scaling.shown import shown

T = TypeVar("T")
TAKES = "give a DataFrame, a mapping of columns or a list of records"


def as_frame(given: Any, option: str = "table") -> pd.DataFrame:
    """What a caller gave as a DataFrame.

    Polars frames (lazy ones too), pyarrow tables and `datasets` are converted. The columns of a mapping are
    aligned by position, and their indices are ignored. Named levels of an index become columns.
    Raises ValueError of one line that begins with `option` for anything that is not a table.
    """
    if isinstance(given, pd.DataFrame):
        return _tidy(given, option)
    _refuse_others(given, option)
    if isinstance(given, Mapping):
        splits = [name for name, part in given.items() if hasattr(part, "column_names")]
        if splits:
            raise ValueError(f"{option} holds the splits {', '.join(map(str, splits))}: give one of them")
        bare = {n: v.array if isinstance(v, pd.Series) else v for n, v in given.items()}  # without an index
        return _made(lambda: pd.DataFrame(bare), option)
    if isinstance(given, (list, tuple)) and given and all(isinstance(row, Mapping) for row in given):
        return flat(_made(lambda: pd.DataFrame.from_records(list(given)), option))
    if isinstance(given, np.ndarray) and given.dtype.names:
        return _made(lambda: pd.DataFrame({name: given[name] for name in given.dtype.names}), option)
    if not isinstance(given, type):
        for marks, gather in (({"collect_schema", "collect"}, "collect"), ({"to_table"}, "to_table")):
            if all(hasattr(given, mark) for mark in marks):  # a lazy polars frame, a pyarrow dataset
                given = _made(getattr(given, gather), option)
        for convert in (_by_pandas, _by_arrow):
            if (found := _made(partial(convert, given), option)) is not None:
                return flat(_tidy(found, option))
    raise ValueError(f"{option}={shown(given)}: {TAKES}")


def _refuse_others(given: Any, option: str) -> None:
    """Refuse what is often given in a table's place, with the remedy."""
    parts = given if isinstance(given, (list, tuple)) else [given]
    if any(_is_law(part) for part in parts):
        raise ValueError(f"{option}={shown(given)}: a law where the table belongs. The law comes first")
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        raise ValueError(f"{option}={shown(str(given))}: read it first, with scaling.read_runs")
    if isinstance(given, pd.Series):
        raise ValueError(f"{option} is one column, {given.name!r}: {TAKES}")


def _is_law(given: Any) -> bool:
    if isinstance(given, type):
        return issubclass(given, Law)
    return isinstance(given, (Law, ConstrainedLaw)) or (isinstance(given, str) and given in REGISTRY)


def _made(convert: Callable[[], T], option: str) -> T:
    """What `convert` returns. Errors of other libraries become a ValueError of one line."""
    try:
        return convert()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{option}: the columns make no table ({reason}): {TAKES}") from None


def _by_pandas(given: Any) -> pd.DataFrame | None:
    found = given.to_pandas() if hasattr(given, "to_pandas") else None
    if isinstance(found, pd.Series):
        raise ValueError("it is one column")
    return found if isinstance(found, pd.DataFrame) else None


def _by_arrow(given: Any) -> pd.DataFrame | None:
    if not hasattr(given, "__arrow_c_stream__"):
        return None
    import pyarrow as pa  # slow to import, and only such tables need it

    frame: pd.DataFrame = pa.table(given).to_pandas()
    return frame


def _tidy(frame: pd.DataFrame, option: str) -> pd.DataFrame:
    """The frame with named index levels as columns. Raises ValueError if a name that matters occurs twice."""
    named = [name for name in frame.index.names if name is not None]
    if named:
        new = [(i, name) for i, name in enumerate(frame.index.names) if name in named and name not in frame]
        levels = {str(name): frame.index.get_level_values(i).array for i, name in new}
        frame = frame.assign(**levels).set_axis(frame.index.set_names([None] * frame.index.nlevels))
    try:
        return once(frame)[0]
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def as_runs(
    given: Any, option: str = "table", axes: Iterable[str] | None = None, *, assume: bool = False
) -> pd.DataFrame:
    """A table of runs as a DataFrame under our names. Its attrs record the guesses (`scaling.data.reading`).

    axes: those of the laws to fit, if known. P is checked only if it is among them. assume: take P = 1 where no
    column holds the streams, as `read_runs` does. If a column may hold them, ValueError asks for its name.

    Finds columns such as num_params, tokens and val_loss. Marks unfinished runs in `status`. Converts units
    named by headers or implied by other columns. Raises ValueError as `as_frame` does.
    """
    return recognised(as_frame(given, option), axes=axes, assume=assume)


def axis_columns(
    frame: pd.DataFrame, names: tuple[str, ...], rules: Mapping[str, Axis] | None = None
) -> dict[str, Array]:
    """The named columns as float64, each (n,). Raises ValueError naming the first bad row, column and value."""
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise ValueError(f"no column {lacking[0]!r}: the law takes {', '.join(names)}")
    columns, _ = arrays({**{name: frame[name] for name in names}, "loss": np.ones(len(frame))}, names, rules)
    return {name: columns[name] for name in names}


def runs_frame(given: Any, option: str = "runs") -> pd.DataFrame:
    """A table of runs with N, P and loss as numbers. Raises ValueError naming the first bad column, row and value."""
    frame = as_runs(given, option)
    lacking = [name for name in ("N", "P", "loss") if name not in frame]
    if lacking:
        raise ValueError(f"{option}: {missing_column(lacking[0], frame)}")
    columns = axis_columns(frame, ("N", "P"))
    words = [name for name in columns if getattr(frame[name].dtype, "kind", "O") not in "iuf"]
    return frame.assign(**{name: columns[name] for name in words}) if words else frame
