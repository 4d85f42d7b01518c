"""Which law, and how far to trust it: comparison of laws and extrapolation backtests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_runs
from scaling.data.levels import approximate_C, levels_along
from scaling.data.runs import arrays, usable
from scaling.fitting import plots
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws import REGISTRY, Arms, law_of
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.estimate import EXACT
from scaling.optimise.objectives import LeastSquares, Objective, checked
from scaling.optimise.optimum import FitError
from scaling.optimise.solver import minimise
from scaling.result_table import ResultTable
from scaling.shown import is_table, shown
from scaling.uncertainty.interval_methods import leverage

NONE, SOME, STRONG = 2.0, 4.0, 10.0  # how AICc differences are read (Burnham & Anderson 2002, section 2.6)
LEFT_OUT = 250  # runs left out in turn, one batch: bounds the memory at any number of runs
MANY = 2_000  # runs above which none is left out in a refit
DIGITS = 6  # of a criterion: what lies beyond them differs from machine to machine
TIE = 1e-3  # relative: errors this alike are one, whatever their last digits


@dataclass(frozen=True, repr=False)
class Comparison(ResultTable):
    """Laws ranked on the same rows: `table` (one row a law, best first), `verdict` in words, the fits."""

    table: pd.DataFrame
    verdict: str
    fits: dict[str, Fit]

    def plot(self) -> Any:
        """Each law's AICc above the best, and its leave-one-out and hold-out errors: a matplotlib Figure."""
        return plots.plot_comparison(self.table)


def compare(
    laws: Iterable[LawForm | Arms | str],
    runs: Any,
    objective: Objective | str | None = None,
    holdout: str | None = None,
) -> Comparison:
    """Fit each of the laws to the same runs and rank them.

    laws: classes or names, with constraints too: `ParallelLaw.with_bounds(k=(0, 1))`, "dense:E=1.6". runs: any
    table that `scaling.fit` takes. objective: LeastSquares() unless told, for information criteria are Gaussian
    likelihoods of the loss. holdout: the axis whose largest levels are predicted from the others, N unless
    told, or the first axis of laws without N.
    Columns: parameters, status, r2, rmse, max_error, aicc, delta_aicc, bic, delta_bic, loo_rmse (each
    run predicted from all others), holdout_rmse and holdout_bias (the largest third of the levels of
    axis `holdout` predicted from the smaller ones; bias is observed minus predicted). A law that
    cannot be fitted has its reason as status. Raises FitError if none can.
    """
    runs, objective = as_runs(runs, "runs"), checked(objective, LeastSquares())
    rows, fits, refused = [], {}, {}
    forms = list({law.__name__: law for law in (law_of(one, runs) for one in _several(laws))}.values())
    holdout = holdout or (main_axis(forms[0]) if forms else "N")
    far = _largest_third(runs, holdout)
    for law in forms:
        try:
            one = fit(law, runs, objective)
        except FitError as error:
            refused[law.__name__] = str(error)
            continue
        fits[law.__name__] = one
        rows.append({"law": law.__name__, **_scores(one), **_holdout(one, far)})
    if not rows:
        least = min(forms, key=lambda law: len(law.free()), default=None)
        raise FitError(refused[least.__name__] if least else "no laws given")
    table = pd.DataFrame(rows).set_index("law")
    for score in ("aicc", "bic"):
        place = list(table.columns).index(score) + 1
        table.insert(place, f"delta_{score}", (table[score] - table[score].min()).round(DIGITS))
    for name, reason in refused.items():
        table.loc[name, "status"] = reason
    order = table[["aicc", "bic"]].round(DIGITS).sort_values(["aicc", "bic"], kind="stable")  # ties as given
    table = table.loc[order.index]
    return Comparison(table, _verdict(table, holdout), fits)


def laws_of(runs: pd.DataFrame) -> list[LawForm]:
    """Every registered law whose axes the runs have, with two values at least; FitError without one."""
    good = runs[usable(runs)] if usable(runs).any() else runs
    known = [axis for axis in ("N", "P", "D") if axis in good and good[axis].notna().all()]
    varied = {axis for axis in known if len(good[axis].unique()) > 1}
    found = [law for law in REGISTRY.values() if set(law.axes) <= varied]
    if not found:
        single = ", ".join(f"{axis} takes one value" for axis in known if axis not in varied)
        raise FitError(f"no law to compare: {single}; add runs at others")
    return found


