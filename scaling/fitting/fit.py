"""Fitting a law to runs: one call in, one value out, with its certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.runs import arrays, usable
from scaling.fitting.result import Fit
from scaling.laws.base import Array, Law
from scaling.optimise.objectives import LogHuber, Objective, checked
from scaling.optimise.optimum import STARTS, solve
from scaling.optimise.problem import Problem
from scaling.uncertainty.size_effects import GIVEN, OFF, grouped, run_labels


def fit(
    law: type[Law],
    table: Any,
    objective: Objective | None = None,
    *,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    start: int = STARTS,
) -> Fit:
    """Fit a law (its class) to a runs table (DataFrame or mapping with the law's axes and `loss`).

    objective: LogHuber(1e-3) unless told (the published procedure's; arXiv 2505.10475).
    weights: how often each row counts, a column name or (n,): whole numbers >= 0, for degrees of freedom
    follow from their sum. se: standard error of each row's loss in nats per token, a column name or (n,);
    residuals are divided by it. groups: column name or labels of the configuration or run a row belongs to
    (checkpoints of one run are one cluster). None: what the table tells, a column of runs whose labels repeat,
    else sizes or configurations that an F test finds to miss the law together (5% for both tests). False:
    rows are taken as independent. start:
    how many starting points. Deterministic. Raises ValueError naming the first bad row and value, FitError
    where there are fewer rows than parameters. A doubtful answer is returned with a status, not raised.
    """
    law, objective = Law.of(law), checked(objective, LogHuber())
    if isinstance(table, str):
        raise ValueError(f"table={table!r}: read it first, with scaling.read_runs")
    data, excluded = arrays(table, law.axes)
    keep = usable(table)
    if start < 1:
        raise ValueError(f"start={start}: at least one starting point is needed")
    y = data.pop("loss")
    w = column(table, weights, keep, "weights", zero=True)
    problem = Problem(law, tuple(data.values()), y, w, objective)
    if se is not None:
        spread = column(table, se, keep, "se") / (y if problem.objective.log else 1.0)
        problem = replace(problem, scale=np.exp(np.log(spread).mean()) / spread)
    labels, how = labels_of(table, groups, keep)
    return Fit.of(grouped(solve(problem, start, excluded, labels), how))


def _given(table: Any, given: Any, keep: Any, name: str) -> Any:
    """A column of the table, by name, or an array of as many values as it has rows."""
    if isinstance(given, str) and given not in table:
        raise ValueError(f"{name}={given!r}: no such column; there are {', '.join(map(str, table))}")
    values = np.asarray(table[given] if isinstance(given, str) else given)
    if values.shape != keep.shape:
        raise ValueError(f"{name} has shape {values.shape} for {keep.size} rows")
    return values


def column(table: Any, given: Any, keep: Any, name: str, zero: bool = False) -> Array:
    """Amounts of the usable rows, (n,): 1 where none are given; > 0, or counts (>= 0, whole) if `zero`."""
    if given is None:
        return np.ones(int(keep.sum()))
    values = _given(table, given, keep, name).astype(np.float64)
    bad = keep & ~(np.isfinite(values) & (values >= 0 if zero else values > 0))
    if bad.any() or not values[keep].any():
        row = int(np.flatnonzero(bad if bad.any() else keep)[0])
        raise ValueError(
            f"{name}: row {row + 1} is {values[row]:g}; it must be {'>= 0, not all 0' if zero else '> 0'}"
        )
    if zero and (values[keep] % 1 != 0).any():
        row = int(np.flatnonzero(keep & (values % 1 != 0))[0])
        raise ValueError(
            f"{name}: row {row + 1} is {values[row]:g}, no count: rows of unequal noise take se=, the standard "
            f"error of each loss (se = 1 / sqrt(weight) where weights are 1 / se^2); shares that sum to 1, counts"
        )
    return np.asarray(values[keep])


def labels_of(table: Any, given: Any, keep: Any) -> tuple[Any, str]:
    """The cluster of each usable row, or None, and how it is known."""
    if given is False:
        return None, OFF
    if given is None:
        return run_labels(table, keep)
    labels = _given(table, given, keep, "groups").astype(object)[keep]
    empty = np.asarray(pd.isna(labels), dtype=bool)
    if empty.any():
        row = int(np.flatnonzero(keep)[np.flatnonzero(empty)[0]])
        raise ValueError(f"groups: row {row + 1} has no label")
    return labels, f"column {given}" if isinstance(given, str) else GIVEN
