"""What streams are worth against a parameter-matched baseline of one stream, and what another axis changes.

Two kinds of evidence. Paired runs: changes of the loss from P = 1 at one size and seed, translated by the law of N of
the runs of P = 1. Their interval is a jackknife over sizes. They need no law of P, so they decide if four sizes have
pairs. If not, the law in question decides, by its own interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from scaling.data.units import value_text
from scaling.laws.axis import categories_of
from scaling.optimise.estimate import Estimate
from scaling.selection.paired_gains import of_one_law, sized
from scaling.selection.pooled_k import FEWEST, PooledK, k_by_streams, pooled_k
from scaling.uncertainty.interval_methods import at_points
from scaling.uncertainty.prediction import default_method, equivalent_interval

LITTLE = 1.05  # times N: streams that are worth no more, at the interval's upper end, do not help
FALL = 0.5  # of k from the smallest P to the largest, each with enough sizes: less is no one k
UNKNOWN = (float("nan"),) * 3


@dataclass(frozen=True)
class Worth:
    """An answer in the making, what it says of k at each P, and where that contradicts one k."""

    question: str
    answer: Literal["yes", "no", "cannot tell"]
    text: str
    number: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    unit: str = ""
    by_P: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["P", "sizes", "k"]))
    falls: str = ""
    P: float | None = None  # whose worth it is


def worth_of_streams(one: Estimate, parameters: pd.DataFrame | None, level: float) -> Worth:
    """What the most streams that four sizes have are worth, by pairs of runs or else by the law.

    parameters: of the fit, with their intervals at `level`; None where it determines none.
    """
    question, unit = "Do streams help?", "times N"
    P = np.unique(one.axes["P"])
    if P.size < 2:
        return Worth(question, "cannot tell", f"every run has P = {P[0]:g}; add runs at P = 1 and 2 or more")
    by_P, paired = _paired(one, level)
    if paired is not None:
        factor = np.log(paired.P)
        number, low, high = (1 + factor * end for end in (paired.k, paired.low, paired.high))
        most, last = paired.P, P[-1] == paired.P
        how = f"by {paired.changes} pairs of runs at {paired.sizes} sizes"
        why = "no larger P was run" if last else f"no larger P has pairs at {FEWEST} sizes"
    else:
        number, low, high = _by_law(one, float(P[-1]), level)
        if np.isnan(low) or np.isnan(high):
            doubt = f"{one.status}, {one.certificate.detail}"
            return Worth(question, "cannot tell", doubt, unit=unit, by_P=by_P)
        most, how, why = float(P[-1]), "by the law", "no larger P was run"
    times = _times(number, low, high)
    said = f"P = {most:g} is worth {times} against a parameter-matched P = 1, {how} ({why})"
    if _decided(low, high) == "cannot tell":
        gain = f"a gain of {high - 1:.0%}" if np.isfinite(high) else "any gain"
        loss = f"a loss of {1 - low:.0%}" if low < 1 else "no gain"
        said = f"{said}; anything from {loss} to {gain} fits"
    said, word = _with_k(parameters, one.form.__name__, said, _decided(low, high), paired)
    return Worth(question, word, said, float(number), float(low), float(high), unit, by_P, _falls(by_P), most)


def _decided(low: float, high: float) -> Any:
    """Whether an interval of the multiple lies above 1, hardly above, or tells neither."""
    return "yes" if low > 1 + 1e-6 else "no" if high < LITTLE else "cannot tell"


def _times(number: float, low: float, high: float) -> str:
    """1.73 N (1.53 to 1.92)."""
    end = f"{high:.2f}" if np.isfinite(high) else "any number"
    return f"{number:.2f} N ({low:.2f} to {end})"


def _with_k(
    parameters: pd.DataFrame | None, law: str, said: str, word: Any, paired: PooledK | None
) -> tuple[str, Any]:
    """The words with the law's own k. Where the two intervals exclude each other neither is believed."""
    if parameters is None or "k" not in parameters.index:
        return said, word
    estimate, low, high = (float(parameters[end]["k"]) for end in ("estimate", "lower", "upper"))
    said = f"{said}; k of {law} {estimate:.3f} ({low:.3f} to {high:.3f})"
    apart = paired is not None and low > 0 and (low > paired.high or high < paired.low)
    return (f"{said}, and the two exclude each other", "cannot tell") if apart else (said, word)


