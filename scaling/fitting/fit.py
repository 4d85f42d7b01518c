"""Fitting a law to runs: one call in, one value out, with its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame, as_runs
from scaling.data.columns.plain import plain_columns
from scaling.data.reading import ASSUMED, Guess, Reading, reading_of
from scaling.data.run_labels import run_labels
from scaling.data.runs import arrays, usable
from scaling.fitting.result import Fit
from scaling.fitting.table_notes import with_table_notes
from scaling.laws import Arms, axes_of_laws, law_of
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.multi_start import STARTS, solve
from scaling.optimise.objectives import Objective, checked
from scaling.optimise.problem import Problem
from scaling.shown import shown
from scaling.uncertainty.size_effects import GIVEN, OFF, grouped

TOLD = ("N", "P", "D", "size", "seed", "corpus")  # columns that a fit keeps: who may be paired with whom
SHARES = 1 + 1e-9  # weights that sum to no more are shares: no count of rows is as low
FEW = 10.0  # mean weights above which numbers that are not whole are no counts
MANY, MOST = 100.0, 1e5  # mean weights above which whole numbers are hardly counts, and are none


def fit(
    law: LawForm | Law | Arms | str,
    table: Any,
    objective: Objective | str | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    start: int = STARTS,
) -> Fit:
    """Fit a law to a table of runs.

    The result is deterministic. A doubtful fit is returned with its status and not raised.

    Args:
        law: class or name, such as `scaling.ParallelLaw` or "parallel".
        table: runs with the law's axes and `loss` (nats per token) as columns. A DataFrame, a mapping of columns, a
            list of records, or a pyarrow, polars or `datasets` table.
        objective: `LogHuber(1e-3)` by default, as published. Also by name, such as "huber".
        fixed: values of parameters that are held, in their own units: `{"E": 1.6}`.
        bounds: ends between which parameters are kept: `{"k": (0, 1)}`. None leaves an end as the law has it.
        weights: how often each row counts, a column name or (n,), at least 0. The degrees of freedom follow from
            their sum, so shares and 1 / se^2 are refused.
        se: standard error of each loss in nats per token, a column name or (n,). Residuals are divided by it.
        groups: column name or labels (n,) of the run or configuration of each row. Rows of one group share an
            offset, as checkpoints of a run do. None: a column of runs with repeated labels, or else sizes or
            configurations whose residuals an F test at 5% finds correlated. False: rows are independent.
        start: number of starting points.

    Returns:
        The fitted law as a `Fit`, with `law`, `status`, intervals, predictions and a summary.

    Raises:
        ValueError: for a bad value, with its row and column.
        FitError: if there are fewer usable rows than parameters.

    Source: Eq 5 and the objective of arXiv 2505.10475.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> fit = scaling.fit("parallel", pile)
        >>> print(fit.status, round(fit.law.k, 4))
        converged 0.3344
    """
    frame = table if isinstance(table, Mapping) else as_frame(table)
    axes = axes_of_laws([law])
    plain = plain_columns(frame, axes)
    table = plain or as_runs(frame, axes=axes)
    law, objective = constrained(law_of(law, table), fixed, bounds), checked(objective)
    data, excluded, keep = (
        _rows(plain, law) if plain else (*arrays(table, law.axes, law.axis_rules), usable(table))
    )
    if not isinstance(start, int) or start < 1:
        raise ValueError(f"start={shown(start)}: give a whole number of starting points, at least 1")
    w = column(table, weights, keep, "weights", zero=True)
    if not w.all():
        data, excluded, keep, w = _weighing(data, excluded, keep, w)
    y = data.pop("loss")
    labels, how = labels_of(table, groups, keep)
    known = groups if labels is None else labels
    reading = _told(_of_law(reading_of(table), law), None if weights is None else w, known)
    problem = Problem(law, tuple(data.values()), y, w, objective)
    if se is not None:
        spread = column(table, se, keep, "se") / (y if problem.objective.log else 1.0)
        problem = replace(problem, scale=np.exp(np.log(spread).mean()) / spread)
    index = table.index if isinstance(table, pd.DataFrame) else pd.RangeIndex(keep.size)
    found = grouped(solve(problem, start, excluded, labels, index[keep] if excluded else index), how)
    told = {name: table[name].values[keep] for name in TOLD if name in table and name not in data}
    runs = told | data | {"loss": y}
    return with_table_notes(Fit.of(replace(found, reading=reading, runs=runs)), table, keep)


def _rows(plain: dict[str, Array], law: LawForm) -> tuple[dict[str, Array], int, Any]:
    """What `arrays` and `usable` return for columns that need no reading: they are checked, and no row is left out."""
    return {name: plain[name] for name in (*law.axes, "loss")}, 0, np.ones(plain["loss"].size, bool)


def _weighing(
    data: dict[str, Array], excluded: int, keep: Any, w: Array
) -> tuple[dict[str, Array], int, Any, Array]:
    """The rows without those of weight zero, which are left out as unusable ones are."""
    used, kept = w > 0, np.array(keep)
    kept[kept] = used
    return {name: x[used] for name, x in data.items()}, excluded + int((~used).sum()), kept, w[used]


def _of_law(reading: Reading, law: LawForm) -> Reading:
    """The reading as far as the law's axes go, with advice where a law of P is fitted to a table without streams."""
    other = {"N", "P", "D", "C"} - ({*law.axes} - {*law.axis_rules})
    reading = replace(reading, guesses=tuple(g for g in reading.guesses if not (g.doubt and g.axis in other)))
    if "P" not in law.axes or not any(guess.action == ASSUMED for guess in reading.of("P")):
        return reading
    text = "the law is of P, and no column tells streams: name it with --columns P=COLUMN, or take a law without P"
    return reading.also([Guess("P", "", ASSUMED, text, doubt=True)])


