"""Reading runs: any table with N, P (or D) and loss, validated once, at the door."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling.data import table_files
from scaling.data.units import parse_size
from scaling.laws.axis import Axis, rule_of
from scaling.laws.base import Array

AXES = ("N", "P", "D", "C")
AMOUNTS = ("loss", "loss_se")  # where 2,111 may mean 2.111
OK = "ok"
FIRST_STAGE, SECOND_STAGE = "stage-1", "two-stage"  # recipes
STATUSES = {OK, "diverged", "failed"}
WANDB_STATES = {"finished", "running", "crashed", "failed", "killed", "pending", "preempted", "preempting"}


def read_runs(path: str | Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The runs in a parquet, csv, tsv or jsonl file at `path`, or in a sweep folder, validated.

    `columns` maps our names to the file's, e.g. {"N": "params", "loss": "val_loss"}; a same name gives way.
    N, P, D, C and loss become float64 (sizes may be written "2.8B"); P is 1 where the file has none.
    Raises ValueError naming the file, row, column and value of the first thing wrong, FileNotFoundError
    where there is no file. Rows whose status is not "ok" are kept and need no loss; in a Weights & Biases
    export, status is the column State, and "ok" what is finished there.
    """
    source = Path(path)
    if source.is_dir():
        source = source / "runs.parquet"
        if not source.exists():
            raise FileNotFoundError(
                f"{path}: no {source.name} in this folder: no sweep, or no run of it is done"
            )
    if not source.exists():
        raise FileNotFoundError(
            f"{source}: no such file; give a runs table (parquet, csv, jsonl) or a sweep folder"
        )
    table = _rename(table_files.load(source), columns or {}, source)
    if table.empty:
        raise ValueError(f"{source}: the table has no rows")
    for name in ("N", "loss"):
        if name not in table:
            raise ValueError(f"{source}: {_missing(name, table)}")
    _one_stream(table, source)
    if "status" not in table and "State" in table and set(table["State"].dropna()) <= WANDB_STATES:
        table["status"] = table["State"].replace("finished", OK)
    for name in (*AXES, "loss", "loss_se"):
        if name in table:
            table[name] = _numbers(table[name], name, source)
    validate(table, str(source))
    return table


def read_candidates(path: str | Path) -> pd.DataFrame:
    """Runs that could be trained: N, P, D and, where given, C as float64, from any file `read_runs` reads.

    Raises as `read_runs` does; a table with only N has P = 1.
    """
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file; give a table of candidate runs")
    table = table_files.load(source)
    if "N" not in table:
        raise ValueError(f"{source}: {_missing('N', table)}")
    _one_stream(table, source)
    for name in [n for n in AXES if n in table]:
        table[name] = _numbers(table[name], name, source)
    return table


def _one_stream(table: pd.DataFrame, source: Path) -> None:
    """P = 1 where the table has none, unless a column looks like it under another name."""
    if "P" in table:
        return
    alike = next((name for name in map(str, table) if name.casefold() in ("p", "streams")), None)
    if alike:
        raise ValueError(
            f"{source}: is column {alike!r} the streams? then say --columns P={alike}; if not, rename it"
        )
    table["P"] = 1.0


