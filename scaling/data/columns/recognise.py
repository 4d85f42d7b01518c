"""A table's columns under our names: axes, loss and status, with every guess written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.columns import column_names, column_units, run_states
from scaling.data.columns.column_names import PERPLEXITY, SCORE, Named, meaning
from scaling.data.columns.run_states import States
from scaling.data.reading import ASSUMED, NATS, Guess, reading_of, with_reading
from scaling.data.units import parse_size
from scaling.laws.base import Array

AXES = ("N", "P", "D", "C")
OTHER_P = "P (not streams)"  # where a column P of another meaning goes
MOST_STREAMS = 10_000
MANY_ROWS = 20_000  # above which copies are not looked for
EVIDENCE = 1_000  # rows that units are judged by
LEAST_OF_LETTER = {"n": 1e3, "d": 1e5}  # a column n or d must reach this to be N or D
_SAID = {"N": "it counts parameters", "D": "it counts tokens", "C": "it counts FLOPs", "loss": "it is a loss"}
_RUN = {"run", "runid", "runname", "runuid", "id", "uid", "uuid", "trialid", "jobid", "wandbid", "wandbrunid"}
_MAY_BE_RUN = {"name", "experiment", "experimentid", "experimentname", "exp", "expname", "model", "modelname"}


def once(table: pd.DataFrame, named: Iterable[str] = ()) -> tuple[pd.DataFrame, list[Guess]]:
    """The table with each column name once. Raises ValueError if two columns share a name that matters.

    named: names that the caller uses, whatever they say.
    """
    if table.columns.is_unique:
        return table, []
    twice = list(dict.fromkeys(table.columns[table.columns.duplicated()]))
    for name in twice:
        if name in named or meaning(str(name)).axis or str(name).casefold() in ("status", "state"):
            raise ValueError(f"two columns are named {name!r}. Drop or rename one")
    names = ", ".join(map(str, twice))
    told = Guess("table", names, "two columns have that name", f"the first {names} is read")
    return table.loc[:, ~table.columns.duplicated()], [told]


def named_columns(
    table: pd.DataFrame, columns: Mapping[str, str], guesses: list[Guess]
) -> tuple[pd.DataFrame, dict[str, Named]]:
    """The table with N, D, C and loss under our names, and what the name of each said.

    columns: our names to the table's, as the caller maps them. The others are found by their names. The original
    columns stay in the table.
    """
    said = {axis: meaning(theirs) for axis, theirs in columns.items()}
    taken = {}
    for axis in ("N", "D", "C", "loss"):
        if axis in table:
            continue
        found = [name for name in column_names.of_axis(table.columns, axis) if _holds(axis, name, table)]
        found = [name for name in found if meaning(name).rank < 2 or meaning(name).unit == NATS]
        best = [name for name in found if meaning(name).rank == meaning(found[0]).rank]
        if len(best) == 1 or (best and all(table[best[0]].equals(table[name]) for name in best)):
            said[axis] = meaning(best[0])
            taken[axis] = table[best[0]]
            training = axis == "loss" and meaning(best[0]).rank == 1
            why = "it is the training loss, and there is no other" if training else _SAID[axis]
            guesses.append(Guess(axis, best[0], why, f"{axis} from {best[0]}"))
        elif axis in ("D", "C") and best:
            names = " and ".join(best[:3])
            how = f"name one with {columns_option(axis, best[0])}"
            guesses.append(
                Guess(axis, names, f"{names} may be {axis}", f"{axis} is not read: {how}", doubt=True)
            )
    return (table.assign(**taken) if taken else table), said


def own_columns(table: pd.DataFrame, axes: Iterable[str], guesses: list[Guess]) -> pd.DataFrame:
    """The table with a law's further axes under their names, if exactly one column is spelled like each."""
    taken = {}
    for axis in axes:
        alike = [] if axis in table or axis in AXES else column_names.spelled_as(table.columns, axis)
        if len(alike) == 1:
            taken[axis] = table[alike[0]]
            guesses.append(Guess(axis, alike[0], f"it is spelled as {axis}", f"{axis} from {alike[0]}"))
    return table.assign(**taken) if taken else table


def _holds(axis: str, name: str, table: pd.DataFrame) -> bool:
    """Whether a column of a name that may mean an axis holds numbers that may be it."""
    column = table[name]
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return False
    values = numbers(column.iloc[:EVIDENCE])
    if values is None or not np.isfinite(values).any():
        return False
    least = LEAST_OF_LETTER.get(name, 0.0)
    return bool(np.nanmin(values) > least or (axis == "loss" and np.nanmin(values) >= 0))


