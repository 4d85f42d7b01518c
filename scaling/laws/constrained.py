"""A law with parameters held at values or kept within bounds, as a value.

L = sum_j c_j φ_j(x; η) as in `scaling.laws.base`. A constrained nonlinear parameter only gets other bounds.
A constrained coefficient leaves the linear part. Its field becomes a coordinate next to η. Its contribution,
v_j(coordinates) φ_j(x; η), is an offset that no coefficient multiplies. Every constraint is then a
box in the coordinates, also where a field is not itself a coefficient: with A fixed in (A/N)^alpha the offset is
A^alpha N^-alpha, a function of alpha alone.

Legend: m free coefficients, q' coordinates (η, then the constrained fields), B problems, n rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scaling.laws.ranges import Range

LOG_ZERO = float(np.log(1e-300))  # the coordinate of a prefactor of 0


class Form:
    """What may replace a law's class: a law with constraints, or one with arms."""

    law: Any  # type[Law], or another form

    def __repr__(self) -> str:
        return str(getattr(self, "__name__"))  # noqa: B009 - a property of the subclasses

    def __getattr__(self, name: str) -> Any:
        """What the form does not change is the law's own."""
        if name.startswith("__") or name == "law":
            raise AttributeError(name)
        return getattr(self.law, name)

    def __call__(self, *values: Any, **fields: Any) -> Any:
        """A law with these fields."""
        raise NotImplementedError

    def terms_and_slopes(self, *args: Any) -> tuple[Sequence[Any], Sequence[Sequence[Any]]]:
        """The form's own `terms` and `terms_gradient`."""
        return self.terms(*args), self.terms_gradient(*args)


