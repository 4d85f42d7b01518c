"""A table described before it is fitted: what was taken for what, its design, what it can tell, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_runs
from scaling.data.levels import level_table
from scaling.data.query import equals
from scaling.data.reading import Reading, reading_of
from scaling.data.runs import arrays, left_out, usable
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.fitting.table_notes import rising, rising_note
from scaling.laws import axes_of_laws
from scaling.laws.axis import Axis, Levels
from scaling.laws.base import Array
from scaling.optimise.certificate import Status
from scaling.optimise.multi_start import FitError
from scaling.selection import run_structure
from scaling.selection.description import Description
from scaling.selection.design_check import (
    SAMPLE,
    AskedAxes,
    asked_axes,
    sampled,
    suited_laws,
    together_notes,
)

HARDLY = 0.5  # of a parameter: a standard error above this tells little of it
UNITS = {"N": "parameters", "P": "streams", "D": "tokens", "C": "FLOPs"}


def describe(
    table: Any,
    *,
    source: str = "table",
    columns: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    law: Any = None,
) -> Description:
    """Describe a table of runs before a fit: what it holds and which parameters it can determine.

    Args:
        table: any table that `scaling.fit` takes, with columns under our names or others that are known.
        source: what to call it. With a file's name `command` calls `parscale fit`, otherwise Python.
        columns: how the caller named columns, ours to theirs.
        options: of the command that read the table, repeated in `command`.
        law: class or name of the law whose axes describe the table. N, P, D and axes of registered laws by default.

    Returns:
        A `Description`: axes and their levels, laws whose parameters the runs determine, a verdict, the next command.

    Raises:
        ValueError: for a table without N, without any axis of the law, or without a loss.
    """
    runs = as_runs(table, axes=None if law is None else axes_of_laws([law]))
    asked, keep = asked_axes(runs, law), usable(runs)
    axes, loss = _axes(runs, keep, asked)
    amounts = {axis: x for axis, x in axes.items() if not isinstance(asked.rules.get(axis), Levels)}
    levels = {axis: _levels(axis, axes, asked.rules.get(axis)) for axis in axes}
    laws = suited_laws(axes, loss, asked.laws)
    tried = _tried(runs, keep, laws, asked)
    mixed = () if tried is None else tuple(filter(None, (rising_note(tried), *tried.certificate.table_notes)))
    apart = _apart(runs[keep], tried, laws, asked)
    known = _Known(runs, keep, axes, loss, dict(columns or {}), asked.rules)
    falls = tried is None or not rising(tried)
    command = _command(source, options, laws, apart, known.reading) if falls else ""
    if law is not None and not isinstance(law, str):  # a class, which Python knows by its name
        command = command.replace(f'fit("{laws.index[0]}"', f"fit({laws.index[0]}")
    return Description(
        _table(known, levels),
        _verdict(laws, axes, tried, apart),
        len(runs),
        left_out(runs),
        levels,
        known.reading,
        (*together_notes(amounts), *run_structure.compute_note(runs, keep, axes)),
        run_structure.repeat_notes(runs[keep], axes),
        mixed,
        laws,
        run_structure.other_columns(runs, known.taken),
        command,
        source,
    )


def best_suited(table: Any) -> str:
    """The name of the law that suits a table best: what is fitted, judged and inspected unless a law is named.

    The first of `suited_laws`, which may lose some of its parameters there. FitError where no law is determined.
    """
    runs = as_runs(table)
    asked, keep = asked_axes(runs, categories=True), usable(runs)
    laws = suited_laws(*_axes(runs, keep, asked), asked.laws)
    if _hopeless(laws):
        raise FitError(f"no law can be determined from {int(keep.sum())} runs; name one, or add runs")
    return str(laws.index[0])


def law_to_fit(table: Any) -> str:
    """`best_suited`; where none is determined "parallel", whose refusal or status says what is missing."""
    try:
        return best_suited(table)
    except ValueError:  # no finished run, too few runs
        return "parallel"


def _hopeless(laws: pd.DataFrame) -> bool:
    """Whether the runs determine no parameter of any law."""
    return laws.empty or len(laws["cannot"].iloc[0]) == len(laws["parameters"].iloc[0])


def _levels(axis: str, axes: Mapping[str, Array], rule: Axis | None) -> pd.DataFrame:
    """Each level of an axis with its runs, those of a category by name."""
    if not isinstance(rule, Levels):
        return level_table(axis, axes)
    runs = pd.Series(rule.labels(axes[axis])).value_counts(sort=False)
    return pd.DataFrame({"lowest": runs.index, "highest": runs.index, "runs": runs.to_numpy()})


@dataclass(frozen=True)
class _Known:
    """A table and what is known of it."""

    runs: pd.DataFrame
    keep: Any
    axes: dict[str, Array]
    loss: Array
    columns: dict[str, str]
    rules: Mapping[str, Axis]

    @property
    def reading(self) -> Reading:
        return reading_of(self.runs)

    @property
    def taken(self) -> set[str]:
        """Columns that an axis or the loss was taken from."""
        ours = {*UNITS, *self.axes, "loss"}
        told = {guess.column for guess in self.reading.guesses if guess.axis in ours}
        return {*ours, "status", *told, *self.columns.values()}


def _axes(runs: pd.DataFrame, keep: Any, asked: AskedAxes) -> tuple[dict[str, Array], Array]:
    """The axes of the usable runs, as far as every run has them, and their loss; P is 1 where only N is given."""
    if not keep.any():
        words = ", ".join(f"{count} {word}" for word, count in left_out(runs).items())
        raise ValueError(f"no run to fit: {words}. Give finished runs.")
    found, _ = arrays(runs, tuple(asked.rules), asked.rules)
    loss = found.pop("loss")
    if "N" in found and asked.streams:
        found = {"N": found["N"], "P": found.get("P", np.ones(loss.size)), **found}
    return found, loss


def _tried(runs: pd.DataFrame, keep: Any, laws: pd.DataFrame, asked: AskedAxes) -> Fit | None:
    """A fit of the law that suits best, to at most SAMPLE rows; None where no law does."""
    if _hopeless(laws):
        return None
    rows = np.flatnonzero(keep)
    rows = rows[sampled(rows.size)]
    name = str(laws.index[0])
    return fit(asked.laws.get(name, name), runs.iloc[rows].assign(**_streams(runs)))


def _tells(runs: pd.DataFrame, law: str, asked: AskedAxes) -> bool:
    """Whether runs to fit tell every parameter of a law."""
    axes, loss = _axes(runs, np.ones(len(runs), bool), asked)
    return not suited_laws(axes, loss, asked.laws).loc[law, "cannot"]


@dataclass(frozen=True)
class _Apart:
    """How to take the kinds of a mixed table apart: options of the command line, and in words."""

    by: str = ""  # a column whose groups are fitted each by itself
    where: str = ""  # or the rows of one value, as --where takes it
    value: Any = None

    def __str__(self) -> str:
        if self.by:
            return f"each {self.by} by itself"
        part = f"{self.where} is the largest part that tells it" if self.where else "see above"
        return f"but not as one: {part}"


def _apart(runs: pd.DataFrame, tried: Fit | None, laws: pd.DataFrame, asked: AskedAxes) -> _Apart:
    """The first mixed column whose groups tell the law: two at least, with half the rows; else the largest that does.

    runs: the rows to fit.
    """
    if tried is None or not tried.certificate.mixed:
        return _Apart()
    law, largest, most = str(laws.index[0]), _Apart(), 0
    runs = runs.iloc[sampled(len(runs), 10 * SAMPLE)]
    for column in tried.certificate.mixed:
        names = runs[column].astype(object).where(runs[column].notna(), "none")
        parts = dict(iter(runs.groupby(names, sort=False)))
        told = {value: len(part) for value, part in parts.items() if _tells(part, law, asked)}
        if len(told) > 1 and sum(told.values()) > len(runs) / 2:
            return _Apart(by=str(column))
        value = max(told, key=lambda v: told[v], default=None)
        if value is not None and told[value] > most:
            largest, most = _Apart(where=equals(str(column), str(value)), value=(column, value)), told[value]
    return largest


def _streams(runs: pd.DataFrame) -> dict[str, float]:
    return {} if "P" in runs else {"P": 1.0}


def _table(known: _Known, of: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each axis and the loss: where it was taken from, its unit, what it holds."""
    values = known.axes | {"loss": known.loss}
    if "C" in known.runs and (C := pd.to_numeric(known.runs["C"][known.keep], errors="coerce")).notna().any():
        values["C"] = C.dropna().to_numpy(np.float64)
    rows = []
    for name in [n for n in (*known.axes, "C", "loss") if n in values]:
        column, why = _origin(name, known)
        unit = known.reading.loss_unit if name == "loss" else UNITS.get(name) or known.rules[name].unit
        x, named = values[name], isinstance(known.rules.get(name), Levels)
        levels = len(of[name]) if name in of else np.unique(x).size
        ends = of[name]["lowest"].iloc[[0, -1]] if named else (x.min(), x.max())
        rows.append((name, column, why, unit, levels, *ends))
    names = ["axis", "column", "why", "unit", "levels", "lowest", "highest"]
    return pd.DataFrame(rows, columns=names).set_index("axis")


