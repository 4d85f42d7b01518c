"""The parts that panels of several figures share: labels, a law written out, an empty panel, a head, a legend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.output.figure_style import GREY
from scaling.data.groups import labelled
from scaling.selection.equivalent_size import predicted

N_LABEL = "non-embedding parameters $N$"
LOSS_LABEL = "loss (nats per token)"
P_LABEL = "parallel streams $P$"
FEW, MANY = 1, 8  # the two P that the paper's teasers compare
LEGEND_LETTER, LEGEND_MARK = 4.0, 27.0  # points that a letter of a legend takes, and a mark with its spaces
NOTE = "note"  # the mark by which a panel's note is found
LEGEND_ROW = 11.0  # points
NOTE_LETTER = 3.7  # points that a letter of a note takes
NOTE_POINTS = 9.2  # height of a line of a panel's note


def by_streams(table: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    """Rows of each P, P ascending."""
    return [(int(P), table[table["P"] == P]) for P in sorted(table["P"].unique())]


def mathtext_number(value: float) -> str:
    """A coefficient for a panel, as mathtext: 0.69116 as 0.6912, 11310000 as 1.131 x 10^7."""
    if not np.isfinite(value):
        return r"\infty" if value > 0 else "?"
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        exponent = int(np.floor(np.log10(abs(value))))
        return rf"{value / 10**exponent:.3f}\times 10^{{{exponent}}}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"


def law_text(law: Any) -> str:
    """A fitted law written out with its constants, as mathtext on one or two lines."""
    names = [f.name for f in fields(law)]
    value = {n: mathtext_number(float(getattr(law, n))) for n in names}
    if names == ["E", "A", "alpha", "k"]:
        size = rf"N\,({value['k']}\,\ln P + 1)"
        return rf"$L = {value['E']} + [\,{value['A']}\,/\,({size})\,]^{{\,{value['alpha']}}}$"
    symbols = {"alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "rho": r"\rho"}
    body = r",\ ".join(f"{symbols.get(n, n)} = {value[n]}" for n in names)
    return f"{type(law).__name__}: ${body}$"


def r2_and_rmse(law: Any, rows: pd.DataFrame) -> tuple[float, float]:
    """R2 and root mean square error of a law on the loss of some runs."""
    loss = rows["loss"].to_numpy(dtype=float)
    residual = loss - predicted(law, rows)
    total = float(((loss - loss.mean()) ** 2).sum())
    r2 = 1 - float((residual**2).sum()) / total if total > 0 else float("nan")
    return r2, float(np.sqrt((residual**2).mean()))


def say_empty(axes: Axes, message: str) -> None:
    """A panel with nothing to draw says what is missing."""
    axes.text(0.5, 0.5, message, ha="center", va="center", transform=axes.transAxes, color=GREY, wrap=True)
    axes.set_xticks([])
    axes.set_yticks([])


def head(axes: Axes, title: str = "", lines: Iterable[str] = ()) -> None:
    """A panel's title and, between it and the panel, lines in small letters, never over the data."""
    letters = int(1.3 * axes.get_window_extent().width * 72 / axes.figure.dpi / NOTE_LETTER)
    whole = [part for line in lines for part in ([line] if "$" in line else wrap(line, letters))]
    text = "\n".join(filter(None, whole))
    axes.set_title(title, pad=4 + NOTE_POINTS * (text.count("\n") + 1 if text else 0))
    if text:
        look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 6.5, "linespacing": 1.3}
        where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(text, (0.5, 1), (0, 3), gid=NOTE, **where, **look)


def in_short(verdict: Any) -> str:
    """The three answers of a `scaling.verdict`, yes, no or cannot tell, in one line."""
    return " ".join(f"{one.question} {one.answer.capitalize()}." for one in verdict.answers)


def answered(verdicts: Mapping[str, Any] | None, answer: str) -> list[str]:
    """What each corpus' `scaling.verdict` says of `answer`: its streams, law or extrapolates."""
    return [labelled(corpus, getattr(found, answer).line) for corpus, found in (verdicts or {}).items()]


def one_legend(
    figure: Figure,
    ncols: int = 8,
    more: Mapping[str, Any] | None = None,
    lines: Iterable[str] = (),
    drawn: bool = True,
) -> None:
    """One legend above the panels, of all that is `drawn` in them, and `more`, under `lines`.

    The figure grows by it and by the heads of panels. It has at most as many columns as the figure holds.
    """
    known: dict[str, Any] = {}
    for axes in figure.axes if drawn else ():
        known |= {label: h for h, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    known |= more or {}
    letters = int(72 * figure.get_figwidth() / NOTE_LETTER)
    title = "\n".join(part for line in lines for part in wrap(line, letters))
    columns = next((n for n in range(min(len(known), ncols), 1, -1) if _fits(figure, known, n)), 1)
    if known:
        told: dict[str, Any] = {"title": title or None, "title_fontsize": 6.5, "ncols": columns}
        figure.legend(list(known.values()), list(known), loc="outside upper center", **told)
    _grow(figure, -(-len(known) // columns), title.count("\n") + 1 if title else 0)


def _fits(figure: Figure, labels: Iterable[str], columns: int) -> bool:
    """Whether a legend's labels fit in so many columns."""
    letters = [len(re.sub(r"[$\\{}]", "", label)) for label in labels]
    rows, longer = divmod(len(letters), columns)
    starts = np.cumsum([0] + [rows + (i < longer) for i in range(columns)])
    widest = [max(letters[a:b]) for a, b in pairwise(starts)]
    return sum(LEGEND_LETTER * n + LEGEND_MARK for n in widest) < 72 * figure.get_figwidth()


def _grow(figure: Figure, rows: int, lines: int) -> None:
    """Room for a legend's rows, the lines above it and the notes of each row of panels."""
    notes: dict[int, int] = {}
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        for text in axes.texts if spec is not None else ():
            if text.get_gid() == NOTE:
                row = spec.rowspan.start  # type: ignore[union-attr]
                notes[row] = max(notes.get(row, 0), text.get_text().count("\n") + 1)
    points = LEGEND_ROW * rows + NOTE_POINTS * (lines + sum(notes.values()))
    figure.set_figheight(figure.get_figheight() + points / 72)
