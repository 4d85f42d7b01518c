"""Text that fits a terminal: tables in blocks of columns, long lines folded between words.

`room` is the terminal's width in characters; None where lines may be of any length, in a file or a pipe.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scaling.data.units import count_text

if TYPE_CHECKING:
    import pandas as pd


COUNTED = re.compile(r"(equivalent_)?[NDC](_.*)?|tokens|FLOPs|up_to|by_points")  # columns of counts: 2.54B
DIGITS = 4  # of the largest number of a column, whose decimals all share
APART = 1e5  # times: numbers so far from each other have no decimals in common


def column_texts(name: str, values: Sequence[float]) -> list[str]:
    """A column of floats as text: counts as 2.54B, others with as many decimals each; nothing where one is missing."""
    known = [abs(v) for v in values if math.isfinite(v) and v != 0]
    large = [v for v in known if v >= 1e3]
    if COUNTED.fullmatch(name) and large:
        return ["" if math.isnan(v) else count_text(v) if v < 1e15 else f"{v:.3g}" for v in values]
    if not known or max(known) >= 1e5 or max(known) < 1e-3 or max(known) > APART * min(known):
        return ["" if math.isnan(v) else f"{v:.{DIGITS}g}" for v in values]
    if all(v % 1 == 0 for v in known):
        return ["" if math.isnan(v) else f"{v:.0f}" for v in values]
    decimals = max(DIGITS - 1 - math.floor(math.log10(max(known))), 0)
    return ["" if math.isnan(v) else f"{v:.{decimals}f}" for v in values]


def aligned(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with each column of floats, and an index of them, written by `column_texts`."""
    floats = [name for name in frame if frame[name].dtype.kind == "f"]
    shown = frame.assign(**{str(name): column_texts(str(name), frame[name].tolist()) for name in floats})
    if frame.index.dtype.kind == "f":
        shown.index = shown.index.map(
            dict(zip(frame.index, column_texts(str(frame.index.name), list(frame.index)), strict=True))
        )
    return shown


def width() -> int | None:
    """The room of standard output: a terminal's columns, None where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def blocks(widths: Sequence[int], room: int | None, keys: int = 0) -> list[list[int]]:
    """The places of columns so wide, a list each block that fits the room; the first `keys` begin each."""
    every = list(range(len(widths)))
    if room is None or sum(widths) <= room:
        return [every]
    out = [every[:keys]]
    for place in every[keys:]:
        if len(out[-1]) > keys and sum(widths[i] for i in (*out[-1], place)) > room:
            out.append(every[:keys])
        out[-1] = [*out[-1], place]
    return out


def table(frame: pd.DataFrame, room: int | None, keys: int = 0, **how: Any) -> str:
    """A DataFrame as text by its `to_string` with the options `how`, in blocks if the room is too narrow.

    Each block begins with the index, where it is shown, and the first `keys` columns.
    """
    index = 0
    if how.get("index", True):
        index = max(len(str(name)) for name in (frame.index.name or "", *frame.index))
    alone = how | {"index": False}
    cells = [frame.iloc[:, [i]].to_string(**alone).splitlines() for i in range(frame.shape[1])]
    widths = [max(map(len, lines)) + (2 if index else 1) for lines in cells]
    parts = blocks(widths, None if room is None else room - index, keys)
    return "\n\n".join(str(frame.iloc[:, places].to_string(**how)) for places in parts)


def fold(text: str, room: int | None, indent: int = 2) -> str:
    """The text, each line too long for the room broken between words, its rest set in by `indent`."""
    if room is None:
        return text
    how: Any = {"subsequent_indent": " " * indent, "break_long_words": False, "break_on_hyphens": False}
    return "\n".join(
        textwrap.fill(line, room, **how) if len(line) > room else line for line in text.split("\n")
    )
