"""What arms share and what one is worth: nested laws tested, and the compute-equivalent gain of each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from scaling.data.any_table import as_frame, as_runs
from scaling.data.runs import usable
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws import Arms, axes_of_laws, law_of
from scaling.laws.arm_form import ArmForm
from scaling.laws.axis import Levels, level_name
from scaling.laws.base import Array, Law
from scaling.laws.categories import levels_of
from scaling.optimise.identifiability import determined_changes
from scaling.optimise.objectives import LeastSquares, Objective, checked
from scaling.result_table import ResultTable
from scaling.selection.compare import main_axis
from scaling.terminal_text import aligned
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import method_of

REAL = 0.05  # p value below which a difference between arms counts as real
HALVINGS, NEWTON = 20, 2  # of the bisection and from where it ends: to the rounding of the losses
STEP = 1e-4  # in the log of a factor, over which the slope of a loss is taken
NEAR = 4.0  # AICc above the chosen sharing up to which another is allowed for
DECADES = 690.0  # log of the largest factor that is looked for


@dataclass(frozen=True, repr=False)
class ArmComparison(ResultTable):
    """What `compare_arms` returns."""

    table: pd.DataFrame  # a row a parameter: what sharing it costs
    gains: pd.DataFrame  # a row an arm and a point: what the arm is worth by the fitted laws
    paired: (
        pd.DataFrame
    )  # a row an arm: the same by runs that differ in the arm alone; empty without such runs
    fit: Fit  # the law that was chosen
    verdict: str

    def __repr__(self) -> str:
        """Both tables and the verdict."""
        own = ResultTable.__repr__(self)
        tables = [aligned(part).to_string() for part in (self.gains, self.paired) if len(part)]
        return "\n\n".join([*tables, own])

    def _repr_html_(self) -> str:
        tables = [aligned(part).to_html() for part in (self.gains, self.paired) if len(part)]
        return "".join([*tables, ResultTable._repr_html_(self)])


def compare_arms(
    law: Any,
    runs: Any,
    by: str,
    *,
    shared: Sequence[str] | None = None,
    reference: str | None = None,
    at: Any = None,
    objective: Objective | str | None = None,
    weights: str | None = None,
    se: str | None = None,
    groups: str | bool | None = None,
    level: float = 0.95,
    method: Method | str | None = None,
) -> ArmComparison:
    """Which parameters the arms of a table share, and what each arm is worth against a reference.

    Args:
        law: class or name.
        runs: any table that `scaling.fit` takes, with the law's axes, `loss` and the column `by`.
        by: the column that names the arms: optimiser, recipe, corpus, architecture.
        shared: parameters that all arms share. By default all but those that F tests separate one after the other,
            starting with the one that lowers the error most.
        reference: the arm that the others are compared with. The first in order by default.
        at: points with the law's axes, a table. By default the middle and the largest of the runs.
        objective: LeastSquares() by default, because F and AICc are Gaussian.
        weights: column of how often each row counts.
        se: column of each loss's standard error, nats per token.
        groups: column of the run a row belongs to, as of `scaling.fit`. Intervals allow for it, F does not.
        level: of the intervals, between 0 and 1.
        method: of the intervals, as in `Fit.intervals`.

    Returns:
        An `ArmComparison` with the chosen law's `fit` and a `verdict`. If the arms share every parameter, gains are
        those with one parameter separate, which is the most that a difference can be. Unless `shared` is given the
        choice counts as uncertain: intervals of gains hold those of every sharing one parameter away whose AICc is
        at most 4 higher.
        `table` has one row per parameter: shared (whether it is), F, p and delta_aicc of giving each arm its own
        (negative if its own is better).
        `gains` has one row per arm and point, with intervals: gain_N, the factor in N that the reference needs for
        the arm's loss (gain_AXIS for the first axis of a law without N), and gain_C, the factor in compute with N
        and D in proportion (laws with D only). One that the runs do not determine is nan, such as gain_N where D = 20 N.
        `paired` has one row per arm: pairs (runs of one point and seed), change (loss minus the reference's, nats
        per token) and gain_N, both with t intervals over the pairs.

    Raises:
        ValueError: for a column or an arm that the table lacks.
        FitError: if there are too few rows.

    Source: the F test of nested models. Compute-equivalent gain as in Davidson et al. 2023, arXiv 2312.07413.
    """
    check_level(level)
    runs = as_runs(runs, "runs", axes_of_laws([law]))
    runs = runs[usable(runs)]
    how: Any = {
        "objective": checked(objective, LeastSquares()),
        "weights": weights,
        "se": se,
        "groups": groups,
    }
    arms = levels_of(runs, by)
    reference = arms[0] if reference is None else str(reference)
    if reference not in arms or len(arms) < 2:
        raise ValueError(
            f"{by}: the reference {reference!r} needs another arm to compare with. There is {', '.join(arms)}."
        )
    names = law_of(law, runs).free()
    chosen = list(shared) if shared is not None else _chosen(law, runs, by, names, how)
    one = fit(Arms(law, by, shared=tuple(chosen)), runs, **how)
    others = _one_away(law, runs, by, names, chosen, how)
    table = _tests(chosen, one, others)
    free = one if set(chosen) < set(names) else min(others.values(), key=_squares)
    gains = arm_gains(free, reference, at, level, method_of(method, free))
    for other in others.values() if shared is None else ():
        if other is not free and other.aicc - one.aicc <= NEAR and _form(other).own:
            _widen(gains, arm_gains(other, reference, at, level, method_of(method, other)))
    pairs = paired_arms(one, runs, reference, level)
    return ArmComparison(table, gains, pairs, one, _verdict(one, table, gains, by, reference))


def _one_away(
    law: Any, runs: Any, by: str, names: Sequence[str], shared: Sequence[str], how: Mapping[str, Any]
) -> dict[str, Fit]:
    """By parameter, the fit in which it is shared where it was not, or the other way round; the others as chosen."""
    ways = {n: [m for m in shared if m != n] if n in shared else [*shared, n] for n in names}
    return {name: fit(Arms(law, by, shared=tuple(way)), runs, **how) for name, way in ways.items()}


def _widen(gains: pd.DataFrame, other: pd.DataFrame) -> None:
    """Lengthen the intervals of gains to hold those of another sharing, which the runs hardly tell from the chosen."""
    for name in gains.columns.intersection(other.columns):
        if name.endswith(("_lower", "_upper")):
            wider = np.fmin if name.endswith("_lower") else np.fmax
            gains[name] = np.where(gains[name].isna(), np.nan, wider(gains[name], other[name]))


def _chosen(law: Any, runs: Any, by: str, names: Sequence[str], how: Mapping[str, Any]) -> list[str]:
    """Parameters that the arms can share: they are separated one after the other, the lowest p first, while it is low.

    A step looks at several parameters, so p is multiplied by their number (Bonferroni).
    """
    shared = list(names)
    now = fit(Arms(law, by, shared=tuple(shared)), runs, **how)
    while shared:
        tried = {n: fit(Arms(law, by, shared=tuple(set(shared) - {n})), runs, **how) for n in shared}
        best = min(tried, key=lambda name: _squares(tried[name]))
        if not _nested(now, tried[best])[1] * len(shared) < REAL:
            break
        shared, now = [name for name in shared if name != best], tried[best]
    return shared


def _squares(one: Fit) -> float:
    """The weighted sum of squared residuals, each over its standard error where these are given."""
    return float((one.problem.w * np.square(one.problem.scale * one.misfit)).sum())


def _nested(small: Fit, large: Fit) -> tuple[float, float]:
    """F and p of the rows being one law's, against a law with more parameters."""
    rss = [_squares(one) for one in (small, large)]
    more = len(large.form.free()) - len(small.form.free())
    rest = large.degrees_of_freedom
    if rest < 1 or more < 1:
        return float("nan"), float("nan")
    F = max(rss[0] - rss[1], 0.0) / more / max(rss[1] / rest, 1e-300)
    return F, float(special.fdtrc(more, rest, F))


