"""How a table's rows belong together: configurations run again, rows of one run, compute, and other columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.levels import approximate_C
from scaling.data.query import shown_values
from scaling.laws.base import Array

STEPS = (
    "step",
    "steps",
    "_step",
    "global_step",
    "iteration",
    "iterations",
    "iter",
    "iters",
    "epoch",
    "checkpoint",
)
SEEDS = ("seed", "random_seed", "rng_seed", "trial", "replicate", "repeat")
CLOSE = 0.02  # relative: C this near to 6 N D is that
LISTED = 8  # words of another column that are listed by count


def repeat_notes(runs: pd.DataFrame, axes: Mapping[str, Array]) -> tuple[str, ...]:
    """What repeats: configurations, exact rows, steps within one configuration; a sentence each."""
    points = pd.DataFrame(dict(axes))
    if not points.duplicated().any():
        return _step_notes(runs, points)
    count = points.groupby(list(points), sort=False).size()
    counts = {name: runs[name].nunique() for name in _named(runs, SEEDS)}
    seeds = ", ".join(f"{name} has {n} values" for name, n in counts.items() if n > 1)
    why = f" ({seeds})" if seeds else ""
    found = [f"{len(points):,} runs of {len(count):,} configurations, {_times(count.to_numpy())}{why}"]
    same = int(points.assign(loss=runs["loss"].to_numpy()).duplicated().sum())
    if same:
        words = f"{same} rows repeat" if same > 1 else "1 row repeats"
        found.append(f"{words} another exactly, the loss too: drop them if they are one run")
    return (*found, *_step_notes(runs, points))


def _times(count: Any) -> str:
    """How often configurations were run, in words."""
    if count.min() == count.max():
        return f"{count.min()} of each"
    return f"1 to {count.max()} of each" if count.min() == 1 else f"{count.min()} to {count.max()} of each"


def _named(runs: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Columns of these names, inside containers such as config. too."""
    return [str(n) for n in runs if re.split(r"[./:]", str(n).casefold())[-1] in names]


def _step_notes(runs: pd.DataFrame, points: pd.DataFrame) -> tuple[str, ...]:
    """That rows are steps of a run: a column of steps varies where N and P do not."""
    for name in _named(runs, STEPS):
        steps = pd.Series(runs[name].to_numpy())
        sizes = [points[axis] for axis in ("N", "P") if axis in points] or [points[axis] for axis in points]
        within = steps.groupby(sizes).nunique()
        if pd.api.types.is_numeric_dtype(steps) and steps.nunique() > 3 and (within > 3).mean() > 0.5:
            last = steps.groupby(sizes).max()
            keep = f"--where {name}={last.iloc[0]:g} keeps the last" if last.min() == last.max() else _LAST
            words = f"column {name} takes {within.max()} values at one size"
            return (f"rows may be checkpoints of one run: {words}, and each row is fitted as a run; {keep}",)
    return ()


_LAST = "keep the last row of each run, or name the run with --groups COLUMN"


def compute_note(runs: pd.DataFrame, keep: Any, axes: Mapping[str, Array]) -> tuple[str, ...]:
    """How a column C compares with 6 N P D; nothing where there is none."""
    if "C" not in runs or not {"N", "P", "D"} <= set(axes):
        return ()
    C = pd.to_numeric(runs["C"][keep], errors="coerce").to_numpy(np.float64)
    known = np.isfinite(C)
    if not known.any():
        return ()
    ratio = C[known] / approximate_C(axes["N"], axes["D"], axes["P"])[known]
    low, high = float(ratio.min()), float(ratio.max())
    form = "6 N D" if (axes["P"] == 1).all() else "6 N P D"
    if low > 1 - CLOSE and high < 1 + CLOSE:
        return (f"C is {form}",)
    return (
        f"C is {low:.3g} to {high:.3g} times {form}"
        if high > 1.005 * low
        else f"C is {low:.3g} times {form}",
    )


def other_columns(runs: pd.DataFrame, taken: set[str]) -> dict[str, str]:
    """What each column that is no axis holds, in a few words."""
    return {str(name): holds(runs[name]) for name in runs if str(name) not in taken}


def holds(column: pd.Series[Any]) -> str:
    """What a column holds, in a few words: its values where they are few, else their kind, number and range."""
    known = column.dropna()
    empty = f", {len(column) - len(known)} empty" if len(known) < len(column) else ""
    if known.empty:
        return "empty"
    try:
        values = pd.unique(known)
    except TypeError:
        return f"{type(known.iloc[0]).__name__}s{empty}"
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if len(values) <= LISTED:
        words = sorted(values) if numeric else list(map(str, values))
        text = shown_values([_short(f"{v:.4g}" if numeric else str(v)) for v in words])
        return f"{text}{empty}"
    if numeric:
        return f"{len(values)} values, {known.min():.4g} to {known.max():.4g}{empty}"
    return f"{len(values)} values such as {_short(str(values[0]))}{empty}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 32 else f"{text[:29]}..."
