"""A table in HTML: columns with names that people read, aligned decimals, what is the same in every row said once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from analysis.output.formatted_tables import Formats, table_cell
from analysis.output.html_words import html_words
from scaling.data.units import value_text
from scaling.terminal_text import column_texts

# What a column is called on a page, where underscores turned into spaces do not say it.
NAMES = {
    "by_high": "upper",
    "by_low": "lower",
    "by_parameters": "parameters alone",
    "by_points": "read off the runs",
    "C": "C (FLOPs)",
    "D": "D (tokens)",
    "delta_aicc": "AICc above the best",
    "delta_bic": "BIC above the best",
    "ended_step": "ended at step",
    "ended_why": "why",
    "equivalent_N": "equivalent N",
    "git_commit": "commit",
    "high": "upper",
    "holdout_rmse": "hold-out RMSE",
    "in_data": "within the runs",
    "latency_ms": "latency (ms)",
    "loo_rmse": "leave-one-out RMSE",
    "loss_se": "standard error",
    "low": "lower",
    "lr": "learning rate",
    "memory_mib": "memory (MiB)",
    "multiple": "times N",
    "N_one": "N at P = 1",
    "own_rmse": "RMSE of the fitted",
    "peak_memory_gib": "peak memory (GiB)",
    "r2": "R2",
    "rmse": "RMSE",
    "tokens_per_s": "tokens per second",
    "train_loss": "training loss",
    "wall_s": "time (s)",
}


def column_name(name: str) -> str:
    """A column's name for people."""
    return NAMES.get(name, name.replace("_", " "))


def html_table(table: pd.DataFrame, caption: str = "", formats: Formats | None = None) -> str:
    """A table that scrolls if it is too wide, with numbers on the right and unknown values blank.

    formats: of numbers, by column. The decimals of other columns of fractions are equal.
    """
    columns = [_cells(str(c), table[c], (formats or {}).get(str(c), "")) for c in table]
    marks = [' class="n"' if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table]
    names = [html_words(column_name(str(c))) for c in table]
    head = "".join(f'<th scope="col"{mark}>{name}</th>' for name, mark in zip(names, marks, strict=True))
    rows = "".join(
        "<tr>"
        + "".join(f"<td{m}>{html_words(cell)}</td>" for cell, m in zip(row, marks, strict=True))
        + "</tr>"
        for row in zip(*columns, strict=True)
    )
    words = f"<caption>{html_words(caption)}</caption>" if caption else ""
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="wide"><table>{words}{body}</table></div>'


def _cells(name: str, column: pd.Series[Any], form: str) -> list[str]:
    """A column as text."""
    if column.dtype.kind == "f" and not form:
        return [text.replace("-", "\N{MINUS SIGN}") for text in column_texts(name, column.tolist())]
    return [table_cell(value, form) for value in column]


def said_once(
    table: pd.DataFrame, formats: Formats | None = None, keep: Collection[str] = ()
) -> tuple[pd.DataFrame, str]:
    """A table without the columns that are the same in every row, and a sentence that says these. `keep`: stay."""
    same = [c for c in table if c not in keep and len(table) > 1 and len(table[c].unique()) == 1]
    known = {str(c): table[c].iloc[0] for c in same if pd.notna(table[c].iloc[0]) and table[c].iloc[0] != ""}
    told = [
        f"{column_name(name)} {_one_value(name, v, (formats or {}).get(name, ''))}"
        for name, v in known.items()
    ]
    return table.drop(columns=same), f"The same in every row: {', '.join(told)}." if told else ""


def _one_value(name: str, value: Any, form: str) -> str:
    """A value that has no column to be aligned with."""
    return value_text(name, value) if isinstance(value, float) and not form else table_cell(value, form)
