"""Where in the text a change with P is: in what can be copied from context, or in what must be known.

Reads the table of `parscale context`: by run, loss_PART and share_PART (sweeps.context says what the parts
are). Each part's loss is treated as `analysis.gains` treats the whole's.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

import scaling
from analysis import gains
from analysis.corpora import split_by_corpus
from analysis.gains import mean_changes, noise_over_seeds
from scaling import terminal

HEAD = (
    "change of the loss by what the window held before: a pair repeated, a token seen, a new one; "
    "start: its first tokens"
)


def parts(table: pd.DataFrame) -> list[str]:
    """The parts of the text that the table tells apart."""
    names = [str(c).removeprefix("share_") for c in table if str(c).startswith("share_")]
    return [name for name in names if f"loss_{name}" in table]


def changes(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The rows of `analysis.gains.mean_changes` for every part: part, share (of the text) and its columns.

    Nothing here is worth parameters: a part has no law of N of its own.
    """
    found = []
    for part in parts(table):
        rows = mean_changes(table.assign(loss=table[f"loss_{part}"]), level)
        rows.insert(0, "part", part)
        found.append(rows.assign(share=float(table[f"share_{part}"].mean())))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["part"])


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """The changes that `changes` averages, each seed's: the columns of `analysis.gains.pairs`, and part."""
    found = [gains.pairs(table.assign(loss=table[f"loss_{part}"])).assign(part=part) for part in parts(table)]
    return pd.concat(found, ignore_index=True)


def noise(table: pd.DataFrame) -> pd.DataFrame:
    """How far seeds scatter in each part: `analysis.gains.noise_over_seeds` with the part's name."""
    found = [
        noise_over_seeds(table.assign(loss=table[f"loss_{part}"])).assign(part=part) for part in parts(table)
    ]
    return pd.concat(found, ignore_index=True)


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
    shown = terminal.table(wide, room, keyed, index=False, formatters=how, na_rep="")
    lines = [HEAD, shown, f"of the text: {shares}"]
    return "\n".join([*lines, *_scatter(noise(table)), *_worth(worth(table, level), level)])


def worth(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The k of Eq 5 (arXiv 2505.10475) fitted to each part's losses by least squares, where they allow it.

    Columns: corpus, part, k, lower, upper (profile interval), status of the fit; k is missing where
    it is not identifiable.
    """
    rows = []
    for corpus, runs in split_by_corpus(table).items():
        for part in parts(runs):
            try:
                fitted = scaling.fit(
                    scaling.ParallelLaw, runs.assign(loss=runs[f"loss_{part}"]), scaling.LeastSquares()
                )
            except scaling.FitError:  # fewer runs than parameters
                continue
            ends = list(fitted.intervals(level).loc["k"]) if fitted.determined else [float("nan")] * 3
            rows.append((corpus, part, *ends, str(fitted.status)))
    return pd.DataFrame(rows, columns=["corpus", "part", "k", "lower", "upper", "status"])


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