def _rename(table: pd.DataFrame, columns: Mapping[str, str], source: Path) -> pd.DataFrame:
    for ours, theirs in columns.items():
        if theirs not in table:
            close = difflib.get_close_matches(theirs, list(map(str, table.columns)), 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{source}: no column {theirs!r} to use as {ours}{hint}")
        other = next(name for name in columns if columns[name] == theirs)
        if other != ours:
            raise ValueError(f"{source}: column {theirs!r} cannot be both {other} and {ours}")
    replaced = [name for name in columns if name in table and name not in columns.values()]
    return table.drop(columns=replaced).rename(columns={theirs: ours for ours, theirs in columns.items()})


def _missing(name: str, table: Any) -> str:
    have = ", ".join(map(str, list(table)[:12]))
    other = re.search(r"[;|\t]", have) if len(list(table)) == 1 else None
    if other:
        return f"one column only, {have!r}: write commas, not {other[0]!r}, between columns; in a .tsv tabs"
    return f"no column {name!r} (it has {have}); name it with --columns {name}=COLUMN or columns={{...}}"


def _numbers(column: pd.Series[Any], name: str, source: Path) -> Array:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    out = np.empty(len(column))
    for row, value in enumerate(column):
        try:
            if name in AMOUNTS and "," in str(value):
                raise ValueError(f"{value!r} is not a number: write a point before decimals")
            out[row] = np.nan if value is None or value is pd.NA else parse_size(value)
        except ValueError as error:
            raise ValueError(f"{source}: {table_files.place(source, row)}, column {name}: {error}") from None
    return out


def usable(table: Any) -> Any:
    """Which rows a fit may use: status "ok" where there is one, and no first stages; a bool array.

    Stage 1 of a two-stage run (recipe "stage-1") is what every P goes on from, on fewer tokens and
    before the learning rate falls: beside rows of stage 2 it is no result of its own.
    """
    keep = np.ones(len(table["loss"]), bool)
    if "status" in table:
        keep &= _words(table["status"]) == OK
    if "recipe" in table:
        recipe = _words(table["recipe"])
        keep &= (recipe != FIRST_STAGE) | ~(recipe == SECOND_STAGE).any()
    return keep


def finished_runs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be fitted and drawn as results: `usable`, with a finite loss."""
    keep = np.isfinite(table["loss"].astype(float)) & np.asarray(usable(table), dtype=bool)
    return pd.DataFrame(table.loc[keep])


def _words(column: Any) -> Any:
    """A column of words as an array, nothing where a cell is empty: that is no status and no recipe."""
    return pd.Series(np.asarray(column, dtype=object)).fillna("").to_numpy(dtype=object)


Rule = tuple[str, Callable[[Array], Any]]  # what a value must be, and whether it is
FINITE: Rule = ("finite", np.isfinite)
POSITIVE: Rule = ("> 0", lambda x: x > 0)
RULES: dict[str, tuple[Rule, ...]] = {
    "N": (FINITE, POSITIVE),
    "D": (FINITE, POSITIVE),
    "C": (FINITE, POSITIVE),
    "loss": (FINITE, POSITIVE),
    "loss_se": ((">= 0", lambda x: x >= 0),),
    "P": (FINITE, (">= 1", lambda x: x >= 1), ("a whole number", lambda x: x % 1 == 0)),
}
MAY_BE_EMPTY = ("D", "C", "loss_se")


def validate(table: pd.DataFrame, source: str = "table") -> pd.DataFrame:
    """Check the axes and losses of a runs table; ValueError names the first bad row, column and value."""
    keep = usable(table)
    bad = {name: np.flatnonzero(keep & _bad(name, table[name].to_numpy())) for name in RULES if name in table}
    first = {name: int(rows[0]) for name, rows in bad.items() if rows.size}
    if not first:
        return table
    name = min(first, key=lambda column: first[column])
    value, place = float(table[name].iloc[first[name]]), table_files.place(Path(source), first[name])
    if np.isnan(value):
        need = "the cell is empty: it must be a number, or the row left out"
    else:
        need = f"{value} must be {next(need for need, test in RULES[name] if not test(np.array(value)))}"
    raise ValueError(f"{source}: {place}, column {name}: {need}")


def _bad(name: str, values: Array) -> Any:
    """Which values of a column no run can have, (n,)."""
    with np.errstate(invalid="ignore"):  # inf % 1
        good = np.logical_and.reduce([test(values) for _, test in RULES[name]])
    return ~(good | (np.isnan(values) & (name in MAY_BE_EMPTY)))


def arrays(
    table: Any, names: tuple[str, ...], rules: Mapping[str, Axis] | None = None
) -> tuple[dict[str, Array], int]:
    """The named columns and the loss of a table's usable rows as float64, and how many rows were left out.

    table: a DataFrame or a mapping of sequences. rules: of a law's own axes, `Law.axis_rules`. ValueError names
    the first bad row, column and value.
    """
    for name in (*names, "loss"):
        if name not in table:
            raise ValueError(_missing(name, table))
    known = {name: table[name] for name in ("status", "recipe") if name in table}
    keep = usable({"loss": table["loss"], **known})
    if keep.size and "status" in known and STATUSES.isdisjoint(_words(table["status"])):
        found = ", ".join(sorted({str(word) or "nothing" for word in _words(table["status"])})[:5])
        raise ValueError(f"no row has status {OK!r}: the column holds {found}; map its words or drop it")
    out = {}
    for name in (*names, "loss"):
        rule = rule_of(name, rules)
        raw = np.asarray(table[name], dtype=object) if not _is_float(table[name]) else np.asarray(table[name])
        try:
            values = rule.read(raw)
        except (TypeError, ValueError):
            values = np.array([_number(v, i, name) for i, v in enumerate(raw)])
        bad = keep & ~rule.good(values)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"row {row + 1}, column {name}: {values[row]:g} must be finite and {rule.need}")
        out[name] = values[keep]
    return out, int((~keep).sum())


def _is_float(column: Any) -> bool:
    return getattr(getattr(column, "dtype", None), "kind", "O") in "fiu"


def _number(value: Any, row: int, name: str) -> float:
    try:
        return parse_size(value)
    except ValueError as error:
        raise ValueError(f"row {row + 1}, column {name}: {error}") from None
