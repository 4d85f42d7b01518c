"""Laws of any form: a class that gives its own `predict` and no terms.

L = predict(axes, parameters) has no coefficients that a fit could solve for: each parameter is nonlinear, has a
`Range` for its starts and bounds, and enters by differences. Legend: n rows, B parameter sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from scaling.laws.ranges import Range

STEP = 1e-6  # of a parameter's size: the step of central differences


def differences(function: Callable[..., Sequence[Any]], args: Sequence[Any], axes: int) -> list[list[Any]]:
    """∂(output j)/∂(parameter i) as [i][j] by central differences. args: `axes` axes (n,), then parameters."""
    x, eta = args[:axes], list(args[axes:])
    rows = []
    for i, value in enumerate(eta):
        step = STEP * np.maximum(np.abs(value), 1e-3)
        up, down = (function(*x, *eta[:i], value + s, *eta[i + 1 :]) for s in (step, -step))
        rows.append([(np.asarray(a) - b) / (2 * step) for a, b in zip(up, down, strict=True)])
    return rows


def add_omitted(law: Any) -> None:
    """Add what an author may leave out: the comma of a single axis, @staticmethod, and the slopes of new terms."""
    law.axes = (law.axes,) if isinstance(law.axes, str) else law.axes
    own = vars(law)
    if isinstance(own.get("terms"), FunctionType):
        law.terms = staticmethod(own["terms"])
    if "terms" in own and "terms_gradient" not in own:  # a parent's slopes are those of other terms
        law.terms_gradient = classmethod(lambda cls, *args: differences(cls.terms, args, len(cls.axes)))


def adopt(law: Any, predict: Callable[..., Any]) -> None:
    """Make a class whose author wrote `predict(self, **axes)` a law of free form."""
    law.has_rest = True
    law.terms = staticmethod(lambda *args: ())
    law.terms_gradient = classmethod(lambda cls, *args: [()] * (len(args) - len(cls.axes)))
    law.rest = classmethod(lambda cls, *args: _loss(cls, predict, args))


def _loss(law: Any, predict: Callable[..., Any], args: Sequence[Any]) -> Any:
    """L (B, n) or (n,) of parameters (B, 1) or scalars, by one call, or one per set if that fails."""
    axes = dict(zip(law.axes, args, strict=False))
    values = args[len(law.axes) :]
    shape = np.broadcast_shapes(*(np.shape(a) for a in args))
    try:
        found = np.asarray(predict(law(*values), **axes), dtype=np.float64)
        if np.broadcast_shapes(found.shape, shape) == shape:
            return found
    except Exception:  # it takes plain numbers, or it is wrong and fails below, where the point is named
        pass
    return _one_by_one(law, predict, axes, values, shape)


def _one_by_one(law: Any, predict: Callable[..., Any], axes: Any, values: Any, shape: Any) -> Any:
    """The same, a parameter set and a row at a time: for a `predict` of plain numbers."""
    columns = [
        np.broadcast_to(np.asarray(v, dtype=np.float64), shape).ravel() for v in (*axes.values(), *values)
    ]
    count = len(axes)
    out = np.empty(columns[0].size)
    for i, row in enumerate(zip(*columns, strict=True)):
        point = dict(zip(axes, map(float, row[:count]), strict=True))
        try:
            found = np.asarray(predict(law(*map(float, row[count:])), **point), dtype=np.float64)
        except Exception as error:
            at = ", ".join(f"{axis}={value:g}" for axis, value in point.items())
            why = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"{law.__name__}.predict fails at {at} ({why}). Return one loss a point."
            ) from error
        if found.size != 1:
            raise ValueError(
                f"{law.__name__}.predict returned {found.size} values for one point. Return one loss a point."
            )
        out[i] = found.item()
    return out.reshape(shape)


@cache
def check_form(law: Any) -> None:
    """Refuse a law that cannot be fitted: of free form without ranges, or with another number of terms than coefficients."""
    _check_declared(law)
    lacking = [name for name in law.names() if name not in law.nonlinear]
    if not law.has_rest:
        _check_terms(law, lacking)
    elif lacking:
        raise ValueError(
            f"{law.__name__} gives predict, so every parameter needs a Range in `nonlinear`: "
            f"none for {', '.join(lacking)}. Add one, such as Range(0.1, 10)."
        )


def _check_declared(law: Any) -> None:
    """Refuse a class that is no dataclass, and ranges or categories of the wrong kind or of no field."""
    if set(vars(law).get("__annotations__", ())) - set(law.names()) - set(dir(law)):
        raise ValueError(f"{law.__name__} is no dataclass. Write @dataclass(frozen=True) above its class.")
    for name, known in law.nonlinear.items():
        if not isinstance(known, Range):
            raise ValueError(
                f"{law.__name__}.nonlinear: {name}={known!r} is no Range. Write Range(low, high)."
            )
    named = [("nonlinear", name) for name in law.nonlinear]
    named += [("categories", getattr(one, "parameter", None)) for one in law.categories.values()]
    for where, name in named:
        if name not in law.names():
            raise ValueError(
                f"{law.__name__}.{where} names {name!r}, which is no parameter. There is {', '.join(law.names())}."
            )


def _check_terms(law: Any, linear: Sequence[str]) -> None:
    """Refuse a law whose terms are not one for each coefficient."""
    ones = [np.ones(2) for _ in law.axes]
    middle = (float(np.median(one.starts())) for one in law.nonlinear.values())
    try:
        with np.errstate(all="ignore"):
            terms = law.terms(*ones, *middle)
        np.broadcast(*ones, *terms)
    except Exception as error:
        takes = ", ".join((*law.axes, *law.nonlinear))
        raise ValueError(
            f"{law.__name__}.terms fails ({type(error).__name__}: {error}). It takes arrays {takes} and returns "
            "one term for each coefficient."
        ) from error
    if (found := len(terms)) != len(linear):
        raise ValueError(
            f"{law.__name__} gives {found} term{'s' * (found != 1)} for {len(linear)} coefficients, "
            f"{', '.join(linear) or 'none'}. Return one for each, or name the others in `nonlinear`."
        )