def _tests(shared: Sequence[str], one: Fit, others: Mapping[str, Fit]) -> pd.DataFrame:
    """What it changes to share each parameter or not, the others as chosen."""
    rows = []
    for name, two in others.items():
        small, large = (one, two) if name in shared else (two, one)
        F, p = _nested(small, large)
        rows.append((name, name in shared, F, p, large.aicc - small.aicc))
    columns = ["parameter", "shared", "F", "p", "delta_aicc"]
    return pd.DataFrame(rows, columns=columns).set_index("parameter")


def arm_gains(one: Fit, reference: str, at: Any, level: float, method: Method) -> pd.DataFrame:
    """What each arm is worth against the reference, in N and in compute, with intervals; a row an arm and a point."""
    form = _form(one)
    points = (
        _points(one, form) if at is None else as_frame(at, "at")[list(form.law.axes)].reset_index(drop=True)
    )
    main, rows = gain_axis(form.law), []
    ways: list[tuple[str, tuple[str, ...]]] = [(f"gain_{main}", (main,))] if main else []
    ways += [("gain_C", ("N", "D"))] if {"N", "D"} <= set(form.law.axes) else []
    for arm in (name for name in form.arms if name != reference):
        found = points.assign(**{form.by: arm})
        for name, along in ways:
            values = _gain_ends(one, points, arm, reference, along, level, method)
            found[[name, f"{name}_lower", f"{name}_upper"]] = values.T
        rows.append(found)
    return pd.concat(rows, ignore_index=True)