def _several(laws: Any) -> Iterable[Any]:
    """Laws, of which one by itself is refused."""
    if is_table(laws) or isinstance(laws, (str, type, Law)) or not isinstance(laws, Iterable):
        raise ValueError(
            f"laws={shown(laws)}: give a list of laws, [scaling.ParallelLaw, scaling.AdditiveLaw]"
        )
    return laws


def _scores(one: Fit) -> dict[str, Any]:
    return {
        "parameters": len(one.form.free()),
        "status": str(one.status),
        "r2": one.r2,
        "rmse": one.rmse,
        "max_error": one.max_error,
        "aicc": one.aicc,
        "bic": one.bic,
        "loo_rmse": float(np.sqrt((leave_one_out(one) ** 2).mean())),
    }


def leave_one_out(one: Fit) -> Array:
    """Each run's loss minus its prediction from all the others, (n,): refits in batches of LEFT_OUT.

    Of more than MANY runs by their leverage, to first order: refits' time grows as the square of the runs.
    """
    if one.loss.size > MANY:
        return np.asarray(one.misfit / (1 - leverage(one)))
    parts = []
    for left_out in np.array_split(np.arange(one.loss.size), -(-one.loss.size // LEFT_OUT)):
        w = np.repeat(one.problem.w[None], left_out.size, 0)
        w[np.arange(left_out.size), left_out] = 0.0
        problem = replace(one.problem, w=w)
        with np.errstate(all="ignore"):  # as `solve`: what overflows on the way is no answer
            theta = minimise(problem, np.repeat(one.theta[None], left_out.size, 0), tolerance=1e-10).theta
        parts.append(problem.predict(theta)[np.arange(left_out.size), left_out])
    return np.asarray(one.loss - np.concatenate(parts))


def _largest_third(runs: Any, axis: str) -> Any:
    """The usable runs on the largest third of an axis' levels, (n,) bool: the same whatever the law."""
    level = levels_along(axis, along(axis, runs, "holdout"), streams_of(runs))
    return level >= int(np.ceil((level.max() + 1) * 2 / 3))


def _holdout(one: Fit, far: Any) -> dict[str, float]:
    try:
        trained = fit(one.form, rows_of(one, ~far), one.problem.objective) if far.any() else None
    except FitError:
        trained = None
    if trained is None:
        return {"holdout_rmse": float("nan"), "holdout_bias": float("nan")}
    error = one.loss[far] - trained.law.predict(**{a: x[far] for a, x in one.axes.items()})
    return {"holdout_rmse": float(np.sqrt((error**2).mean())), "holdout_bias": float(error.mean())}


def rows_of(one: Fit, keep: Any) -> dict[str, Array]:
    """Some rows of a fit's data as a table."""
    return {a: x[keep] for a, x in one.axes.items()} | {"loss": one.loss[keep]}


def along(axis: str, runs: Any, option: str) -> Array:
    """The values of an axis of the usable runs; C is 6 N P D where the table does not say."""
    if axis in runs:
        return arrays(runs, (axis,))[0][axis]
    if axis == "C" and "N" in runs:
        parts, _ = arrays(runs, tuple(a for a in ("N", "P", "D") if a in runs))
        return approximate_C(parts["N"], parts.get("D", np.ones(1)), parts.get("P", 1.0))
    raise ValueError(f"{option}={axis!r}: no such axis or column; use N, P, D or C, or a column of the table")


def main_axis(law: LawForm | Law) -> str:
    """The axis along which a law is judged unless told: N, or the first axis of a law without N."""
    return "N" if "N" in law.axes else law.axes[0]


def streams_of(runs: Any) -> dict[str, Array]:
    """P of the usable runs where the table has it, whether or not a law looks at it."""
    return {"P": arrays(runs, ("P",))[0]["P"]} if "P" in runs else {}


def _verdict(table: pd.DataFrame, holdout: str) -> str:
    ranked = table[table.aicc.notna()]
    if ranked.empty:
        return "Too few runs for an information criterion: no law can be preferred."
    best = ranked.index[0]
    if len(ranked) == 1:
        known = table[table.bic.notna()]
        alone = f"{best} ({ranked.status[best]}) is the only law with an AICc: there is none to prefer it to."
        other = f" BIC, of all {len(known)}, is lowest for {known.bic.idxmin()}."
        return alone + other * (len(known) > 1)
    if ranked.rmse.max() < EXACT:
        return "Every law meets the runs exactly: nothing is left to tell them apart."
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
