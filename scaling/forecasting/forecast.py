"""Forecasts: prediction intervals that hold beyond the runs.

Every law of the runs' axes is fitted. Their predictive distributions are pooled (`pooling.py`), with the
errors that neighbouring runs share (`discrepancy.py`). Beyond the runs they are widened by the error of the
change that laws predict, as seen in windows inside these runs and in public tables (`drift.py`).
How often the intervals held on public tables: docs/forecast.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame, as_runs
from scaling.data.runs import usable
from scaling.fitting.fit import column, labels_of
from scaling.forecasting.discrepancy import LENGTH, Discrepancy, discrepancy
from scaling.forecasting.drift import PRIOR, Drift, Points, amounts, categories_among, drift_along
from scaling.forecasting.exits import FEW, Exits, exits_of, few_levels, furthest, in_ranges
from scaling.forecasting.forecast_result import Forecast
from scaling.forecasting.pooling import EXACT, FLAT, Member, PredictiveMixture, joined, member
from scaling.forecasting.pooling import weights as weights_of
from scaling.forecasting.question import AXES, Question, listed, question
from scaling.laws import Arms, axes_of_laws
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.multi_start import FitError, solve
from scaling.optimise.objectives import LeastSquares, Objective, checked
from scaling.optimise.problem import Problem
from scaling.uncertainty.size_effects import OFF, degrees_between, noticed
from scaling.uncertainty.tangent import Tangent, groupings

PARTS = ("run noise", "parameters", "size effects", "which law", "the law's form")


@dataclass(frozen=True)
class Tuned:
    """The constants chosen on public tables, as docs/forecast.md describes."""

    flat: float = FLAT
    length: float = LENGTH
    prior: float = PRIOR
    few: float = FEW


def forecast(
    table: Any,
    *,
    N: Any = None,
    P: Any = None,
    D: Any = None,
    laws: Iterable[LawForm | Law | Arms | str] | None = None,
    objective: Objective | None = None,
    level: float = 0.95,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    tuned: Tuned | None = None,
    **axes: Any,
) -> Forecast:
    """Forecast the loss of one more run at each point, pooled over laws.

    Tables above 2,000 rows are sampled evenly in order of compute.

    Args:
        table: the runs, any table that `scaling.fit` takes.
        N: non-embedding parameters of the points: numbers, "30B", arrays or Series, which broadcast.
        P: streams of the points.
        D: training tokens of the points.
        laws: classes or names to pool, your own included. The default is every registered law of the axes asked for
            and of those of N, P and D that vary.
        objective: fits each law. `LeastSquares(log=True)` by default.
        level: of the prediction interval, between 0 and 1.
        weights: how often each row counts, as of `scaling.fit`.
        se: standard errors of the losses, as of `scaling.fit`.
        groups: labels of rows that share an offset, as of `scaling.fit`. None: within the runs, sizes or
            configurations share an offset if a test finds correlated residuals, as in `Fit.predict`.
        tuned: the constants chosen on public tables, for checks of that choice.
        axes: points on other axes of the laws, such as experts=64 or precision="bf16".

    Returns:
        A `Forecast`. Its `table` has one row per point: the axes, loss, lower and upper (prediction interval, nats
        per token), beyond (the factor outside the runs) and the shares of the variance. `sentence` says it in words.

    Raises:
        ValueError: for points that the laws or the table do not allow.
        FitError: if there are fewer runs than any law needs.

    Source: the module's docstring.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> point = scaling.forecast(pile, N="10B", P=8, laws=["parallel", "additive"]).table.iloc[0]
        >>> print(f"{point.loss:.3f} ({point.lower:.3f} to {point.upper:.3f})")
        1.708 (1.697 to 1.719)
    """
    if not (isinstance(level, (int, float)) and 0 < level < 1):
        raise ValueError(f"level={level!r} is no level. Give one between 0 and 1, such as 0.95.")
    objective = checked(objective, LeastSquares(log=True))
    pool = listed(laws)
    known = (*AXES, *axes) if pool is None else axes_of_laws(pool)
    table, weights, se, groups = _counted(as_runs(table, axes=known, assume=True), weights, se, groups)
    asked = question(table, {"N": N, "P": P, "D": D, **axes}, pool)
    rows = _rows(table, asked, weights, se, groups)
    with np.errstate(all="ignore"):  # overflow in a law far from its runs gives a wide interval
        members, notes = _told(*_members(asked, objective, rows), asked.points)
        near = members if rows.told else [_noticing(one) for one in members]
        return _forecast(asked, members, near, level, tuned or Tuned(), notes)


@dataclass(frozen=True)
class _Rows:
    """Row weights: how often each counts, one over its relative standard error, its cluster, (n,) each."""

    w: Array
    scale: Array | float
    labels: Any
    told: bool  # whether the table or the caller says which rows share an offset, or that none do


def _counted(table: Any, weights: Any, *others: Any) -> tuple[Any, ...]:
    """The table, weights and what else is given a row, without the rows that count nothing."""
    if weights is None:
        return (table, weights, *others)
    frame = as_frame(table)
    keep = usable(frame)
    w = np.zeros(len(frame))
    w[keep] = column(frame, weights, keep, "weights", zero=True)
    some = np.flatnonzero(w > 0)
    rest = (
        given if given is None or isinstance(given, (str, bool)) else np.asarray(given)[some]
        for given in others
    )
    return (frame.iloc[some], w[some], *rest)


def _rows(table: Any, asked: Question, weights: Any, se: Any, groups: Any) -> _Rows:
    """Weights, scales and clusters of the rows used. Raises ValueError naming the first bad row."""
    n = asked.loss.size
    frame = as_frame(table)
    keep = usable(frame)
    w = column(frame, weights, keep, "weights", zero=True)[asked.some]
    scale: Array | float = 1.0
    if se is not None:
        spread = column(frame, se, keep, "se")[asked.some] / asked.loss
        scale = np.exp(np.log(spread).mean()) / spread
    labels, how = labels_of(frame, groups, keep)
    if labels is not None:
        labels = np.unique(labels[asked.some].astype(str), return_inverse=True)[1]
        labels = labels if np.unique(labels).size < n else None
    return _Rows(w, scale, labels, labels is not None or how == OFF)


def _members(asked: Question, objective: Objective, rows: _Rows) -> tuple[list[Member], tuple[str, ...]]:
    """Every law fitted to the runs, and which were left out."""
    n, members, out, why = asked.loss.size, [], [], ""
    for law in asked.laws:
        x = tuple(asked.runs[axis] for axis in law.axes)
        if rows.w.sum() <= len(law.free()):
            out.append(law.__name__)
            continue
        try:
            one = solve(Problem(law, x, asked.loss, rows.w, objective, rows.scale))
        except (FitError, np.linalg.LinAlgError) as error:
            out.append(law.__name__)
            why = str(error)
            continue
        fitted = member(one.problem, one.theta, rows.labels)
        if fitted.finite:
            members.append(fitted)
        else:
            out.append(law.__name__)
    if not members:
        if why:
            raise FitError(why)
        least = min(len(law.free()) for law in asked.laws)
        raise FitError(
            f"{n} usable runs are fewer than any law of {', '.join(asked.runs)} needs. "
            f"Add runs: at least {least + 1}, at three sizes or more."
        )
    notes = (f"left out, not to be fitted to these runs: {', '.join(out)}",) if out else ()
    sampled = (f"{n:,} of {asked.rows:,} runs used, evenly spread over compute",) if n < asked.rows else ()
    return members, notes + sampled


def _noticing(one: Member) -> Member:
    """The member with the sizes or configurations that a test finds to miss its law together, if there are any."""
    by = groupings(one.problem)
    if not by or one.noise <= EXACT:
        return one
    at = Tangent(one.problem, one.theta[None], by)
    chosen = np.flatnonzero(noticed(at, by)[0])
    if not chosen.size:
        return one
    found = by[chosen[0]]
    return replace(one, labels=found.codes, between=float(degrees_between(at, found)[0]))


def _told(
    members: list[Member], notes: tuple[str, ...], points: Points
) -> tuple[list[Member], tuple[str, ...]]:
    """The members that the runs determine at the points, and the laws left out. Raises FitError for none."""
    untold = [not one.tells(points).all() for one in members]
    names = [one.problem.law.__name__ for one, out in zip(members, untold, strict=True) if out]
    if all(untold):
        raise FitError(
            f"The runs cannot tell the loss at these points by {', '.join(names)}. "
            "Add runs at more values of each axis, three or more, that do not move together."
        )
    if not names:
        return members, notes
    kept = [one for one, out in zip(members, untold, strict=True) if not out]
    return kept, (*notes, f"left out, the runs do not tell them there: {', '.join(names)}")


def _forecast(
    asked: Question,
    members: list[Member],
    near: list[Member],
    level: float,
    tuned: Tuned,
    notes: tuple[str, ...],
) -> Forecast:
    """The forecast by the members and, within the runs, by `near`, the same laws with the detected clusters.

    Beyond the runs offsets of sizes would make intervals 1.6 times as wide on public tables for 1.5 points of coverage.
    """
    weight = weights_of(members, tuned.flat)
    exits = exits_of(members, weight, asked.runs, asked.points)
    used = [i for i in range(len(exits.ways)) if (exits.place == i).any()]
    drifts = {i: drift_along(members, asked.runs, *exits.ways[i], tuned.prior, tuned.flat) for i in used}
    kappa = np.array([drifts[i].kappa if i in drifts else 0.0 for i in exits.place])
    form, within = (kappa * exits.change) ** 2, exits.place < 0
    ends, parts = np.empty((3, within.size)), np.empty((within.size, len(PARTS)))
    for pool, mine in ((members, ~within), (near, within)):
        if not mine.any():
            continue
        centres, misses = _centres(asked, pool, tuned)
        parts[mine] = _parts(centres, misses, weight, form)[mine]
        for i in np.unique(exits.place[mine]):
            at = exits.place == i
            mixture = _mixture(centres[:, at], misses, at, pool, weight, drifts.get(int(i)), exits.change[at])
            ends[:, at] = [mixture.quantile(q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2)]
    return _described(asked, members, weight, exits, drifts, np.exp(ends), parts, level, notes)


def _centres(asked: Question, members: Sequence[Member], tuned: Tuned) -> tuple[Array, list[Discrepancy]]:
    """Each law's log loss at the points, (M, K), with the errors that neighbouring runs share, and these."""
    where, there = in_ranges(asked.runs, asked.points, categories_among(members))
    more = few_levels(amounts(members, asked.runs), amounts(members, asked.points), tuned.few)
    misses = [discrepancy(one, where, there, asked.points, tuned.length).wider(more) for one in members]
    return np.stack([one.log_loss(asked.points) for one in members]) + [m.correction for m in misses], misses


