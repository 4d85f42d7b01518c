"""isoFLOP curves: the loss against N at each budget, their minima with errors, and the law through these.

Approach 2 of Hoffmann et al. 2022 (arXiv 2203.15556, section 3.2). A parabola's minimum leans to one side
where the curve is not symmetric or its sizes are not centred (docs/guides/optimum.md). Curves here are parabolas in
log N that share a skew and a flatness, each with a prior as wide as the exponents of published laws make
them, so that the error of the form is in the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from scaling.allocation.power_law import PowerLaw
from scaling.data.levels import axis_levels
from scaling.laws.base import Array

LEAST = 4  # sizes that a budget needs for a parabola with a degree of freedom left
REACH = 12.0  # sizes beyond this factor from the minimum are left out if enough are nearer: the curve is no parabola there
WIDE = 1.5  # largest C over the smallest within one budget
SAME = 1.001  # the same for runs of exactly one budget
# y = y_min + b (u^2 + skew u^3 + flatness u^4), u = log N - log N*: of Chinchilla's law (beta - alpha) / 3 and
# (alpha^2 - alpha beta + beta^2) / 12
SHAPE = np.array([0.0, 0.01])
SHAPE_WIDTH = np.array([0.1, 0.01])  # standard deviations over the exponents of published laws
SHAPE_ENDS = np.array([[-0.4, -0.02], [0.4, 0.08]])
ROUNDS = 12
DOUBT = 0.05
LEAST_TESTED = 3  # budgets: with so few the test lacks power, and any excess counts
DOUBT_OF_FEW = 0.32
EXACT = 1e-9  # of the loss: noise below it is rounding
FLAT = "its minimum is undetermined: the curve is flat within the noise"
OUTSIDE = "its minimum lies outside the sizes that were run"


@dataclass(frozen=True)
class IsoFlop:
    """Curves of loss against N, a budget each, and what their minima say."""

    budgets: (
        pd.DataFrame
    )  # one row per budget: C, runs, N, standard_error (of log N), lower, upper, D, loss, used, note
    group: Array  # budget of each run, (n,). -1 for a run without one
    curve: pd.DataFrame  # to draw a budget's curve: centre (log N), scale, lowest, bend
    skew: float
    flatness: float
    noise: float  # of the loss, relative
    dof: float
    errors: Array  # covariance of log N* of the budgets in use, (B, B)
    slopes: Array  # d log D / d log N within each budget in use, (B,)
    widest: float  # the largest C over the smallest within a budget

    @property
    def used(self) -> pd.DataFrame:
        """The budgets whose minimum is determined and lies within their sizes."""
        return self.budgets[self.budgets["used"]]

    def law(self, axis: str = "N") -> PowerLaw | None:
        """The power law through the minima, of N or D. None for fewer than three."""
        used = self.used
        if len(used) < 3:
            return None
        errors = self.errors if axis == "N" else self.errors * np.outer(self.slopes, self.slopes)
        log_C, log_y = (np.log(used[name].to_numpy(np.float64)) for name in ("C", axis))
        return PowerLaw.through(log_C, log_y, errors, self.dof)

    def scatter(self, C: float, level: float) -> tuple[float, float]:
        """Half-widths of log N* at a budget and of a, from budgets that miss the law by more than their errors.

        0 if an F test finds no such scatter: at 5%, or at 32% (any excess) for three budgets. A law fitted to all
        rows assumes independent rows and lacks this term.
        """
        law = self.law()
        if law is None:
            return 0.0, 0.0
        log_C, log_N = (np.log(self.used[name].to_numpy(np.float64)) for name in ("C", "N"))
        doubt = DOUBT if law.points > LEAST_TESTED else DOUBT_OF_FEW
        if PowerLaw.excess_p(self.errors, log_C, log_N, self.dof) > doubt:
            return 0.0, 0.0
        along = np.array([1.0, np.log(C) - law.middle])
        t = special.stdtrit(law.points - 2, 0.5 + level / 2)
        return float(t * np.sqrt(along @ law.scatter @ along)), float(t * np.sqrt(law.scatter[1, 1]))

    def loss_along(self, place: int, N: Array) -> Array:
        """The fitted curve of a budget at sizes N."""
        one = self.curve.iloc[place]
        u = np.log(N) - one["centre"]
        bend = one["bend"] * u * u * (1 + self.skew * u + self.flatness * u * u)
        return np.asarray(one["scale"] * (one["lowest"] + bend))


def isoflop(
    N: Array, D: Array, C: Array, loss: Array, level: float = 0.95, shape: bool = True
) -> IsoFlop | None:
    """The isoFLOP curves of runs (n,) each. None if no budget has LEAST sizes, or no degree of freedom is left.

    A budget is a level of C (`scaling.data.levels`) no wider than WIDE. shape: whether curves share a skew and a
    flatness. Without them they are parabolas. Intervals of the minima are Fieller's (1954) at `level`, with a t
    threshold. The noise is relative to the loss and the same at every budget.
    """
    group = _budgets(N, C)
    keep = group >= 0
    if keep.sum() < 3 * (group.max() + 1) + 3:  # without a degree of freedom left the noise is unknown
        return None
    found = _Curves.of(np.log(N[keep]), np.log(C[keep]), loss[keep], group[keep], shape)
    near = keep & (np.abs(np.log(N) - found.centre[group]) < np.log(REACH))
    if (near != keep).any() and all(
        np.unique(N[near & (group == g)]).size >= LEAST for g in range(found.centre.size)
    ):
        found = _Curves.of(np.log(N[near]), np.log(C[near]), loss[near], group[near], shape)
    return _described(found, group, N, D, C, level)


def lengthened(estimate: float, lower: float, upper: float, half: float) -> tuple[float, float]:
    """An interval widened by an independent error of half-width `half`."""
    return estimate - float(np.hypot(estimate - lower, half)), estimate + float(
        np.hypot(upper - estimate, half)
    )


def _budgets(N: Array, C: Array) -> Any:
    """The budget of each run, ascending in C, (n,). -1 for none."""
    level, out, count = axis_levels(C), np.full(C.size, -1), 0
    for one in range(int(level.max()) + 1):
        here = level == one
        if np.unique(N[here]).size >= LEAST and C[here].max() <= WIDE * C[here].min():
            out[here], count = count, count + 1
    return out


@dataclass(frozen=True)
class _Curves:
    """The fitted curves of B budgets, in losses divided by their budget's mean."""

    centre: Array  # log N*, (B,)
    scale: Array  # the mean loss, (B,)
    lowest: Array
    bend: Array
    shape: Array  # skew, flatness
    covariance: Array  # of (lowest, slope at the centre, bend), (3 B, 3 B)
    noise: float
    dof: float

    @classmethod
    def of(cls, x: Array, log_C: Array, loss: Array, group: Any, shape: bool) -> _Curves:
        """By Gauss-Newton steps: the parabolas' coefficients are linear once centre and shape are given."""
        B = int(group.max()) + 1
        one = (group[:, None] == np.arange(B)).astype(np.float64)
        count = one.sum(0)
        scale = one.T @ loss / count
        away = log_C - (one.T @ log_C / count)[group]
        more = away[:, None] if np.abs(away).max() > np.log(SAME) else np.zeros((x.size, 0))
        ends = np.stack([[x[group == g].min(), x[group == g].max()] for g in range(B)], axis=1)
        half, middle = (ends[1] - ends[0]) / 2, ends.mean(0)
        now = cls(one.T @ x / count, scale, np.ones(B), np.zeros(B), SHAPE * shape, np.eye(3 * B), 0.0, 1.0)
        for round_ in range(ROUNDS):
            now, slope = now._refitted(x, loss / scale[group], group, one, more, shape and round_ > 0)
            bend = np.maximum(now.bend, 1e-12)
            step = np.clip(-slope / (2 * bend), -half, half)
            last = now.centre
            now = replace(now, centre=np.clip(last + step, middle - 2 * half, middle + 2 * half))
        return now

    def _refitted(
        self, x: Array, y: Array, group: Any, one: Array, more: Array, shape: bool
    ) -> tuple[_Curves, Array]:
        """The coefficients about the present centres, and the slopes there (B,)."""
        B = self.centre.size
        v = (x - self.centre[group])[:, None]
        skew, flat = self.shape
        more = np.concatenate(
            [more, more * v], axis=1
        )  # the effect of compute off the budget's mean, which changes with N
        columns = [one, one * v, one * (v**2 * (1 + skew * v + flat * v * v)), more]
        prior = np.zeros((0, 3 * B + more.shape[1]))
        known = np.zeros(0)
        if shape:
            bent = self.bend[group][:, None] * np.concatenate([v**3, v**4], axis=1)
            columns.append(bent)
            y = y + bent @ self.shape
            weight = self.noise / SHAPE_WIDTH
            prior = np.concatenate([np.zeros((2, prior.shape[1])), np.diag(weight)], axis=1)
            known = SHAPE * weight
        X = np.concatenate([np.concatenate(columns, axis=1), prior])
        theta, inverse = _least_squares(X, np.concatenate([y, known]))
        left = y - X[: y.size] @ theta
        dof = y.size - X.shape[1]
        if shape:  # what the prior determines costs no degree of freedom
            dof += float(np.minimum(self.noise**2 * np.diag(inverse)[-2:] / SHAPE_WIDTH**2, 1.0).sum())
        noise = max(float(np.sqrt(left @ left / dof)), EXACT)
        found = np.clip(theta[-2:], *SHAPE_ENDS) if shape else self.shape
        parts = theta[:B], theta[2 * B : 3 * B], found, inverse[: 3 * B, : 3 * B] * noise**2
        return _Curves(self.centre, self.scale, *parts, noise, dof), theta[B : 2 * B]

    def ends(self, place: int, level: float) -> tuple[float, float]:
        """Fieller's interval of a minimum, from its centre. Infinite if the bend may be 0.

        The minimum may lie d away where the slope there, slope + 2 bend d, is no further from 0 than t errors.
        """
        B, t = self.centre.size, special.stdtrit(self.dof, 0.5 + level / 2)
        at = [B + place, 2 * B + place]
        (ss, sb), (_, bb) = self.covariance[np.ix_(at, at)]
        bend = self.bend[place]
        a, b, c = 4 * (bend**2 - t * t * bb), -4 * t * t * sb, -t * t * ss
        if not (a > 0 and bend > 0):
            return -np.inf, np.inf
        root = np.sqrt(max(b * b - 4 * a * c, 0.0))
        return (-b - root) / (2 * a), (-b + root) / (2 * a)