def _told(reading: Reading, weights: Array | None, groups: Any) -> Reading:
    """What reading guessed, as far as this fit leaves it open. Raises ValueError for weights that are no counts."""
    if groups is not None:
        reading = replace(reading, guesses=tuple(g for g in reading.guesses if g.axis != "groups"))
    if weights is None or not weights.size:
        return reading
    used = weights[weights > 0]
    remedy = "for standard errors give se=, for relative weights divide them by their mean"
    count = "a weight is how often a row counts"
    if used.size > 1 and used.sum() <= SHARES:
        raise ValueError(f"weights: they sum to {used.sum():.3g} as shares do; {count}: {remedy}")
    span = f"of {used.min():.6g}" if np.ptp(used) == 0 else f"of {used.min():.4g} to {used.max():.4g}"
    if used.mean() > (MOST if (used % 1 == 0).all() else FEW):
        raise ValueError(f"weights {span} are no counts; {count}: {remedy}")
    if used.mean() > MANY:
        return reading.also([Guess("weights", "", count, f"weights {span}: {count}; {remedy}", doubt=True)])
    return reading


def constrained(law: LawForm, fixed: Any, bounds: Any) -> LawForm:
    """The law with values fixed and bounds set. Raises ValueError for what is no mapping of names."""
    for given, option, example in ((fixed, "fixed", '{"E": 1.6}'), (bounds, "bounds", '{"k": (0, 1)}')):
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"{option}={shown(given)}: give a value a name, such as {example}")
    law = law.with_fixed(**{str(name): value for name, value in fixed.items()}) if fixed else law
    return law.with_bounds(**{str(name): ends for name, ends in bounds.items()}) if bounds else law


def _given(table: Any, given: Any, keep: Any, name: str) -> Any:
    """A column of the table, by name, or an array of as many values as it has rows."""
    if isinstance(given, str) and given not in table:
        raise ValueError(f"{name}={given!r}: no such column; there are {', '.join(map(str, table))}")
    values = np.asarray(table[given] if isinstance(given, str) else given)
    if name != "groups":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name}={shown(given)}: its values must be numbers") from None
    if values.shape != keep.shape:
        raise ValueError(f"{name} has shape {values.shape} for {keep.size} rows")
    return values


def column(table: Any, given: Any, keep: Any, name: str, zero: bool = False) -> Array:
    """Amounts of the usable rows, (n,): 1 where none are given. They are > 0, or >= 0 if `zero`."""
    if given is None:
        return np.ones(int(keep.sum()))
    values = _given(table, given, keep, name)
    bad = keep & ~(np.isfinite(values) & (values >= 0 if zero else values > 0))
    if bad.any() or not values[keep].any():
        row = int(np.flatnonzero(bad if bad.any() else keep)[0])
        raise ValueError(
            f"{name}: row {row + 1} is {values[row]:g}; it must be {'>= 0, not all 0' if zero else '> 0'}"
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
