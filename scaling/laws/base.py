"""What a law is: a frozen dataclass of coefficients, linear in some of them.

Every law here reads  L = sum_j c_j φ_j(N, P, D; η)  with coefficients c_j >= 0 and a few nonlinear
parameters η. A law states its nonlinear parameters (`nonlinear`) and its terms φ (`terms`). Its
other fields are the coefficients, in order. Prediction, gradient, inverse, equivalent sizes
and fitting follow from these two. A law knows no optimiser.

Letters: N non-embedding parameters, P streams, D training tokens, L loss in nats per token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from scaling.laws import free_form
from scaling.laws.axis import Axis, clean_axes, like, rule_of
from scaling.laws.constrained import ConstrainedLaw, Form
from scaling.laws.free_form import differences
from scaling.laws.ranges import EXPONENT, Array, Range
from scaling.shown import shown

__all__ = ["EXPONENT", "Array", "Axis", "Law", "LawForm", "Range", "clean_axes", "like"]


@dataclass(frozen=True)
class Law:
    """Base of every law: a frozen dataclass whose fields are its coefficients.

    A subclass adds float fields, `nonlinear` (the range of the starts of each parameter that does not enter linearly) and
    `terms` (the functions that the other parameters multiply), or `predict` alone: see docs/guides/own-law.md.

    Examples:
        >>> law = scaling.ParallelLaw(E=1.2886, A=1.9752e8, alpha=0.19628, k=0.33444)
        >>> round(law.predict(N=2.8e9, P=4), 4)  # nats per token
        1.84
        >>> f"{law.equivalent_N(N=2.8e9, P=4):.3g}"  # parameters at P = 1
        '4.1e+09'
    """

    axes: ClassVar[tuple[str, ...]] = ("N", "P")
    axis_rules: ClassVar[Mapping[str, Axis]] = {}  # of axes whose values are not simply positive
    nonlinear: ClassVar[Mapping[str, Range]] = {}
    fixed: ClassVar[Mapping[str, float]] = {}
    prefactors: ClassVar[frozenset[str]] = frozenset(
        {"A", "B"}
    )  # vary over decades: bounded on the logarithm
    source: ClassVar[str] = ""
    not_held: ClassVar[tuple[str, ...]] = ()  # fields that cannot be fixed or bounded
    categories: ClassVar[Mapping[str, Any]] = {}  # columns whose levels have a parameter each: `Category`
    has_rest: ClassVar[bool] = False  # whether a part of L has no coefficient

    # ---- what a subclass states: its terms, or else its `predict` -----------------------------
    def __init_subclass__(cls, **options: Any) -> None:
        """A law that gives its own `predict` is of any form: every parameter is nonlinear, L is all rest."""
        super().__init_subclass__(**options)
        cls.whole = cls
        free_form.add_omitted(cls)
        if "predict" in cls.__dict__:
            free_form.adopt(cls, cls.__dict__["predict"])
            del cls.predict  # the base class's `predict` checks its arguments, then evaluates `rest`
        if {"terms", "terms_gradient"} & vars(cls).keys() and "terms_and_slopes" not in vars(cls):
            # a parent's are of other terms
            cls.terms_and_slopes = vars(Law)["terms_and_slopes"]  # type: ignore[method-assign]

    @staticmethod
    def terms(*args: Any) -> Sequence[Any]:
        """The φ_j for axes (n,) and nonlinear parameters (B, 1), each broadcasting to (B, n)."""
        raise NotImplementedError("a law states its terms, or its predict")

    @classmethod
    def terms_gradient(cls, *args: Any) -> Sequence[Sequence[Any]]:
        """∂φ_j/∂η_i as [i][j], by central differences unless overridden (every law here does)."""
        return differences(cls.terms, args, len(cls.axes))

    @classmethod
    def terms_and_slopes(cls, *args: Any) -> tuple[Sequence[Any], Sequence[Sequence[Any]]]:
        """`terms` and `terms_gradient`. A law overrides it where both need the same powers."""
        return cls.terms(*args), cls.terms_gradient(*args)

    @classmethod
    def rest(cls, *args: Any) -> Any:
        """The part of L without a coefficient, for the args of `terms`. 0 except for laws of free form."""
        return 0.0

    @classmethod
    def rest_gradient(cls, *args: Any) -> Sequence[Any]:
        """∂rest/∂η_i as [i], by central differences."""
        return [row[0] for row in differences(lambda *a: (cls.rest(*a),), args, len(cls.axes))]

    @classmethod
    def to_fields(cls, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        """Fields by name from (c, η). Overridden if a field is not itself a coefficient."""
        return dict(zip(cls.linear(), coefficients, strict=True)) | dict(zip(cls.nonlinear, eta, strict=True))

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        """(c, η) from the fields: the inverse of `to_fields`."""
        return [getattr(self, f) for f in self.linear()], [getattr(self, f) for f in self.nonlinear]

    def linear_gradient(self) -> Array:
        """∂(c, η)/∂fields, shape (p, p), at scalar fields. The identity unless `to_linear` is overridden."""
        order = [*self.linear(), *self.nonlinear]
        return np.array([[float(f == g) for g in self.names()] for f in order])

    # ---- what follows -----------------------------------------------------------------------
    @classmethod
    @cache
    def names(cls) -> tuple[str, ...]:
        """Field names, in order."""
        return tuple(f.name for f in fields(cls))

    @classmethod
    def free(cls) -> tuple[str, ...]:
        """Fields that a fit estimates (all but the fixed ones)."""
        return tuple(name for name in cls.names() if name not in cls.fixed)

    @classmethod
    @cache
    def linear(cls) -> tuple[str, ...]:
        """Fields that are not nonlinear parameters."""
        return tuple(name for name in cls.names() if name not in cls.nonlinear)

    @classmethod
    def from_vector(cls, values: Any) -> Self:
        """The law whose fields are values[..., i] in field order. Arrays make a batch of laws."""
        columns = np.moveaxis(np.asarray(values, dtype=np.float64), -1, 0)
        if len(columns) != len(cls.names()):
            raise ValueError(f"{len(columns)} values for {', '.join(cls.names())} of {cls.__name__}")
        return cls(*(float(c) if c.ndim == 0 else c for c in columns))

    @property
    def vector(self) -> Array:
        """The fields as an array, shape (p,) or, for a batch, (..., p)."""
        return np.stack([np.asarray(getattr(self, n), dtype=np.float64) for n in self.names()], axis=-1)

    whole: ClassVar[Any] = None  # set for each law's class: itself, without constraints

    @classmethod
    def coordinate(cls, name: str, value: Any) -> Any:
        """The coordinate in which a nonlinear parameter is fitted, at a value: itself."""
        return value

    @property
    def kind(self) -> Any:
        """What makes another law like this one, `law.kind(E=1.7, ...)`: its class."""
        return type(self)

    @classmethod
    def together(cls, names: Sequence[str]) -> Sequence[str]:
        """The linear fields whose coefficients depend on those named: they are constrained together."""
        if not names or cls.to_linear is Law.to_linear:
            return [name for name in cls.linear() if name in names]
        return cls.linear()

    @classmethod
    def allowed(cls, name: str) -> tuple[float, float]:
        """The lowest and the highest value of a field."""
        known = cls.nonlinear.get(name)
        return (known.lower, known.upper) if known else (0.0, float("inf"))

    @classmethod
    def with_fixed(cls, **values: float) -> ConstrainedLaw:
        """The law with parameters held at given values.

        Args:
            values: name=value, as in `AdditiveLaw.with_fixed(beta=0.5)`.

        Returns:
            A law that `scaling.fit` and `scaling.compare` take.
        """
        return ConstrainedLaw(cls, values)

    @classmethod
    def with_bounds(cls, **values: tuple[float, float]) -> ConstrainedLaw:
        """The law with parameters kept within given values.

        Args:
            values: name=(low, high), as in `ParallelLaw.with_bounds(k=(0, 1))`.

        Returns:
            A law that `scaling.fit` and `scaling.compare` take.
        """
        return ConstrainedLaw(cls, {}, values)

    @classmethod
    def coordinates(cls, law: Law) -> tuple[list[Any], list[Any]]:
        """Coefficients and nonlinear parameters of a law of this class: the start of its fit."""
        return law.to_linear()

    @classmethod
    def of(cls, given: Any) -> LawForm:
        """The law that a caller gave: a class, one with constraints, or a law, fitted or not. Else ValueError."""
        found = given.kind if isinstance(given, Law) else given
        if isinstance(found, Form) or (isinstance(found, type) and issubclass(found, Law)):
            return found
        raise ValueError(f"{shown(given)} is not a law: give scaling.ParallelLaw or its name, 'parallel'")

    @classmethod
    def axis_rule(cls, axis: str) -> Axis:
        """What the values of an axis may be."""
        return rule_of(axis, cls.axis_rules)

    def predict(self, *values: Any, **axes: Any) -> Any:
        """The loss at given values of the axes. Arguments broadcast.

        Args:
            values: the axes by position, in the law's order, as in `law.predict(2.8e9, 4)`, or one table that has them as
                columns.
            axes: by name, N=, P=, D= and others that the law has: numbers or arrays.

        Returns:
            L in nats per token: a number, an array or, for columns of a DataFrame, a Series.

        Raises:
            ValueError: for a missing axis, a value that is not finite, N <= 0 or P < 1.
        """
        if values:
            axes = self._by_position(values, axes)
        x = clean_axes(self.axes, axes, self.axis_rules)
        return like(self._loss(*x.values()), axes)

    def _by_position(self, values: Sequence[Any], axes: Mapping[str, Any]) -> dict[str, Any]:
        """Axes by name from values in the law's order, or from one table."""
        takes, name = ", ".join(self.axes), type(self).__name__
        if len(values) == 1 and (isinstance(values[0], Mapping) or hasattr(values[0], "columns")):
            table = values[0]
            missing = [axis for axis in self.axes if axis not in table and axis not in axes]
            if missing:
                raise ValueError(f"missing {', '.join(missing)}: {name} takes {takes}")
            return {axis: table[axis] for axis in self.axes if axis in table} | dict(axes)
        if len(values) > len(self.axes):
            raise ValueError(f"{len(values)} values by position: {name} takes {takes}")
        twice = [axis for axis in self.axes[: len(values)] if axis in axes]
        if twice:
            raise ValueError(f"{twice[0]} is given by position and by name: {name} takes {takes}")
        return dict(zip(self.axes, values, strict=False)) | dict(axes)

    def limit(self, axis: str, **axes: Any) -> Any:
        """The loss as one axis goes to infinity.

        Args:
            axis: its name.
            axes: the other axes by name: numbers or arrays.

        Returns:
            L in nats per token, of the shape of `axes`.

        Raises:
            ValueError: for an axis that the law lacks.
        """
        if axis not in self.axes:
            raise ValueError(f"{type(self).__name__} has no axis {axis!r}. It has {', '.join(self.axes)}")
        x = clean_axes(tuple(a for a in self.axes if a != axis), axes, self.axis_rules)
        with np.errstate(invalid="ignore"):
            far, large = (
                self._loss(*((x | {axis: np.array(v)})[a] for a in self.axes)) for v in (np.inf, 1e300)
            )
        return like(np.where(np.isnan(far), large, far), axes)  # nan: 0 * inf, a law that ignores the axis

    def _loss(self, *x: Array) -> Array:
        c, eta = self.to_linear()
        total = sum(cj * phi for cj, phi in zip(c, self.terms(*x, *eta), strict=True))
        total = total + self.rest(*x, *eta) if self.has_rest else total
        return np.asarray(total + np.zeros(np.broadcast_shapes(*{np.shape(v) for v in x})))

    def gradient(self, **axes: Any) -> Array:
        """The derivatives of the loss by the fields, ∂L/∂fields.

        Args:
            axes: N=, P= and others by name: numbers or arrays.

        Returns:
            An array of shape (..., p), the p fields in their order.
        """
        return self._slopes(*clean_axes(self.axes, axes, self.axis_rules).values())

    def _slopes(self, *x: Array) -> Array:
        """∂L/∂fields, shape (..., p). Axes and fields, which may be a batch, broadcast."""
        c, eta = self.to_linear()
        terms, slopes = self.terms_and_slopes(*x, *eta)
        columns = list(terms)
        moves = self.rest_gradient(*x, *eta) if self.has_rest else [0.0] * len(eta)
        for row, move in zip(slopes, moves, strict=True):
            columns.append(sum(cj * d for cj, d in zip(c, row, strict=True)) + move)
        jacobian = np.empty((*np.broadcast_shapes(*{np.shape(v) for v in (*x, *columns)}), len(columns)))
        for place, column in enumerate(columns):
            jacobian[..., place] = column
        return np.asarray(np.matmul(jacobian[..., None, :], self.linear_gradient())[..., 0, :])

    def inverse(self, loss: Any, *, along: str = "N", **axes: Any) -> Any:
        """The value of one axis at which this law predicts a loss.

        Args:
            loss: nats per token, a number or an array.
            along: the axis.
            axes: the other axes by name: numbers or arrays.

        Returns:
            The value, in the axis' own unit. inf if no value is large enough, nan for a nan `loss` or one above every prediction.

        Raises:
            ValueError: for an axis that the law lacks, or along which its loss need not be monotone.
        """
        return self._solve(along, loss, axes)

    def equivalent(self, axis: str, at: Mapping[str, Any], **point: Any) -> Any:
        """The value of an axis that gives the loss of a point once other axes are changed. Arguments broadcast.

        `law.equivalent("N", {"P": 1}, N=1e9, P=8)` is what 8 streams are worth in parameters, and
        `law.equivalent("N", {"experts": 1}, N=1e8, experts=64)` what 64 experts are.

        Args:
            axis: the axis to solve for.
            at: the changed axes and their values.
            point: all axes of the point by name.

        Returns:
            The value, in the axis' own unit, as of `inverse`.
        """
        others = {name: value for name, value in {**point, **at}.items() if name != axis}
        return self._solve(axis, self.predict(**point), others)

    def equivalent_N(self, N: Any, P: Any, at_P: Any = 1, **axes: Any) -> Any:
        """The size that gives the loss of (N, P) at another P. Arguments broadcast.

        Args:
            N: parameters.
            P: streams.
            at_P: streams of the size asked for.
            axes: the law's other axes, the same for both.

        Returns:
            N in parameters, as of `inverse`.
        """
        return self.inverse(self.predict(N=N, P=P, **axes), P=at_P, **axes)

    def equivalent_P(self, N: Any, P: Any, at_N: Any, **axes: Any) -> Any:
        """The number of streams that gives another size the loss of (N, P). Arguments broadcast.

        Args:
            N: parameters.
            P: streams.
            at_N: the other size, in parameters.
            axes: the law's other axes, the same for both.

        Returns:
            P, a real number of at least 1. nan if it would be below 1, inf if no P suffices.
        """
        return self._solve("P", self.predict(N=N, P=P, **axes), {"N": at_N, **axes})

    def _solve(self, axis: str, loss: Any, axes: Mapping[str, Any]) -> Any:
        """Solve L(axis) = loss by bisection on log(axis), along which the loss falls or rises throughout."""
        rule = self.axis_rule(axis)
        if axis not in self.axes or not rule.invertible:
            why = f"its loss is not monotone in {axis}" if axis in self.axes else f"it has no axis {axis!r}"
            raise ValueError(
                f"{type(self).__name__} cannot be solved for {axis}: {why}. Use one of {', '.join(self.axes)}."
            )
        x = clean_axes(tuple(a for a in self.axes if a != axis), axes, self.axis_rules)
        sign = 1.0 if rule.more_is_better else -1.0
        target = sign * np.asarray(loss, dtype=np.float64)
        shape = np.broadcast_shapes(target.shape, *(v.shape for v in x.values()), self.vector.shape[:-1])
        low = np.full(shape, np.log(rule.lowest) if rule.lowest > 0 else -50.0)
        high = np.full(shape, 650.0)

        def at(u: Array) -> Array:
            return sign * self._loss(*((x | {axis: np.exp(u)})[a] for a in self.axes))

        above, below = at(low) < target - 1e-12, at(high) > target
        found = np.where(below, np.inf, np.exp(_root(lambda u: at(u) - target, low, high)))
        found = np.where(above | np.isnan(target), np.nan, found)
        return like(found, {"loss": loss, **axes})


def _root(gap: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where gap, which falls from positive at low to negative at high, is 0: bisections, then secants between them.

    A function with kinks, on which secants do not settle, is bisected to the end.
    """

    def halved(low: Array, high: Array, times: int) -> tuple[Array, Array]:
        for _ in range(times):
            middle = (low + high) / 2
            above = gap(middle) > 0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return low, high

    low, high = halved(low, high, 13)
    last, found, before, now = low, high, gap(low), gap(high)
    with np.errstate(all="ignore"):
        for _ in range(7):
            step = now * (found - last) / (now - before)
            further = np.clip(np.where(np.isfinite(step), found - step, found), low, high)
            last, before, found, now = found, now, further, gap(further)
        settled = np.abs(found - last) <= 1e-11
    if settled.all():
        return found
    low, high = halved(low, high, 87)
    return np.where(settled, found, (low + high) / 2)


LawForm = type[Law] | Form  # what a fit is of
