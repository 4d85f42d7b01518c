"""The description of a table: as a value, as text of any width, as HTML, and as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from scaling.data.reading import Reading
from scaling.data.units import count_text
from scaling.result_table import ResultTable
from scaling.terminal_text import fold, width

KEY = 12  # characters of the words at the start of a line
LISTED = 10  # levels that are listed one by one
LAWS = 8  # laws that are listed


@dataclass(frozen=True, repr=False)
class Description(ResultTable):
    """What a table holds and what it determines. Printed as text, in notebooks as HTML."""

    table: pd.DataFrame  # index axis (N, P, D, C, loss); columns column, why, unit, levels, lowest, highest
    verdict: str  # what can be fitted, in a sentence
    rows: int
    left_out: dict[str, int]  # rows that no fit uses, by the word that says why
    levels: dict[str, pd.DataFrame]  # of each axis: lowest, highest, runs
    reading: Reading  # every guess of reading the table
    design: tuple[str, ...]  # axes that move together, cells that were run
    repeats: tuple[str, ...]  # configurations run more than once, rows of one run
    mixed: tuple[str, ...]  # columns whose rows are of several kinds; a loss that rises
    laws: pd.DataFrame  # index law, best suited first; columns axes, parameters, cannot, ignores
    others: dict[str, str]  # the other columns, with what they hold
    command: str  # what to type next; empty where nothing can be fitted
    source: str = "table"

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that a careful reader should know before a fit, a sentence each."""
        doubts = tuple(str(guess) for guess in self.reading.doubts)
        return (*doubts, *self.mixed, *self.design, *self.repeats)

    def to_dict(self) -> dict[str, Any]:
        """The description as plain values, for JSON."""
        return as_dict(self)

    def text(self, room: int | None = None) -> str:
        """The description in lines of at most `room` characters; of any length for None."""
        return description_text(self, room)

    def __repr__(self) -> str:
        return self.text(width())

    def _repr_html_(self) -> str:
        return description_html(self)


def lines(one: Description) -> list[tuple[str, str]]:
    """Every line of a description: what it is about, and what it says."""
    gone = ", ".join(f"{count} {word}" for word, count in one.left_out.items())
    fitted = one.rows - sum(one.left_out.values())
    gone = "" if one.reading.of("status") else gone  # which says more of it
    rows = [
        (
            "table",
            f"{one.source}: {one.rows:,} rows, {fitted:,} to fit{f'; left out: {gone}' if gone else ''}",
        )
    ]
    rows += [(str(axis), _axis(one, str(axis))) for axis in one.table.index]
    said = {f"{axis} from {row.column}" for axis, row in one.table.iterrows()} | {"P = 1 assumed"}
    read = [guess for guess in one.reading.guesses if not guess.doubt and guess.action not in said]
    rows += [("read", str(guess)) for guess in read]
    rows += [("look", str(guess)) for guess in one.reading.doubts]
    rows += [("look", note) for note in one.mixed]
    rows += [("design", note) for note in one.design]
    rows += [("repeats", note) for note in one.repeats]
    if one.others:
        rows.append(("others", "; ".join(f"{name}: {words}" for name, words in one.others.items())))
    rows += [("laws", words) for words in _laws(one.laws)]
    rows += [("verdict", one.verdict), ("next", one.command or "nothing to fit yet")]
    return rows


def _axis(one: Description, axis: str) -> str:
    """An axis' column, unit and levels in words."""
    row = one.table.loc[axis]
    why = "" if row.column == axis else f" ({row.why})"
    origin = f"column {row.column}{why}" if row.column else "in no column, assumed"
    unit = f"{row.unit}, " if row.unit else ""
    if axis not in one.levels:
        low, high = (f"{v:.3g}" if axis == "C" else f"{v:.5g}" for v in (row.lowest, row.highest))
        return f"{unit}{origin}: {low} to {high}"
    return f"{unit}{origin}: {_levels(one.levels[axis])}"


def _levels(table: pd.DataFrame) -> str:
    """Levels with their runs in words."""
    names = [_level(low, high) for low, high in zip(table["lowest"], table["highest"], strict=True)]
    counts = list(table["runs"])
    if len(names) == 1:
        return f"{names[0]} in every run"
    alike = len(set(counts)) == 1
    each = names if alike else [f"{name} ({n:,})" for name, n in zip(names, counts, strict=True)]
    shown = ", ".join(each if len(each) <= LISTED else [*each[:4], "...", *each[-3:]])
    if alike:
        return f"{len(names)} levels: {shown}; {counts[0]:,} run{'s' * (counts[0] > 1)} each"
    return f"{len(names)} levels (runs): {shown}"


def _level(low: float | str, high: float | str) -> str:
    if isinstance(low, str) or isinstance(high, str):  # a category
        return str(low)
    one, other = count_text(low), count_text(high)
    return one if one == other else f"{one}-{other}"


def _laws(laws: pd.DataFrame) -> list[str]:
    """The laws that suit, in order, and those that do not with what they lose."""
    told = laws[laws["cannot"].map(len) == 0]
    found = []
    if len(told):
        whole = told[told["ignores"].map(len) == 0]
        best = whole if len(whole) else told[told["ignores"].map(len) == told["ignores"].map(len).min()]
        lacks = f" (without {' and '.join(best['ignores'].iloc[0])})" if len(whole) == 0 else ""
        found.append(f"these runs determine every parameter of {', '.join(best.index[:LAWS])}{lacks}")
    lost = laws[(laws["cannot"].map(len) > 0) & (laws["ignores"].map(len) == 0) & laws["varied"]]
    for cannot, part in lost.groupby(lost["cannot"].map(", ".join), sort=False):
        found.append(f"they cannot tell {cannot} of {', '.join(map(str, part.index))}")
    return found


def description_text(one: Description, room: int | None = None) -> str:
    """The description as lines folded to a room of so many characters; the command keeps whole where it is Python."""
    *rows, (key, command) = lines(one)
    told = fold("\n".join(f"{key:<{KEY}}{words}" for key, words in rows), room, KEY)
    return f"{told}\n{key:<{KEY}}{shell(command, room) if one.command else command}"


def shell(command: str, room: int | None) -> str:
    """A call of the command line, broken at spaces where it is too long, as a shell takes it."""
    if room is None or not command.startswith("parscale "):
        return command
    words = fold(f"{' ' * KEY}{command}", room - 2, KEY).strip()
    return words.replace("\n", " \\\n")


def description_html(one: Description) -> str:
    """The description as an HTML table."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(key)}</th><td style='text-align:left'>{escape(words)}</td></tr>"
        for key, words in lines(one)
    )
    return f"<table>{cells}</table>"


def as_dict(one: Description) -> dict[str, Any]:
    """The description as plain values."""
    return {
        "source": one.source,
        "rows": one.rows,
        "left_out": one.left_out,
        "axes": one.table.reset_index().to_dict("records"),
        "levels": {axis: table.to_dict("records") for axis, table in one.levels.items()},
        "guesses": [vars(guess) | {"text": str(guess)} for guess in one.reading.guesses],
        "design": list(one.design),
        "repeats": list(one.repeats),
        "mixed": list(one.mixed),
        "laws": one.laws.reset_index().to_dict("records"),
        "others": one.others,
        "verdict": one.verdict,
        "command": one.command,
    }
