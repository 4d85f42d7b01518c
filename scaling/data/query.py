"""The runs that a command was pointed at: columns mapped, rows narrowed, one group after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from scaling.data.runs import read_runs, usable
from scaling.data.units import parse_size
from scaling.laws.base import Array
from scaling.optimise.multi_start import FitError

T = TypeVar("T")


def mapping(given: str | None, option: str) -> dict[str, str]:
    """{"N": "params"} from "N=params,loss=val_loss"."""
    pairs = [pair.partition("=") for pair in (given or "").split(",") if pair]
    bad = next((p[0] for p in pairs if not (p[0].strip() and p[2].strip())), None)
    if bad is not None:
        raise ValueError(f"{option} {given!r}: write NAME=VALUE,NAME=VALUE (at {bad!r})")
    return {name.strip(): value.strip() for name, _, value in pairs}


class Asked(NamedTuple):
    """A table as the command line asks for it: the options --columns and --where."""

    columns: str | None = None
    where: str | None = None

    def read(self, source: str | Path) -> pd.DataFrame:
        """The runs of a file or folder, columns mapped and rows narrowed."""
        return runs_of(source, self.columns, self.where)

    @property
    def words(self) -> list[str]:
        """The options as they were written."""
        given = (("--columns", self.columns), ("--where", self.where))
        return [word for pair in given if pair[1] for word in pair if word]


WHOLE = Asked()  # every row, under the names of the file


def runs_of(source: str | Path, columns: str | None = None, where: str | None = None) -> pd.DataFrame:
    """The runs of a file or folder, columns mapped ("N=params") and rows narrowed ("corpus=pile")."""
    runs = read_runs(source, mapping(columns, "--columns"))
    for column, value in mapping(where, "--where").items():
        if column not in runs:
            have = ", ".join(runs.columns)
            raise ValueError(f"--where {column}: no such column in {source}; it has {have}")
        keep = _is(runs[column], value)
        if not keep.any():
            some = ", ".join(sorted(set(runs[column].astype(str)))[:8])
            raise ValueError(f"--where {column}={value}: no row of {source} has it; there are {some}")
        runs = runs[keep]
    return runs


def values(text: str, option: str) -> Array:
    """The numbers of an option, e.g. 1B,2.8B, (n,)."""
    try:
        return np.array([parse_size(value) for value in text.split(",")])
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def check_axis(runs: pd.DataFrame, axis: str, option: str, source: str | Path) -> None:
    """Refuse an axis that the runs do not have; C follows from the others."""
    if axis not in runs and axis != "C":
        have = [*(known for known in ("N", "P", "D") if known in runs), "C"]
        raise ValueError(f"{option} {axis}: no such axis or column in {source}; use {', '.join(have)}")


def _is(column: pd.Series[Any], value: str) -> Any:
    """Which cells are what a user wrote: numbers however they are written, words to the letter."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return (column == parse_size(value)).fillna(False)
    return column.astype(str) == value


def split(runs: pd.DataFrame, by: str | None, source: str | Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The runs in groups, each with its name: one a value of column `by`, or all of them.

    Raises ValueError, which names the source, where there is no such column or two names would be one file's.
    """
    if by is None:
        yield "all", runs
        return
    if by not in runs:
        raise ValueError(f"--by {by}: no such column in {source}; it has {', '.join(runs.columns)}")
    named = runs[by].astype(object).where(runs[by].notna(), "none")
    files: dict[str, str] = {}
    for value, part in runs.groupby(named, sort=False):
        if (other := files.setdefault(slug(str(value)), str(value))) != str(value):
            raise ValueError(f"--by {by}: {other!r} and {value!r} would be one file; rename one")
        yield str(value), part


def each(
    runs: pd.DataFrame, by: str | None, source: str | Path, work: Callable[[pd.DataFrame], T]
) -> dict[str, T]:
    """What `work` makes of each group of the runs; an error names its group."""
    found = {}
    for name, part in split(runs, by, source):
        try:
            found[name] = work(part)
        except ValueError as error:
            kind = FitError if isinstance(error, FitError) else ValueError
            raise kind(f"{by}={name}: {error}" if by else str(error)) from None
    return found


def mixed(runs: pd.DataFrame, by: str | None, axes: tuple[str, ...] = ("D",)) -> str:
    """A warning where corpora, recipes or, by a law whose axes lack it, D are fitted as one; else nothing.

    Their losses are not comparable.
    """
    runs = runs[usable(runs)]
    for column in ("corpus", "recipe", *({"D"} - {*axes})):
        if column in runs and len(runs[column].unique()) > 1 and by != column:
            shown = runs[column].unique()[:4]
            names = ", ".join(f"{v:g}" if column == "D" else str(v) for v in shown)
            apart = f"--by {column} takes each apart" if by is None else f"--where {column}=... takes one"
            if column == "D":
                several = "P" in runs and len(runs["P"].unique()) > 1
                apart = f"--law {'parallel-data' if several else 'chinchilla'} has D in it; {apart}"
            return f"\n\nnote: rows of more than one {column} ({names}) are fitted as one; {apart}"
    return ""


def slug(name: str) -> str:
    """A name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
