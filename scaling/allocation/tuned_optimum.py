"""The best learning rate and batch size, and how they grow: a surface per cell, then a law through their minima.

A cell is the runs of one model size and number of tokens. Near its best run the loss is taken as quadratic in the
logarithms of the settings that were tuned. The surface's minimum has a standard error by the delta method. Each
setting's minima then follow log setting* = log G + sum_j b_j log x_j, by generalised least squares. Residuals
beyond the errors of the minima count as scatter (Paule and Mandel 1982). The loss is not exactly quadratic: the
law's shift when only the nearer half of the range is fitted counts as an error too.

Legend: n runs of a cell, m settings, q axes, K cells. Source of the form: Li et al. 2025 (Step Law), arXiv
2503.04715, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from scaling.allocation.power_law import generalised_fit, spare_variance
from scaling.allocation.searched_minimum import searched_cells
from scaling.data.any_table import as_runs, axis_columns
from scaling.data.runs import usable
from scaling.data.searched import COLUMN, settings_searched
from scaling.data.units import parse_size
from scaling.laws.base import Array
from scaling.result_table import ResultTable
from scaling.uncertainty.interval_methods import check_level

TUNED = ("lr", "batch_size")  # settings, unless named
NEAR = 0.01  # share of the lowest loss: the quadratic is fitted to runs within it
ROUNDS = 4  # in which the cells' skew is found
SKEWED = 1.5  # largest skew: beyond it a surface is not a skewed quadratic
SPARE = 3  # runs beyond the coefficients of a surface that it needs
FLAT = "the surface has no minimum: it is flat or falls to one side"
OUTSIDE = "its minimum lies outside the settings that were run"
FEW = "too few runs near the best: give more, or a wider near="


@dataclass(frozen=True, repr=False)
class TunedOptimum(ResultTable):
    """Minima of the cells and the laws through them: `table` (a row per setting and parameter), `cells`, `verdict`."""

    table: pd.DataFrame  # index setting, parameter ("G" or an axis). estimate, standard_error, lower, upper
    cells: (
        pd.DataFrame
    )  # a row per cell: axes, runs, each setting's minimum, _error (of its log), _doubled, loss, used, note
    verdict: str
    settings: tuple[str, ...]
    axes: tuple[str, ...]
    level: float
    _laws: Mapping[str, _Law]

    @property
    def shown(self) -> pd.DataFrame:
        """The laws, or the cells where there is no law."""
        return self.table if len(self.table) else self.cells

    def at(self, **point: Any) -> pd.DataFrame:
        """The best settings at `point`, N="1B", D=1e11: estimate, and the interval of the law there.

        Raises ValueError for an axis that is missing or not positive, and if there are too few cells for a law.
        """
        if not self._laws:
            raise ValueError(self.verdict)
        if set(point) != set(self.axes):
            raise ValueError(f"give {', '.join(self.axes)}, the axes of the law, and no other")
        values = np.array([parse_size(point[axis]) for axis in self.axes])
        if not ((values > 0) & np.isfinite(values)).all():
            raise ValueError(f"{', '.join(self.axes)} must be positive numbers")
        rows = {name: law.at(np.log(values), self.level) for name, law in self._laws.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"])


@dataclass(frozen=True)
class _Law:
    """log y = theta . (1, log x - middle), with its covariance and degrees of freedom."""

    theta: Array
    covariance: Array
    middle: Array
    dof: int

    def at(self, log_x: Array, level: float) -> tuple[float, float, float]:
        along = np.concatenate([[1.0], log_x - self.middle])
        half = special.stdtrit(self.dof, 0.5 + level / 2) * np.sqrt(along @ self.covariance @ along)
        centre = float(along @ self.theta)
        return float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half))

    def with_misfit(self, other: _Law | None) -> _Law:
        """The law with the misfit of the surface's form, as half the range shows it, as an error of its own."""
        if other is None:
            return self
        moved = self.theta - other.theta
        moved[0] += other.theta[1:] @ (other.middle - self.middle)
        return replace(self, covariance=self.covariance + np.outer(moved, moved))

    def rows(self, axes: Sequence[str], level: float) -> dict[str, tuple[float, ...]]:
        """Estimate, standard error and interval of G, setting* at x = 1, and of each exponent. G's error is its log's."""
        t = special.stdtrit(self.dof, 0.5 + level / 2)
        G, error = self.at(np.zeros(len(axes)), level), np.concatenate([[1.0], -self.middle])
        found: dict[str, tuple[float, ...]] = {
            "G": (G[0], float(np.sqrt(error @ self.covariance @ error)), *G[1:])
        }
        for i, axis in enumerate(axes, start=1):
            se = float(np.sqrt(self.covariance[i, i]))
            b = float(self.theta[i])
            found[axis] = b, se, b - t * se, b + t * se
        return found


