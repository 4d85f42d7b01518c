"""The runs that a command was pointed at: columns mapped, rows narrowed, one group after the other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from scaling.data.columns.run_states import OK, is_known, states_of
from scaling.data.runs import Axes, InFile, read_narrowed, usable
from scaling.data.units import parse_size
from scaling.laws.base import Array
from scaling.optimise.identifiability import TIED
from scaling.optimise.multi_start import FitError

T = TypeVar("T")
AXES = ("N", "P", "D")
FEW = 4  # values that a note lists
GROUPS = 20  # values of a column that may be taken apart
APART = "--by {0} fits each by itself, --where {0}=... fits one"  # the remedy for a mixed column


def mapping(given: str | None, option: str) -> dict[str, str]:
    """{"N": "params"} from "N=params,loss=val_loss". A name with a comma is quoted, 'loss="val, loss"'."""
    pairs = [_halves(part) for part in _PART.findall(given or "") if part.strip()]
    bad = next((pair[0] for pair in pairs if not (pair[0] and pair[1])), None)
    if bad is not None:
        raise ValueError(f'{option} {given!r}: write NAME=VALUE,NAME=VALUE, commas in "quotes" (at {bad!r})')
    return dict(pairs)


_QUOTED = (
    r"(?:(?<![^=,\s])(?:\"[^\"]*\"|'[^']*'))"  # where a name or value begins. Elsewhere a quote is a letter
)
_PART = re.compile(rf"(?:{_QUOTED}|[^,])+")
_HALVES = re.compile(rf"((?:{_QUOTED}|[^=])*)=(.*)", re.DOTALL)


def _halves(part: str) -> tuple[str, str]:
    """Name and value of "name=value", quotes taken off."""
    found = _HALVES.fullmatch(part.strip())
    name, value = (found[1], found[2]) if found else (part, "")
    return _bare(name), _bare(value)


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


class Asked(NamedTuple):
    """A table as the command line asks for it: the options --columns and --where."""

    columns: str | None = None
    where: str | None = None

    def read(self, source: str | Path, axes: Axes | None = None) -> pd.DataFrame:
        """The runs of a file or folder, columns mapped and rows narrowed. It must have the axes, by default N."""
        return runs_of(source, self.columns, self.where, axes)

    @property
    def words(self) -> list[str]:
        """The options as typed."""
        given = (("--columns", self.columns), ("--where", self.where))
        return [word for pair in given if pair[1] for word in pair if word]


WHOLE = Asked()  # every row, under the names of the file


def runs_of(
    source: str | Path, columns: str | None = None, where: str | None = None, axes: Axes | None = None
) -> pd.DataFrame:
    """The runs of a file or folder, columns mapped ("N=params") and rows narrowed ("corpus=pile")."""
    wanted = mapping(where, "--where")

    def narrow(runs: pd.DataFrame) -> pd.DataFrame:
        for column, value in wanted.items():
            runs = _chosen(runs, column, value, source)
        return runs

    return read_narrowed(source, mapping(columns, "--columns"), narrow, axes)


def _chosen(runs: pd.DataFrame, column: str, value: str, source: str | Path) -> pd.DataFrame:
    """The rows whose column has a value. An unknown word of state then means a finished run."""
    alike = [str(name) for name in runs if str(name).casefold() == column.casefold()]
    column = alike[0] if column not in runs and len(alike) == 1 else column
    if column not in runs:
        close = difflib.get_close_matches(column.casefold(), [str(name).casefold() for name in runs], 1)
        name = next((str(n) for n in runs if close and str(n).casefold() == close[0]), "")
        hint = f". Did you mean {name!r}?" if name else ""
        have = ", ".join(map(str, runs))
        raise InFile(f"--where {column}: no such column in {source}. It has {have}{hint}")
    keep = _is(runs[column], value, f"--where {column}={value}")
    if not keep.any():
        some = ", ".join(sorted(set(runs[column].astype(str)))[:8])
        raise InFile(f"--where {column}={value}: no row of {source} has it. There are {some}")
    told = column in states_of(runs, len(runs)).names
    runs = runs[keep]
    return runs.assign(**{column: OK}) if told and not is_known(value) else runs


def values(text: str, option: str) -> Array:
    """The numbers of an option, e.g. 1B,2.8B, (n,)."""
    try:
        return np.array([parse_size(value) for value in text.split(",")])
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def check_axis(
    runs: pd.DataFrame, axis: str, option: str, source: str | Path, axes: Iterable[str] = AXES
) -> None:
    """Refuse an axis that the runs lack. C follows from N and the others. axes: those of the laws."""
    if axis not in runs and (axis != "C" or "N" not in runs):
        have = [*(known for known in dict.fromkeys(axes) if known in runs), *(["C"] if "N" in runs else [])]
        raise ValueError(f"{option} {axis}: no such axis or column in {source}. Use {', '.join(have)}")


_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def _is(column: pd.Series[Any], value: str, asked: str) -> Any:
    """Which cells are what a user wrote: numbers however they are written, words to the letter, or but for case."""
    if pd.api.types.is_bool_dtype(column):
        if value.casefold() not in (*_TRUE, *_FALSE):
            raise InFile(f"{asked}: the column holds true and false")
        return (column == (value.casefold() in _TRUE)).fillna(False).astype(bool)
    if pd.api.types.is_numeric_dtype(column):
        try:
            return (column == parse_size(value)).fillna(False).astype(bool)
        except ValueError:
            raise InFile(f"{asked}: the column holds numbers, and {value!r} is none") from None
    words = column.astype(str).str.strip()
    exact = words == value
    return exact if exact.any() else words.str.casefold() == value.casefold()


def split(runs: pd.DataFrame, by: str | None, source: str | Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The runs in named groups, one for each value of column `by`. Without `by`, all in one.

    Raises ValueError naming the source if the column is missing or two groups would share a file name.
    """
    if by is None:
        yield "all", runs
        return
    if by not in runs:
        raise ValueError(f"--by {by}: no such column in {source}. It has {', '.join(runs.columns)}")
    named = runs[by].astype(object).where(runs[by].notna(), "none")
    files: dict[str, str] = {}
    for value, part in runs.groupby(named, sort=False):
        if (other := files.setdefault(slug(str(value)), str(value))) != str(value):
            raise ValueError(f"--by {by}: {other!r} and {value!r} would be one file. Rename one")
        yield str(value), part


