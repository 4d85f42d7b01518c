"""Which law, and how far to trust it: comparison of laws and extrapolation backtests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.data import arrays
from scaling.fit import FitError, fit
from scaling.law import Array, Law
from scaling.objectives import LeastSquares, Objective
from scaling.result import Fit
from scaling.solver import minimise

NONE, SOME, STRONG = 2.0, 4.0, 10.0  # how AICc differences are read (Burnham & Anderson 2002, section 2.6)
EXACT = 1e-10  # residuals below this share of the loss are rounding: no law is better for having less of it
TIE = 1e-3  # relative: errors this alike are one, whatever their last digits
AXIS_GAP = 1.15  # sizes within 15 % are one level: ParScale's extras move N a little with P
LONE_GAP = 1.5  # a size without a run of P = 1 is a level of its own if it lies this far above the last


@dataclass(frozen=True)
class Comparison:
    """Laws ranked on the same rows: `table` (one row a law, best first), `verdict` in words, the fits."""

    table: pd.DataFrame
    verdict: str
    fits: dict[str, Fit]

    def __repr__(self) -> str:
        """Table and verdict."""
        return f"{self.table.to_string(float_format=lambda x: f'{x:.4g}')}\n\n{self.verdict}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html(float_format=lambda x: f'{x:.4g}')}<p>{self.verdict}</p>"


def name_of(law: type[Law]) -> str:
    """How tables call a law."""
    return law.__name__


def compare(
    laws: Iterable[type[Law]], runs: Any, objective: Objective | None = None, holdout: str = "N"
) -> Comparison:
    """Fit each of the laws to the same runs and rank them.

    objective: LeastSquares() unless told: information criteria are Gaussian likelihoods of the loss.
    Columns: parameters, status, r2, rmse, max_error, aicc, delta_aicc, bic, delta_bic, loo_rmse (each
    run predicted from all others), holdout_rmse and holdout_bias (the largest third of the levels of
    axis `holdout` predicted from the smaller ones; bias is observed minus predicted). A law that
    cannot be fitted has its reason as status. Raises FitError if none can.
    """
    objective = objective or LeastSquares()
    rows, fits, refused = [], {}, {}
    laws = list({name_of(law): law for law in laws}.values())
    far = _largest_third(runs, holdout)
    for law in laws:
        try:
            one = fit(law, runs, objective)
        except FitError as error:
            refused[name_of(law)] = str(error)
            continue
        fits[name_of(law)] = one
        rows.append({"law": name_of(law), **_scores(one), **_holdout(one, far)})
    if not rows:
        least = min(laws, key=lambda law: len(law.free()), default=None)
        raise FitError(refused[name_of(least)] if least else "no laws given")
    table = pd.DataFrame(rows).set_index("law")
    for score in ("aicc", "bic"):
        place = list(table.columns).index(score) + 1
        table.insert(place, f"delta_{score}", table[score] - table[score].min())
    for name, reason in refused.items():
        table.loc[name, "status"] = reason
    table = table.sort_values("aicc")
    return Comparison(table, _verdict(table, holdout), fits)


def _scores(one: Fit) -> dict[str, Any]:
    n, p = one.loss.size, len(one.law.free())
    rss = max(float((one.residuals**2).sum()), n * (EXACT * float(one.loss.mean())) ** 2)
    k = p + 1  # the noise is estimated too
    deviance = n * np.log(rss / n)
    small = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else float("nan")
    return {
        "parameters": p,
        "status": str(one.status),
        "r2": one.r2,
        "rmse": one.rmse,
        "max_error": one.max_error,
        "aicc": deviance + 2 * k + small,
        "bic": deviance + k * np.log(n),
        "loo_rmse": float(np.sqrt((leave_one_out(one) ** 2).mean())),
    }


def leave_one_out(one: Fit) -> Array:
    """Each run's loss minus its prediction from all the others, (n,): n refits as one batch."""
    n = one.loss.size
    problem = replace(one.problem, w=one.problem.w * (1 - np.eye(n)))
    theta = minimise(problem, np.repeat(one.theta[None], n, 0), tolerance=1e-10).theta
    return np.asarray(one.loss - np.diagonal(problem.predict(theta)))


