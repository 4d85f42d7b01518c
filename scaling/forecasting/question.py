"""What a forecast is asked: the runs it may use and the points it is asked for, validated once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.runs import arrays
from scaling.data.units import parse_size
from scaling.laws import REGISTRY, DenseLaw
from scaling.laws.base import Array, Law, LawForm

AXES = ("N", "P", "D")
FAR = 1e5  # factor beyond the runs from which a number is taken for one in another unit
APART = 1e7  # factor between the runs themselves from which their units are taken to be mixed
UNITS = {"N": "parameters, 30e9 or '30B'", "P": "streams, 8", "D": "tokens, 42e9 or '42B'"}
FEW = 2  # laws of exactly the axes that vary, below which those of fewer axes join the pool
MOST = 2_000  # rows that are used; of more, an even sample in order of compute


@dataclass(frozen=True)
class Question:
    """Runs and points on the axes that the runs vary; `given` holds the points on every axis asked."""

    runs: dict[str, Array]  # (n,) each
    loss: Array  # (n,), nats per token
    points: dict[str, Array]  # (K,) each
    given: pd.DataFrame  # K rows
    rows: int  # usable rows before sampling
    some: Any  # which of the usable rows `runs` are, (n,) int
    laws: tuple[LawForm, ...]


def question(table: Any, given: Mapping[str, Any], laws: Iterable[Any] | None) -> Question:
    """The question of a table of runs and points `given` on some of N, P, D; ValueError where it is wrong."""
    if isinstance(table, str):
        raise ValueError(f"table={table!r} is a path. Read it first, with scaling.read_runs.")
    points = _points({axis: value for axis, value in given.items() if value is not None})
    known = tuple(axis for axis in AXES if axis in table and _filled(table, axis, points))
    if not known:
        raise ValueError(f"The table has none of the columns {', '.join(AXES)}. Name its columns so.")
    data, _ = arrays(table, known)
    loss = data.pop("loss")
    if not loss.size:
        raise ValueError("The table has no usable row. Add finished runs, with status 'ok'.")
    if np.ptp(loss) == 0:
        raise ValueError(
            f"All {loss.size} losses are {loss[0]:g}. Check the column loss, nothing can be fitted to it."
        )
    varied = {axis: x for axis, x in data.items() if np.unique(x).size > 1}
    _check_fixed(data, varied, points)
    chosen = _laws(laws, data, varied)
    used = {axis: x for axis, x in varied.items() if any(axis in law.axes for law in chosen)}
    missing = [axis for axis in used if axis not in points]
    if missing:
        raise ValueError(
            f"{missing[0]} varies in the runs and is not given. Give {missing[0]}= for every point."
        )
    for axis in used:
        _check_units(axis, used[axis], points[axis].to_numpy())
    some = sample(used)
    runs = {axis: x[some] for axis, x in used.items()}
    asked = {axis: points[axis].to_numpy() for axis in used}
    return Question(runs, loss[some], asked, points, loss.size, some, chosen)


def _filled(table: Any, axis: str, points: pd.DataFrame) -> bool:
    """Whether a column is to be read: it is asked for, or it has no empty cell."""
    return axis in points or not bool(pd.isna(np.asarray(table[axis], dtype=object)).any())


def _points(given: Mapping[str, Any]) -> pd.DataFrame:
    """The points as a table, one row a point; numbers may be written 30B."""
    if not given:
        raise ValueError("No point is given. Give N=, P= or D=, those that vary in the runs.")
    index = next((v.index for v in given.values() if isinstance(v, pd.Series)), None)
    columns = {}
    for axis, value in given.items():
        values = np.atleast_1d(np.asarray(value, dtype=object))
        try:
            columns[axis] = np.array([parse_size(one) for one in values.ravel()])
        except ValueError as error:
            raise ValueError(f"{axis}: {error}. Give numbers, such as 30e9 or '30B'.") from None
        least = 1.0 if axis == "P" else 0.0
        bad = ~(np.isfinite(columns[axis]) & ((columns[axis] >= 1) if axis == "P" else (columns[axis] > 0)))
        if bad.any():
            need = ">= 1" if least else "> 0"
            raise ValueError(
                f"{axis}={columns[axis][bad][0]:g} cannot be forecast. It must be finite and {need}."
            )
    try:
        broadcast = np.broadcast_arrays(*columns.values())
    except ValueError:
        sizes = ", ".join(f"{axis} has {x.size}" for axis, x in columns.items())
        raise ValueError(
            f"The points differ in length: {sizes}. Give as many of each, or one for all."
        ) from None
    return pd.DataFrame(dict(zip(columns, broadcast, strict=True)), index=index)


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


def _laws(laws: Any, data: Mapping[str, Array], varied: Mapping[str, Array]) -> tuple[Any, ...]:
    """The laws asked for, or every registered one of the axes that vary."""
    if isinstance(laws, (str, type)):
        raise ValueError(
            f"laws={laws!r} is one law. Give a list, [scaling.ParallelLaw, scaling.AdditiveLaw]."
        )
    if laws is not None:
        chosen = tuple({law.__name__: law for law in map(Law.of, laws)}.values())
        lacking = {axis for law in chosen for axis in law.axes if axis not in varied}
        if not chosen or lacking:
            what = (
                f"{', '.join(sorted(lacking))} does not vary in the runs" if lacking else "laws=[] is empty"
            )
            raise ValueError(f"{what}. Give laws of {', '.join(varied) or 'axes that vary'}.")
        return chosen
    chosen = tuple(law for law in REGISTRY.values() if set(law.axes) == set(varied))
    if 0 < len(chosen) < FEW:  # no choice of laws: those of fewer axes join, and power laws without a floor
        chosen += tuple(law for law in REGISTRY.values() if set(law.axes) < set(varied))
        chosen += (DenseLaw.with_fixed(E=0.0),) if set(varied) == {"N"} else ()
    if chosen:
        return chosen
    single = [f"{axis} takes one value, {x[0]:g}" for axis, x in data.items() if axis not in varied]
    why = f": {'; '.join(single)}" if single else ""
    axes = " and ".join(varied) or "no axis"
    raise ValueError(f"The runs vary {axes}, and no law is of that alone{why}. Add runs at other sizes N.")


def _check_units(axis: str, runs: Array, asked: Array) -> None:
    if runs.max() > APART * runs.min():
        where = int(runs.argmin()) + 1
        raise ValueError(
            f"{axis} runs from {runs.min():g} (usable row {where}) to {runs.max():g}: units are mixed. "
            f"Write all in {UNITS[axis]}."
        )
    off = (asked > FAR * runs.max()) | (asked < runs.min() / FAR)
    if off.any():
        raise ValueError(
            f"{axis}={asked[off][0]:g} is far from the runs' {runs.min():g} to {runs.max():g}, as if in "
            f"another unit. Write both in {UNITS[axis]}."
        )


def sample(runs: Mapping[str, Array]) -> Any:
    """Which rows to use: all, or MOST of them evenly spread in order of compute, ends kept."""
    order = np.argsort(sum(np.log(x) for x in runs.values()), kind="stable")
    if order.size <= MOST:
        return np.arange(order.size)
    return np.sort(order[np.linspace(0, order.size - 1, MOST).round().astype(int)])
