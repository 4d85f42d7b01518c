"""The one writer of what a command prints: tables as text, Markdown, LaTeX or JSON, and lines of text.

A table is shown whole at any width. Numbers are never broken. If the terminal is too narrow, the columns are
split over several tables that each begin with the key columns. A pipe gets one plain table, however wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from scaling.selection.verdict import Verdict

GAP = 3  # characters between two columns
WORD = 9  # characters that a column of text may shrink to


@dataclass(frozen=True)
class Partly:
    """Text of the groups of a table that worked, and what is said of those that did not: exit code 1."""

    text: str
    failed: str


def groups_text(text: str, refused: Mapping[str, str]) -> str | Partly:
    """The text of a command's groups, with the reasons for those that were refused, each said once."""
    if not refused:
        return text
    reasons: dict[str, list[str]] = {}
    for told in refused.values():  # "column=value: why"
        group, _, why = told.partition(": ")
        reasons.setdefault(why.rstrip("."), []).append(group)
    said = "; ".join(f"{', '.join(groups)}: {why}" for why, groups in reasons.items())
    return Partly(text, f"{said}. The other groups are done.")


def show(frame: pd.DataFrame, title: str = "", caption: str = "", keys: int = 1, form: str = "text") -> None:
    """Print a table under its title, with its caption below. The first `keys` columns name a row."""
    from scaling import terminal_text

    if form != "text":
        print(marked_up(frame, title, caption, form), flush=True)
        return
    columns = [str(name) for name in frame.columns]
    cells = [_cells(str(name), frame[name]) for name in frame]
    right = [_is_right(frame[name].dtype.kind, column) for name, column in zip(frame, cells, strict=True)]
    room = terminal_text.width()
    if room is None:
        print(plain(columns, cells, right, title, caption), flush=True)
    else:
        _show_rich(columns, cells, right, title, caption, keys, room)


def _cells(name: str, column: pd.Series[Any]) -> list[str]:
    """A column as text: numbers with equal decimals, counts as 2.54B, booleans as yes or blank, words unchanged."""
    from scaling.terminal_text import column_texts

    if column.dtype.kind == "f":
        return column_texts(name, column.tolist())
    if column.dtype.kind == "b":
        return ["yes" if value else "no" for value in column]
    return [cell(value) for value in column]


def cell(value: Any) -> str:
    """A value as text: floats with five digits, missing values blank."""
    if value is None or value != value:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _is_right(kind: str, column: Sequence[str]) -> bool:
    """Whether a column holds numbers, formatted or not, and so is aligned to the right."""
    if kind in "fiub":
        return kind != "b"
    first = [text.lstrip("+-x ")[:1] for text in column if text]
    return bool(first) and all(character.isdigit() for character in first)


def plain(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str, caption: str
) -> str:
    """A table as plain text: title, header, rule, rows, an empty line, caption."""
    widths = [max(map(len, (name, *column))) for name, column in zip(columns, cells, strict=True)]
    lines = [title] if title else []
    for row in (columns, ["─" * width for width in widths], *zip(*cells, strict=True)):
        parts = zip(row, widths, right, strict=True)
        set_in = [text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in parts]
        lines.append((" " * GAP).join(set_in).rstrip())
    return "\n".join([*lines, "", *([caption] if caption else [])])


def _show_rich(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    title: str,
    caption: str,
    keys: int,
    room: int,
) -> None:
    """A table on a terminal of this width, split into several if it does not fit."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from scaling.terminal_text import blocks

    least = [
        max(map(len, (*(name.split() or [""]), *column)))
        if number
        else min(WORD, max(map(len, (name, *column))))
        for name, column, number in zip(columns, cells, right, strict=True)
    ]
    parts = blocks([GAP + width for width in least], room - 1, keys)
    for part in parts:
        last = part is parts[-1]
        table = Table(box=SIMPLE_HEAD, title=title or None, caption=caption or None if last else None)
        for i in part:
            side: Any = "right" if right[i] else "left"
            table.add_column(columns[i], justify=side, overflow="fold", min_width=least[i])
        for row in zip(*(cells[i] for i in part), strict=True):
            table.add_row(*row)
        Console(width=room).print(table, markup=False)


def marked_up(frame: pd.DataFrame, title: str, caption: str, form: str) -> str:
    """A table for a document: form is "markdown" or "latex"."""
    from analysis.output import formatted_tables

    if form == "latex":
        return formatted_tables.latex_table(frame, ". ".join(filter(None, (title, caption))))
    parts = (title, formatted_tables.markdown(frame).rstrip(), caption)
    return "\n\n".join(filter(None, parts)) + "\n"


def say(text: str, bold: bool = False) -> None:
    """Print lines of text, folded between words to a terminal's width."""
    from scaling import terminal_text

    room = terminal_text.width()
    folded = terminal_text.fold(text, room)
    print(f"\033[1m{folded}\033[0m" if bold and room is not None else folded, flush=True)


COLOURS = {"yes": "32", "no": "31", "cannot tell": "33"}  # green, red, yellow


def verdict_text(found: Verdict, room: int | None) -> str:
    """The three answers, a paragraph each. On a terminal each answer has its colour, unless NO_COLOR is set."""
    from os import environ

    from scaling import terminal_text

    lines = [terminal_text.fold(line, room) for line in found.lines]
    if room is None or environ.get("NO_COLOR"):
        return "\n".join(lines)
    words = [(f"{one.answer.capitalize()}:", COLOURS[one.answer]) for one in found.answers]
    return "\n".join(
        line.replace(word, f"\033[1;{colour}m{word}\033[0m", 1)
        for line, (word, colour) in zip(lines, words, strict=True)
    )


def as_json(content: Any) -> str:
    """Strict JSON at full precision, indented: null for a number that is missing or infinite."""
    from scaling.fitting.save import dumps

    return dumps(content)