@dataclass(frozen=True, repr=False)
class ConstrainedLaw(Form):
    """A law's class with `fixed` values and `bounds` of some parameters. Usable wherever a class is.

    Made by `Law.with_fixed`, `Law.with_bounds`, `by_name("dense:E=1.6")` or the arguments of `scaling.fit`.
    """

    law: Any  # type[Law]
    fixed: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names and values that the law does not allow."""
        object.__setattr__(self, "fixed", {n: _fixed(self.law, n, v) for n, v in sorted(self.fixed.items())})
        limits = {n: _bounded(self.law, n, v) for n, v in sorted(self.bounds.items())}
        both = sorted(set(limits) & set(self.fixed))
        if both:
            raise ValueError(f"{both[0]} is fixed and bounded: give it in fixed= or in bounds=")
        if set(self.fixed) >= set(self.law.names()):
            raise ValueError(f"every parameter of {self.law.__name__} is fixed: leave one free to fit")
        object.__setattr__(self, "bounds", limits)
        object.__setattr__(self, "__doc__", self.law.__doc__)

    def __hash__(self) -> int:
        return hash((self.law, *self.fixed.items(), *self.bounds.items()))

    def __call__(self, *values: Any, **fields: Any) -> Any:
        """A law with these fields, the fixed ones filled in."""
        return self.law(*values, **fields) if values else self.law(**{**self.fixed, **fields})

    @property
    def whole(self) -> Any:
        """The law without its constraints."""
        return self.law

    @property
    def __name__(self) -> str:
        known = {(one.parameter, one.at) for one in self.law.categories.values()}  # of reference categories
        parts = [f"{n}={v!r}" for n, v in self.fixed.items() if (n.partition("[")[0], v) not in known]
        parts += [f"{low:g}<={n}<={high:g}" for n, (low, high) in self.bounds.items()]
        return f"{self.law.__name__}({','.join(parts)})" if parts else str(self.law.__name__)

    def with_fixed(self, **values: float) -> ConstrainedLaw:
        """The law with more parameters fixed. Their bounds are dropped."""
        kept = {n: v for n, v in self.bounds.items() if n not in values}
        return ConstrainedLaw(self.law, {**self.fixed, **values}, kept)

    def with_bounds(self, **values: tuple[float, float]) -> ConstrainedLaw:
        """The law with more parameters bounded, or other bounds on one."""
        return ConstrainedLaw(self.law, self.fixed, {**self.bounds, **values})

    # ---- how the fields are split -------------------------------------------------------------
    @cached_property
    def promoted(self) -> tuple[str, ...]:
        """Fields that left the linear part, in field order."""
        named = [n for n in self.law.linear() if n in self.fixed or n in self.bounds]
        return tuple(self.law.together(named))

    @cached_property
    def nonlinear(self) -> dict[str, Range]:
        """The coordinates and their ranges: the law's nonlinear parameters, then the promoted fields."""
        own = {n: self._own(n, r) for n, r in self.law.nonlinear.items()}
        return own | {n: self._coordinate(n) for n in self.promoted}

    def _own(self, name: str, known: Range) -> Range:
        if name in self.fixed:
            value = float(self.law.coordinate(name, self.fixed[name]))
            return Range(value, value, 1, value, value)
        if name not in self.bounds:
            return known
        return known.within(*(float(self.law.coordinate(name, end)) for end in self.bounds[name]))

    def _coordinate(self, name: str) -> Range:
        if name in self.fixed:
            low = high = self.fixed[name]
        else:
            low, high = self.bounds.get(name, self.law.allowed(name))
        if name in self.law.prefactors:
            low, high = (max(float(np.log(max(end, 1e-300))), LOG_ZERO) for end in (low, high))
        if low == high:
            return Range(low, low, 1, low, low)
        scale = min(1.0, abs(high))
        return Range(scale, scale, 1, low, high)

    def names(self) -> tuple[str, ...]:
        """Field names, in order."""
        return tuple(self.law.names())

    def free(self) -> tuple[str, ...]:
        """Fields that a fit estimates."""
        return tuple(n for n in self.law.names() if n not in self.fixed)

    def linear(self) -> tuple[str, ...]:
        """Fields that are coefficients still."""
        return tuple(n for n in self.law.linear() if n not in self.promoted)

    def _values(self, eta: Sequence[Any]) -> dict[str, Any]:
        """Fields from the coordinates: the nonlinear parameters and the promoted ones."""
        out = dict(zip(self.nonlinear, eta, strict=True))
        for name in self.promoted:
            if name in self.fixed:
                out[name] = self.fixed[name] + 0.0 * np.asarray(out[name])
            elif name in self.law.prefactors:
                low, high = self.bounds.get(name, self.law.allowed(name))
                value = np.where(out[name] <= LOG_ZERO, 0.0, np.exp(out[name]))
                out[name] = np.clip(value, low, high)  # through the logarithm and back costs a digit
        return out

    def _whole(self, eta: Sequence[Any]) -> Any:
        """A law with these coordinates, its free coefficients 1: they do not enter the offset."""
        return self.law(**(dict.fromkeys(self.linear(), 1.0) | self._values(eta)))

    def to_fields(self, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        """Fields by name from the free `coefficients` and the coordinates `eta`."""
        values = self._values(eta)
        own = list(eta)[: len(self.law.nonlinear)]
        if not self.promoted:
            return {**self.law.to_fields(coefficients, own), **self._exact(eta)}
        free, held = iter(coefficients), self._whole(eta).to_linear()[0]
        linear = self.law.linear()
        c = [v if n in self.promoted else next(free) for n, v in zip(linear, held, strict=True)]
        return {**self.law.to_fields(c, own), **{n: values[n] for n in self.promoted}, **self._exact(eta)}

    def _exact(self, eta: Sequence[Any]) -> dict[str, Any]:
        """The fixed fields to the last digit, of the coordinates' shape."""
        zero = 0.0 * np.asarray(eta[0])
        return {n: v + zero for n, v in self.fixed.items()}

    def coordinates(self, law: Any) -> tuple[list[Any], list[Any]]:
        """Free coefficients and coordinates of a law with all its fields."""
        c, eta = law.to_linear()
        free = [v for n, v in zip(self.law.linear(), c, strict=True) if n not in self.promoted]
        return free, [*eta, *(self.coordinate(n, getattr(law, n)) for n in self.promoted)]

    def coordinate(self, name: str, value: Any) -> Any:
        """The coordinate of a field, by `name`, at `value`: of a promoted prefactor the logarithm, in bounds."""
        if name not in self.promoted:
            return self.law.coordinate(name, value)
        known = self.nonlinear[name]
        if name in self.law.prefactors:
            value = np.log(np.maximum(value, 1e-300))
        return np.clip(value, known.lower, known.upper)

    # ---- what a problem evaluates ---------------------------------------------------------------
    def _split(self, args: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Axes, nonlinear parameters of the law, all coordinates."""
        axes, eta = args[: len(self.law.axes)], args[len(self.law.axes) :]
        return axes, eta[: len(self.law.nonlinear)], eta

    def terms(self, *args: Any) -> Sequence[Any]:
        """The φ_j that free coefficients multiply. args: the axes (n,), then the coordinates (B, 1)."""
        axes, own, _ = self._split(args)
        phi = self.law.terms(*axes, *own)
        return [p for n, p in zip(self.law.linear(), phi, strict=True) if n not in self.promoted]

    def terms_gradient(self, *args: Any) -> Sequence[Sequence[Any]]:
        """∂φ_j/∂(coordinate i) of those, as [i][j]. args: as for `terms`."""
        axes, own, _ = self._split(args)
        keep = [n not in self.promoted for n in self.law.linear()]
        rows = [
            [d for d, kept in zip(row, keep, strict=True) if kept]
            for row in self.law.terms_gradient(*axes, *own)
        ]
        return [*rows, *([0.0] * sum(keep) for _ in self.promoted)]

    @property
    def has_rest(self) -> bool:
        """Whether something in L is multiplied by no free coefficient."""
        return bool(self.promoted) or self.law.has_rest

    def rest(self, *args: Any) -> Any:
        """What no free coefficient multiplies, broadcasting to (B, n). args: as for `terms`."""
        axes, own, eta = self._split(args)
        if not self.promoted:
            return self.law.rest(*axes, *own)
        held = self._whole(eta).to_linear()[0]
        phi = self.law.terms(*axes, *own)
        parts = zip(self.law.linear(), held, phi, strict=True)
        return sum(v * p for n, v, p in parts if n in self.promoted) + self.law.rest(*axes, *own)

    def rest_gradient(self, *args: Any) -> list[Any]:
        """∂rest/∂(coordinate i), each broadcasting to (B, n). args: as for `terms`."""
        axes, own, eta = self._split(args)
        if not self.promoted:
            return list(self.law.rest_gradient(*axes, *own))
        whole = self._whole(eta)
        slope, held = whole.linear_gradient(), whole.to_linear()[0]
        phi, moving = self.law.terms(*axes, *own), list(self.law.terms_gradient(*axes, *own))
        linear, names = self.law.linear(), self.law.names()
        at = [j for j, n in enumerate(linear) if n in self.promoted]
        out, others = [], self.law.rest_gradient(*axes, *own) if self.law.has_rest else []
        for i, name in enumerate(self.nonlinear):
            by = slope[..., names.index(name)]
            change = sum(by[..., j] * phi[j] for j in at)
            if name in self.law.prefactors and name in self.promoted:
                change = change * getattr(whole, name)
            if i < len(moving):
                change = change + sum(held[j] * moving[i][j] for j in at)
            if i < len(others):
                change = change + others[i]
            out.append(change)
        return out


def _known(law: Any, name: str, option: str) -> tuple[float, float]:
    if name not in law.names():
        raise ValueError(
            f"{option}: {law.__name__} has no parameter {name!r}. It has {', '.join(law.names())}"
        )
    if name in law.not_held:
        raise ValueError(
            f"{option}: {name} of {law.__name__} cannot be held. Fix or bound another parameter."
        )
    low, high = law.allowed(name)
    return float(low), float(high)


def _fixed(law: Any, name: str, value: Any) -> float:
    """A value that a parameter may be held at."""
    low, high = _known(law, name, "fixed")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"fixed: {name}={value!r} is not a number") from None
    if not (np.isfinite(number) and low <= number <= high):
        raise ValueError(
            f"fixed: {name}={value!r} is outside {law.__name__}'s range for it, {low:g} to {high:g}"
        )
    return number


def _bounded(law: Any, name: str, given: Any) -> tuple[float, float]:
    """Bounds a parameter may be kept within: two ends, None or infinity for the law's own."""
    low, high = _known(law, name, "bounds")
    try:
        first, last = given
        least = low if first is None or first == -np.inf else float(first)
        most = high if last is None or last == np.inf else float(last)
    except (TypeError, ValueError):
        raise ValueError(f"bounds: {name}={given!r}: give two numbers, such as (0, 1)") from None
    if not (low <= least <= high and low <= most <= high):
        raise ValueError(
            f"bounds: {name}={given!r} reaches outside {law.__name__}'s range, {low:g} to {high:g}"
        )
    if not least < most:
        raise ValueError(
            f"bounds: {name}={given!r}: the lower end must be below the upper. To hold it use fixed="
        )
    return least, most