def _least_squares(X: Array, y: Array) -> tuple[Array, Array]:
    """θ and (XᵀX)⁻¹ of scaled columns."""
    length = np.sqrt((X * X).sum(0))
    length = np.where(length > 0, length, 1.0)
    q, r = np.linalg.qr(X / length)
    inverse = np.linalg.pinv(r, rcond=1e-12)
    return inverse @ (q.T @ y) / length, inverse @ inverse.T / np.outer(length, length)


def _described(found: _Curves, group: Any, N: Array, D: Array, C: Array, level: float) -> IsoFlop:
    """The curves and their minima as the value that is returned."""
    B = found.centre.size
    told = [_minimum(found, g, N[group == g], D[group == g], C[group == g], level) for g in range(B)]
    budgets = pd.DataFrame([row for row, _ in told])
    at = np.flatnonzero(budgets["used"])
    double = 2 * found.bend[at]
    errors = found.covariance[np.ix_(B + at, B + at)] / np.outer(double, double)
    curve = {"centre": found.centre, "scale": found.scale, "lowest": found.lowest, "bend": found.bend}
    widest = max(float(C[group == g].max() / C[group == g].min()) for g in range(B))
    slopes = np.array([slope for _, slope in told])[at]
    skew, flatness = (float(x) for x in found.shape)
    return IsoFlop(
        budgets, group, pd.DataFrame(curve), skew, flatness, found.noise, found.dof, errors, slopes, widest
    )