def numbers(column: Any) -> Array | None:
    """A column as float64, sizes such as 2.8B included. None if a cell is not a number."""
    if getattr(getattr(column, "dtype", None), "kind", "O") in "iuf" and isinstance(column.dtype, np.dtype):
        return np.asarray(column, dtype=np.float64)
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(pd.Series(column).to_numpy(dtype=np.float64, na_value=np.nan))
    try:
        cells = np.asarray(column, dtype=object)
        empty = (None, pd.NA, pd.NaT)
        sizes = [np.nan if any(cell is one for one in empty) else parse_size(cell) for cell in cells]
        return np.array(sizes, dtype=np.float64)
    except ValueError:
        return None


def columns_option(axis: str, name: str) -> str:
    """The command line's option that maps a column, quoted if necessary."""
    quoted = f"'{axis}=\"{name}\"'" if any(mark in name for mark in ' ,"=()[]') else f"{axis}={name}"
    return f"--columns {quoted}"


def missing_column(axis: str, table: Any) -> str:
    """What to do if a table has no column for an axis: its columns, and those that may be meant."""
    have = list(map(str, table))
    text = f"no column {axis!r} (it has {', '.join(have[:12])})"
    sizes = axis == "N" and "P" in have and isinstance(table, pd.DataFrame) and _other_meaning(table["P"])
    if sizes and not column_names.of_axis(have, "N"):
        return f"{text}. Name it with --columns N=COLUMN, also where it is called P"
    if found := column_names.of_axis(have, axis) or column_names.spelled_as(have, axis):
        text = f"{text}. Is it {' or '.join(found[:3])}?"
        return f"{text} Name it with {columns_option(axis, found[0])} or columns={{{axis!r}: {found[0]!r}}}"
    other = ", or give a law of other axes" if axis == "N" else ""
    return f"{text}. Name it with --columns {axis}=COLUMN or columns={{...}}{other}"


def streams(table: pd.DataFrame, guesses: list[Guess], *, assume: bool) -> pd.DataFrame:
    """The table with its column of streams as P. A table without one gets P = 1 if `assume`.

    Raises ValueError if `assume` and a column may hold the streams under another name.
    """
    if "P" in table:
        shown = _other_meaning(table["P"])
        if not shown:
            return table
        why = f"column P holds {shown}, no count of streams"
        table = table.rename(columns={"P": OTHER_P})
        guesses.append(Guess("P", "P", why, f"{why}: it is not looked at", doubt=True))
    alike = [name for name in column_names.of_axis(table.columns, "P") if _may_count(table[name])]
    exact = [name for name in alike if column_names.plainly(name, "P")]
    if len(exact) == 1:
        guesses.append(Guess("P", exact[0], "it is named P", f"P from {exact[0]}"))
        return table.assign(P=table[exact[0]])
    if not assume:
        return table
    if alike:
        how = f"If so, write {columns_option('P', alike[0])}. Otherwise rename it"
        raise ValueError(f"is column {alike[0]!r} the streams? {how}")
    guesses.append(Guess("P", "", "no column tells streams", ASSUMED))
    return table.assign(P=1.0)


def _count(value: float) -> bool:
    return bool(1 <= value <= MOST_STREAMS and value % 1 == 0)


def _other_meaning(column: Any) -> str:
    """A value of a column P that mostly holds something other than counts of streams, else ""."""
    values = numbers(column)
    if values is None:
        words = [cell for cell in column.dropna() if numbers([cell]) is None]
        return str(words[0]) if 2 * len(words) > len(column) else ""
    known = values[np.isfinite(values)]
    odd = known[~((known >= 1) & (known <= MOST_STREAMS) & (known % 1 == 0))]
    return f"{odd[0]:g}" if known.size > 1 and 2 * odd.size > known.size else ""


def _may_count(column: Any) -> bool:
    """Whether a column's values may be counts of streams."""
    if pd.api.types.is_bool_dtype(column):
        return False
    values = numbers(column.iloc[:EVIDENCE])
    if values is None:
        return False
    known = values[np.isfinite(values)]
    return bool(known.size and all(map(_count, known)))


