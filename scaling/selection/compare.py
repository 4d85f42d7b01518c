"""Which law, and how far to trust it: comparison of laws and extrapolation backtests."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame, as_runs
from scaling.data.columns.recognise import numbers
from scaling.data.levels import approximate_C, held_out, levels_along
from scaling.data.runs import arrays, usable
from scaling.fitting import plots
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws import OTHER_AXES, REGISTRY, Arms, axes_of_laws, law_of
from scaling.laws.axis import KNOWN, Axis, Levels
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.estimate import EXACT
from scaling.optimise.multi_start import FitError, searched
from scaling.optimise.objectives import LeastSquares, Objective, checked
from scaling.optimise.solver import minimise
from scaling.result_table import ResultTable
from scaling.shown import is_table, shown
from scaling.uncertainty.interval_methods import leverage
from scaling.uncertainty.size_effects import candidates, deviances
from scaling.uncertainty.tangent import Grouping, Tangent, joint

NONE, SOME, STRONG = 2.0, 4.0, 10.0  # how AICc differences are read (Burnham & Anderson 2002, section 2.6)
LEFT_OUT = 250  # runs left out in turn, one batch: bounds the memory at any number of runs
MANY = 2_000  # runs above which none is left out in a refit
LEVERAGE = (
    0.99  # largest share of its own prediction that a group may decide: beyond it first order says nothing
)
USUAL = ("N", "P", "D")  # axes that a table has without having said so
ANY = Axis(lowest=-np.inf)  # a column that is no axis of a law
DIGITS = 6  # of a criterion: what lies beyond them differs from machine to machine
TIE = 1e-3  # relative: errors that differ by less are equal


@dataclass(frozen=True, repr=False)
class Comparison(ResultTable):
    """Laws ranked on the same rows: `table` (one row a law, best first), `verdict` in words, the fits.

    What leaves runs out and fits again is made when `table` or `verdict` is first asked for.
    """

    ranks: pd.DataFrame  # aicc, delta_aicc, bic and delta_bic by law, the best first
    fits: dict[str, Fit]
    refused: dict[str, str]  # why a law has no fit, by its name
    holdout: str  # the axis whose largest levels are predicted from the others
    far: Any  # which rows these are, (n,) bool

    @cached_property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """One row a law, the best first: its errors, criteria, and the errors of runs left out."""
        rows = {name: {**_errors(one), **_holdout(one, self.far)} for name, one in self.fits.items()}
        errors = pd.DataFrame.from_dict(rows, orient="index").rename_axis("law")
        place = list(errors.columns).index("max_error") + 1
        table = pd.concat([errors.iloc[:, :place], self.ranks, errors.iloc[:, place:]], axis=1)
        for name, reason in self.refused.items():
            table.loc[name, "status"] = reason
        return table.loc[[*self.ranks.index, *self.refused]].rename_axis("law")

    @cached_property
    def verdict(self) -> str:  # type: ignore[override]
        """The ranking in words."""
        return _verdict(self.table, self.holdout)

    def plot(self) -> Any:
        """Each law's AICc above the best, and its leave-one-out and hold-out errors: a matplotlib Figure."""
        return plots.plot_comparison(self.table)