def tuned_optimum(
    runs: Any,
    *,
    of: Sequence[str] | None = None,
    over: Sequence[str] = ("N", "D"),
    near: float = NEAR,
    level: float = 0.95,
) -> TunedOptimum:
    """The settings of least loss in each cell, and their power laws over the axes of the cells.

    This is not for settings tuned one at a time: a surface needs rows off the axes. In a search of one setting
    (`parscale sweep --search` or `--axis`) a cell is a point of the sweep, and its minimum is that of
    `scaling.allocation.searched_minimum`: five runs are enough.

    Args:
        runs: columns `of`, `over` and loss in nats per token.
        of: the one to three settings that were tuned. Default: those that the table says were searched, else lr and
            batch_size.
        over: the axes that make a cell, such as N and D.
        near: share of a cell's lowest loss within which the quadratic is fitted. Two settings need 9 such runs.
        level: of the intervals, between 0 and 1.

    Returns:
        A `TunedOptimum`. `table` has the laws: G and one exponent per axis. `cells` has the minima and what doubling a
        setting costs in nats per token (`_doubled`). `.at(N=..., D=...)` gives the settings elsewhere. Runs at the
        edge of a grid and cells without a minimum are left out and named in `cells.note`.

    Raises:
        ValueError: for a column that is missing or not positive.
    """
    check_level(level)
    frame = as_runs(runs, "runs")
    searched = settings_searched(frame)
    of = tuple(of or searched or TUNED)
    frame = frame[
        usable(frame.drop(columns=COLUMN, errors="ignore"))
    ]  # every value of a search, not the best alone
    if not 1 <= len(of) <= 3 or not over or not (np.isfinite(near) and near > 0):
        raise ValueError("give one to three settings in of=, axes in over= and near= above 0")
    data = axis_columns(frame, (*of, *over))
    table = pd.DataFrame({**data, "loss": frame["loss"].to_numpy(np.float64)})
    if searched == list(of) and len(of) == 1:
        cells = nearer = searched_cells(frame.assign(**data), of[0], over)
    else:
        cells, nearer = (_cells(table, of, tuple(over), share) for share in (near, near / 2))
    varied = tuple(axis for axis in over if len(set(cells.loc[cells["used"], axis])) > 1)
    fitted = {name: (_law(cells, name, varied), _law(nearer, name, varied)) for name in of}
    laws = {name: law.with_misfit(other) for name, (law, other) in fitted.items() if law is not None}
    rows = {(n, p): row for n, law in laws.items() for p, row in law.rows(varied, level).items()}
    index = pd.MultiIndex.from_tuples([*rows], names=["setting", "parameter"]) if rows else None
    shown = pd.DataFrame([*rows.values()], index, ["estimate", "standard_error", "lower", "upper"])
    verdict = _verdict(cells, laws, varied, of)
    return TunedOptimum(shown, cells, verdict, tuple(of), varied, level, laws)