def _mixture(
    centres: Array, misses: Sequence[Discrepancy], at: Array, members: Sequence[Member], weight: Array,
    drift: Drift | None, change: Array,
) -> PredictiveMixture:  # fmt: skip
    """The pooled distribution of the log loss at some points, which all leave the runs the same way."""
    kappas = [(0.0, 1.0)] if drift is None else list(zip(drift.values, drift.probabilities, strict=True))
    parts = []
    for centre, miss, one, share in zip(centres, misses, members, weight, strict=True):
        known = miss.noise + miss.parameters[at] + miss.shared[at]
        parts += [(centre, np.sqrt(known + (k * change) ** 2), one.dof, share * p) for k, p in kappas]
    return joined(parts)


def _parts(centres: Array, misses: Sequence[Discrepancy], weight: Array, form: Array) -> Array:
    """Shares of the variance of the log loss, (K, 5) in the order of PARTS."""
    between = weight @ (centres - weight @ centres) ** 2
    noise = np.full(form.size, weight @ [m.noise for m in misses])
    within = (weight @ np.stack([getattr(m, part) for m in misses]) for part in ("parameters", "shared"))
    variance = np.stack([noise, *within, between, form], axis=1)
    return np.asarray(variance / variance.sum(1, keepdims=True))


def _described(
    asked: Question, members: Sequence[Member], weight: Array, exits: Exits, drifts: Mapping[int, Drift],
    ends: Array, parts: Array, level: float, notes: tuple[str, ...],
) -> Forecast:  # fmt: skip
    """The numbers as the value that is returned."""
    index = asked.given.index
    lower, loss, upper = (pd.Series(end, index=index) for end in ends)
    names = [one.problem.law.__name__ for one in members]
    along = np.array([exits.ways[i][0] if i >= 0 else "" for i in exits.place], dtype=object)
    beyond, outside = furthest(amounts(members, asked.runs), amounts(members, asked.points))
    order = np.argsort(-weight, kind="stable")
    found = [
        (d.axis if d.side > 0 else f"-{d.axis}", len(d.windows), d.mean, d.kappa) for d in drifts.values()
    ]
    drift = pd.DataFrame(found, columns=["axis", "windows", "share", "kappa"]).set_index("axis")
    untested = [str(name) for name, row in drift.iterrows() if not row.windows]
    if untested:
        notes += (f"no window inside the runs along {', '.join(untested)}: widened as public tables say",)
    return Forecast(
        asked.given, loss.rename("loss"), lower.rename("lower"), upper.rename("upper"), level,
        pd.Series(beyond, index=index, name="beyond"), pd.Series(outside, index=index, name="outside"),
        pd.Series(along, index=index, name="along"),
        pd.DataFrame(parts, index=index, columns=list(PARTS)), drift,
        pd.Series(weight[order], index=[names[i] for i in order], name="weight"),
        {name: one.law for name, one in zip(names, members, strict=True)}, asked.rows, notes, _hash(asked),
    )  # fmt: skip


def _hash(asked: Question) -> str:
    """sha256 of the runs used, on the axes used."""
    import hashlib

    digest = hashlib.sha256()
    for one in (*asked.runs.values(), asked.loss):
        digest.update(np.ascontiguousarray(one).tobytes())
    return digest.hexdigest()[:16]
