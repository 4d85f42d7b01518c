"""Loss reduction from P > 1 at each size, in words and tables: seed by seed, by part of the text, by averaging.

In a small model prefixes and aggregation add a good part of N: a fall of the loss from P = 1 to P is no
gain of the streams until it passes what so many parameters would have given anyway. By part of the text:
the table of `parscale context` has loss_PART and share_PART of each run (sweeps.inspect.loss_by_context
says what the parts are).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling import terminal_text
from scaling.fitting.summary import number_text
from scaling.selection.gains_by_context import changes, context_worth, noise, parts
from scaling.selection.paired_gains import one_stream_fits

FORMATS = {
    "N_one": ",.0f",
    "P": "g",
    "N": ",.0f",
    "D": ",.0f",
    **dict.fromkeys(("change", "low", "high", "by_parameters", "by_low", "by_high"), "+.4f"),
    "spread": ".4f",
    "k": ".2f",
}


def gains_notes(runs: pd.DataFrame, level: float = 0.95) -> str:
    """What the columns of `gains` rest on: the interval's kind, the status of each fit at P = 1."""
    lines = [
        "change: loss minus that of P = 1 at the same seed, nats per token; "
        f"low, high: its {100 * level:g}% interval over seeds (Student)",
        "by_parameters: what N / N_one alone would change, by L = E + (A / N)^alpha fitted to P = 1; "
        f"by_low, by_high: its {100 * level:g}% profile interval",
        "k: of ParallelLaw for this change alone, by the same law of N; one number in every row where that law holds",
    ]
    return "\n".join([*lines, *one_stream_words(runs)])


def one_stream_words(runs: pd.DataFrame) -> list[str]:
    """How the law of N fitted to the runs of P = 1 ended, a line each corpus."""
    fits = one_stream_fits(runs)
    if not fits:
        return ["too few sizes at P = 1 to fit"]
    return [
        f"{name or 'all'}: {one.status}, {one.loss.size} runs of P = 1, {one.degrees_of_freedom:g} degrees of freedom"
        for name, one in fits.items()
    ]


def seed_scatter_text(row: Mapping[Any, Any]) -> str:
    """A row of `noise_over_seeds` in words."""
    where = f"{row['corpus']}: " if row["corpus"] else ""
    if np.isnan(row["of_a_run"]):
        return f"{where}one seed only; what another would have given is not known."
    words = f"{where}seeds scatter by {row['of_a_run']:.4f} (standard deviation of one run)"
    if np.isnan(row["of_a_change"]):
        return f"{words}."
    paired = f"{row['of_a_change']:.4f} for a change at equal seed"
    return f"{words}, {paired} ({row['pairs']} degrees of freedom)."


SHOWN = (
    "corpus", "size", "D", "P", "change", "low", "high", "k",
    "by_parameters", "by_low", "by_high", "spread", "seeds", "N_one", "N",
)  # fmt: skip
NAMES_ROW = ("corpus", "size", "D", "P")


def shown_gains(table: pd.DataFrame) -> pd.DataFrame:
    """`gains`, what matters first, without empty columns, the corpus or the budget where there is but one."""
    alone = [c for c in ("corpus", "D") if c in table and len(table[c].unique()) == 1]
    told = table.drop(columns=alone).dropna(axis="columns", how="all")
    return told[[c for c in SHOWN if c in told]]


def gains_text(table: pd.DataFrame, room: int | None = None) -> str:
    """`gains` for the terminal. Columns in blocks where its room in characters is too small."""
    shown = shown_gains(table)
    how: Any = {name: f"{{:{form}}}".format for name, form in FORMATS.items() if name in shown}
    keys = sum(name in NAMES_ROW for name in shown)
    return terminal_text.table(shown, room, keys, index=False, formatters=how, na_rep="")


AVERAGED_HEAD = """\
one: loss of one stream alone; gain: of the average of all P below it; spread: its standard deviation
over runs; line: the gain by Proposition 1; slope: its (L1 - E)(1 - rho), equal for every P where rho is"""


