"""Axes of a law: what their values may be, and how columns of a table become arrays.

N, P, D and C are known. A law may have any others: `axes = ("width", "depth", "D")` is enough where the values
are positive, and `axis_rules = {"experts": Axis(lowest=1, reached=True)}` says what else they may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from scaling.laws.ranges import Array
from scaling.shown import shown


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What values an axis takes.

    Args:
        lowest: values are above it, or equal to it where `reached`.
        reached: whether a value may equal the lowest.
        unit: of the values, for the labels of figures, e.g. "tokens".
        more_is_better: whether the loss falls along the axis. None if it may do either.
    """

    lowest: float = 0.0
    reached: bool = False
    unit: str = ""
    more_is_better: bool | None = True

    @property
    def need(self) -> str:
        """What a value must be, for messages: "> 0"."""
        return f"{'>=' if self.reached else '>'} {self.lowest:g}" if self.lowest > -np.inf else "a number"

    def read(self, given: Any) -> Array:
        """The `given` values as float64. Raises TypeError or ValueError if one is not a number."""
        return np.asarray(given, dtype=np.float64)

    def good(self, values: Any) -> Any:
        """Which values the axis may take, a bool array of their shape."""
        above = values >= self.lowest if self.reached else values > self.lowest
        return np.isfinite(values) & above

    @property
    def invertible(self) -> bool:
        """Whether a loss has one value on it: the values are positive, and the loss is monotone."""
        positive = self.lowest > 0 or (self.lowest == 0 and not self.reached)
        return positive and self.more_is_better is not None


@dataclass(frozen=True, kw_only=True)
class Levels(Axis):
    """An axis of categories, such as optimisers or precisions: each of its `names` is one.

    As an array a category is a number: its own where its name is one (bits: 4, 8, 16). The other names follow, above
    every such number, in steps of 1. So a number that is the name of a category never means another one.
    """

    names: tuple[str, ...]
    more_is_better: bool | None = None

    @property
    def need(self) -> str:
        """The categories there are."""
        return f"one of {', '.join(self.names)}"

    @property
    def codes(self) -> Array:
        """The number of each category, (K,)."""
        own = [_number(name) for name in self.names]
        above = count(np.floor(max((one for one in own if one is not None), default=0.0)) + 1)
        return np.array([next(above) if one is None else one for one in own])

    def read(self, given: Any) -> Array:
        """Numbers of the `given` categories, names or numbers. Raises ValueError for an unknown name."""
        raw = np.asarray(given)
        if raw.dtype.kind in "fiu":
            return raw.astype(np.float64)
        known = dict(zip(self.names, self.codes, strict=True))
        flat = [known.get(level_name(one)) for one in np.ravel(np.asarray(given, dtype=object))]
        if None in flat:
            wrong = np.ravel(np.asarray(given, dtype=object))[flat.index(None)]
            raise ValueError(f"{wrong!r} is not a category here. It must be {self.need}")
        return np.array(flat, dtype=np.float64).reshape(raw.shape)

    def good(self, values: Any) -> Any:
        """Which numbers are categories."""
        return np.isin(values, self.codes)

    def labels(self, values: Any) -> list[str]:
        """The names of numbers (n,)."""
        known = dict(zip(self.codes.tolist(), self.names, strict=True))
        return [known[float(one)] for one in np.ravel(values)]


def _number(name: str) -> float | None:
    """The number that a category's name is, if it is a finite one."""
    try:
        return float(name) if np.isfinite(float(name)) else None
    except ValueError:
        return None


def level_name(value: Any) -> str:
    """A category's name: a number as short as it can be written, anything else as text."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return f"{value:.0f}"
    return str(value)


KNOWN: Mapping[str, Axis] = {
    "N": Axis(unit="non-embedding parameters"),
    "P": Axis(lowest=1.0, reached=True, unit="streams"),
    "D": Axis(unit="training tokens"),
    "C": Axis(unit="training FLOPs"),
}


def categories_of(law: Any) -> dict[str, Levels]:
    """The axes of a law that are categories, with their rules."""
    rules = {axis: law.axis_rule(axis) for axis in law.axes}
    return {axis: rule for axis, rule in rules.items() if isinstance(rule, Levels)}


def rule_of(name: str, rules: Mapping[str, Axis] | None = None) -> Axis:
    """The rule of an axis: the law's own, the known one of N, P, D, C, or positive values."""
    return (rules or {}).get(name) or KNOWN.get(name) or Axis()


def clean_axes(
    names: Sequence[str], given: Mapping[str, Any], rules: Mapping[str, Axis] | None = None
) -> dict[str, Array]:
    """The named axes as float64 arrays. Raises ValueError quoting the first value a law cannot take.

    Other known axes may be given and are ignored. An unknown name is refused.
    """
    extra = set(given) - set(names) - set(KNOWN)
    missing = [name for name in names if name not in given]
    if missing or extra:
        what = f"missing {', '.join(missing)}" if missing else f"unknown axis {', '.join(sorted(extra))}"
        raise ValueError(f"{what}: this law takes {', '.join(names)}")
    out = {}
    for name in names:
        rule = rule_of(name, rules)
        try:
            value = rule.read(given[name])
        except (TypeError, ValueError) as error:
            need = f"must be {rule.need}" if isinstance(rule, Levels) else "is not a number"
            raise ValueError(f"{name}={shown(given[name])} {need}") from error
        ok = rule.good(value)
        if not ok.all():
            bad = value[~ok].flat[0] if value.ndim else float(value)
            raise ValueError(f"{name}={bad:g} must be finite and {rule.need}")
        out[name] = value
    return out


def like(result: Any, axes: Mapping[str, Any]) -> Any:
    """A float for scalars, a Series when a Series came in, else the array."""
    for value in axes.values():
        if hasattr(value, "index") and hasattr(value, "to_numpy"):
            return type(value)(result, index=value.index)
    return float(result) if np.ndim(result) == 0 else result