def compare(
    laws: Iterable[LawForm | Arms | str],
    runs: Any,
    objective: Objective | str | None = None,
    holdout: str | None = None,
    *,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
) -> Comparison:
    """Fit several laws to the same runs and rank them by AICc.

    Args:
        laws: classes or names, with constraints too: `ParallelLaw.with_bounds(k=(0, 1))`, "dense:E=1.6".
        runs: any table that `scaling.fit` takes.
        objective: as of `scaling.fit`. AICc and BIC are those of the Gaussian likelihood of the loss whatever it is,
            each law at its own least squares.
        holdout: the axis whose largest levels are predicted from the others. N by default, or the first axis of
            laws without N.
        weights: how often each row counts, as of `scaling.fit`.
        se: standard errors of the losses, as of `scaling.fit`.
        groups: of the rows, as of `scaling.fit`. If rows may share offsets, AICc and BIC are those of the marginal
            likelihood with two variance components when AIC prefers it. If they were found to, a group is left
            out or held out as a whole.

    Returns:
        A `Comparison`. Its `table` has one row per law, the best first: parameters, status, r2, rmse, max_error,
        aicc, delta_aicc, bic, delta_bic, loo_rmse (each run predicted from the others), holdout_rmse and
        holdout_bias (the largest third of the levels predicted from the smaller ones, observed minus predicted).
        Errors are in nats per token. A law that cannot be fitted has the reason as its status.

    Raises:
        FitError: if no law can be fitted.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> scaling.compare(["parallel", "additive"], pile).table.delta_aicc.round(1).to_dict()
        {'AdditiveLaw': 0.0, 'ParallelLaw': 25.6}
    """
    frame, objective = as_frame(runs, "runs"), checked(objective)
    laws = list(_several(laws))
    runs = as_runs(frame, "runs", axes_of_laws(laws))
    fits, refused = {}, {}
    forms = list({law.__name__: law for law in (law_of(one, runs) for one in laws)}.values())
    holdout = holdout or (main_axis(forms[0]) if forms else "N")
    far = largest_third(runs, holdout, forms)
    for law in forms:  # a weight of 0 leaves rows out: `_held_out` counts those that are left
        try:
            fits[law.__name__] = fit(law, runs, objective, weights=weights, se=se, groups=groups)
        except FitError as error:
            refused[law.__name__] = str(error)
    if not fits:
        fewest = min(forms, key=lambda law: len(law.free()), default=None)
        raise FitError(refused[fewest.__name__] if fewest else "no laws given")
    least = {name: _least_squares(one) for name, one in fits.items()}
    by = candidates(max(least.values(), key=lambda one: len(one.law.axes)))  # of every law the same offsets
    ranks = pd.DataFrame.from_dict({name: _criteria(one, by) for name, one in least.items()}, orient="index")
    for place, score in ((1, "aicc"), (3, "bic")):
        ranks.insert(place, f"delta_{score}", (ranks[score] - ranks[score].min()).round(DIGITS))
    order = ranks[["aicc", "bic"]].round(DIGITS).sort_values(["aicc", "bic"], kind="stable")  # ties as given
    return Comparison(ranks.loc[order.index], fits, refused, holdout, far)


@dataclass(frozen=True)
class LawChoice:
    """The registered laws that a table has the axes for, and why these, in a sentence."""

    laws: list[LawForm]
    why: str


def laws_of(runs: pd.DataFrame) -> list[LawForm]:
    """Every registered law whose axes the runs have, with two values at least; FitError without one."""
    return law_choice(runs).laws


def law_choice(runs: pd.DataFrame) -> LawChoice:
    """Every registered law whose axes the runs have, with two values at least, and why; FitError without one.

    Of laws with axes of their own (experts, bits, unique, ...) those that also have N, where that varies.
    """
    good = runs[usable(runs)] if usable(runs).any() else runs
    known = [axis for axis in _known_axes() if axis in good and _is_whole(axis, good[axis])]
    varied = {axis for axis in known if len(good[axis].unique()) > 1}
    found = [law for law in REGISTRY.values() if set(law.axes) <= varied]
    for law in OTHER_AXES.values():
        axes = {*law.axes, *law.categories}
        if axes - set(USUAL) and axes <= varied and ("N" in axes or "N" not in varied):
            with suppress(ValueError):  # a category that cannot be fitted
                found.append(law_of(law, good))
    single = ", ".join(f"{axis} takes one value" for axis in known if axis not in varied)
    if not found:
        raise FitError(f"no law to compare: {single or 'no axis of a law'}; add runs at others")
    used = [axis for axis in known if any(axis in law.axes for law in found)]
    vary = "which varies" if len(used) == 1 else "which vary"
    why = f"compared are the registered laws of {' and '.join(used)}, {vary}"
    return LawChoice(found, f"{why}; {single}" if single else why)