def averaged_streams_text(streams: pd.DataFrame, room: int | None = None) -> str:
    """What averaging all P streams gained over one of them, a size's runs in the mean, for the terminal."""
    one = streams[streams["m"] == 1].set_index("run_id")["loss"]
    whole = streams[streams["m"] == streams["P"]].assign(one=lambda t: t["run_id"].map(one))
    whole["slope"] = whole["line"] / (1 - 1 / whole["P"])
    apart = [c for c in ("corpus", "recipe") if c in whole and len(set(whole[c])) > 1]
    groups = whole.groupby([*apart, "size", "P"], sort=False)
    table = groups[["one", "gain", "line", "slope", "similarity", "entropy"]].mean()
    table.insert(0, "runs", groups.size())
    table.insert(3, "spread", groups["gain"].std())
    told = table.reset_index().dropna(axis="columns", how="all")
    form: dict[str, Any] = {"one": "{:.4f}".format, "similarity": "{:.4f}".format, "entropy": "{:.3f}".format}
    form |= dict.fromkeys(("gain", "spread", "line", "slope"), number_text)
    how: Any = {name: one for name, one in form.items() if name in told}
    return f"{AVERAGED_HEAD}\n{terminal_text.table(told, room, len(apart) + 2, index=False, formatters=how, na_rep='')}"


CONTEXT_HEAD = (
    "change of the loss by what the window held before: a pair repeated, a token seen, a new one; "
    "start: its first tokens"
)
OF_PARTS = "k of ParallelLaw fitted to each part alone, least squares, {:g}% profile interval"
INSIDE = "start"  # the part that lies in the others, which are the whole text


def gains_by_context_text(table: pd.DataFrame, level: float = 0.95, room: int | None = None) -> str:
    """Changes with the parts side by side, their share of the text and their scatter over seeds.

    room: of the terminal, in characters. None: as wide as the tables are.
    """
    known = changes(table, level)
    if not len(known):
        return "context: measured of no size at P = 1 and at more"
    wide = parts_side_by_side(known)
    how: Any = dict.fromkeys(parts(table), "{:+.4f}".format) | {"P": "{:g}".format}
    keyed = sum(c not in how or c == "P" for c in wide)
    shown = terminal_text.table(wide, room, keyed, index=False, formatters=how, na_rep="")
    lines = [CONTEXT_HEAD, shown, shares_text(table), *seed_scatter_by_part(noise(table))]
    return "\n".join([*lines, *_k_by_part(context_worth(table, level), level)])


def parts_side_by_side(known: pd.DataFrame) -> pd.DataFrame:
    """`changes` with a column each part, the corpus only where there are several."""
    keys = ["corpus", "size", "P", "seeds"]
    wide = known.pivot_table(index=keys, columns="part", values="change", sort=False).reset_index()
    return wide.drop(columns=["corpus"] if (wide["corpus"] == wide["corpus"].iloc[0]).all() else [])


def shares_text(table: pd.DataFrame) -> str:
    """Which share of the text each part is."""
    told = {part: f"{part} {table[f'share_{part}'].mean():.1%}" for part in parts(table)}
    inside = f"; {told.pop(INSIDE)}, which lies in these" if INSIDE in told else ""
    return f"of the text: {', '.join(told.values())}{inside}"


def _k_by_part(found: pd.DataFrame, level: float) -> list[str]:
    """The table of `worth` for the terminal."""
    if not len(found):
        return []
    shown = found if len(set(found["corpus"])) > 1 else found.drop(columns="corpus")
    how: Any = dict.fromkeys(("k", "lower", "upper"), "{:.4f}".format)
    return ["", OF_PARTS.format(100 * level), shown.to_string(index=False, formatters=how, na_rep="")]


def seed_scatter_by_part(found: pd.DataFrame) -> list[str]:
    """A line a corpus: the standard deviation of a change over seeds in each part."""
    known = found.dropna(subset=["of_a_change"])
    return [
        f"{str(corpus) or 'all'}: over seeds a change scatters by "
        + ", ".join(f"{part} {sd:.4f}" for part, sd in zip(rows["part"], rows["of_a_change"], strict=True))
        + f" ({rows['pairs'].iloc[0]} degrees of freedom)"
        for corpus, rows in known.groupby("corpus", sort=False)
    ]
