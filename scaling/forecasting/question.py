"""What a forecast is asked: the runs it may use and the points it is asked for, validated once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.runs import arrays
from scaling.data.units import parse_size
from scaling.laws import OTHER_AXES, REGISTRY, DenseLaw, law_of
from scaling.laws.axis import KNOWN, Axis, Levels
from scaling.laws.base import Array, Law, LawForm
from scaling.laws.constrained import Form

AXES = ("N", "P", "D")  # read unasked where a table has them
FAR = 1e5  # factor beyond the runs from which a number is assumed to be in another unit
APART = 1e7  # factor between the runs themselves from which mixed units are assumed
UNITS = {"N": "parameters, 30e9 or '30B'", "P": "streams, 8", "D": "tokens, 42e9 or '42B'"}
FEW = 2  # laws of exactly the axes that vary, below which those of fewer axes join the pool
MOST = 2_000  # rows that are used. Larger tables are sampled evenly in order of compute
Rules = Mapping[str, Axis]


@dataclass(frozen=True)
class Question:
    """Runs and points on the axes that the runs vary. `given` holds the points on every axis asked."""

    runs: dict[str, Array]  # (n,) each
    loss: Array  # (n,), nats per token
    points: dict[str, Array]  # (K,) each
    given: pd.DataFrame  # K rows, categories by their names
    rows: int  # usable rows before sampling
    some: Any  # which of the usable rows `runs` are, (n,) int
    laws: tuple[LawForm, ...]


def listed(laws: Any) -> list[Any] | None:
    """The laws that a caller gave. Raises ValueError for one not in a list and for an empty list."""
    if laws is None:
        return None
    if isinstance(laws, (str, type, Law, Form)) or not isinstance(laws, Iterable):
        raise ValueError(
            f"laws={laws!r} is one law. Give a list, [scaling.ParallelLaw, scaling.AdditiveLaw]."
        )
    if not (found := list(laws)):
        raise ValueError("laws=[] is empty. Give one law, or leave laws= out.")
    return found


def question(table: pd.DataFrame, given: Mapping[str, Any], laws: Iterable[Any] | None) -> Question:
    """The question from a table of runs and points `given` on axes of laws. Raises ValueError if it is wrong."""
    given = {axis: value for axis, value in given.items() if value is not None}
    pool = (
        None
        if laws is None
        else tuple({law.__name__: law for law in (law_of(one, table) for one in laws)}.values())
    )
    rules = _rules(_known(given, table) if pool is None else pool)
    if strange := [axis for axis in given if axis not in (*rules, *AXES)]:
        raise ValueError(f"No law here is of {strange[0]}. Give laws=[YourLaw], or leave {strange[0]}= out.")
    points = _points(given, rules)
    data, _ = arrays(table, _read(table, points, pool), rules)
    loss = data.pop("loss")
    _check_loss(loss)
    varied = {axis: x for axis, x in data.items() if np.unique(x).size > 1}
    _check_fixed(data, varied, points)
    chosen = _registered(given, table, data, varied) if pool is None else _of_axes(pool, data, varied)
    used = {axis: x for axis, x in varied.items() if any(axis in law.axes for law in chosen)}
    missing = [axis for axis in used if axis not in points]
    if missing:
        raise ValueError(
            f"{missing[0]} varies in the runs and is not given. Give {missing[0]}= for every point."
        )
    categories = [axis for axis in used if isinstance(rules[axis], Levels)]
    for axis in (a for a in used if a not in categories):
        _check_units(axis, used[axis], points[axis].to_numpy(), rules[axis])
    some = sample(used, categories)
    runs = {axis: x[some] for axis, x in used.items()}
    asked = {axis: points[axis].to_numpy() for axis in used}
    return Question(runs, loss[some], asked, _shown(points, rules), loss.size, some, chosen)


def _known(given: Mapping[str, Any], table: pd.DataFrame) -> tuple[LawForm, ...]:
    """Every registered law that may apply. Laws of other axes only if one of these axes is asked for."""
    if set(given) <= set(AXES):
        return tuple(REGISTRY.values())
    others = [law for law in OTHER_AXES.values() if set(law.categories) <= set(table)]
    return (*REGISTRY.values(), *(law_of(law, table) for law in others))


def _rules(laws: tuple[LawForm, ...]) -> dict[str, Axis]:
    """What the values of each axis may be, by the first law that has it."""
    return {**KNOWN} | {axis: law.axis_rule(axis) for law in reversed(laws) for axis in law.axes}


def _read(table: pd.DataFrame, points: pd.DataFrame, pool: tuple[LawForm, ...] | None) -> tuple[str, ...]:
    """The columns to read: the axes asked for and those of the laws. Without laws, N, P and D if complete."""
    if pool is not None:
        of_laws = tuple(dict.fromkeys(axis for law in pool for axis in law.axes))
        return (*of_laws, *(a for a in map(str, points) if a in table and a not in of_laws))
    found = [axis for axis in (*AXES, *map(str, points)) if axis in table and _filled(table, axis, points)]
    if not found:
        raise ValueError(f"The table has none of the columns {', '.join(AXES)}. Name its columns so.")
    return tuple(dict.fromkeys(found))


def _filled(table: pd.DataFrame, axis: str, points: pd.DataFrame) -> bool:
    """Whether a column is to be read: it is asked for, or it has no empty cell."""
    return axis in points or not bool(pd.isna(np.asarray(table[axis], dtype=object)).any())


def _check_loss(loss: Array) -> None:
    if not loss.size:
        raise ValueError("The table has no usable row. Add finished runs, with status 'ok'.")
    if np.ptp(loss) == 0:
        raise ValueError(
            f"All {loss.size} losses are {loss[0]:g}. Check the column loss, nothing can be fitted to it."
        )


def _points(given: Mapping[str, Any], rules: Rules) -> pd.DataFrame:
    """The points as a table of numbers, one row per point. Numbers may be written 30B."""
    if not given:
        raise ValueError("No point is given. Give N=, P= or D=, those that vary in the runs.")
    index = next((v.index for v in given.values() if isinstance(v, pd.Series)), None)
    columns = {axis: _values(axis, value, rules[axis]) for axis, value in given.items()}
    try:
        broadcast = np.broadcast_arrays(*columns.values())
    except ValueError:
        sizes = ", ".join(f"{axis} has {x.size}" for axis, x in columns.items())
        raise ValueError(
            f"The points differ in length: {sizes}. Give as many of each, or one for all."
        ) from None
    return pd.DataFrame(dict(zip(columns, broadcast, strict=True)), index=index)


def _values(axis: str, given: Any, rule: Axis) -> Array:
    """The values of one axis, (K,). Raises ValueError for one that it cannot take."""
    values = np.atleast_1d(np.asarray(given, dtype=object)).ravel()
    if isinstance(rule, Levels):
        try:
            return rule.read(values)
        except ValueError as error:
            raise ValueError(f"{axis}: {error}.") from None
    try:
        found = np.array([parse_size(one) for one in values])
    except ValueError as error:
        raise ValueError(f"{axis}: {error}. Give numbers, such as 30e9 or '30B'.") from None
    bad = ~rule.good(found)
    if bad.any():
        raise ValueError(f"{axis}={found[bad][0]:g} cannot be forecast. It must be finite and {rule.need}.")
    return found


def _shown(points: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Points with the names of their categories."""
    levels = {axis: rule for axis in map(str, points) if isinstance(rule := rules[axis], Levels)}
    return points.assign(**{axis: rule.labels(points[axis]) for axis, rule in levels.items()})


