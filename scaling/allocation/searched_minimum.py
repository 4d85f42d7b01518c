"""Where the loss is least along a setting that a sweep searched: a curve a point of the grid, its minimum, an interval.

A point is the runs of one corpus, recipe, size, P and D. Near its best run the loss is a parabola in the logarithm of the
setting, with a skew. A few runs do not tell the skew: it has a prior, from 236 slices along the learning rate of Step Law's
runs (Li et al. 2025, arXiv 2503.04715), whose middle half lies in 0.06 to 0.48. The noise about the curves is the same at
all points, so that their residuals are pooled. The interval is Fieller's (1954) for the ratio of slope and bend, with
a t threshold: it is open where the bend may be none. A value that trained no better than a uniform guess over the
vocabulary is as good as diverged. It lies far off the parabola, which would bend to reach it, so it is left out.

Legend: v = log(setting / its value at the minimum), loss = lowest + slope v + bend (v^2 + skew v^3), slope near 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from scaling.data.searched import POINT, settings_searched
from scaling.laws.base import Array
from scaling.uncertainty.interval_methods import check_level

AROUND = 2  # values on either side of the best that the curve is fitted to
SKEW, SKEW_WIDTH = 0.25, 0.3  # its prior: mean and standard deviation
ROUNDS = 8
EXACT = 1e-9  # nats: less noise than that is rounding
FEW = "fewer than three values near the best have a loss"
NO_BEND = "the losses near the best bend downwards: they have no minimum"
EDGE = "the best value is at the edge of those that the curve is fitted to"


def searched_minima(runs: Any, level: float = 0.95) -> pd.DataFrame:
    """A row a point and searched setting: the best value, the curve's minimum and its interval.

    runs: a table whose column `searched` names the settings (`scaling.data.searched`), loss in nats per token.
    Columns: those of the point; setting; best, the value of lowest mean loss over seeds; estimate, lower, upper, the
    setting at the minimum (an open end is 0 or infinite, both are NaN where no run is to spare); error, the standard
    error of the estimate's logarithm (NaN too); loss, at the minimum; bend and skew of the curve; low and high, the
    values it was fitted to; runs; left_out, the runs at values that are `above_a_guess`; note. level: of the intervals. Where
    several settings were searched together, the others are at their best. Empty where nothing was searched, or
    no setting is a positive number. ValueError for a wrong level.
    """
    check_level(level)
    table, names = pd.DataFrame(runs), settings_searched(runs)
    along = searched_along(runs)
    table = table[table["status"] == "ok"] if "status" in table else table
    rows: list[dict[str, Any]] = []
    for name in along:
        told = [(where, _Near.of(part, name)) for where, part in _points(table, name, names)]
        enough = [near for _, near in told if near.enough]
        noise, spare = _pooled([near.fitted(0.0) for near in enough])
        for _ in range(2):  # the prior's weight depends on the noise
            noise, spare = _pooled([near.fitted(noise) for near in enough]) if spare > 0 else (noise, spare)
        rows += [{**where, "setting": name, **near.described(noise, spare, level)} for where, near in told]
    return pd.DataFrame(rows)


def searched_along(runs: Any) -> list[str]:
    """The searched settings that a curve is fitted along: positive numbers."""
    table = pd.DataFrame(runs)
    names = [name for name in settings_searched(runs) if pd.api.types.is_numeric_dtype(table[name])]
    return [name for name in names if (table[name] > 0).all()]


def above_a_guess(runs: pd.DataFrame, name: str) -> npt.NDArray[np.bool_]:
    """Which runs are at a value of the setting `name` that ended above a uniform guess with some random seed, (n,) bool.

    A guess costs ln(vocab) nats per token. None without a column vocab, and none where every value did.
    """
    if "vocab" not in runs:
        return np.zeros(len(runs), dtype=bool)
    failed = runs.loc[runs["loss"] > np.log(runs["vocab"].astype(float)), name]
    above = runs[name].isin(failed).to_numpy()
    return above & ~above.all()


def searched_cells(runs: pd.DataFrame, name: str, over: Sequence[str]) -> pd.DataFrame:
    """The cells of `scaling.tuned_optimum` where the setting `name` was searched: a row a point, its minimum and error.

    over: the axes of the law, columns that are one number at each point. A point whose minimum is at an edge is not used.
    """
    by = [one for one in (*POINT, "D") if one in runs]
    at = runs[list(dict.fromkeys([*by, *over]))].drop_duplicates(by)
    found = searched_minima(runs.assign(searched=name)).merge(at, on=by)
    told = [one for one in by if one not in over and len(found[one].drop_duplicates()) > 1]
    minimum = {name: found["estimate"], f"{name}_error": found["error"].fillna(0.0)}
    return found[[*told, *over, "runs"]].assign(
        **minimum,
        **{f"{name}_doubled": found["bend"] * np.log(2) ** 2},
        loss=found["loss"],
        used=found["estimate"].notna() & (found["note"] == ""),
        note=found["note"],
    )


def curve_along(row: Any, values: Array) -> Array:
    """The fitted loss of a row of `searched_minima` at values of its setting, (n,)."""
    v = np.log(np.asarray(values) / row["estimate"])
    return np.asarray(row["loss"] + row["bend"] * (v**2 + row["skew"] * v**3))


def _points(table: pd.DataFrame, name: str, names: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """The runs of each point, other settings at those of its best run."""
    by = [one for one in (*POINT, "D") if one in table]
    found = []
    for key, part in table.groupby(by, dropna=False, sort=False):
        if others := [one for one in names if one != name]:
            best = part.sort_values("loss").iloc[0]
            part = part[np.logical_and.reduce([part[one] == best[one] for one in others])]
        found.append((dict(zip(by, key, strict=True)), part))
    return found


def _pooled(fits: list[_Curve]) -> tuple[float, float]:
    """Standard deviation of the noise and degrees of freedom over all curves."""
    spare = sum(one.spare for one in fits)
    if spare <= 0:
        return 0.0, 0.0
    return max(float(np.sqrt(sum(one.squares for one in fits) / spare)), EXACT), spare


@dataclass(frozen=True)
class _Curve:
    """What is fitted to a point's runs."""

    centre: float  # log of the setting at the minimum
    theta: Array  # lowest, slope at the centre, bend
    inverse: Array  # of the normal equations, (3, 3)
    skew: float
    squares: float
    spare: float

    def ends(self, noise: float, spare: float, level: float) -> tuple[float, float]:
        """Fieller's interval, from the centre: where slope + 2 bend v is no further from 0 than t of its errors."""
        t = float(special.stdtrit(spare, 0.5 + level / 2))
        (ss, sb), (_, bb) = noise**2 * self.inverse[1:, 1:]
        s, b = self.theta[1:]
        a, half, c = 4 * (b * b - t * t * bb), 2 * (s * b - t * t * sb), s * s - t * t * ss
        if a <= 0:
            return -np.inf, np.inf
        root = float(np.sqrt(max(half * half - a * c, 0.0)))
        return float(-half - root) / a, float(-half + root) / a


