"""What a table says against fitting it as one: columns that explain what the law leaves, a loss that rises.

A table may hold several corpora, datasets, sources or budgets, whatever the column is called. Any column of few
values is tested: do offsets of its values explain the residuals? The law's tangent is projected out first, and so
is a level for each size, since runs of one size miss a law together. A column that is constant within sizes is
tested on the sizes' means. Residuals enter as normal scores of their ranks, so that a few outliers decide nothing (Conover
and Iman 1981). p values are corrected for the number of columns (Holm 1979).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from scipy import special

from scaling.data.levels import levels_along
from scaling.data.query import APART, GROUPS, is_ladder, mixed, shown_values
from scaling.data.units import p_text
from scaling.laws.base import Array
from scaling.optimise.estimate import EXACT, Estimate
from scaling.uncertainty.adequacy import DOUBT, column_basis

E = TypeVar("E", bound=Estimate)
ROWS = 4  # rows a value, on average, below which a column names rows, not groups
SAMPLE = 4_000  # rows the test looks at
LEAST = 0.02  # share of the residuals' variance: what explains less changes no fit, however surely it is seen
SPARE = 3  # degrees of freedom that a test needs
OTHER = {
    "loss",
    "status",
    "p",
    "seed",
    "random_seed",
    "rng_seed",
    "trial",
    "replicate",
    "repeat",
    "fold",
}  # no groups: a law without P is a baseline
LADDER = "D moves with N in every run: this is the law along that ladder, not at one D"
STEEP = 4.0  # standard errors above 0 from which the loss is said to rise


@dataclass(frozen=True)
class MixedColumn:
    """A column whose values explain what a law leaves over: its rows are of several kinds."""

    column: str
    values: tuple[str, ...]
    p: float  # of the F test, corrected for the number of columns tested
    share: float  # of the residuals' variance that offsets of the values explain

    def __str__(self) -> str:
        return (
            f"rows of more than one {self.column} ({shown_values(self.values)}) are fitted as one, and it explains "
            f"{self.share:.0%} of what the law leaves ({p_text(self.p)}); {APART.format(self.column)}"
        )


def with_table_notes(fit: E, table: Any, keep: Any) -> E:
    """The fit with what the rest of its table says against it in its certificate's `table_notes`.

    Nothing is said of a column whose values are groups of the fit: intervals allow for their offsets.

    table: a DataFrame or a mapping of columns. keep: which of its rows were fitted, (n,) bool.
    """
    known = mixed(table, fit.law.axes, keep)
    with np.errstate(all="ignore"):  # the slopes of a law that is far off may be no numbers
        explaining = {one.column: str(one) for one in mixed_columns(fit, table, keep, tuple(known))}
    ladder = "D" in table and "D" not in fit.law.axes and "N" in fit.law.axes and is_ladder(table, keep)
    told = known | explaining
    told.pop(fit.grouping.removeprefix("column "), None)
    if not told and not ladder:
        return fit
    notes = (*told.values(), *[LADDER] * ladder)
    return replace(fit, certificate=replace(fit.certificate, mixed=tuple(told), table_notes=notes))


def mixed_columns(
    fit: Estimate, table: Any, keep: Any, known: tuple[str, ...] = ()
) -> tuple[MixedColumn, ...]:
    """Columns of few values that explain the residuals of a fit, strongest first, each beyond those before it.

    table: with the fitted rows, `keep` (n,) bool which those are. known: columns already found to be mixed.
    """
    names = [name for name in table if not (name in (*known, *fit.law.axes) or str(name).casefold() in OTHER)]
    if not names or keep.sum() != fit.loss.size or fit.rmse < EXACT * float(fit.loss.mean()):
        return ()
    rows = _sample(fit.loss.size)
    part = replace(fit, problem=fit.problem.take(rows), groups=None, index=None)
    frame = table[keep].iloc[rows] if rows.size < keep.sum() or not keep.all() else table
    groups = _candidates(part, frame, names)
    if not groups:
        return ()
    rest = _Rest.of(part, _runs(fit, frame, rows))
    for column in known:
        codes, values = _codes(frame[column])
        few = len(values) <= GROUPS
        rest = rest.beyond(_offsets(codes) if few or column != "D" else _log(frame[column]))
    found: list[MixedColumn] = []
    while groups and len(found) < 3:
        tests = {name: rest.test(codes) for name, (codes, _) in groups.items()}
        best = min(tests, key=lambda name: tests[name])
        p, share = (
            tests[best][0] * len(tests),
            tests[best][1],
        )  # Holm: the smallest by all, the next by one fewer
        if not p < DOUBT or share < LEAST:
            break
        codes, values = groups.pop(best)
        found.append(MixedColumn(best, values, p, share))
        rest = rest.beyond(_offsets(codes))
    return tuple(found)


def _runs(fit: Estimate, frame: pd.DataFrame, rows: Any) -> Any:
    """The run that each row shares with others, (n,), where that is known, else None."""
    if fit.groups is not None:
        return pd.factorize(np.asarray(fit.groups, dtype=object)[rows])[0]
    shared = next((guess.column for guess in fit.reading.of("groups")), None)
    return None if shared is None or shared not in frame else _codes(frame[shared])[0]


def _sample(n: int) -> Any:
    """At most SAMPLE of n rows, in order, the same ones each time."""
    rows = np.arange(n)
    return rows if n <= SAMPLE else np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))


def _codes(column: pd.Series[Any]) -> tuple[Any, tuple[str, ...]]:
    """The group of each row, (n,), and the groups' names in order of appearance. An empty cell is a group."""
    codes, names = pd.factorize(column, use_na_sentinel=False)
    told = ("none" if pd.isna(one) else one for one in names)
    return codes, tuple(f"{one:g}" if isinstance(one, float) else str(one) for one in told)


