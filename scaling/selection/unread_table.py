"""A table that holds no runs yet under names that are known: why not, what its columns hold, how to name them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling.data import table_files
from scaling.data.columns.column_names import of_axis
from scaling.data.columns.recognise import numbers
from scaling.data.query import equals, shown_values
from scaling.result_table import ResultTable
from scaling.selection.description import KEY, shell
from scaling.selection.run_structure import holds
from scaling.terminal_text import fold, width

WIDE = 4  # columns named by numbers from which a table is wide
MARKS = {  # parts of a name that may mean an axis, and the least that its values then are
    "N": (("param", "non_emb", "model_size"), 1e4),
    "D": (("token", "data_size"), 1e5),
    "loss": (("loss", "bpb", "perplex", "entropy", "nll"), 0.0),
}


@dataclass(frozen=True, repr=False)
class UnreadTable(ResultTable):
    """A table that cannot be fitted as it is: `table` lists its columns, `verdict` says why, `command` what next."""

    table: pd.DataFrame  # index column; holds (in words), may_be (an axis, or empty)
    verdict: str
    rows: int
    command: str
    source: str

    def lines(self) -> list[tuple[str, str]]:
        """Every line: what it is about, and what it says."""
        may = [f"{name} may be {axis}" for name, axis in self.table["may_be"].items() if axis]
        rows = [
            ("table", f"{self.source}: {self.rows:,} rows, {len(self.table)} columns"),
            ("look", self.verdict),
        ]
        rows += [("column", f"{name}: {words}") for name, words in self.table["holds"].items()]
        rows += [("look", "; ".join(may))] if may else []
        return [*rows, ("next", self.command or "name the columns: --columns N=COLUMN,loss=COLUMN")]

    def text(self, room: int | None = None) -> str:
        """The lines, folded to the room of a terminal."""
        *rows, (key, command) = self.lines()
        told = fold("\n".join(f"{name:<{KEY}}{words}" for name, words in rows), room, KEY)
        return f"{told}\n{key:<{KEY}}{shell(command, room)}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        columns = self.table.reset_index().to_dict("records")
        return {"source": self.source, "rows": self.rows, "columns": columns, "verdict": self.verdict,
                "command": self.command}  # fmt: skip

    def __repr__(self) -> str:
        return self.text(width())

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{escape(key)}</th><td>{escape(words)}</td></tr>" for key, words in self.lines()
        )
        return f"<table>{cells}</table>"


def unread(path: Path, why: str) -> UnreadTable | None:
    """The columns of a file that holds no runs as it is, and why; None for a file that is no table."""
    try:
        frame = table_files.load_table(path)
    except ValueError:
        return None
    if frame.empty or not frame.columns.is_unique:
        return None
    may = _candidates(frame)
    table = pd.DataFrame(
        [(str(name), holds(frame[name]), may.get(str(name), "")) for name in frame],
        columns=["column", "holds", "may_be"],
    ).set_index("column")
    command = _command(path, may, set(map(str, frame)))
    return UnreadTable(table, why.removeprefix(f"{path}: ") + _wide(frame), len(frame), command, str(path))


def _wide(frame: pd.DataFrame) -> str:
    """What to do with a table whose column names are values of an axis; empty for others."""
    names = [str(name) for name in frame if re.fullmatch(r"\d[\d.e+]*[kMBT]?", str(name))]
    if len(names) < WIDE:
        return ""
    return f". Columns {shown_values(names)} are values themselves: make a row of each (pandas.melt)"


def _candidates(frame: pd.DataFrame) -> dict[str, str]:
    """Columns that may mean an axis which the table lacks, the likeliest of each axis first."""
    found = dict.fromkeys(of_axis(frame, "P"), "P") if "P" not in frame else {}
    for axis, (marks, least) in MARKS.items():
        like = [name for name in map(str, frame) if any(mark in name.casefold() for mark in marks)]
        for name in dict.fromkeys([*of_axis(frame, axis), *like]) if axis not in frame else ():
            rate = axis != "loss" and "per_" in name.casefold()  # tokens_per_epoch is no D
            values = None if rate else numbers(frame[name])
            if values is not None and np.isfinite(values).any() and float(np.nanmedian(values)) > least:
                found.setdefault(name, axis)
    return found


def _command(path: Path, may: dict[str, str], have: set[str]) -> str:
    """The call that names the likeliest columns; empty where N or the loss is in none."""
    first: dict[str, str] = {}
    for name, axis in may.items():
        first.setdefault(axis, name)
    if not {"N", "loss"} <= set(first) | have or not first:
        return ""
    pairs = ",".join(equals(axis, name) for axis, name in first.items())
    return shlex.join(["parscale", "inspect", str(path), "--columns", pairs])
