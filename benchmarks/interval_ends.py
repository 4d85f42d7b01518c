"""Every end of a profile interval against scipy's SLSQP: `python -m benchmarks.interval_ends [--objectives huber lad]`.

Every law of a table's axes is fitted to the smallest sizes of every published table by every objective. The 95%
intervals of its exponents and of the loss at three times the largest N and D are compared with the extremes that
SLSQP finds from several starts inside the same rise of the objective. A case goes to results/tables/interval_ends.csv
as soon as it is done, so that an interrupted sweep resumes. `--again` measures everything again, `--report` only
writes docs/coverage.md's table. Both search for the same end, by the least rise with a quantity held. If SLSQP goes
further, the end is wrong. If SLSQP stops short, SLSQP is.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.optimize import minimize

import scaling
from benchmarks import ROOT
from scaling.data.atomic_files import write_between
from scaling.laws import REGISTRY
from scaling.laws.base import Array
from scaling.optimise.objectives import OBJECTIVES
from scaling.uncertainty.interval_methods import (
    Quantity,
    at_points,
    quantity_values,
    slopes,
    spread_batch,
    t_of,
)

PUBLISHED = ROOT / "results/published"
TABLE = ROOT / "results/tables/interval_ends.csv"
MARKS = ("<!-- interval ends -->", "<!-- end of interval ends -->")
WINDOWS = (1.0, 0.7, 0.5)  # share of the sizes that is fitted, the smallest
KEYS = ["table", "law", "window", "objective"]
WRONG = 0.015  # of an end's distance: SLSQP going further by more shows that the end is none


@dataclass(frozen=True)
class Case:
    """A law, an objective and the window of a table that it is fitted to."""

    table: str
    law: str
    window: float
    objective: str

    def fit(self) -> scaling.Fit | None:
        """The fit, assuming independent rows. None if the rows do not determine it."""
        table = tables()[self.table]
        rows = table[table.P == 1] if self.law == "dense" and "P" in table else table
        window = rows[rows.N.quantile(self.window) >= rows.N]
        try:
            fit = scaling.fit(REGISTRY[self.law], window, OBJECTIVES[self.objective], groups=False)
        except scaling.FitError:
            return None
        return fit if fit.determined else None


@cache
def tables() -> dict[str, pd.DataFrame]:
    """The published tables by name, those of checkpoints thinned."""
    losses = scaling.read_runs(PUBLISHED / "losses.csv")
    found = dict(iter(losses.groupby("corpus")))
    for path in sorted((PUBLISHED / "runs").glob("*.csv")):
        table = pd.read_csv(path).rename(columns={"tokens": "D", "c4_loss_last": "loss"})
        table = table[["N", "D", "loss"]].dropna()
        found[path.stem] = table.iloc[::4] if len(table) > 300 else table
    return found


def cases(objectives: tuple[str, ...] = tuple(OBJECTIVES)) -> list[Case]:
    """Every case, small tables first."""
    order = sorted(tables(), key=lambda name: len(tables()[name]))
    known = itertools.product(order, REGISTRY, WINDOWS, objectives)
    return [Case(*one) for one in known if set(REGISTRY[one[1]].axes) <= set(tables()[one[0]])]


@dataclass(frozen=True)
class Asked:
    """Of a batch of laws: the loss at some points, and some fields."""

    points: Quantity
    names: tuple[str, ...]
    finite: ClassVar = True  # as `PredictedLoss`

    def __call__(self, law: scaling.Law) -> Array:
        """The numbers, (B, points and names)."""
        fields = np.stack([getattr(law, name) for name in self.names], axis=-1)
        return np.concatenate([self.points(law), fields], axis=-1)


def asked(fit: scaling.Fit) -> Asked:
    """The loss at three times the largest N and D, and the law's exponents."""
    far = {a: np.array([x.max() * (1 if a == "P" else 3)]) for a, x in fit.axes.items()}
    names = (name for name in fit.law.nonlinear if name not in (*fit.law.fixed, *fit.law.not_held))
    return Asked(at_points(far, fit.law.axes), tuple(names))