def _largest_third(runs: Any, axis: str) -> Any:
    """The usable runs on the largest third of an axis' levels, (n,) bool: the same whatever the law."""
    if axis not in runs:
        raise ValueError(f"holdout={axis!r}: no such axis or column; use N, P, D or C")
    x = arrays(runs, (axis,))[0][axis]
    level = levels_along(axis, x, streams_of(runs))
    return level >= int(np.ceil((level.max() + 1) * 2 / 3))


def _holdout(one: Fit, far: Any) -> dict[str, float]:
    try:
        trained = fit(type(one.law), rows_of(one, ~far), one.problem.objective) if far.any() else None
    except FitError:
        trained = None
    if trained is None:
        return {"holdout_rmse": float("nan"), "holdout_bias": float("nan")}
    error = one.loss[far] - trained.law.predict(**{a: x[far] for a, x in one.axes.items()})
    return {"holdout_rmse": float(np.sqrt((error**2).mean())), "holdout_bias": float(error.mean())}


def rows_of(one: Fit, keep: Any) -> dict[str, Array]:
    """Some rows of a fit's data as a table."""
    return {a: x[keep] for a, x in one.axes.items()} | {"loss": one.loss[keep]}


def axis_levels(x: Array, P: Array | None = None) -> Any:
    """Level 0, 1, ... of each value, values within 15 % of the next smaller one being the same level.

    With the runs' streams P, x is N, and a level begins where a run of P = 1 is larger than the last of
    them by as much: what streams add to a small model is more than 15 % and no size of its own.
    """
    order = np.argsort(x, kind="stable")
    ascending = x[order]
    jump = ascending[1:] > AXIS_GAP * ascending[:-1]
    if P is not None and (P == 1).any():
        single = P[order] == 1
        largest = np.maximum.accumulate(np.where(single, ascending, 0.0))
        begins = single[1:] & (ascending[1:] > AXIS_GAP * largest[:-1])
        jump = begins | (ascending[1:] > LONE_GAP * ascending[:-1])
    out = np.empty(x.size, int)
    out[order] = np.concatenate([[0], np.cumsum(jump)])
    return out


def levels_along(axis: str, x: Array, axes: Mapping[str, Array]) -> Any:
    """`axis_levels` of the values x of an axis: sizes with regard to their streams, if the axes have P."""
    return axis_levels(x, axes.get("P") if axis == "N" else None)


def streams_of(runs: Any) -> dict[str, Array]:
    """P of the usable runs where the table has it, whether or not a law looks at it."""
    return {"P": arrays(runs, ("P",))[0]["P"]} if "P" in runs else {}


def _verdict(table: pd.DataFrame, holdout: str) -> str:
    ranked = table[table.aicc.notna()]
    if ranked.empty:
        return "Too few runs for an information criterion: no law can be preferred."
    best = ranked.index[0]
    lines = [f"{best} has the lowest AICc."]
    for name, row in ranked.iloc[1:].iterrows():
        gap = row.delta_aicc
        words = (
            "the data cannot tell it from the best" if gap < NONE
            else "has less support" if gap < SOME
            else "is clearly behind" if gap < STRONG
            else "has practically no support"
        )  # fmt: skip
        lines.append(f"{name}: +{gap:.1f}, {words}.")
    for column, what in (("loo_rmse", "leave-one-out"), ("holdout_rmse", f"the hold-out in {holdout}")):
        if ranked[column].notna().any():
            lines.append(f"By {what} the best is {_winner(ranked[column], best)}.")
    doubtful = [str(n) for n, s in ranked.status.items() if s != "converged"]
    if doubtful:
        lines.append(f"In doubt (status): {', '.join(doubtful)}.")
    return "\n".join(lines)


def _winner(errors: pd.Series, best: str) -> str:
    """Who predicts best, in words; laws whose term ended at its edge differ only by rounding."""
    if errors[best] <= errors.min() * (1 + TIE):
        return f"{best} too"
    return f"{errors.idxmin()}, not {best}"