@dataclass(frozen=True)
class _Surface:
    """A cell's runs near its best one, and what is fitted to them: loss = c + g.z + z'Hz/2 + sum_i s_i H_ii u_i^3 / 6.

    u is z less the minimum. All cells share the skews s: one cell's runs hardly determine them.
    """

    row: dict[str, Any]  # the cell's axes and number of runs
    centre: Array  # logarithms of the settings, (m,)
    z: Array  # from the centre, (n, m)
    loss: Array  # (n,)
    X: Array  # columns of the quadratic, (n, 1 + m + m (m + 1) / 2)
    least: int

    @classmethod
    def of(cls, part: pd.DataFrame, of: tuple[str, ...], over: tuple[str, ...], near: float) -> _Surface:
        """From a cell's runs: those within a share `near` of the lowest loss, and as many as it needs."""
        m = len(of)
        least = 1 + m + m * (m + 1) // 2 + SPARE
        close = part.sort_values("loss", kind="stable")
        close = close.head(max(least, int((close["loss"] <= (1 + near) * close["loss"].min()).sum())))
        row = {**{axis: float(part[axis].iloc[0]) for axis in over}, "runs": len(close)}
        z = np.log(close[list(of)].to_numpy(np.float64))
        centre = z.mean(0)
        z = z - centre
        square = [z[:, i] * z[:, j] * (0.5 if i == j else 1.0) for i, j in _pairs(m)]
        X = np.stack([np.ones(len(z)), *z.T, *square], axis=1)
        return cls(row, centre, z, close["loss"].to_numpy(np.float64), X, least)

    @property
    def enough(self) -> bool:
        """Whether the runs tell the quadratic's coefficients, with some to spare."""
        return len(self.loss) >= self.least and np.linalg.matrix_rank(self.X) == self.X.shape[1]

    def fitted(self, skew: Array, rounds: int = 4) -> tuple[Array, Array, Array] | None:
        """The quadratic's coefficients, H and the minimum (m,) given the skews. None if there is no minimum."""
        at, H = np.zeros(len(skew)), np.zeros((len(skew), len(skew)))
        for _ in range(rounds):
            theta: Any = np.linalg.lstsq(self.X, self.loss - self.cubic(at, H) @ skew, rcond=None)[0]
            H = _matrix(theta, len(skew))
            if np.linalg.eigvalsh(H).min() <= 0:
                return None
            at = -np.linalg.solve(H, theta[1 : 1 + len(skew)])
            at = np.clip(at, 1.5 * self.z.min(0), 1.5 * self.z.max(0))
        return theta, H, at

    def cubic(self, at: Array, H: Array) -> Array:
        """What a skew of 1 adds to the loss, (n, m). Its value and slopes are 0 at the minimum."""
        return np.asarray(np.diag(H) * (self.z - at) ** 3 / 6)

    def described(self, of: tuple[str, ...], skew: Array) -> dict[str, Any]:
        """The row of the cell: its minimum, the minimum's errors, what twice a setting costs, the loss."""
        row = (
            self.row
            | {f"{n}{end}": np.nan for n in of for end in ("", "_error", "_doubled")}
            | {"loss": np.nan}
        )
        told = self.fitted(skew) if self.enough else None
        if told is None:
            return row | {"used": False, "note": FLAT if self.enough else FEW}
        theta, H, at = told
        left = self.loss - self.X @ theta - self.cubic(at, H) @ skew
        noise = np.linalg.inv(self.X.T @ self.X) * (left @ left) / (len(left) - self.X.shape[1])
        moved = self._moved(H, at)
        errors = np.sqrt(np.diag(moved @ noise @ moved.T))
        for i, name in enumerate(of):
            row[name], row[f"{name}_error"] = float(np.exp(at[i] + self.centre[i])), float(errors[i])
            row[f"{name}_doubled"] = float(0.5 * H[i, i] * np.log(2) ** 2)
        row["loss"] = float(theta[0] + 0.5 * theta[1 : 1 + len(of)] @ at)
        inside = bool(((at >= self.z.min(0)) & (at <= self.z.max(0))).all())
        return row | {"used": inside, "note": "" if inside else OUTSIDE}

    def _moved(self, H: Array, at: Array) -> Array:
        """How the coefficients move the minimum, (m, p)."""
        m, inverse = len(at), np.linalg.inv(H)
        moved = np.zeros((m, self.X.shape[1]))
        moved[:, 1 : 1 + m] = -inverse
        for k, (i, j) in enumerate(_pairs(m), start=1 + m):
            turn = np.zeros((m, m))
            turn[i, j] = turn[j, i] = 1.0
            moved[:, k] = -inverse @ turn @ at
        return moved