def _gain_ends(
    one: Fit,
    points: pd.DataFrame,
    arm: str,
    reference: str,
    along: tuple[str, ...],
    level: float,
    method: Method,
) -> Array:
    """An arm's gain along axes with its interval, (3, K). nan at points where the runs do not determine it."""
    known = _determined(one, points, arm, reference, along)
    ends = np.full((3, len(points)), np.nan)
    if known.any():

        def log_gain(laws: Law) -> Array:
            return _log_gain(laws, points[known], arm, reference, along)

        ends[:, known] = np.exp(np.stack(method.interval(one, log_gain, level)))
    return ends


def _determined(one: Fit, points: pd.DataFrame, arm: str, reference: str, along: tuple[str, ...]) -> Any:
    """At which points the runs determine a gain although not every parameter, (K,) bool."""
    form = _form(one)
    if one.determined or one.undetermined == one.problem.law.free():
        return np.full(len(points), one.determined)
    law = one.law.kind.from_vector(one.law.vector[None])
    x, log_factor = _read(form, points), _log_gain(law, points, arm, reference, along)[0]
    there = np.abs(log_factor) < DECADES / 4 - 1  # a factor that large has no number on an axis
    codes = dict(zip(form.arms, form.rule.codes, strict=True))
    ends = [{**x, form.by: np.full(len(points), codes[name])} for name in (arm, reference)]
    ends[1] |= {axis: x[axis] * np.exp(np.where(there, log_factor, 0.0)) for axis in along}
    return there & determined_changes(one.problem, one.law, ends[0], ends[1])


def gain_axis(law: Any) -> str:
    """The axis in which a gain is expressed: N, or the first axis of a law without N; "" where its loss need not fall there."""
    main = main_axis(law)
    return main if law.axis_rule(main).invertible else ""