def _origin(name: str, known: _Known) -> tuple[str, str]:
    """The column that an axis was taken from, and why."""
    if name in known.columns:
        return known.columns[name], "as you said"
    told = [g for g in known.reading.of(name) if not g.doubt and g.column not in ("", name)]
    if told:
        return told[0].column, told[0].why
    return (name, "its name") if name in known.runs and not _assumed(name, known) else ("", "assumed")


def _assumed(name: str, known: _Known) -> bool:
    """Whether an axis is in no column of the file."""
    return any(not guess.column and not guess.doubt for guess in known.reading.of(name))


def _verdict(laws: pd.DataFrame, axes: Mapping[str, Array], tried: Fit | None, apart: _Apart) -> str:
    """What these runs determine, in a sentence or two."""
    main = next(iter(axes))
    n = axes[main].size
    if tried is None:
        single = f"{main} takes one value: " if np.ptp(axes[main]) == 0 else ""
        return f"{single}no law can be determined from {n} run{'s' * (n > 1)}; add runs at other {main}."
    if rising(tried):
        return "The laws are of a loss that falls as N grows: turn this one round before a fit."
    name = str(laws.index[0])
    ignored: Any = laws.loc[name, "ignores"]
    words = f" (without {' and '.join(ignored)}, which moves with the others)" if ignored else ""
    if tried.certificate.mixed:
        return f"{name} suits these runs{words}, {apart}."
    return f"{name} suits these {n:,} runs{words}: {_precision(tried)}."