def _pairs(m: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(m) for j in range(i, m)]


def _matrix(theta: Array, m: int) -> Array:
    """H of the quadratic's coefficients."""
    H = np.zeros((m, m))
    for (i, j), value in zip(_pairs(m), theta[1 + m :], strict=True):
        H[i, j] = H[j, i] = value
    return H


def _shared_skew(surfaces: Sequence[_Surface], m: int) -> Array:
    """The skews that all cells share, (m,), by least squares over every cell's residuals. 0 if undetermined."""
    skew = np.zeros(m)
    for _ in range(ROUNDS):
        gram, moment = np.zeros((m, m)), np.zeros(m)
        for one in surfaces:
            told = one.fitted(skew) if one.enough else None
            if told is None:
                continue
            _, H, at = told
            basis = np.linalg.qr(one.X)[0]
            both = np.column_stack([one.cubic(at, H), one.loss])
            both = both - basis @ (basis.T @ both)
            gram += both[:, :m].T @ both[:, :m]
            moment += both[:, :m].T @ both[:, m]
        if not np.linalg.cond(gram) < 1e10:
            return np.zeros(m)
        skew = np.clip(np.linalg.solve(gram, moment), -SKEWED, SKEWED)
    return skew


def _cells(table: pd.DataFrame, of: tuple[str, ...], over: tuple[str, ...], near: float) -> pd.DataFrame:
    """A row a cell."""
    surfaces = [_Surface.of(part, of, over, near) for _, part in table.groupby(list(over), sort=True)]
    skew = _shared_skew(surfaces, len(of))
    return pd.DataFrame([one.described(of, skew) for one in surfaces])


def _law(cells: pd.DataFrame, name: str, over: tuple[str, ...]) -> _Law | None:
    """The power law of a setting through the minima of cells. None if they are too few or their axes collinear."""
    used = cells[cells["used"]]
    K, logs = len(used), np.log(used[list(over)].to_numpy(np.float64))
    if len(over) + 2 > K:
        return None
    middle = logs.mean(0)
    X = np.concatenate([np.ones((K, 1)), logs - middle], axis=1)
    if np.linalg.matrix_rank(X) < X.shape[1]:
        return None
    y = np.log(used[name].to_numpy(np.float64))
    errors = np.diag(np.maximum(used[f"{name}_error"].to_numpy(np.float64), 1e-9) ** 2)
    dof = K - X.shape[1]
    _, _, left = generalised_fit(X, y, errors)
    more = spare_variance(X, y, errors) if left @ np.linalg.solve(errors, left) > dof else 0.0
    theta, covariance, _ = generalised_fit(X, y, errors + more * np.eye(K))
    return _Law(theta, covariance, middle, dof)


def _verdict(cells: pd.DataFrame, laws: Mapping[str, Any], over: tuple[str, ...], of: Sequence[str]) -> str:
    """How many cells tell their minimum, why the others do not, and what missing it costs."""
    used = cells[cells["used"]]
    lines = [f"{len(used)} of {len(cells)} cells tell their best {' and '.join(of)}."]
    lines += [
        f"{count} left out: {why}." for why, count in cells.loc[~cells["used"], "note"].value_counts().items()
    ]
    if len(used):
        costs = [f"{used[f'{name}_doubled'].median():.2g} nats for {name}" for name in of]
        lines.append(f"Twice or half the best costs {', '.join(costs)} (median).")
    if not laws:
        need = len(over) + 2
        lines.append(
            f"No law: it takes {need} cells whose {', '.join(over) or 'axes'} vary, and not together."
        )
    return "\n".join(lines)