def _candidates(fit: Estimate, frame: pd.DataFrame, names: list[Any]) -> dict[str, Any]:
    """Codes and values of the named columns that may name groups, each way to part the rows once."""
    found: dict[str, Any] = {}
    seen: set[bytes] = set()
    for name in names:
        try:
            codes, values = _codes(frame[name])
        except TypeError:  # lists and dictionaries name no groups
            continue
        if not 2 <= len(values) <= min(GROUPS, len(frame) // ROWS) or codes.tobytes() in seen:
            continue
        seen.add(codes.tobytes())
        if not _is_axis(fit, frame[name], codes) and not _follows(codes, frame):
            found[str(name)] = codes, values
    return found


def _follows(codes: Any, frame: pd.DataFrame) -> bool:
    """Whether a column has one value at each named size, as layers have, or at each P, as prefixes have."""
    for name in ("size", "P"):
        if name in frame and frame[name].notna().all():
            level = pd.factorize(frame[name])[0]
            if level.max() > 0 and not _varies(codes, level):
                return True
    return False


def _is_axis(fit: Estimate, column: pd.Series[Any], codes: Any) -> bool:
    """Whether a column is an axis of the law in other words: in stretches along one, or a product of powers."""
    for x in fit.problem.x:
        order = np.lexsort((codes, x))
        if np.unique(x).size > 1 and (np.diff(codes[order]) != 0).sum() == codes.max():
            return True
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric or column.isna().any() or not (column > 0).all():
        return False
    y = np.log(column.to_numpy(np.float64))
    logs = np.stack([np.ones(y.size), *(np.log(x) for x in fit.problem.x if _positive(x))], axis=1)
    left = y - logs @ np.linalg.lstsq(logs, y, rcond=None)[0]
    return bool(left.var() < 1e-3 * y.var())


def _positive(x: Any) -> bool:
    """Whether an axis' values have logarithms: numbers above 0, no levels of a category."""
    return x.dtype.kind == "f" and bool((x > 0).all())


def _log(column: pd.Series[Any]) -> Array:
    """A column's logarithm, (n, 1)."""
    return np.asarray(np.log(column.to_numpy(np.float64))[:, None])


def _offsets(codes: Any) -> Array:
    """A column of ones and zeros for each group but the last, (n, q)."""
    return np.asarray(codes[:, None] == np.arange(codes.max()), dtype=np.float64)


@dataclass(frozen=True)
class _Rest:
    """Residuals of a fit, and what is known to move them."""

    residual: Array  # weighted, (n,)
    moved: Array  # columns that may move it: the law's tangent and groups already named, (n, p)
    size: Any  # level of each row's size, or the run that it shares with others, (n,)
    root_w: Array

    @classmethod
    def of(cls, fit: Estimate, runs: Any) -> _Rest:
        r, J = fit.problem.linearised(fit.theta[None])
        root_w = np.sqrt(fit.problem.w)
        J = J[0] * root_w
        if runs is None:
            N = fit.axes.get("N")
            runs = np.arange(root_w.size) if N is None else levels_along("N", N, fit.axes)
        return cls(r[0] * root_w, J[(J != 0).any(-1)].T, runs, root_w)

    def beyond(self, extra: Array) -> _Rest:
        """The same with more columns (n, q) that may move the residuals."""
        return replace(self, moved=np.concatenate([self.moved, extra * self.root_w[:, None]], axis=1))

    def test(self, codes: Any) -> tuple[float, float]:
        """P of the test that a column's groups explain nothing, and the share that they do. 1 and 0 without room."""
        extra = _offsets(codes) * self.root_w[:, None]
        spare = len(codes) - self.moved.shape[1] - self.size.max() - extra.shape[1]
        if spare >= SPARE and _varies(codes, self.size):
            sizes = _offsets(self.size) * self.root_w[:, None]
            return _explained(self.residual, np.concatenate([self.moved, sizes], axis=1), extra)
        return _explained(*(_means(a, self.size) for a in (self.residual, self.moved, extra)))


def _varies(codes: Any, size: Any) -> bool:
    """Whether some size has rows of more than one group."""
    pairs = np.unique(np.stack([size, codes]), axis=1).shape[1]
    return bool(pairs > size.max() + 1)


def _means(values: Array, size: Any) -> Array:
    """Sums over the rows of each size over the root of their number, (sizes, ...): of the rows' variance."""
    counts = np.bincount(size)
    out = np.zeros((counts.size, *values.shape[1:]))
    np.add.at(out, size, values)
    return np.asarray(out / np.sqrt(counts).reshape(-1, *[1] * (values.ndim - 1)))


def _explained(residual: Array, moved: Array, extra: Array) -> tuple[float, float]:
    """P of the F test of columns extra (n, q) on ranks of a residual (n,), `moved` aside, and their share."""
    known = column_basis(moved)
    rest = extra - known @ (known.T @ extra)
    beyond = np.linalg.norm(rest, axis=0) > 1e-6 * np.linalg.norm(extra, axis=0)
    dof = residual.size - known.shape[1] - int(beyond.sum())
    if not beyond.any() or dof < SPARE:
        return 1.0, 0.0
    more = column_basis(rest[:, beyond])
    r = residual - known @ (known.T @ residual)
    share = float(((more.T @ r) ** 2).sum() / max(float((r**2).sum()), 1e-300))
    scores = special.ndtri((np.argsort(np.argsort(r)) + 0.5) / r.size)
    scores = scores - known @ (known.T @ scores)
    gained = float(((more.T @ scores) ** 2).sum())
    q, left = more.shape[1], float((scores**2).sum()) - gained
    dof = residual.size - known.shape[1] - q
    return float(special.fdtrc(q, dof, gained / q / max(left / dof, 1e-300))), share


def rising(fit: Estimate) -> tuple[str, ...]:
    """Axes of the law along which the loss rises where it should fall: N or D among them, or none.

    By least squares of the loss on the logarithms of the axes together, STEEP standard errors above 0.
    """
    logs = {axis: np.log(x) for axis, x in fit.axes.items() if _positive(x) and np.ptp(x) > 0}
    if fit.loss.size < len(logs) + 1 + SPARE or not logs or np.ptp(fit.loss) == 0:
        return ()
    X = np.stack([np.ones(fit.loss.size), *logs.values()], axis=1)
    slope, _, rank, _ = np.linalg.lstsq(X, fit.loss, rcond=None)
    if rank < X.shape[1]:
        return ()
    spread = float(((fit.loss - X @ slope) ** 2).sum()) / (fit.loss.size - rank)
    error = np.sqrt(spread * np.diag(np.linalg.inv(X.T @ X)))
    up = tuple(axis for axis, b, se in zip(logs, slope[1:], error[1:], strict=True) if b > STEEP * se)
    return up if {"N", "D"} & set(up) else ()


def rising_note(fit: Estimate) -> str:
    """What to ask of a loss that rises with N or D, as one sentence. Empty where it does not."""
    up = rising(fit)
    if not up:
        return ""
    most = float(fit.loss.max())
    score = "take 1 - it" if most <= 1 else "take 100 - it, in percent" if most <= 100 else "fit what falls"
    return f"the loss rises with {' and '.join(up)}: is it an accuracy? {score}"