@dataclass(frozen=True)
class _Near:
    """The runs of a point near its best one."""

    x: Array  # log of the setting, (n,)
    y: Array  # loss, (n,)
    best: float
    edge: bool
    left_out: int  # runs

    @classmethod
    def of(cls, part: pd.DataFrame, name: str) -> _Near:
        above = above_a_guess(part, name)
        part = part[~above]
        means = part.groupby(name)["loss"].mean()
        values = np.asarray(means.index, dtype=float)
        place = int(np.argmin(means.to_numpy()))
        runs = part[part[name].isin(values[max(0, place - AROUND) : place + AROUND + 1])]
        x = np.log(runs[name].to_numpy(np.float64))
        edge = place in (0, len(values) - 1)
        return cls(x, runs["loss"].to_numpy(np.float64), float(values[place]), edge, int(above.sum()))

    @property
    def enough(self) -> bool:
        """Whether there are three values, so that a bend is known."""
        return len(np.unique(self.x)) >= 3

    def fitted(self, noise: float) -> _Curve:
        """By Gauss-Newton steps about the minimum; without noise the skew is its prior's mean."""
        low, high = self.x.min(), self.x.max()
        m, bend = float(np.log(self.best)), 0.0
        for _ in range(ROUNDS):
            v = self.x - m
            X, y = np.stack([np.ones_like(v), v, v**2, v**3], axis=1), self.y
            if noise and bend > 0:  # the last column's coefficient is bend times skew
                weight = noise / (bend * SKEW_WIDTH)
                X, y = np.vstack([X, [0, 0, 0, weight]]), np.append(y, weight * bend * SKEW)
            else:
                y, X = y - bend * SKEW * v**3, X[:, :3]
            inverse: Array = np.asarray(np.linalg.pinv(X.T @ X), dtype=np.float64)
            theta = inverse @ (X.T @ y)
            bend = float(theta[2])
            if bend <= 0:
                break
            m = float(np.clip(m - theta[1] / (2 * bend), 2 * low - high, 2 * high - low))
        left, known = (y - X @ theta)[: len(self.y)], len(theta) - 3
        told = known * min(1.0, inverse[-1, -1] * (bend * SKEW_WIDTH) ** -2 * noise**2) if known else 0.0
        skew = float(theta[3] / bend) if known else SKEW
        return _Curve(m, theta[:3], inverse[:3, :3], skew, float(left @ left), len(self.y) - 3 - known + told)

    def described(self, noise: float, spare: float, level: float) -> dict[str, Any]:
        """The row of the point."""
        names = ("estimate", "lower", "upper", "error", "loss", "bend", "skew", "low", "high")
        row: dict[str, Any] = {"best": self.best, **dict.fromkeys(names, np.nan), "runs": len(self.y)}
        row |= {"left_out": self.left_out, "note": FEW}
        if not self.enough:
            return row
        one = self.fitted(noise)
        low, high = float(np.exp(self.x.min())), float(np.exp(self.x.max()))
        row |= {"bend": float(one.theta[2]), "skew": one.skew, "low": low, "high": high}
        if one.theta[2] <= 0:
            return row | {"note": NO_BEND}
        ends = one.ends(noise, spare, level) if spare > 0 else (np.nan, np.nan)
        error = float(noise * np.sqrt(one.inverse[1, 1]) / (2 * one.theta[2])) if spare > 0 else np.nan
        with np.errstate(over="ignore"):
            places = np.exp(one.centre + np.array([0.0, *ends]))
        row |= dict(zip(("estimate", "lower", "upper"), map(float, places), strict=True))
        return row | {"error": error, "loss": float(one.theta[0]), "note": EDGE if self.edge else ""}
