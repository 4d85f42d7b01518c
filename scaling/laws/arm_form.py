"""One law for several arms: optimisers, recipes, corpora, architectures, precisions.

L = law(axes, shared parameters, own parameters of the arm). An arm is a category of one column.
A parameter E that each arm has for itself is named E[adam], E[muon], ...
The law's coefficients are solved for here too. A shared one has one term. One that each arm has for itself has a term per arm,
which is 0 at the rows of other arms. This fails where arms share a parameter but not its coefficient: that of A in (A/N)^alpha is
A^alpha, and differs where each arm has its own alpha. Then, and where the law has no coefficients, every parameter is nonlinear.

Legend: n rows, B parameter sets, K arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from scaling.laws.axis import Axis, Levels
from scaling.laws.base import Array, Law
from scaling.laws.constrained import LOG_ZERO, ConstrainedLaw, Form
from scaling.laws.ranges import Range


@dataclass(frozen=True, repr=False)
class ArmForm(Form):
    """A law's class with arms: which column names them, which there are, and which parameters each has alone.

    Used wherever a law's class is. Made by `scaling.Arms` and a table.
    """

    law: Any  # type[Law]
    by: str
    arms: tuple[str, ...]
    own: tuple[str, ...]  # in the law's field order

    fixed: ClassVar[Mapping[str, float]] = {}  # constraints are those of `ConstrainedLaw`

    def __post_init__(self) -> None:
        """Its docstring is the law's."""
        object.__setattr__(self, "__doc__", self.law.__doc__)

    def __hash__(self) -> int:
        return hash((self.law, self.by, self.arms, self.own))

    @property
    def __name__(self) -> str:
        return f"{self.law.__name__}({', '.join(self.own)} by {self.by})"

    def __call__(self, *values: Any, **fields: Any) -> ArmedLaw:
        """The law with these parameters, E=..., E[adam]=..., by position in the order of `names` or by name."""
        return ArmedLaw(self, dict(zip(self.names(), values, strict=True)) if values else fields)

    def from_vector(self, values: Any) -> ArmedLaw:
        """The law whose parameters are values[..., i]. Arrays make a batch of laws."""
        columns = np.moveaxis(np.asarray(values, dtype=np.float64), -1, 0)
        return self(*(float(c) if c.ndim == 0 else c for c in columns))

    @property
    def whole(self) -> ArmForm:
        """The form without constraints: itself."""
        return self

    # ---- names and ranges -----------------------------------------------------------------------
    @cached_property
    def rule(self) -> Levels:
        """The categories as an axis."""
        return Levels(names=self.arms)

    @property
    def axes(self) -> tuple[str, ...]:
        """The law's axes, and the column of the arms."""
        return (*self.law.axes, self.by)

    @property
    def axis_rules(self) -> dict[str, Axis]:
        """The law's rules, and the categories."""
        return {**self.law.axis_rules, self.by: self.rule}

    def axis_rule(self, axis: str) -> Axis:
        """What the values of an axis may be."""
        return self.rule if axis == self.by else self.law.axis_rule(axis)

    def of_parameter(self, name: str) -> tuple[str, ...]:
        """The names of a law's parameter: its own if it is shared, else one per arm."""
        return tuple(f"{name}[{arm}]" for arm in self.arms) if name in self.own else (name,)

    def names(self) -> tuple[str, ...]:
        """Every parameter, in the law's field order, arms in theirs."""
        return tuple(one for name in self.law.names() for one in self.of_parameter(name))

    def free(self) -> tuple[str, ...]:
        """All of them: a constrained form knows which are fixed."""
        return self.names()

    def one(self, name: str, place: int) -> str:
        """The parameter of that name of one arm, by its place."""
        return self.of_parameter(name)[place if name in self.own else 0]

    @cached_property
    def solved(self) -> bool:
        """Whether the law's coefficients stay coefficients: each coordinate is an arm's own exactly where its field is."""
        if self.law.has_rest:
            return False
        names = self.law.names()
        generic = self.law(*(0.6 + 0.01 * i for i in range(len(names))))
        own = np.array([name in self.own for name in names])
        differs = ((generic.linear_gradient() != 0) & own).any(-1)
        return all(d == (name in self.own) for name, d in zip(self.inner, differs, strict=True))

    @cached_property
    def inner(self) -> tuple[str, ...]:
        """The law's coordinates, in order: its coefficients and its nonlinear parameters."""
        return (*self.law.linear(), *self.law.nonlinear)

    @property
    def has_rest(self) -> bool:
        """Whether a part of L has no coefficient: all of it, or none."""
        return not self.solved

    def linear(self) -> tuple[str, ...]:
        """The coefficients, if there are any."""
        if not self.solved:
            return ()
        return tuple(one for name in self.law.linear() for one in self.of_parameter(name))

    @cached_property
    def nonlinear(self) -> dict[str, Range]:
        """Every parameter that is no coefficient, with its range."""
        found: dict[str, Range] = {}
        for name in self.law.nonlinear if self.solved else self.law.names():
            low, high = self.law.allowed(name)
            known = self.law.nonlinear.get(name) or Range(1.0, 1.0, 1, low, high)
            if name in self.law.prefactors and not self.solved:
                known = Range(1.0, 1.0, 1, LOG_ZERO)
            found |= dict.fromkeys(self.of_parameter(name), known)
        return found

    @cached_property
    def shapes(self) -> dict[str, Range]:
        """The nonlinear parameters of the law that is fitted in arms, by arm, with their ranges."""
        inner = self.law.shapes if isinstance(self.law, ArmForm) else self.law.nonlinear
        return {one: known for name, known in inner.items() for one in self.of_parameter(name)}

    @cached_property
    def _name(self) -> dict[str, str]:
        """The law's name of each parameter."""
        return {one: name for name in self.law.names() for one in self.of_parameter(name)}

    @property
    def not_held(self) -> tuple[str, ...]:
        """Parameters that cannot be fixed or bounded: the law's, where the coordinates are the law's."""
        names = self.law.not_held if self.solved else ()
        return tuple(one for name in names for one in self.of_parameter(name))

    def allowed(self, name: str) -> tuple[float, float]:
        """The lowest and the highest value of a parameter."""
        if name in self.prefactors:
            return 0.0, float("inf")
        low, high = self.law.allowed(self._name[name])
        return float(low), float(high)

    def coordinate(self, name: str, value: Any) -> Any:
        """The coordinate of a parameter at a value: the law's, or the logarithm of a prefactor that is no coefficient."""
        if self.solved:
            return self.law.coordinate(self._name[name], value)
        return np.log(np.maximum(value, np.exp(LOG_ZERO))) if name in self.prefactors else value

    def _values(self, eta: Sequence[Any]) -> dict[str, Any]:
        """Parameters by name from their coordinates, where each is its own."""
        pairs = zip(self.names(), eta, strict=True)
        return {name: np.exp(value) if name in self.prefactors else value for name, value in pairs}

    def together(self, names: Sequence[str]) -> Sequence[str]:
        """The coefficients that depend on those named: in each arm as in the law."""
        found = set()
        for place in range(len(self.arms)):
            here = [name for name in self.law.names() if self.one(name, place) in names]
            found |= {self.one(name, place) for name in self.law.together(here)}
        return [name for name in self.linear() if name in found]

    @cached_property
    def prefactors(self) -> frozenset[str]:
        """Parameters that vary over decades."""
        return frozenset(
            one for name in self.law.prefactors & {*self.law.names()} for one in self.of_parameter(name)
        )

    def with_fixed(self, **values: float) -> ConstrainedLaw:
        """The form with parameters held at given values."""
        return ConstrainedLaw(self, values)

    def with_bounds(self, **values: tuple[float, float]) -> ConstrainedLaw:
        """The form with parameters kept within given values."""
        return ConstrainedLaw(self, {}, values)

    # ---- what a problem evaluates ---------------------------------------------------------------
    def coordinates(self, law: Law) -> tuple[list[Any], list[Any]]:
        """Coefficients, then the other parameters' coordinates."""
        if not self.solved:
            return [], [self.coordinate(name, getattr(law, name)) for name in self.names()]
        parts = [self.law.coordinates(one) for one in self.laws(law)]
        found = self._spread([dict(zip(self.inner, (*c, *eta), strict=True)) for c, eta in parts])
        return [found[name] for name in self.linear()], [found[name] for name in self.nonlinear]

    def laws(self, law: Law) -> list[Law]:
        """The law of each arm."""
        places, names = range(len(self.arms)), self.law.names()
        return [self.law(**{name: getattr(law, self.one(name, k)) for name in names}) for k in places]

    def _spread(self, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Values by parameter from those by the law's names in each arm."""
        return {one: parts[k][name] for name in parts[0] for k, one in enumerate(self.of_parameter(name))}

    def to_fields(self, coefficients: Sequence[Any], eta: Sequence[Any]) -> dict[str, Any]:
        """Parameters by name from the coordinates."""
        if not self.solved:
            return self._values(eta)
        m = len(self.law.linear())
        values = dict(zip((*self.linear(), *self.nonlinear), (*coefficients, *eta), strict=True))
        parts = ([values[self.one(name, k)] for name in self.inner] for k in range(len(self.arms)))
        return self._spread([self.law.to_fields(part[:m], part[m:]) for part in parts])

    def _codes(self, name: str) -> tuple[Any, ...]:
        """The arms' numbers, one per parameter of that name: None for one that they share."""
        return tuple(self.rule.codes) if name in self.own else (None,)

    def _split(self, args: Sequence[Any]) -> tuple[Sequence[Any], Any, Sequence[Any]]:
        """The law's axes, the arms' numbers, and the law's nonlinear parameters at each row."""
        *axes, arm = args[: len(self.axes)]
        values = dict(zip(self.nonlinear, args[len(self.axes) :], strict=True))
        return axes, arm, [self._picked(name, values, arm) for name in self.law.nonlinear]

    def terms(self, *args: Any) -> Sequence[Any]:
        """The φ_j that coefficients multiply, if any. args: the axes (n,), then the coordinates (B, 1) or scalars."""
        if not self.solved:
            return ()
        axes, arm, eta = self._split(args)
        pairs = zip(self.law.linear(), self.law.terms(*axes, *eta), strict=True)
        return [_at_arm(arm, (code,), phi) for name, phi in pairs for code in self._codes(name)]

    def terms_gradient(self, *args: Any) -> Sequence[Sequence[Any]]:
        """∂φ_j/∂(coordinate i) as [i][j]. args: as for `terms`."""
        if not self.solved:
            return [()] * (len(args) - len(self.axes))
        axes, arm, eta = self._split(args)
        terms = [(j, code) for j, name in enumerate(self.law.linear()) for code in self._codes(name)]
        rows = zip(self.law.nonlinear, self.law.terms_gradient(*axes, *eta), strict=True)
        return [
            [_at_arm(arm, (own, code), row[j]) for j, code in terms]
            for name, row in rows
            for own in self._codes(name)
        ]

    def rest(self, *args: Any) -> Any:
        """L, if no coefficient multiplies it. args: as for `terms`, the last axis the arms' numbers."""
        return 0.0 if self.solved else self.loss(args[: len(self.axes)], self._values(args[len(self.axes) :]))

    def loss(self, x: Sequence[Any], values: Mapping[str, Any]) -> Array:
        """L for axes (n,), the last of them the arms' numbers, and parameters by name."""
        *axes, arm = x
        fields = {name: self._picked(name, values, arm) for name in self.law.names()}
        return np.asarray(self.law(**fields)._loss(*axes))

    def _picked(self, name: str, values: Mapping[str, Any], arm: Any) -> Any:
        """A parameter of each row's arm, broadcasting to (B, n)."""
        first, *others = (values[one] for one in self.of_parameter(name))
        for code, value in zip(self.rule.codes[1:], others, strict=True) if others else ():
            first = np.where(arm == code, value, first)
        return first

    def rest_gradient(self, *args: Any) -> list[Any]:
        """∂rest/∂coordinate as [i]: the law's slopes by its fields, each arm's rows to the arm's own parameter."""
        if self.solved:
            return [0.0] * len(self.nonlinear)
        *axes, arm = args[: len(self.axes)]
        values = self._values(args[len(self.axes) :])
        fields = {name: self._picked(name, values, arm) for name in self.law.names()}
        slopes, out = self.law(**fields)._slopes(*axes), []
        for name, slope in zip(fields, np.moveaxis(slopes, -1, 0), strict=True):
            for one, code in zip(self.of_parameter(name), self._codes(name), strict=True):
                own = _at_arm(arm, (code,), slope)
                out.append(own * values[one] if one in self.prefactors else own)
        return out


def _at_arm(arm: Any, codes: tuple[Any, ...], value: Any) -> Any:
    """A value of each row, 0 but at the rows of the arm that has those numbers. None is any arm."""
    own = {code for code in codes if code is not None}
    if len(own) > 1 or (np.ndim(value) == 0 and value == 0.0):
        return 0.0
    return np.where(arm == own.pop(), value, 0.0) if own else value


def layers_of(form: Any) -> tuple[type[Law], list[dict[str, Any]]]:
    """The class under nested arms, and each layer's by, arms and own as plain values, the innermost first."""
    if not isinstance(form, ArmForm):
        return form, []
    law, inner = layers_of(form.law)
    return law, [*inner, {"by": form.by, "arms": list(form.arms), "own": list(form.own)}]


def from_layers(law: Any, layers: Sequence[Mapping[str, Any]]) -> Any:
    """The form that `layers_of` took apart."""
    for one in layers:
        law = ArmForm(law, one["by"], tuple(one["arms"]), tuple(one["own"]))
    return law


class ArmedLaw(Law):
    """A law with the parameters of every arm. `law.of_arm("adam")` is one arm's law."""

    form: ArmForm
    values: dict[str, Any]

    def __init__(self, form: ArmForm, values: Mapping[str, Any]) -> None:
        missing = [name for name in form.names() if name not in values]
        extra = [name for name in values if name not in form.names()]
        if missing or extra:
            raise TypeError(
                f"{form.__name__}: {', '.join(missing or extra)} {'missing' if missing else 'unknown'}"
            )
        object.__setattr__(self, "form", form)
        object.__setattr__(self, "values", {name: values[name] for name in form.names()})

    def __getattr__(self, name: str) -> Any:
        """A parameter, or what the form says."""
        if name.startswith("__") or name in ("form", "values"):
            raise AttributeError(name)
        values = self.__dict__["values"]
        return values[name] if name in values else getattr(self.__dict__["form"], name)

    def __repr__(self) -> str:
        return f"{self.form.__name__}: " + ", ".join(f"{n}={v!r}" for n, v in self.values.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArmedLaw) and (self.form, self.values) == (other.form, other.values)

    def __hash__(self) -> int:
        return hash(self.form)

    @property
    def kind(self) -> Any:
        """The form: what makes another law like this one."""
        return self.form

    axes = property(lambda self: self.form.axes)
    axis_rules = property(lambda self: self.form.axis_rules)
    source = property(lambda self: self.form.law.source)
    has_rest = property(lambda self: self.form.has_rest)
    nonlinear = property(lambda self: self.form.shapes)
    terms = property(lambda self: self.form.terms)  # a function would be made static

    def of_arm(self, arm: str) -> Law:
        """The law of one arm, of the class that all arms share. Raises ValueError for an unknown arm."""
        code = self.form.rule.read(np.array([arm], dtype=object))[0]
        picked = {name: self.form._picked(name, self.values, code) for name in self.form.law.names()}
        found: Law = self.form.law(**{n: float(v) if np.ndim(v) == 0 else v for n, v in picked.items()})
        return found

    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Parameter names, in order."""
        return self.form.names()

    def axis_rule(self, axis: str) -> Axis:  # type: ignore[override]
        """What the values of an axis may be."""
        return self.form.axis_rule(axis)

    def to_linear(self) -> tuple[list[Any], list[Any]]:
        """Coefficients, then the other parameters' coordinates."""
        return self.form.coordinates(self)

    def linear_gradient(self) -> Array:
        """∂(coordinates)/∂(parameters), (p, p): the law's in each arm, or diagonal."""
        form, values = self.form, self.values
        if not form.solved:
            logs = form.prefactors
            slope = [1 / np.asarray(values[name]) if name in logs else np.ones(()) for name in values]
            return np.asarray(np.eye(len(values)) * np.stack(np.broadcast_arrays(*slope), -1)[..., None, :])
        parts = [np.asarray(one.linear_gradient()) for one in form.laws(self)]
        out = np.zeros((*np.broadcast_shapes(*(one.shape[:-2] for one in parts)), len(values), len(values)))
        order, names = (*form.linear(), *form.nonlinear), form.names()
        for k, part in enumerate(parts):
            rows = np.array([order.index(form.one(name, k)) for name in form.inner])
            out[..., rows[:, None], [names.index(form.one(name, k)) for name in form.law.names()]] = part
        return out

    def _loss(self, *x: Array) -> Array:
        return np.asarray(self.form.loss(x, self.values)) + np.zeros(
            np.broadcast_shapes(*(np.shape(v) for v in x))
        )

    def terms_and_slopes(self, *args: Any) -> tuple[Sequence[Any], Sequence[Sequence[Any]]]:  # type: ignore[override]
        """φ_j and ∂φ_j/∂(coordinate i) as [i][j]."""
        return self.form.terms_and_slopes(*args)

    def rest_gradient(self, *args: Any) -> Sequence[Any]:  # type: ignore[override]
        """∂rest/∂(coordinate i) as [i]."""
        return self.form.rest_gradient(*args)