@dataclass(frozen=True)
class Worked(Generic[T]):
    """What was made of each group of a table, and why nothing could be made of the others, by name."""

    found: dict[str, T]
    refused: dict[str, str]


def each(
    runs: pd.DataFrame, by: str | None, source: str | Path, work: Callable[[pd.DataFrame], T]
) -> Worked[T]:
    """Apply `work` to each group of the runs. One refused group does not stop the others.

    Each refusal names its group. If every group is refused, the first refusal is raised.
    """
    found, refused = {}, {}
    for name, part in split(runs, by, source):
        try:
            found[name] = work(part)
        except ValueError as error:
            kind = FitError if isinstance(error, FitError) else ValueError
            refused[name] = kind(f"{by}={name}: {error}" if by else str(error))
    if not found:
        raise next(iter(refused.values()))
    return Worked(found, {name: str(error) for name, error in refused.items()})


def mixed(runs: pd.DataFrame, axes: tuple[str, ...] = ("D",), keep: Any = None) -> dict[str, str]:
    """Warnings by column: corpora or recipes, or D under a law without it, that are fitted as one.

    Their losses are not comparable. D that moves with N in every run gets no warning. keep: the rows that are
    fitted, (n,) bool, by default the usable ones.
    """
    rows, found = usable(runs) if keep is None else keep, {}
    for column in (name for name in ("corpus", "recipe", "D") if name not in axes):
        values = runs[column][rows].unique() if column in runs else ()
        if len(values) > 1:
            names = shown_values([f"{v:g}" if column == "D" else str(v) for v in values])
            apart = APART.format(column)
            if column == "D" and is_ladder(runs, rows):
                continue
            if column == "D":
                several = "P" in runs and len(runs["P"].unique()) > 1
                law = f"--law {'parallel-data' if several else 'chinchilla'} has D in it"
                apart = f"{law}; {apart}" if len(values) <= GROUPS else law
            found[column] = f"rows of more than one {column} ({names}) are fitted as one; {apart}"
    return found


def equals(column: str, value: str) -> str:
    """COLUMN=VALUE as --where and --columns take it, quoted if necessary."""
    return "=".join(f'"{word}"' if re.search(r"[\s,\"'=]", word) else word for word in (column, value))


def is_ladder(runs: pd.DataFrame, rows: Any) -> bool:
    """Whether D is one power of N in every run: the law of N is then that of the ladder."""
    N, D = (pd.to_numeric(runs[axis][rows], errors="coerce").to_numpy(np.float64) for axis in ("N", "D"))
    if not (np.isfinite(N) & np.isfinite(D) & (N > 0) & (D > 0)).all() or np.ptp(N) == 0 or np.ptp(D) == 0:
        return False
    return abs(float(np.corrcoef(np.log(N), np.log(D))[0, 1])) > TIED


def shown_values(values: Sequence[str]) -> str:
    """The first few of some values, and how many there are if more."""
    more = f", ... {len(values)} values" if len(values) > FEW else ""
    return ", ".join(values[:FEW]) + more


def slug(name: str) -> str:
    """A name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