def _minimum(
    found: _Curves, g: int, N: Array, D: Array, C: Array, level: float
) -> tuple[dict[str, Any], float]:
    """The row of budget g with runs (n,), and d log D / d log N within it."""
    B, m, x, middle = found.centre.size, found.centre[g], np.log(N), float(np.log(C).mean())
    more, height = np.polyfit(x - x.mean(), np.log(C / N / D), 1)  # C / (N D): about 6 P
    low, high = found.ends(g, level)
    note = FLAT if not np.isfinite(low) else "" if x.min() < m < x.max() else OUTSIDE
    told, error = np.array([np.nan, -np.inf, np.inf]), np.nan
    if note != FLAT:
        told = np.array([m, m + low, m + high])
        error = np.sqrt(found.covariance[B + g, B + g]) / (2 * found.bend[g])
    with np.errstate(over="ignore"):
        best, lower, upper = np.exp(told)
    tokens = np.exp(middle - told[0] - height - more * (told[0] - x.mean()))
    row = {
        "C": np.exp(middle), "runs": N.size, "N": best, "standard_error": error, "lower": lower, "upper": upper,
        "D": tokens, "loss": found.scale[g] * found.lowest[g], "used": not note, "note": note,
    }  # fmt: skip
    return row, float(-1 - more)