def _check_fixed(data: Mapping[str, Array], varied: Mapping[str, Array], points: pd.DataFrame) -> None:
    """An axis asked for that the runs hold at one value can only be asked at that value."""
    for axis in map(str, points):
        if axis not in data:
            raise ValueError(
                f"{axis} is asked for and the table has no column {axis}. Leave {axis}= out or add it."
            )
        if axis not in varied and not np.allclose(points[axis], data[axis][0], rtol=1e-6):
            raise ValueError(
                f"{axis} takes one value in the runs, {data[axis][0]:g}, so {axis}={points[axis].iloc[0]:g} "
                f"cannot be forecast from them. Leave {axis}= out, or add runs at other values."
            )


def _of_axes(
    laws: tuple[LawForm, ...], data: Mapping[str, Array], varied: Mapping[str, Array]
) -> tuple[LawForm, ...]:
    """The laws asked for. Raises ValueError if one has an axis that the runs do not vary."""
    lacking = sorted({axis for law in laws for axis in law.axes if axis not in varied})
    if lacking:
        raise ValueError(
            f"{', '.join(lacking)} does not vary in the runs. Give laws of {', '.join(varied) or 'axes that vary'}, "
            f"or add runs at other values{f' than {data[lacking[0]][0]:g}' if lacking[0] in data else ''}."
        )
    return laws