def _paired(one: Estimate, level: float) -> tuple[pd.DataFrame, PooledK | None]:
    """The k of each P, and what pairs of runs say of the largest P that FEWEST sizes have; none without such a P."""
    runs = pd.DataFrame(one.runs or {**one.axes, "loss": one.loss})
    try:
        runs = sized(runs)
        if "N" not in runs or len(of_one_law(runs)) != 1:
            return _NONE, None
        by_P = k_by_streams(runs)
        enough = by_P.loc[by_P["sizes"] >= FEWEST, "P"]
        found = pooled_k(runs, level, P=float(enough.max())) if len(enough) else []
    except ValueError:  # runs that cannot be paired, which `gains` says
        return _NONE, None
    return by_P, found[0] if found else None


_NONE = pd.DataFrame(columns=["P", "sizes", "k"])


def _falls(by_P: pd.DataFrame) -> str:
    """That k falls with P, in words, where each further P asks for less and the last for under half of the first."""
    k = by_P["k"].to_numpy(float)
    if k.size < 3 or not (np.diff(k) < 0).all() or k[0] <= 0 or k[-1] > FALL * k[0]:
        return ""
    each = ", ".join(f"{row.k:.2f} at P = {row.P:g}" for row in by_P.itertuples())
    return f"k falls with P (pairs of each P alone: {each})"


def _by_law(one: Estimate, P: float, level: float) -> tuple[float, float, float]:
    """The multiple of N that P streams are worth at the middle size, by the law, and its interval."""
    N = np.array([np.median(one.axes["N"])])
    rest = {a: np.array([np.median(x)]) for a, x in one.axes.items() if a not in ("N", "P")}
    law: Any = one.law
    found = np.ravel(law.equivalent_N(N=N, P=P, at_P=1.0, **rest))
    low, high = equivalent_interval(one, N, np.array([P]), 1.0, level, None, rest)
    return tuple(float(end[0] / N[0]) for end in (found, low, high))  # type: ignore[return-value]


def axis_worth(one: Estimate, level: float) -> Worth:
    """How far the loss moves along the law's last axis, from its least to its greatest value in the runs."""
    axis = one.law.axes[-1]
    x = one.axes[axis]
    question, unit = f"Does {axis} matter?", one.reading.loss_unit
    ends = {a: np.full(2, np.median(values)) for a, values in one.axes.items()} | {
        axis: np.array([x.min(), x.max()])
    }
    if x.min() == x.max():
        return Worth(
            question, "cannot tell", f"every run has {axis} = {value_text(axis, float(x[0]))}", unit=unit
        )
    if not one.determined:
        return Worth(question, "cannot tell", f"{one.status}, {one.certificate.detail}", unit=unit)
    at = at_points(ends, one.law.axes)

    def change(laws: Any) -> Any:
        values = at(laws)
        return values[..., 1:] - values[..., :1]

    number, low, high = (float(part[0]) for part in default_method(one).interval(one, change, level))
    categories = categories_of(one.law)
    names = (
        categories[axis].labels(ends[axis])
        if axis in categories
        else [value_text(axis, v) for v in ends[axis]]
    )
    said = f"from {axis} = {names[0]} to {names[1]} the loss changes by {number:+.4f} ({low:+.4f} to {high:+.4f}) {unit}"
    word: Any = "yes" if low > 0 or high < 0 else "cannot tell"
    return Worth(question, word, said, number, low, high, unit)