def in_base_units(
    table: pd.DataFrame, said: Mapping[str, Named], good: Any, guesses: list[Guess]
) -> pd.DataFrame:
    """The table with N, D and C in parameters, tokens and FLOPs, by their headers or by its other columns.

    good: which rows are runs, (n,) bool. A count that is implausible, with no unit
    named anywhere, is recorded as a doubt.
    """
    rows = _some(good)
    axes = {
        axis: v for axis in AXES if axis in table and (v := numbers(table[axis].values[rows])) is not None
    }
    worth: dict[str, float] = {}
    for axis, name in said.items():
        if axis in axes and name.axis == axis and name.scale > 1 and _small(axis, axes[axis], table[axis]):
            worth[axis] = name.scale
            axes[axis] = axes[axis] * name.scale
            guesses.append(Guess(axis, axis, "the column's name says so", f"{axis} taken in {name.unit}"))
    finite = {
        axis: values for axis, values in axes.items() if np.isfinite(values).all() and (values > 0).all()
    }
    for unit in column_units.units_of(finite, _shape(table, rows)):
        worth[unit.axis] = worth.get(unit.axis, 1.0) * unit.worth
        finite[unit.axis] = finite[unit.axis] * unit.worth
        guesses.append(Guess(unit.axis, unit.axis, unit.why, f"{unit.axis} taken in {unit.name}"))
    for axis in ("N", "D"):
        if axis in finite and column_units.implausible(axis, finite[axis]):
            guesses.append(Guess(axis, axis, "", column_units.doubt(axis, finite[axis]), doubt=True))
    scaled = {axis: values * by for axis, by in worth.items() if (values := numbers(table[axis])) is not None}
    return table.assign(**scaled) if scaled else table


def _some(good: Any) -> Any:
    """Numbers of at most EVIDENCE of the rows that are runs, spread evenly."""
    rows = np.flatnonzero(good)
    return rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(EVIDENCE, len(rows))).astype(int))]


def _small(axis: str, values: Array, column: Any) -> bool:
    """Whether numbers are in the unit of their header. Not if the cells themselves say 2.8B."""
    told = not pd.api.types.is_numeric_dtype(column) and any(
        str(cell).strip()[-1:].isalpha() for cell in column[:9]
    )
    known = values[np.isfinite(values)]
    largest = {"N": 1e6, "D": 1e7}.get(axis, np.inf)
    return not told and bool(known.size) and float(known.min()) < largest


def _shape(table: pd.DataFrame, rows: Any) -> dict[str, Array]:
    """Width and depth of the runs, if the table has them."""
    found = {}
    for what, names in (("width", column_units.WIDTHS), ("depth", column_units.DEPTHS)):
        name = next((n for n in table if str(n).casefold().rsplit(".", 1)[-1] in names), None)
        values = None if name is None else numbers(table[name].iloc[rows])
        if values is not None:
            found[what] = values
    return found


def with_status(table: pd.DataFrame, ended: States, guesses: list[Guess]) -> pd.DataFrame:
    """The table with a column status that reads "ok" for finished runs, if a column says how runs ended.

    ended: `run_states.states_of` of the table.
    """
    keep, why, names = ended
    for name, codes in run_states.unread_states(table):
        held = f"column {name} holds {', '.join(codes[:4])}"
        text = f"{held}: if they say how runs ended, choose rows with --where {name}={codes[0]}"
        guesses.append(Guess("status", name, held, text, doubt=True))
    if not names:
        return table
    if not keep.all() and keep.any():
        counts = pd.Series(why[~keep]).value_counts()
        words = ", ".join(f"{count} {word}" for word, count in counts.items())
        guesses.append(Guess("status", ", ".join(names), "they did not finish", f"left out: {words}"))
    if "status" not in names:
        return table.assign(status=np.where(keep, run_states.OK, why))
    as_told = bool((table["status"] == run_states.OK).all()) if keep.all() else None
    if as_told or (
        as_told is None and set(table["status"].dropna().unique()) <= {run_states.OK, *run_states.ENDED}
    ):
        return table
    own = np.asarray(table["status"], dtype=object)
    rest = [
        reason if run_states.is_finished(word) else word
        for word, reason in zip(own[~keep], why[~keep], strict=True)
    ]
    told = np.full(len(table), run_states.OK, dtype=object)
    told[~keep] = rest
    return table.assign(status=told)


def loss_told(table: pd.DataFrame, named: str, guesses: list[Guess]) -> str:
    """The unit of the loss in a column `named` so: the unit in its name, or the name if it is not a loss."""
    unit = column_names.loss_unit(named)
    if unit == PERPLEXITY:
        how = "take its logarithm: that is a loss in nats per token"
        guesses.append(Guess("loss", named, f"{named} is a perplexity", f"{named}: {how}", doubt=True))
    elif unit == SCORE:
        how = "take 1 - it: the laws are of a loss, which falls as N grows"
        guesses.append(Guess("loss", named, f"{named} is a score", f"{named}: {how}", doubt=True))
    elif unit == NATS and (values := numbers(table["loss"].values[:EVIDENCE])) is not None:
        known = values[np.isfinite(values)]
        if known.size and float(np.median(known)) > column_units.MOST_LOSS:
            text = f"losses of {known.min():.3g} to {known.max():.3g}: are they perplexities? take their logarithm"
            guesses.append(Guess("loss", named, "", text, doubt=True))
    return named if unit in ("", PERPLEXITY, SCORE) else unit


