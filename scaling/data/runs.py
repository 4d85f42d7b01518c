"""Reading runs: any table with N, P (or D) and loss, validated once, at the door."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling.data import table_files
from scaling.data.columns import recognise, run_states
from scaling.data.columns.recognise import AXES
from scaling.data.columns.run_states import OK
from scaling.data.reading import reading_of, with_reading
from scaling.data.searched import settings_searched, worse
from scaling.data.units import parse_size
from scaling.laws import OTHER_AXES, axes_of_laws
from scaling.laws.axis import KNOWN, Axis, Levels, rule_of
from scaling.laws.base import Array

AMOUNTS = ("loss", "loss_se")  # where 2,111 may mean 2.111
FIRST_STAGE, SECOND_STAGE = "stage-1", "two-stage"  # recipes
FIRST_STAGES = "first stage of others"

Narrow = Callable[[pd.DataFrame], pd.DataFrame]
Axes = Mapping[str, Axis | None]


def read_runs(path: str | Path, columns: Mapping[str, str] | None = None, law: Any = None) -> pd.DataFrame:
    """Read and validate a table of runs: a file or a sweep folder.

    Files may be parquet, feather, csv, tsv, txt, jsonl, json or xlsx (with openpyxl), also packed by gzip, bz2, xz,
    zstd or zip. Sizes may be written "2.8B", and headers may carry units: "tokens (B)". P is 1 if the file has none.
    `scaling.data.reading.reading_of(table)` lists every guess.

    Args:
        path: of the file or the folder.
        columns: our names and the file's: `{"N": "params", "loss": "val_loss"}`. They override a column already
            named so. N, D, C and loss are also found by names such as num_params, tokens, flops and val_loss.
        law: the law to fit, a class, a name or a list of them. It decides which axes the table must have (N by
            default), what their values may be, and whether P is checked.

    Returns:
        A DataFrame with one row per run. N (parameters), P (streams), D (tokens), C (FLOPs) and loss (nats per
        token) are float64. Rows whose status is not "ok" stay and need no loss. The states of Weights & Biases,
        MLflow, Slurm, Ray and Optuna are understood.

    Raises:
        ValueError: for the first thing wrong, with file, row, column and value.
        FileNotFoundError: if there is no file.

    Examples:
        >>> runs = scaling.read_runs("results/published/losses.csv")
        >>> runs[["N", "P", "loss"]].iloc[0].to_dict()
        {'N': 535813376.0, 'P': 1.0, 'loss': 1.1722}
    """
    laws = law if isinstance(law, (list, tuple)) else (law,)
    axes = None if law is None else axes_of_laws(laws)
    return read_narrowed(path, columns, lambda table: table, axes)


def read_narrowed(
    path: str | Path, columns: Mapping[str, str] | None, narrow: Narrow, axes: Axes | None = None
) -> pd.DataFrame:
    """`read_runs` for the rows that `narrow` keeps. The others need not be valid.

    axes: those that the table must have with their rules, None for a category. By default N.
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
            f"{source}: no such file. Give a runs table (csv, parquet, json, ...) or a sweep folder"
        )
    table = _loaded(source, columns or {}, narrow, axes)
    validate(table, str(source), table.index, axes)
    return table


def _loaded(source: Path, columns: Mapping[str, str], narrow: Narrow, axes: Axes | None) -> pd.DataFrame:
    """The table in a file under our names, its axes as numbers, not yet validated."""
    table = table_files.load_table(source)
    if table.empty:
        raise ValueError(f"{source}: the table has no rows")
    try:
        table, told = recognise.once(table, columns.values())
        table = _rename(table, columns)
        own = () if axes is None else tuple(axis for axis, rule in axes.items() if rule is not None)
        return recognise.recognised(
            table,
            columns,
            told,
            needs=_needed(table, axes),
            axes=axes,
            assume=True,
            convert=lambda t, good: _converted(t, good, source, own),
            narrow=narrow,
        )
    except InFile as error:
        raise ValueError(str(error)) from None
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


class InFile(ValueError):
    """A refusal that names its file, or the option, already."""


def _needed(table: pd.DataFrame, axes: Axes | None) -> tuple[str, ...]:
    """The columns that a table must have: those of its laws, P apart, else N, but for one with a law's own axes."""
    if axes is not None:
        return (*(axis for axis in axes if axis != "P"), "loss")
    own = (set(law.axes) for law in OTHER_AXES.values() if "N" not in law.axes)
    return ("loss",) if any(one <= set(table) and one - set(AXES) for one in own) else ("N", "loss")


