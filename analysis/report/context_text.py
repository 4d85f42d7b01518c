"""Where in the text a change with P is: in what can be copied from context, or in what must be known.

Reads the table of `parscale context`: by run, loss_PART and share_PART (sweeps.inspect.loss_by_context says what the parts
are). Each part's loss is treated as `analysis.report.gains_text` treats the whole's.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from scaling import terminal_text
from scaling.selection.gains_by_context import changes, noise, parts, worth

HEAD = (
    "change of the loss by what the window held before: a pair repeated, a token seen, a new one; "
    "start: its first tokens"
)


def text(table: pd.DataFrame, level: float = 0.95, room: int | None = None) -> str:
    """Changes with the parts side by side, their share of the text and their scatter over seeds.

    room: of the terminal, in characters; None: as wide as the tables are.
    """
    known = changes(table, level)
    if not len(known):
        return "context: measured of no size at P = 1 and at more"
    keys = ["corpus", "size", "N_one", "P", "seeds"]
    wide = known.pivot_table(index=keys, columns="part", values="change", sort=False).reset_index()
    wide = wide.drop(
        columns=["corpus", "N_one"] if (wide["corpus"] == wide["corpus"].iloc[0]).all() else ["N_one"]
    )
    how: Any = dict.fromkeys(parts(table), "{:+.4f}".format) | {"P": "{:g}".format}
    shares = ", ".join(f"{part} {table[f'share_{part}'].mean():.0%}" for part in parts(table))
    keyed = sum(c in keys for c in wide)
    shown = terminal_text.table(wide, room, keyed, index=False, formatters=how, na_rep="")
    lines = [HEAD, shown, f"of the text: {shares}"]
    return "\n".join([*lines, *_scatter(noise(table)), *_worth(worth(table, level), level)])


def _worth(found: pd.DataFrame, level: float) -> list[str]:
    """The table of `worth` for the terminal."""
    if not len(found):
        return []
    shown = found if len(set(found["corpus"])) > 1 else found.drop(columns="corpus")
    how: Any = dict.fromkeys(("k", "lower", "upper"), "{:.4f}".format)
    head = f"k of Eq 5 fitted to each part alone, least squares, {100 * level:g}% profile interval"
    return ["", head, shown.to_string(index=False, formatters=how, na_rep="")]


def _scatter(found: pd.DataFrame) -> list[str]:
    """A line a corpus: the standard deviation of a change over seeds in each part."""
    known = found.dropna(subset=["of_a_change"])
    return [
        f"{str(corpus) or 'all'}: over seeds a change scatters by "
        + ", ".join(f"{part} {sd:.4f}" for part, sd in zip(rows["part"], rows["of_a_change"], strict=True))
        + f" ({rows['pairs'].iloc[0]} degrees of freedom)"
        for corpus, rows in known.groupby("corpus", sort=False)
    ]