def shared_runs(table: pd.DataFrame, good: Any, guesses: list[Guess]) -> None:
    """A doubt if rows share runs, as checkpoints do: their errors are not independent."""
    for name in map(str, table.columns):
        plain = "".join(c for c in name.casefold().rsplit(".", 1)[-1] if c.isalnum())
        if plain not in _RUN | _MAY_BE_RUN or not 1 < (few := table.loc[good, name].dropna()).nunique() < len(
            few
        ):
            continue
        axes = [axis for axis in ("N", "P") if axis in table]
        parts = table.loc[few.index].groupby(name, sort=False)
        along = next((axis for axis in ("D", "tokens", "step", "steps") if axis in table), None)
        fixed = all(int(parts[axis].nunique().max()) == 1 for axis in axes)
        apart = along is not None and bool((parts[along].nunique() == parts.size()).all())
        if fixed and (apart or plain in _RUN):
            text = f"{len(few)} rows of {few.nunique()} runs are not independent: say --groups {name} or groups={name!r}"
            guesses.append(Guess("groups", name, f"column {name} repeats", text, doubt=True))
            return


def repeated_rows(table: pd.DataFrame, good: Any, guesses: list[Guess]) -> None:
    """A doubt if rows repeat others to the last digit, as in files concatenated twice."""
    names = [name for name in table if name in (*AXES, "loss", "seed", "run_id", "corpus")]
    if "loss" not in names or len(table) > MANY_ROWS:
        return
    if len(set(table["loss"].tolist())) == len(table):  # what differs in its loss repeats nothing
        return
    twice = int(table.loc[good, names].astype(str).duplicated().sum())
    if twice and twice >= good.sum() // 10:
        text = f"{twice} rows repeat others to the last digit: are runs there twice? drop the copies"
        guesses.append(Guess("rows", "", f"{', '.join(names)} are the same", text, doubt=True))


def recognised(
    table: pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    told: Iterable[Guess] = (),
    *,
    needs: tuple[str, ...] = (),
    axes: Iterable[str] | None = None,
    assume: bool = False,
    convert: Callable[[pd.DataFrame, Any], pd.DataFrame] = lambda table, good: table,
    narrow: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> pd.DataFrame:
    """A table of runs under our names and in our units. Its attrs record each guess (`scaling.data.reading`).

    columns: the caller's mapping, our names to the table's, already applied. `told`: guesses made before.
    needs: columns that the table must have, else ValueError. axes: those of the laws to fit, if known. P is checked
    only if it is among them. assume: take P = 1 where no column holds the streams. ValueError if one may hold
    them. convert: turns the axes into numbers, given the table and which rows are runs. narrow: chooses rows,
    before states are read. A table that needs no guess is returned unchanged.
    """
    before = reading_of(table)
    guesses = list(told)
    table, said = named_columns(table, columns or {}, guesses)
    table = own_columns(table, axes or (), guesses)
    if lacking := [axis for axis in needs if axis not in table]:
        raise ValueError(missing_column(lacking[0], table))
    if axes is None or "P" in axes:
        table = streams(table, guesses, assume=assume)
    ended = run_states.states_of(table, len(table))
    whole = convert(table, ended.keep)
    if (table := narrow(whole)) is not whole:
        ended = run_states.states_of(table, len(table))
    good = ended.keep
    table = in_base_units(table, said, good, guesses)
    shared_runs(table, good, guesses)
    repeated_rows(table, good, guesses)
    table = with_status(table, ended, guesses)
    named = next(
        (g.column for g in guesses if g.axis == "loss" and not g.doubt), (columns or {}).get("loss", "loss")
    )
    unit = (
        loss_told(table, named, guesses) if "loss" in table and before.loss_unit == NATS else before.loss_unit
    )
    known = {(guess.axis, guess.doubt) for guess in before.guesses}
    new = [guess for guess in guesses if (guess.axis, guess.doubt) not in known or guess.axis == "table"]
    reading = before.also(new, unit)
    return table if reading == before else with_reading(table.copy(deep=False), reading)