def _converted(table: pd.DataFrame, good: Any, source: Path, own: tuple[str, ...] = ()) -> pd.DataFrame:
    """The table with its axes, and a law's `own`, as numbers. Raises ValueError if a run's cell is not a number."""
    usual = [axis for axis in AXES if not own or axis != "P"]
    names = [name for name in dict.fromkeys((*usual, *own, *AMOUNTS)) if name in table]
    return table.assign(**{name: _numbers(table[name], name, source, good) for name in names})


def read_candidates(path: str | Path, law: Any = None) -> pd.DataFrame:
    """Runs that could be trained: N, P, D and, where given, C as float64, from any file `read_runs` reads.

    law: the table must have its axes, by default N. Raises as `read_runs` does. A table with only N gets P = 1.
    """
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file. Give a table of candidate runs")
    table = table_files.load_table(source)
    try:
        table, told = recognise.once(table)
        guesses = list(told)
        table, said = recognise.named_columns(table, {"loss": "loss"}, guesses)
        axes = {"N": None, "P": None} if law is None else axes_of_laws([law])
        table = recognise.own_columns(table, axes, guesses)
        if lacking := [axis for axis in axes if axis not in table and axis != "P"]:
            raise ValueError(recognise.missing_column(lacking[0], table))
        table = recognise.streams(table, guesses, assume=True) if "P" in axes else table
        every = np.ones(len(table), bool)
        own = [axis for axis, rule in axes.items() if rule is not None and not isinstance(rule, Levels)]
        names = [
            name for name in dict.fromkeys((*AXES, *own)) if name in table and ("P" in axes or name != "P")
        ]
        table = table.assign(**{name: _numbers(table[name], name, source, every) for name in names})
        table = recognise.in_base_units(table, said, every, guesses)
    except InFile as error:
        raise ValueError(str(error)) from None
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    return with_reading(table, reading_of(table).also(guesses))