class Extremes:
    """SLSQP's extremes of the quantities of a fit while the objective rises by no more than the threshold."""

    def __init__(self, fit: scaling.Fit, quantity: Quantity) -> None:
        self.problem, self.theta, self.quantity = fit.problem, fit.theta, quantity
        cov, unit = spread_batch(fit.problem, fit.theta[None])
        se = np.sqrt(np.maximum(np.diag(cov[0]), 0))
        self.size = np.where(se > 0, np.minimum(se, np.maximum(np.abs(fit.theta), 0.05)), 0.02)
        self.allowed, self.lowest = t_of(fit.problem, 0.95) ** 2 * unit[0], fit.objective_value

    def _at(self, z: Array) -> Array:
        return np.clip(self.theta + z * self.size, self.problem.lower, self.problem.upper)

    def _value(self, z: Array, k: int) -> float:
        return float(
            np.clip(quantity_values(self.problem, self._at(z)[None], self.quantity)[0, k], -1e6, 1e6)
        )

    def _slope(self, z: Array, k: int) -> Array:
        found = slopes(self.problem, self._at(z)[None], self.quantity)[0, :, k] * self.size
        return np.nan_to_num(found, nan=0.0, posinf=1e6, neginf=-1e6)

    def _room(self, z: Array) -> float:
        with np.errstate(all="ignore"):  # far out a law may overflow
            rise = (self.problem.value(self._at(z)[None])[0] - self.lowest) / self.allowed
        return 1 - float(np.clip(np.nan_to_num(rise, nan=1e6), 0, 1e6))

    def _room_slope(self, z: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.nan_to_num(-self.problem.slope(self._at(z))[1] * self.size / self.allowed)

    def furthest(self, k: int, side: int, starts: int) -> float:
        """The extreme of quantity k to one side."""
        zero = np.zeros(self.theta.size)
        scale = max(abs(self._value(zero + 0.3, k) - self._value(zero, k)), 1e-9)
        bounds = list(
            zip((self.problem.lower - self.theta) / self.size, (self.problem.upper - self.theta) / self.size,
                strict=True)
        )  # fmt: skip
        rng, best = np.random.default_rng(0), self._value(zero, k)
        room = {"type": "ineq", "fun": self._room, "jac": self._room_slope}
        for j in range(starts):
            begin = np.clip(rng.standard_normal(zero.size) * 0.3 * j, *np.transpose(bounds))
            end = minimize(
                lambda z: -side * self._value(z, k) / scale, begin, method="SLSQP", bounds=bounds,
                jac=lambda z: -side * self._slope(z, k) / scale, constraints=room,
                options={"ftol": 1e-8, "maxiter": 200},
            )  # fmt: skip
            if self._room(end.x) >= -1e-3 and side * (self._value(end.x, k) - best) > 0:
                best = self._value(end.x, k)
        return best


def checked(fit: scaling.Fit, starts: int = 3) -> pd.DataFrame:
    """Every end that is `asked` of a fit, one per row: its distance, and how far SLSQP gets beyond it."""
    quantity = asked(fit)
    estimate, lower, upper, lost = scaling.Profile().searched(fit, quantity, 0.95)
    extremes, rows = Extremes(fit, quantity), []
    for k, side in itertools.product(range(estimate.size), (-1, 1)):
        end = side * ((lower if side < 0 else upper)[k] - estimate[k])
        beyond = np.nan
        if np.isfinite(end):
            reach = side * (extremes.furthest(k, side, starts) - estimate[k])
            beyond = reach / max(end, 1e-9 * abs(estimate[k])) - 1
        unconfirmed = bool(lost[(side + 1) // 2, k])
        rows.append(
            {"quantity": k, "side": side, "distance": end, "beyond": beyond, "unconfirmed": unconfirmed}
        )
    return pd.DataFrame(rows)


def study(of: list[Case], table: Path, again: bool = False, seconds: float = np.inf) -> pd.DataFrame:
    """Check the cases that the table lacks, for `seconds` at most, and write each as soon as it is done."""
    keys = pd.read_csv(table, usecols=KEYS).drop_duplicates() if table.exists() and not again else None
    done = set() if keys is None else {tuple(key) for key in keys.itertuples(index=False)}
    begun = time.monotonic()
    for case in of:
        if (case.table, case.law, case.window, case.objective) in done or time.monotonic() - begun > seconds:
            continue
        fit = case.fit()
        nothing = pd.DataFrame([{"quantity": -1, "side": 0, "distance": np.nan, "beyond": np.nan,
                                 "unconfirmed": False}])  # fmt: skip
        found = nothing if fit is None else checked(fit)
        found = found.assign(
            **{key: getattr(case, key) for key in KEYS}, rows=0 if fit is None else fit.loss.size
        )
        fresh = not table.exists() or (again and case is of[0])
        found[[*KEYS, "rows", "quantity", "side", "distance", "beyond", "unconfirmed"]].to_csv(
            table, mode="w" if fresh else "a", header=fresh, index=False, float_format="%.6g"
        )
    return pd.read_csv(table)


def wrong(table: pd.DataFrame) -> pd.Series:
    """Which ends SLSQP got beyond."""
    return table.beyond > WRONG


def markdown(table: pd.DataFrame, of: int) -> str:
    """Counts of ends by objective. of: the number of cases for each."""
    lines = ["| objective | cases | fits | ends | wrong | largest | SLSQP stopped short | open | unconfirmed |",
             "|---" * 9 + "|"]  # fmt: skip
    for objective, part in table.groupby("objective", sort=False):
        ends, open_ends = part[np.isfinite(part.beyond)], part[(part.quantity >= 0) & part.beyond.isna()]
        fits = part[part.quantity >= 0].groupby(KEYS[:3]).ngroups
        short, worst = (ends.beyond < -WRONG).mean(), ends.beyond.max()
        lines.append(
            f"| {objective} | {part.groupby(KEYS[:3]).ngroups} of {of} | {fits} | {len(ends)} | {wrong(ends).sum()} "
            f"| {100 * worst:.1f}% | {100 * short:.0f}% | {len(open_ends)} | {int(part.unconfirmed.sum())} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the sweep and write its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    parser.add_argument(
        "--seconds", type=float, default=np.inf, help="stop after these, to go on another time"
    )
    parser.add_argument("--again", action="store_true", help="check even what the table has")
    parser.add_argument("--report", action="store_true", help="only write docs/coverage.md from the table")
    parser.add_argument("--table", type=Path, default=TABLE)
    args = parser.parse_args()
    of = cases(tuple(args.objectives))
    found = pd.read_csv(args.table) if args.report else study(of, args.table, args.again, args.seconds)
    text = markdown(found, len(of) // len(args.objectives))
    if args.table == TABLE:
        write_between(ROOT / "docs/coverage.md", MARKS, text)
    print(text)
    print(found[wrong(found)].to_string(index=False))
    if wrong(found).any():
        raise SystemExit(f"an end is {found.beyond.max():.1%} of its distance short")


if __name__ == "__main__":
    main()
