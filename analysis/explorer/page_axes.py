"""The axes of the page: how far each one goes, on which scale it is read and drawn, and where its nodes lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.axis import KNOWN, Levels
from scaling.laws.base import Array

BELOW, ABOVE = 4.0, 100.0  # factors by which a log axis goes on beyond the runs
STREAMS = 64  # P goes at least so far
FEW = 10_000  # whole values below this are counts: experts, layers, epochs
CUBIC = 4  # nodes along an axis that an interval is interpolated through
NEARER = 1.5  # power of the way by which nodes beyond the runs are denser near them, where intervals bend
OUT = 1e-9  # distance, on the inner scale, from the runs' range at which a node is outside


@dataclass(frozen=True)
class PageAxis:
    """One axis: `kind` is "log", "linear" or "levels"; the runs go from low to high, the page from least to most.

    On levels a value is a place in `codes`, and `names` is what each is called.
    """

    kind: str
    unit: str
    low: float
    high: float
    least: float
    most: float
    whole: bool = False
    names: tuple[str, ...] = ()
    codes: tuple[float, ...] = ()

    def inner(self, values: Any) -> Array:
        """Values on the scale on which the page interpolates: logarithms of a log axis, places of levels."""
        values = np.asarray(values, dtype=np.float64)
        if self.kind == "levels":
            return np.asarray(np.searchsorted(self.codes, values), dtype=np.float64)
        return np.asarray(np.log(values) if self.kind == "log" else values)

    def outer(self, inner: Any) -> Array:
        """The values of places on that scale."""
        if self.kind == "levels":
            return np.asarray(np.array(self.codes)[np.asarray(inner, dtype=int)])
        values: Array = np.asarray(inner, dtype=np.float64)
        return np.asarray(np.exp(values) if self.kind == "log" else values)

    def whole_range(self, count: int) -> Array:
        """About `count` nodes from least to most, ascending, on the inner scale."""
        if self.kind == "levels":
            return np.arange(len(self.codes), dtype=np.float64)
        return self._spaced(self.least, self.most, count)

    def parts(self, below: int, within: int, above: int) -> tuple[Array, ...]:
        """Nodes below, within and above the runs' range. What is outside begins just outside it."""
        if self.kind == "levels":
            return (self.whole_range(0),)
        low, high = (
            self.outer(self.inner(end) + side * OUT) for end, side in ((self.low, -1), (self.high, 1))
        )
        parts = [self._spaced(self.low, self.high, within)]
        if self.least < self.low and below:
            parts.insert(0, self._spaced(self.least, float(low), below))
        if self.most > self.high and above:
            count = (above + 1) // 2 if self.whole else above  # such an axis goes less far
            parts.append(self._spaced(float(high), self.most, count, NEARER))
        return tuple(parts)

    def _spaced(self, low: float, high: float, count: int, power: float = 1.0) -> Array:
        """From low to high, evenly or by a power of the way; between them whole values where the axis takes no others."""
        if low == high:
            return self.inner([low])
        start, end = self.inner(low), self.inner(high)
        even = start + (end - start) * np.linspace(0, 1, max(count, 2)) ** power
        if self.whole:
            even[1:-1] = self.inner(np.round(self.outer(even[1:-1])))
            even = np.unique(even)
        return np.asarray(even[(even >= self.inner(low)) & (even <= self.inner(high))])


def page_axes(runs: pd.DataFrame, laws: Iterable[Any]) -> dict[str, PageAxis]:
    """Every axis of any of the laws, in their order, N and P first. runs: a column each."""
    rules = {axis: law.axis_rule(axis) for law in laws for axis in law.axes}
    streams = "P" in rules or ("P" in runs and runs["P"].min() < runs["P"].max())
    order = [a for a in ("N", "P") if (a in rules if a == "N" else streams)]
    order += [a for a in rules if a not in order]
    return {axis: _axis(axis, runs[axis].to_numpy(float), rules.get(axis)) for axis in order}


def _axis(name: str, x: Array, rule: Any) -> PageAxis:
    low, high, unit = float(x.min()), float(x.max()), getattr(rule, "unit", "")
    if isinstance(rule, Levels):
        codes = tuple(sorted(float(c) for c in rule.codes))
        names = tuple(rule.labels(np.array(codes)))
        return PageAxis("levels", unit, low, high, codes[0], codes[-1], names=names, codes=codes)
    whole = name == "P" or bool(name not in KNOWN and high < FEW and (x == np.round(x)).all())
    lowest = max(getattr(rule, "lowest", 0.0), -1e300)
    if low <= 0:
        least, most = low - (high - low), high + (high - low)
        reached = max(least, lowest) if rule is None or rule.reached else low
        return PageAxis("linear", unit, low, high, reached, most, whole)
    most = max(high, STREAMS) if name == "P" else high * (8 if whole else ABOVE)
    if rule is not None and rule.more_is_better is None and not whole:
        most = high * 10  # the best value is inside: a learning rate
    least = max(low / BELOW, lowest if lowest > 0 else 0.0)
    return PageAxis("log", unit, low, high, max(round(least), 1) if whole else least, most, whole)