def paired_arms(one: Fit, runs: pd.DataFrame, reference: str, level: float) -> pd.DataFrame:
    """What each arm is worth by runs that differ in the arm alone: same axes and, where there is one, same seed."""
    form = _form(one)
    keys = [*form.law.axes, *(["seed"] if "seed" in runs else [])]
    named = runs.assign(**{form.by: [level_name(value) for value in runs[form.by]]})
    mean = named.groupby([form.by, *keys], as_index=False)["loss"].mean()
    own = mean[mean[form.by] == reference]
    both = mean[mean[form.by] != reference].merge(own, on=keys, suffixes=("", "_reference"))
    law, main = one.law.of_arm(reference), gain_axis(form.law)  # type: ignore[attr-defined]
    rows = []
    for arm, pairs in both.groupby(form.by):
        others = {axis: x for axis, x in _read(form, pairs).items() if axis != main}
        row = {form.by: arm, "pairs": len(pairs)} | _mean("change", pairs.loss - pairs.loss_reference, level)
        if main:
            losses = (pairs[name].to_numpy() for name in ("loss", "loss_reference"))
            with np.errstate(all="ignore"):
                log_gain = np.subtract(*(np.log(law.inverse(loss, along=main, **others)) for loss in losses))
            gain = _mean(f"gain_{main}", log_gain, level)
            row |= {name: float(np.exp(value)) for name, value in gain.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _mean(name: str, values: Any, level: float) -> dict[str, float]:
    """A mean and its t interval; open with fewer than two values."""
    values = np.asarray(values, dtype=np.float64)
    half = np.inf
    if values.size > 1:
        half = float(
            special.stdtrit(values.size - 1, 0.5 + level / 2) * values.std(ddof=1) / np.sqrt(values.size)
        )
    middle = float(values.mean())
    return {name: middle, f"{name}_lower": middle - half, f"{name}_upper": middle + half}


def _form(one: Fit) -> ArmForm:
    form: ArmForm = one.form.whole
    return form


def _points(one: Fit, form: ArmForm) -> pd.DataFrame:
    """The middle of the runs, on logarithms, and the largest of them, both in the category that most runs are of."""
    found: dict[str, Any] = {}
    for axis in form.law.axes:
        x, rule = one.axes[axis], form.law.axis_rule(axis)
        if isinstance(rule, Levels):
            found[axis] = max(names := rule.labels(x), key=names.count)
        else:
            found[axis] = [float(np.exp(np.log(x).mean()) if x.min() > 0 else x.mean()), float(x.max())]
    return pd.DataFrame(found, index=range(2))


def _read(form: ArmForm, points: pd.DataFrame) -> dict[str, Array]:
    """The axes of the law that is fitted in arms, (K,) each, categories as numbers."""
    return {axis: form.law.axis_rule(axis).read(points[axis]) for axis in form.law.axes}


def _log_gain(laws: Law, points: pd.DataFrame, arm: str, reference: str, along: tuple[str, ...]) -> Array:
    """Log of the factor on axes `along`, as compute, by which the reference equals the arm, (B, K).

    By bisection, and Newton steps from where it ends.
    """
    batch: Any = laws.kind.from_vector(laws.vector[:, None, :])
    own, other = batch.of_arm(arm), batch.of_arm(reference)
    x = _read(laws.kind.whole, points)
    target = own._loss(*x.values())
    low, high = np.full(target.shape, -DECADES / 4), np.full(target.shape, DECADES / 4)

    def above(log_factor: Array) -> Array:
        moved = (v * np.exp(log_factor) if axis in along else v for axis, v in x.items())
        return np.asarray(other._loss(*moved) - target)

    with np.errstate(all="ignore"):
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            higher = above(middle) > 0
            low, high = np.where(higher, middle, low), np.where(higher, high, middle)
        at, room = (low + high) / 2, high - low
        for _ in range(NEWTON):
            slope = (above(at + STEP) - above(at - STEP)) / (2 * STEP)
            at = at - np.clip(np.nan_to_num(above(at) / slope), -room, room)
    edge = DECADES / 4 - 1e-3
    found = np.where(high >= edge, np.inf, np.where(low <= -edge, -np.inf, at))
    return np.asarray(found * len(along))


def _verdict(one: Fit, table: pd.DataFrame, gains: pd.DataFrame, by: str, reference: str) -> str:
    """The answer in words: what is each arm's own, and what the best is worth."""
    own = [str(name) for name in table.index if not table.shared[name]]
    lines = [
        f"The arms of {by} differ in {', '.join(own)}; they share the rest."
        if own
        else f"The arms of {by} share one law: by F tests at {REAL:.0%} no parameter differs."
    ]
    main = gain_axis(_form(one).law)
    gain = "gain_C" if "gain_C" in gains else f"gain_{main}"
    what = "compute" if gain == "gain_C" else {"N": "parameters"}.get(main, main)
    known = gains.dropna(subset=gain) if gain in gains else gains.iloc[:0]
    if len(known):
        best = known.loc[known.groupby(by)[gain].idxmax()].sort_values(gain, ascending=False)
        lines += [
            f"{row[by]} is worth {row[gain]:.3g} times the {what} of {reference} "
            f"({row[gain + '_lower']:.3g} to {row[gain + '_upper']:.3g}) at {main} = {row[main]:.3g}."
            for _, row in best.iterrows()
        ]
    if not one.determined:
        given = (
            "gains are given only where the runs determine them" if len(known) else "no gain has an interval"
        )
        lines.append(f"The fit is in doubt ({one.status}): {given}.")
    return "\n".join(lines)