def _precision(tried: Fit) -> str:
    """How closely a fit tells its parameters, in words; its status where that is in doubt."""
    if tried.status != Status.CONVERGED:
        return f"a first fit says {tried.status} ({tried.certificate.detail})"
    share = (tried.std_errors / tried.params.abs()).dropna()
    well = [f"{name} to {100 * s:.2g}%" for name, s in share.items() if s <= HARDLY]
    hardly = [str(name) for name, s in share.items() if not s <= HARDLY]
    parts = [
        f"they determine {', '.join(well)}" if well else "",
        f"hardly {', '.join(hardly)}" if hardly else "",
    ]
    return f"{', '.join(filter(None, parts))} (standard errors of a first fit)"


def _command(
    source: str, options: tuple[str, ...], laws: pd.DataFrame, apart: _Apart, reading: Reading
) -> str:
    """What to type next: the fit of the law that suits best, each group by itself. Nothing where no law is determined."""
    if _hopeless(laws):
        return ""
    law, shared = str(laws.index[0]), next((g.column for g in reading.of("groups")), "")
    if source != "table":
        given = list(options)
        if apart.where and "--where" in given:
            given[given.index("--where") + 1] += f",{apart.where}"
        elif apart.where:
            given += ["--where", apart.where]
        last = [*_option("--by", apart.by), *_option("--groups", shared)]
        return shlex.join(["parscale", "fit", source, *given, "--law", law, *last])
    more, part = f", groups={shared!r}" if shared else "", "table"
    if apart.where:
        column, value = apart.value
        part = f"table[table[{column!r}] == {value!r}]"
    call = f'scaling.fit("{law}", {"part" if apart.by else part}{more})'
    return f"{{name: {call} for name, part in table.groupby({apart.by!r})}}" if apart.by else call


def _option(name: str, value: str) -> list[str]:
    """An option's words; none where it has no value."""
    return [name, value] if value else []


def one_line(runs: pd.DataFrame, source: str, by: str | None = None, law: Any = None) -> str:
    """What is to be known of a table before its fit, in one line; empty where nothing was guessed or is odd.

    runs: as `read_runs` returns them; by: the column whose groups are fitted apart; law: whose axes count. Nothing is
    fitted.
    That P = 1 was assumed is no line's worth.
    """
    keep = usable(runs)
    axes, loss = _axes(runs, keep, asked_axes(runs, law))
    guesses = [guess for guess in reading_of(runs).guesses if guess.axis != "P" or guess.column]
    apart: Any = {by: pd.factorize(runs[by][keep].astype(str))[0]} if by in runs else {}
    notes = (*together_notes(axes), *run_structure.repeat_notes(runs[keep], axes | apart))
    if not guesses and not notes and keep.all():
        return ""
    parts = [f"{len(runs):,} rows, {loss.size:,} to fit", *(note.partition(":")[0] for note in notes)]
    more = f" --law {shlex.quote(law)}" if isinstance(law, str) else ""
    return f"{'; '.join(parts)}; all of it: parscale inspect {shlex.quote(source)}{more}"