def _known_axes() -> dict[str, None]:
    """N, P, D and the axes of other registered laws, in order."""
    own = (axis for law in OTHER_AXES.values() for axis in (*law.axes, *law.categories))
    return dict.fromkeys((*USUAL, *own))


def _is_whole(axis: str, column: pd.Series) -> bool:
    """Whether every row has the axis; of N, P and D a number that may be it."""
    if axis not in USUAL:
        return bool(column.notna().all())
    values = numbers(column)
    return values is not None and bool(KNOWN[axis].good(values).all())


def _several(laws: Any) -> Iterable[Any]:
    """Laws, of which one by itself is refused."""
    if is_table(laws) or isinstance(laws, (str, type, Law)) or not isinstance(laws, Iterable):
        raise ValueError(
            f"laws={shown(laws)}: give a list of laws, [scaling.ParallelLaw, scaling.AdditiveLaw]"
        )
    return laws


def _least_squares(one: Fit) -> Fit:
    """The law at its least squares of the loss on the rows of a fit: where its Gaussian likelihood is largest."""
    objective, problem = LeastSquares(), one.problem
    if problem.objective == objective:
        return one
    scale = problem.scale
    if problem.objective.log and np.ndim(
        scale
    ):  # standard errors of the logarithm are those of the loss over it
        scale = scale / one.loss
        scale = scale / np.exp(np.log(scale).mean())
    problem = replace(problem, objective=objective, scale=scale)
    law, theta = searched(problem)
    return replace(one, problem=problem, theta=theta, law=law)


def _errors(one: Fit) -> dict[str, Any]:
    """What a law's row says of its fit."""
    return {
        "parameters": len(one.form.free()),
        "status": str(one.status),
        "r2": one.r2,
        "rmse": one.rmse,
        "max_error": one.max_error,
        "loo_rmse": float(np.sqrt((leave_one_out(one) ** 2).mean())),
    }


def _criteria(one: Fit, by: list[Grouping]) -> dict[str, float]:
    """AICc and BIC; of the likelihood with two variance components where that is the better by AIC."""
    n = one.problem.count
    if not by or one.rmse <= EXACT * float(one.loss.mean()):
        return {"aicc": one.aicc, "bic": one.bic}
    at = Tangent(one.problem, one.theta[None], by)
    alone, (best, parts) = deviances(at, [])[0], deviances(at, by)
    k, own = len(one.form.free()) + float(parts[0]), len(one.form.free()) + 1
    deviance = one.bic - own * np.log(n) + float(best[0] - alone[0])
    small = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else float("nan")
    return {"aicc": deviance + 2 * k + small, "bic": float(deviance + k * np.log(n))}


