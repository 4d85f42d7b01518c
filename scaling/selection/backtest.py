"""Backtests: fit what is small, predict what is large, and say how wrong that was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame, as_runs
from scaling.data.levels import held_out, levels_along
from scaling.data.runs import arrays, usable
from scaling.data.units import value_text
from scaling.fitting import plots
from scaling.fitting.fit import column, fit, labels_of
from scaling.fitting.result import Fit
from scaling.fitting.summary import number_text
from scaling.laws import Arms, axes_of_laws, law_of
from scaling.laws.base import Array, Law, LawForm
from scaling.optimise.certificate import Status
from scaling.optimise.multi_start import FitError
from scaling.optimise.objectives import Objective
from scaling.result_table import ResultTable
from scaling.selection.compare import along, main_axis, streams_of
from scaling.uncertainty.size_effects import OFF

WINDOWS = 12
FEW = 4  # with fewer unseen runs neither side nor coverage is given


@dataclass(frozen=True, repr=False)
class Backtest(ResultTable):
    """How a law would have predicted unseen runs: `table` one row a window, `points` one a prediction."""

    table: pd.DataFrame
    points: pd.DataFrame
    verdict: str
    by: str = "N"

    def plot(self) -> Any:
        """Predicted against observed losses of unseen runs, and errors along the axis: a matplotlib Figure."""
        return plots.plot_backtest(self.points, self.by)


def backtest(
    law: LawForm | Law | Arms | str,
    runs: Any,
    by: str | None = None,
    objective: Objective | str | None = None,
    level: float = 0.95,
    *,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    once: bool = False,
) -> Backtest:
    """Fit the runs up to each level of an axis and predict all larger ones.

    The window grows by one level at a time (in WINDOWS steps if there are more levels). It starts at the smallest that
    leaves a degree of freedom and spans two levels.

    Args:
        law: class or name.
        runs: any table that `scaling.fit` takes.
        by: an axis of the law, a column or C. N by default, or the first axis of a law without N.
        objective: as of `scaling.fit`.
        level: of the prediction intervals, between 0 and 1.
        weights: how often each row counts, as of `scaling.fit`.
        se: standard errors of the losses, as of `scaling.fit`.
        groups: of the rows, as of `scaling.fit`. A run with rows in the window is not predicted if there are others.
        once: only the window of the verdict, which leaves out the largest third of the levels
            (`scaling.data.levels.held_out`).

    Returns:
        A `Backtest`. Its `table` has one row per window: up_to, levels, train, test, status, own_rmse (of the runs
        fitted, for degrees of freedom), bias (observed minus predicted), rmse and worst in nats per token, r2 (on
        the unseen runs), coverage (of the prediction intervals at `level`) and multiplier, the median factor in N
        (or in the first axis) that the error is worth. At 1.3 the law must be given 1.3 N to predict what was
        observed. It is inf beyond the law's floor.

    Raises:
        ValueError: for an unknown axis.
        FitError: if no window can be fitted.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> window = scaling.backtest("parallel", pile, once=True).table.iloc[0]
        >>> print(f"{window.train} runs predict {window.test} larger ones with a bias of {window.bias:+.4f}")
        16 runs predict 8 larger ones with a bias of +0.0063
    """
    frame = as_frame(runs, "runs")
    runs = as_runs(frame, "runs", axes_of_laws([law]))
    law = law_of(law, runs)
    by = by or main_axis(law)
    data, _ = arrays(runs, law.axes, law.axis_rules)
    where, more, labels = along(by, runs, "by", [law]), *_extras(runs, weights, se, groups)
    level_of = levels_along(by, where, streams_of(runs))
    windows, points = [], []
    for last in _lasts(level_of, once):
        try:
            near = level_of <= last
            part = {name: values[near] for name, values in (data | more).items()}
            one = fit(law, part, objective, **_named(more, labels, near))
        except FitError:
            continue
        if one.degrees_of_freedom < 1:
            continue
        unseen = _unseen(level_of > last, labels)
        ahead = _ahead(one, data, unseen, level)
        ahead["up_to"], ahead[by] = where[near].max(), where[unseen]
        points.append(ahead)
        windows.append(_window(one, ahead, float(where[near].max())) | {"levels": last + 1})
    if not windows:
        raise FitError(
            f"no window along {by} holds enough runs: {len(where)} runs at {level_of.max() + 1} values of it"
        )
    table = pd.DataFrame(windows).set_index("up_to")
    verdict = _backtest_verdict(law, by, window_told(table, where[~held_out(level_of)].max()), level)
    return Backtest(table, pd.concat(points, ignore_index=True), verdict, by)


def _lasts(level_of: Any, once: bool) -> list[int]:
    """The last level of each window; of the one that the verdict is about."""
    most, told = int(level_of.max()) - 1, int(level_of[~held_out(level_of)].max())
    if most < 1:
        return []
    return [told] if once else sorted({*np.linspace(1, most, WINDOWS).round().astype(int), told})


def window_told(table: pd.DataFrame, up_to: float) -> pd.Series[Any]:
    """The row of a backtest's table that the sentence describes: fitted up to `up_to`, or else to what comes next to it."""
    return table.iloc[int(np.abs(np.asarray(table.index, dtype=np.float64) - up_to).argmin())]


