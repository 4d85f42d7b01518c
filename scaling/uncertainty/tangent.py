"""A law's tangent at its optimum, and the groups that rows may miss the law by.

Shapes as in `scaling.optimise.problem`. Above `condensed.MANY` rows, such as nearly agree in their axes and
agree in their groups are one row of the tangent, with the sum of their weights and their mean residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling.laws.base import Array
from scaling.optimise.problem import Problem
from scaling.optimise.robust_scale import location_scale
from scaling.uncertainty.condensed import MANY, row_cells

FEW = 100  # rows up to which a dictionary finds those that agree faster than pandas does


@dataclass(frozen=True)
class Grouping:
    """A way to put rows into G groups: `codes` (n,) from 0, in sums over groups."""

    name: str  # "size", "cell", or "run"
    codes: Any

    @cached_property
    def count(self) -> int:
        """G."""
        return int(self.codes.max()) + 1

    @cached_property
    def order(self) -> Any:
        """Rows in order of their group, (n,)."""
        return np.argsort(self.codes, kind="stable")

    @cached_property
    def first(self) -> Any:
        """Where each group begins in that order, (G,)."""
        return np.searchsorted(self.codes[self.order], np.arange(self.count))

    def sums(self, values: Array) -> Array:
        """Sums (..., G) over the rows of each group of values (..., n)."""
        return np.asarray(np.add.reduceat(values[..., self.order], self.first, axis=-1))

    def members(self) -> list[Any]:
        """The rows of each group."""
        return np.split(self.order, self.first[1:])


def joint(*columns: Any) -> Any:
    """Codes 0, 1, ... (n,) of rows that agree in every column, in order of appearance."""
    if len(columns[0]) <= FEW:
        codes: dict[Any, int] = {}
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return np.array([codes.setdefault(row, len(codes)) for row in rows], np.int64)
    code = pd.factorize(columns[0])[0].astype(np.int64)
    for values in columns[1:]:
        more = pd.factorize(values)[0]
        code = pd.factorize(code * (int(more.max()) + 1) + more)[0].astype(np.int64)
    return code


def groupings(problem: Problem, groups: Any = None) -> list[Grouping]:
    """The groupings that rows of a problem may miss a law by: `groups` if given, then sizes and cells.

    Only those that leave rows within groups. With given groups, only those that keep each of these whole.
    """
    found = [] if groups is None else [Grouping("run", pd.factorize(np.asarray(groups).astype(str))[0])]
    if "N" in problem.law.axes:
        found.append(Grouping("size", problem.sizes))
    found.append(Grouping("cell", joint(*problem.x)))
    kept: list[Grouping] = []
    for one in found:
        given = kept[0] if kept and groups is not None else None
        whole = given is None or _partition(one, given) == given.count
        new = all(_partition(one, k) > min(one.count, k.count) or one.count != k.count for k in kept)
        if 1 < one.count < one.codes.size and whole and new:
            kept.append(one)
    return kept


def _partition(a: Grouping, b: Grouping) -> int:
    """Groups of the rows by both: as many as b has where a keeps the groups of b whole."""
    return int(joint(a.codes, b.codes).max()) + 1


class Tangent:
    """Residuals r (B, m), their derivatives J, weights w and an orthonormal basis at optima θ (B, p).

    m: rows n, or fewer cells of more than MANY; `aside` (B, m) are then the squares about a cell's mean. by: the
    groupings that `of` will be asked for. Of a robust objective, residuals beyond three robust deviations count
    as three.
    """

    def __init__(self, problem: Problem, theta: Array, by: Sequence[Grouping] = ()) -> None:
        r, J = problem.linearised(theta)
        self.problem, self.theta = problem, theta
        self.free: Any = problem.inside(theta)
        w = np.broadcast_to(problem.w, r.shape)
        if problem.objective.robust:
            centre, scale = location_scale(problem, r, w, self.free.sum(-1))
            centre, most = centre[:, None], 3 * scale[:, None]
            r = np.minimum(np.maximum(r, centre - most), centre + most) - centre
        axes = problem.law.axes
        log_N = np.log(problem.x[axes.index("N")]) if "N" in axes else np.zeros(r.shape[1])
        self.middle = float(log_N.mean())
        self.dof = np.maximum(w.sum(-1) - self.free.sum(-1), 1.0)  # (B,)
        self.log_w = np.log(w).sum(-1)  # (B,)
        self.r, self.raw, self.w, self.log_N = r, J, w, log_N
        self.aside, self.rows_each = np.zeros_like(r), np.ones(r.shape[1])
        self._first: Any = None
        if r.shape[1] > MANY:
            self._take_together(joint(row_cells(problem.x)[0], *(one.codes for one in by)))

    def _take_together(self, cell: Any) -> None:
        """Rows of one cell as one, where that leaves half as many or fewer."""
        count = int(cell.max()) + 1
        if 2 * count > cell.size:
            return

        def sums(values: Array) -> Array:
            flat = [np.bincount(cell, v, count) for v in values.reshape(-1, cell.size)]
            return np.array(flat, dtype=np.float64).reshape(*values.shape[:-1], count)

        w, r = sums(self.w), sums(self.w * self.r)
        self.aside = np.maximum(sums(self.w * self.r**2) - r**2 / w, 0.0)
        self.raw = sums(self.w[:, None] * self.raw) / w[:, None]
        self.rows_each = np.bincount(cell, minlength=count).astype(np.float64)
        self.log_N = sums(self.log_N) / self.rows_each
        self.r, self.w = r / w, w
        self._first = np.empty(count, np.int64)
        self._first[cell[::-1]] = np.arange(cell.size)[::-1]

    def of(self, by: Grouping) -> Grouping:
        """A grouping of the problem's rows as one of the tangent's."""
        return by if self._first is None else Grouping(by.name, by.codes[self._first])

    def growth(self, power: float) -> Array | float:
        """What divides a row's weight where the noise grows as N^power: (N / its middle)^(2 power), (m,)."""
        return np.asarray(np.exp(2 * power * (self.log_N - self.middle))) if power else 1.0

    @cached_property
    def basis(self) -> tuple[Array, Array]:
        """An orthonormal basis of the tangent √w J, (B, m, p), zero where it has fewer; r √w beyond it, (B, m)."""
        J = self.raw * self.free[..., None] * np.sqrt(self.w)[:, None]
        length = np.sqrt((J * J).sum(-1))
        J = J / np.where(length > 0, length, 1.0)[..., None]
        u, s, _ = np.linalg.svd(J.swapaxes(1, 2), full_matrices=False)
        Q = u * (s > 1e-8)[:, None]
        y = self.r * np.sqrt(self.w)
        return Q, y - np.matmul(Q, np.matmul(Q.swapaxes(1, 2), y[..., None]))[..., 0]