def _registered(
    given: Mapping[str, Any], table: pd.DataFrame, data: Mapping[str, Array], varied: Mapping[str, Array]
) -> tuple[LawForm, ...]:
    """Every registered law of the axes that vary. If these are too few, those of fewer axes as well."""
    chosen = tuple(law for law in _known(given, table) if set(law.axes) == set(varied))
    if 0 < len(chosen) < FEW:  # no choice of laws: those of fewer axes join, and power laws without a floor
        chosen += tuple(law for law in REGISTRY.values() if set(law.axes) < set(varied))
        chosen += (DenseLaw.with_fixed(E=0.0),) if set(varied) == {"N"} else ()
    if chosen:
        return chosen
    single = [f"{axis} takes one value, {x[0]:g}" for axis, x in data.items() if axis not in varied]
    why = f": {'; '.join(single)}" if single else ""
    axes = " and ".join(varied) or "no axis"
    more = "Give laws= of these axes" if set(varied) - set(AXES) else "Add runs at other sizes N"
    raise ValueError(f"The runs vary {axes}, and no law is of that alone{why}. {more}.")


def _check_units(axis: str, runs: Array, asked: Array, rule: Axis) -> None:
    """Refuse runs whose units differ, points in another unit, and points at no measurable distance from the runs."""
    unit = UNITS.get(axis) or rule.unit or "one unit"
    low = asked[(asked <= 0) & (asked < runs.min())]
    if low.size:
        raise ValueError(
            f"{axis}={low[0]:g} lies below the runs, {runs.min():g} to {runs.max():g}, and no factor tells how far. "
            f"Ask at {runs.min():g} or above it, or add runs there."
        )
    if (runs <= 0).any():
        return
    if runs.max() > APART * runs.min():
        where = int(runs.argmin()) + 1
        raise ValueError(
            f"{axis} runs from {runs.min():g} (usable row {where}) to {runs.max():g}: units are mixed. "
            f"Write all in {unit}."
        )
    off = (asked > FAR * runs.max()) | (asked < runs.min() / FAR)
    if off.any():
        raise ValueError(
            f"{axis}={asked[off][0]:g} is far from the runs' {runs.min():g} to {runs.max():g}, as if in "
            f"another unit. Write both in {unit}."
        )


def sample(runs: Mapping[str, Array], categories: Iterable[str] = ()) -> Any:
    """Which rows to use: all, or MOST per category, spread evenly in order of compute, ends kept."""
    apart = [runs[axis] for axis in categories]
    logs = [np.log(np.maximum(x, 1e-300)) for axis, x in runs.items() if axis not in set(categories)]
    compute = np.sum(logs, axis=0)
    order = np.lexsort((compute, *apart)) if apart else np.argsort(compute, kind="stable")
    if order.size <= MOST:
        return np.arange(order.size)
    return np.sort(order[np.linspace(0, order.size - 1, MOST).round().astype(int)])