def _extras(runs: Any, weights: Any, se: Any, groups: Any) -> tuple[dict[str, Array], Any]:
    """Weights and standard errors of the usable rows by option, and the rows' groups (None, or False)."""
    keep = usable(runs)
    given = {"weights": weights, "se": se}
    more = {k: column(runs, v, keep, k, zero=k == "weights") for k, v in given.items() if v is not None}
    labels, how = labels_of(runs, groups, keep)
    return more, False if how == OFF else labels


def _named(more: dict[str, Array], labels: Any, near: Any) -> dict[str, Any]:
    """What `fit` takes for a window: names of the columns it has, and the groups of its rows."""
    return {name: name for name in more} | {
        "groups": labels[near] if isinstance(labels, np.ndarray) else labels
    }


def _unseen(beyond: Any, labels: Any) -> Any:
    """The rows beyond a window, (n,) bool, without those whose group is in it, if any are left."""
    if not isinstance(labels, np.ndarray):
        return beyond
    fresh = beyond & ~np.isin(labels.astype(str), labels[~beyond].astype(str))
    return fresh if fresh.any() else beyond


def _ahead(one: Fit, data: dict[str, Array], test: Any, level: float) -> pd.DataFrame:
    axes = {a: data[a][test] for a in one.law.axes}
    frame = one.predict(level=level, widened=False, **axes)
    frame["observed"] = data["loss"][test]
    frame["error"] = frame.observed - frame.loss
    main = main_axis(one.law)
    others = {a: v for a, v in axes.items() if a != main}
    frame["multiplier"] = np.nan
    if one.law.axis_rule(main).invertible:
        found = one.law.inverse(frame.observed.to_numpy(), along=main, **others)
        frame["multiplier"] = np.asarray(found) / axes[main]
    frame["covered"] = (frame.new_lower <= frame.observed) & (frame.observed <= frame.new_upper)
    return frame


def _window(one: Fit, ahead: pd.DataFrame, up_to: float) -> dict[str, Any]:
    total = float(((ahead.observed - ahead.observed.mean()) ** 2).sum())
    return {
        "up_to": up_to,
        "train": one.loss.size,
        "test": len(ahead),
        "status": str(one.status),
        "own_rmse": one.rmse * float(np.sqrt(one.n / one.degrees_of_freedom)),
        "bias": float(ahead.error.mean()),
        "rmse": float(np.sqrt((ahead.error**2).mean())),
        "worst": float(ahead.error.abs().max()),
        "r2": 1 - float((ahead.error**2).sum()) / total if total > 0 else float("nan"),
        "multiplier": float(ahead.multiplier.median()),
        "coverage": float(ahead.covered.mean()),
        "one_sided": bool((ahead.error > 0).all() or (ahead.error < 0).all()),
    }


def _backtest_verdict(law: LawForm, by: str, last: pd.Series[Any], level: float) -> str:
    many = bool(last.test >= FEW)
    side = (", every one on the same side" if last.one_sided else ", on both sides") * many
    runs = f"the {last.test:.0f} larger runs" if last.test > 1 else "the one larger run"
    r2 = f" (R2 there {last.r2:.4g})" if np.isfinite(last.r2) else ""
    lines = [
        f"{law.__name__} fitted up to {by} = {value_text(by, last.name)} predicts {runs} "
        f"with an rmse of {number_text(last.rmse)} nats{r2}{side}; "
        f"mean error, observed minus predicted, {'+' if last.bias > 0 else ''}{number_text(last.bias)}.",
        f"Its {100 * level:g}% intervals of a new run held {last.coverage:.0%} of them."
        if many
        else f"Fewer than {FEW} unseen runs: too few to judge the law by.",
    ]
    if last.status not in (Status.CONVERGED, Status.AT_BOUND):
        lines.append(f"That fit is in doubt ({last.status}): its errors say little of the law.")
    if many and last.coverage < level - 0.15:
        lines.append(
            "Do not extrapolate with these intervals: they assume the form of the law, which fails here."
        )
    return "\n".join(lines)
