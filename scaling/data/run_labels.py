"""Which rows of a table share a run: by a column of runs, or because they differ only in step or checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

RUN_COLUMNS = ("run_id", "runid", "run", "run_name", "name", "experiment")
STEP_COLUMNS = ("step", "steps", "_step", "global_step", "checkpoint", "ckpt")
PROGRESS = {*STEP_COLUMNS, "d", "c", "tokens", "flops", "epoch", "status"}  # what differs along one run


def run_labels(table: Any, keep: Any) -> tuple[Any, str]:
    """The run of each usable row, (n,), and the column that names it. (None, "") if no run has two rows.

    A column of runs counts if a label repeats and every label has one N and one P. Without one, rows belong to
    one run if they differ only in step or checkpoint and what changes with it.
    """
    if not isinstance(table, (Mapping, pd.DataFrame)):
        return None, ""
    by_name = {str(name).casefold(): name for name in table}
    for name in (by_name[c] for c in RUN_COLUMNS if c in by_name):
        labels = pd.Series(np.asarray(table[name])[keep])
        if _repeats(labels) and _one_model_each(labels, table, keep):
            return _each_its_own(labels), f"column {name}"
    step = next((by_name[c] for c in STEP_COLUMNS if c in by_name), None)
    if step is None or pd.Series(np.asarray(table[step])[keep]).nunique() < 2:
        return None, ""
    frame = pd.DataFrame({str(c): np.asarray(table[c])[keep] for c in table if _tells(str(c))})
    if frame.shape[1] == 0:
        return None, ""
    labels = pd.Series(frame.groupby(list(frame), dropna=False, sort=False).ngroup())
    return (labels.to_numpy(object), f"column {step}") if _repeats(labels) else (None, "")


def _repeats(labels: pd.Series) -> bool:
    return bool(labels.dropna().duplicated().any())


def _one_model_each(labels: pd.Series, table: Any, keep: Any) -> bool:
    """Whether no label has two N or two P: else it numbers replicates, not runs."""
    axes = [np.asarray(table[a])[keep] for a in ("N", "P") if a in table]
    return all(pd.Series(x).groupby(labels.to_numpy()).nunique().max() == 1 for x in axes)


def _tells(column: str) -> bool:
    """Whether a column's values differ from run to run, not along one."""
    name = column.casefold()
    return name not in PROGRESS and not any(word in name for word in ("loss", "time", "ppl", "perplexity"))


def _each_its_own(labels: pd.Series) -> Any:
    """Labels with a row that has none as a run of its own."""
    out = labels.to_numpy(object).copy()
    empty = np.asarray(labels.isna())
    out[empty] = [f"row {i + 1}" for i in np.flatnonzero(empty)]
    return out