@dataclass(frozen=True)
class PointGrid:
    """Nodes along each axis, in parts that no interpolation crosses, on the inner scale."""

    axes: Mapping[str, PageAxis]
    parts: Mapping[str, tuple[Array, ...]]

    @classmethod
    def whole(cls, axes: Mapping[str, PageAxis], count: int) -> PointGrid:
        """About `count` nodes an axis from its least value to its most, in one part."""
        return cls(axes, {name: (axis.whole_range(count),) for name, axis in axes.items()})

    @classmethod
    def in_parts(cls, axes: Mapping[str, PageAxis], below: int, within: int, above: int) -> PointGrid:
        """So many nodes an axis below, within and above the runs."""
        return cls(axes, {name: axis.parts(below, within, above) for name, axis in axes.items()})

    @classmethod
    def in_one(cls, axes: Mapping[str, PageAxis], below: int, within: int, above: int) -> PointGrid:
        """The same nodes in one part: an end of the runs is one node."""
        parts = cls.in_parts(axes, below, within, above).parts
        return cls(axes, {name: (_joined(of),) for name, of in parts.items()})

    def nodes(self, name: str) -> Array:
        """All nodes of an axis, ascending, on the inner scale."""
        return np.concatenate(self.parts[name])

    def shape(self, names: Iterable[str]) -> tuple[int, ...]:
        """How many nodes each of the named axes has."""
        return tuple(self.nodes(name).size for name in names)

    def points(self, names: Iterable[str]) -> dict[str, Array]:
        """Values of the named axes at every point of their grid, the last axis the fast one, (K,) each."""
        names = tuple(names)
        values = np.meshgrid(*(self.axes[n].outer(self.nodes(n)) for n in names), indexing="ij")
        return dict(zip(names, (v.ravel() for v in values), strict=True))

    def told(self) -> dict[str, list[list[float]]]:
        """The nodes as plain numbers, for the page."""
        return {name: [part.round(12).tolist() for part in parts] for name, parts in self.parts.items()}


def _joined(parts: tuple[Array, ...]) -> Array:
    """The nodes of all parts, ascending, without those that are as good as the one before."""
    nodes = np.concatenate(parts)
    return nodes[np.diff(nodes, prepend=-np.inf) > 2 * OUT]


def node_weights(nodes: Array, x: Array, most: int) -> Array:
    """Weights (K, n) of nodes (n,) whose sum is the polynomial through the `most` nodes nearest to x (K,).

    The page's script interpolates by the same rule (law_grid.js).
    """
    count = min(most, nodes.size)
    middle = np.searchsorted(nodes, x, side="right") - count // 2
    first = np.clip(middle, 0, nodes.size - count)
    out = np.zeros((x.size, nodes.size))
    for k, start in enumerate(first):
        near = nodes[start : start + count]
        for i, a in enumerate(near):
            others = np.delete(near, i)
            out[k, start + i] = np.prod((x[k] - others) / (a - others))
    return out


def gaps_filled(values: Array, grid: PointGrid, beyond: bool = False) -> Array:
    """Values at the points of a grid, (K,), those missing between known ones along the first axis read off these.

    An end that was found on both sides and not between is a search that failed. beyond: those after the last and
    before the first known one too, by these; else they are inf.
    """
    nodes = grid.nodes(next(iter(grid.parts)))
    table, outside = values.reshape(nodes.size, -1).copy(), None if beyond else np.inf
    for column in table.T:
        known = np.isfinite(column)
        if known.any():
            column[~known] = np.interp(nodes[~known], nodes[known], column[known], outside, outside)
    return table.ravel()


def read_between(values: Array, few: PointGrid, grid: PointGrid) -> Array:
    """Values at the points of a coarse grid read at those of a finer one of the same axes, (K,).

    Outside the coarse nodes the last of them counts; inf where the nearest of them is not finite.
    """
    names = tuple(few.parts)
    found = values.reshape(few.shape(names))
    known = np.isfinite(found)
    gaps, found = (~known).astype(float), np.where(known, found, found[known].mean() if known.any() else 0.0)
    for place, name in enumerate(names):
        nodes, x = few.nodes(name), grid.nodes(name)
        nearest = np.eye(nodes.size)[np.abs(nodes - x[:, None]).argmin(1)]
        found, gaps = (
            np.moveaxis(np.tensordot(w, of, (1, place)), 0, place)
            for w, of in (
                (node_weights(nodes, np.clip(x, nodes[0], nodes[-1]), CUBIC), found),
                (nearest, gaps),
            )
        )
    return np.where(gaps > 0, np.inf, found).ravel()