def leave_one_out(one: Fit) -> Array:
    """Each run's loss minus its prediction from all others, (n,), in nats: refits in batches of LEFT_OUT.

    Rows of a group (`one.groups`) are left out together. Of more than MANY runs by their leverage, to first
    order: refits' time grows as the square of the runs.
    """
    n = one.loss.size
    by = Grouping("left out", np.arange(n) if one.groups is None else joint(np.asarray(one.groups)))
    if n > MANY:
        return _by_leverage(one, by) if by.count < n else np.asarray(one.misfit / (1 - leverage(one)))
    out = np.empty(n)
    for left_out in np.array_split(np.arange(by.count), -(-by.count // LEFT_OUT)):
        absent = by.codes == left_out[:, None]
        problem = replace(one.problem, w=np.where(absent, 0.0, one.problem.w))
        theta = minimise(problem, np.repeat(one.theta[None], left_out.size, 0), tolerance=1e-10).theta
        out[absent.any(0)] = problem.predict(theta).T[absent.T]
    return np.asarray(one.loss - out)


def _by_leverage(one: Fit, by: Grouping) -> Array:
    """`leave_one_out` to first order, (n,): e + Q_g (I - Q_g'Q_g)^-1 Q_g'e, Q (n, p) a basis of the tangent."""
    _, J = one.problem.linearised(one.theta[None])
    root = np.sqrt(one.problem.w)
    columns = (J[0] * root)[(J[0] != 0).any(-1)]
    Q = np.linalg.qr((columns / np.sqrt((columns**2).sum(-1))[:, None]).T)[0]
    unit = one.predicted if one.problem.objective.log else np.ones_like(root)
    e = one.misfit / unit * root
    own = np.stack([by.sums(Q.T * q) for q in Q.T], axis=-1).swapaxes(0, 1)  # (G, p, p)
    left = np.eye(Q.shape[1]) - LEVERAGE * own
    more = np.linalg.solve(left, by.sums(Q.T * e).T[..., None])[..., 0]
    return np.asarray(one.misfit + (Q * more[by.codes]).sum(-1) / root * unit)


def largest_third(runs: Any, axis: str, laws: Iterable[LawForm] = ()) -> Any:
    """The usable runs on the largest levels of an axis, `held_out` of them, (n,) bool: the same whatever the law."""
    return held_out(levels_along(axis, along(axis, runs, "holdout", laws), streams_of(runs)))


def _holdout(one: Fit, far: Any) -> dict[str, float]:
    if far.size != one.loss.size:  # rows of weight 0 are not among the fit's
        return {"holdout_rmse": float("nan"), "holdout_bias": float("nan")}
    try:
        near = one.problem.take(apart(one, ~far, far))
        law = searched(near)[0] if far.any() else None
    except FitError:
        law = None
    if law is None:
        return {"holdout_rmse": float("nan"), "holdout_bias": float("nan")}
    with np.errstate(all="ignore"):  # a law that few rows leave open may predict beyond all numbers
        error = one.loss[far] - law.predict(**{a: x[far] for a, x in one.axes.items()})
    return {"holdout_rmse": float(np.sqrt((error**2).mean())), "holdout_bias": float(error.mean())}


def apart(one: Fit, near: Any, far: Any) -> Any:
    """Which rows to fit, (n,) bool: `near` without groups that have rows in `far`, if enough rows are left."""
    if one.groups is None:
        return near
    labels = np.asarray(one.groups).astype(str)
    alone = near & ~np.isin(labels, labels[far])
    return alone if alone.sum() > len(one.form.free()) else near


def along(axis: str, runs: Any, option: str, laws: Iterable[LawForm] = ()) -> Array:
    """The values of an axis of the usable runs, of one of the laws or not; C is 6 N P D where the table does not say."""
    rule = next((law.axis_rule(axis) for law in laws if axis in law.axes), KNOWN.get(axis, ANY))
    if isinstance(rule, Levels):
        others = sorted({a for law in laws for a in law.axes} - {axis})
        raise ValueError(
            f"{option}={axis!r} is a category: none of its levels is beyond the others. Use {', '.join(others)}."
        )
    if axis in runs:
        return arrays(runs, (axis,), {axis: rule})[0][axis]
    if axis == "C" and "N" in runs:
        parts, _ = arrays(runs, tuple(a for a in ("N", "D") if a in runs))
        streams = streams_of(runs).get("P", 1.0)
        return approximate_C(parts["N"], parts.get("D", np.ones(1)), streams)
    known = dict.fromkeys(a for law in laws for a in law.axes) or ("N", "P", "D", "C")
    raise ValueError(
        f"{option}={axis!r}: no such axis or column. Use {', '.join(known)}, or a column of the table."
    )


def main_axis(law: LawForm | Law) -> str:
    """The axis along which a law is judged by default: N, or the first axis of a law without N."""
    return "N" if "N" in law.axes else law.axes[0]


def streams_of(runs: Any) -> dict[str, Array]:
    """P of the usable runs where the table has it and it counts streams, whether or not a law looks at it."""
    good = "P" in runs and _is_whole("P", pd.Series(np.asarray(runs["P"], dtype=object)[usable(runs)]))
    return {"P": arrays(runs, ("P",))[0]["P"]} if good else {}


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