def _rename(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    for ours, theirs in columns.items():
        if theirs not in table:
            names = list(map(str, table.columns))
            within = [name for name in names if theirs.lower() in name.lower()]
            close = within or difflib.get_close_matches(theirs, names, 1)
            hint = f". Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"no column {theirs!r} to use as {ours}{hint}")
        other = next(name for name in columns if columns[name] == theirs)
        if other != ours:
            raise ValueError(f"column {theirs!r} cannot be both {other} and {ours}")
    replaced = [name for name in columns if name in table and name not in columns.values()]
    return table.drop(columns=replaced).rename(columns={theirs: ours for ours, theirs in columns.items()})


def _numbers(column: pd.Series[Any], name: str, source: Path, good: Any) -> Array:
    """A column as float64. A cell that is not a number is refused in a finished run and empty in other rows."""
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    out = np.empty(len(column))
    for row, value in enumerate(column):
        try:
            out[row] = np.nan if value is None or value is pd.NA else _cell(value, name)
        except ValueError as error:
            if good[row]:
                place = table_files.place(source, column.index[row])
                raise InFile(f"{source}: {place}, column {name}: {error}") from None
            out[row] = np.nan
    return out


def _cell(value: Any, name: str) -> float:
    """A cell of a column as a number. In a loss a comma separates no thousands."""
    if name in AMOUNTS and "," in str(value):
        raise ValueError(f"{value!r} is not a number: write a point before decimals")
    return parse_size(value)


def usable(table: Any) -> Any:
    """Which rows a fit may use, (n,) bool: finished runs, if a column says so, and no first stages.

    The column is `status` or another one with known words of state (`scaling.data.columns.run_states`).
    Every P continues from stage 1 of a two-stage run (recipe "stage-1"). Stage 1 sees fewer tokens and ends before
    the learning rate falls, so it is not a result if the table has rows of stage 2. Where settings were
    searched, only the runs at a point's best settings are its result (`scaling.data.searched`).
    """
    keep = run_states.states_of(table, len(table["loss"])).keep & np.logical_not(_first_stages(table))
    return keep & ~worse(table, keep)


def left_out(table: Any) -> dict[str, int]:
    """How many rows of a table no fit uses, by the reason, the most frequent first."""
    keep, why, _ = run_states.states_of(table, len(table["loss"]))
    words = np.where(keep & _first_stages(table), FIRST_STAGES, why)
    keep &= np.logical_not(_first_stages(table))
    words = np.where(worse(table, keep), f"not at the best {', '.join(settings_searched(table))}", words)
    return {str(word): int(count) for word, count in pd.Series(words[words != ""]).value_counts().items()}


def _first_stages(table: Any) -> Any:
    """Which rows are the first stages of others, (n,) bool, or False."""
    if "recipe" not in table:
        return False
    recipe = _words(table["recipe"])
    return (recipe == FIRST_STAGE) & (recipe == SECOND_STAGE).any()


def finished_runs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be fitted and drawn as results: `usable`, with a finite loss."""
    keep = np.isfinite(table["loss"].astype(float)) & np.asarray(usable(table), dtype=bool)
    return pd.DataFrame(table.loc[keep])


def _words(column: Any) -> Any:
    """A column of words as an array. Empty cells are blank: they are neither a status nor a recipe."""
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


def validate(
    table: pd.DataFrame,
    source: str = "table",
    numbers: Any = None,
    axes: Axes | None = None,
) -> pd.DataFrame:
    """Check the axes and losses of a runs table. Raises ValueError naming the first bad row, column and value.

    numbers: each row's number in its source, from 0, by default its position. axes: those of the laws, with rules.
    """
    keep, rules = usable(table), _rules(axes)
    bad = {n: np.flatnonzero(keep & _bad(n, table[n].to_numpy(), rules)) for n in rules if n in table}
    first = {name: int(rows[0]) for name, rows in bad.items() if rows.size}
    if not first:
        return table
    name = min(first, key=lambda column: first[column])
    row = first[name]
    value, place = (
        float(table[name].iloc[row]),
        table_files.place(Path(source), numbers[row] if numbers is not None else row),
    )
    if np.isnan(value):
        need = "the cell is empty: it must be a number, or the row left out"
    else:
        need = f"{value} must be {next(need for need, test in rules[name] if not test(np.array(value)))}"
    raise ValueError(f"{source}: {place}, column {name}: {need}")


def _rules(axes: Axes | None) -> dict[str, tuple[Rule, ...]]:
    """What the values of each column may be, by the laws' own rules if they have any. P only if a law has it."""
    if axes is None:
        return RULES
    own = {name: rule for name, rule in axes.items() if rule is not None and rule != KNOWN.get(name)}
    known = {name: rules for name, rules in RULES.items() if name != "P" or name in axes}
    return known | {name: (FINITE, (rule.need, rule.good)) for name, rule in own.items()}


def _bad(name: str, values: Array, rules: Mapping[str, tuple[Rule, ...]]) -> Any:
    """Which values of a column no run can have, (n,)."""
    with np.errstate(invalid="ignore"):  # inf % 1
        good = np.logical_and.reduce([test(values) for _, test in rules[name]])
    return ~(good | (np.isnan(values) & (name in MAY_BE_EMPTY)))


def arrays(
    table: Any, names: tuple[str, ...], rules: Mapping[str, Axis] | None = None
) -> tuple[dict[str, Array], int]:
    """The named columns and the loss of a table's usable rows as float64, and how many rows were left out.

    table: a DataFrame or a mapping of sequences. rules: of a law's own axes, `Law.axis_rules`. Raises ValueError
    naming the first bad row, column and value.
    """
    for name in (*names, "loss"):
        if name not in table:
            raise ValueError(recognise.missing_column(name, table))
    keep = usable(table)
    if keep.size and not keep.any() and (found := run_states.states_of(table, keep.size).names):
        raise ValueError(no_run(found[0], table[found[0]]))
    out = {}
    for name in (*names, "loss"):
        rule = rule_of(name, rules)
        column = table[name]
        number = getattr(getattr(column, "dtype", None), "kind", "O") in "fiu"
        raw = np.asarray(column, dtype=None if number else object)
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


def no_run(name: str, column: Any) -> str:
    """What to do if a column of states has no finished run."""
    words = ", ".join(sorted({str(word) or "nothing" for word in _words(column)})[:5])
    how = f"Choose rows with --where {name}=WORD, or map its words"
    return f"no row has status {OK!r}: column {name} holds {words}. {how}"


def _number(value: Any, row: int, name: str) -> float:
    try:
        return _cell(value, name)
    except ValueError as error:
        raise ValueError(f"row {row + 1}, column {name}: {error}") from None
