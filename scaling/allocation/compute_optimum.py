"""The compute-optimal N and D by three estimates side by side: isoFLOP minima, envelope, parametric fit.

Source: Hoffmann et al. 2022, arXiv 2203.15556, section 3. How often the intervals hold: docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from scaling.allocation.frontier import Frontier, frontier
from scaling.allocation.isoflop import IsoFlop, isoflop, lengthened
from scaling.allocation.optimal_size import OptimalSize
from scaling.allocation.power_law import PowerLaw
from scaling.data.any_table import as_runs
from scaling.data.compute_units import compute_in_base_units, compute_ratio, unit_doubt
from scaling.data.levels import approximate_C
from scaling.data.reading import reading_of
from scaling.data.runs import arrays
from scaling.data.units import count_text, parse_size
from scaling.design.allocate import outside_runs
from scaling.fitting import plots
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.forecasting.forecast import forecast
from scaling.laws import ChinchillaLaw, law_of
from scaling.laws.base import Array, LawForm
from scaling.optimise.certificate import Status
from scaling.optimise.multi_start import FitError
from scaling.result_table import ResultTable
from scaling.selection.compare import streams_of
from scaling.terminal_text import fold, table, width
from scaling.uncertainty.interval_methods import check_level
from scaling.uncertainty.prediction import default_method

ISOFLOP, ENVELOPE, PARAMETRIC = "isoFLOP minima", "envelope", "parametric fit"
QUANTITIES = ("N", "D", "a", "b", "loss")
FEW = 4  # budgets up to which an interval has very few degrees of freedom
DRAWS = 400  # of the fitted law, for the figure's band
SPREAD = 1.05  # runs of one budget whose C differs by more are a window of compute
APART = 1.25  # estimates of N further apart than this are reported to differ
OFF = 0.05  # C this far from 6 N P D is reported as counted in another way
AXES = ("N", "P", "D", "C")  # of the runs
UNTOLD = (Status.TOO_FEW, Status.FLAT)  # fits that give no optimum


@dataclass(frozen=True)
class Runs:
    """Runs of one P, (n,) each, and how their C compares with 6 N P D."""

    N: Array
    D: Array
    C: Array
    loss: Array
    P: float
    ratio: float  # C / (6 N P D), the median
    taken: str  # units that reading the table corrected, in words

    @classmethod
    def of(cls, runs: Any, units: Mapping[str, str] | None = None) -> Runs:
        """From a table with N, D, loss and C (6 N P D if missing). Raises ValueError for runs of several P."""
        frame = as_runs(runs, "runs", AXES, assume=True)
        names = ("N", "D", "C") if "C" in frame and frame["C"].notna().all() else ("N", "D")
        data, _ = arrays(frame, names)
        streams = streams_of(frame).get("P", np.ones(1))
        if np.ptp(streams) > 0:
            found = ", ".join(f"{p:g}" for p in np.unique(streams))
            raise ValueError(f"runs of P = {found}: take one P at a time")
        right = [str(g) for axis in ("N", "D", "C") for g in reading_of(frame).of(axis) if not g.doubt]
        left = {
            axis: unit
            for axis, unit in (units or {}).items()
            if not any(f"{axis} taken in {unit}" in g for g in right)
        }
        table = compute_in_base_units(pd.DataFrame(data), left)
        N, D, loss = (table[name].to_numpy(np.float64) for name in ("N", "D", "loss"))
        P = float(streams[0])
        C = table["C"].to_numpy(np.float64) if "C" in table else approximate_C(N, D, P)
        return cls(N, D, C, loss, P, compute_ratio(N, D, P, C), "; ".join(right))

    @property
    def doubt(self) -> str:
        """Which units are implausible. Empty if none is."""
        return unit_doubt(self.N, self.D, self.P, self.C)


@dataclass(frozen=True, repr=False)
class Optimum(ResultTable):
    """N and D of least loss for a budget, three ways: `table`, `verdict`, and their sources."""

    table: (
        pd.DataFrame
    )  # a row per estimate: N, D, a, b and loss with _lower and _upper, beyond, outside, note
    verdict: str
    flops: float
    level: float
    runs: Runs
    isoflop: IsoFlop | None
    frontier: Frontier
    fit: Fit | None

    @property
    def budgets(self) -> pd.DataFrame:
        """A row an isoFLOP budget: C, runs, N, standard_error (of log N), lower, upper, D, loss, used, note."""
        return pd.DataFrame() if self.isoflop is None else self.isoflop.budgets

    def plot(self) -> Any:
        """Loss against N at each budget with fitted curves and minima, and N* against C: a matplotlib Figure."""
        return plots.plot_optimum(self)

    def paths(self) -> dict[str, Callable[[float], tuple[float, float, float]]]:
        """For each estimate that exists: N* as a function of the budget, with its interval."""
        found: dict[str, Callable[[float], tuple[float, float, float]]] = {}
        told = self.table["N"].notna()
        minima = None if self.isoflop is None else self.isoflop.law()
        for name, law in ((ISOFLOP, minima), (ENVELOPE, self.frontier.log_N)):
            if told[name] and law is not None:
                found[name] = partial(law.at, level=self.level)
        if told[PARAMETRIC] and self.fit is not None:
            found[PARAMETRIC] = self._fitted_path(self.fit)
        return found

    def _fitted_path(self, one: Fit) -> Callable[[float], tuple[float, float, float]]:
        """N* of the fitted law at a budget, with quantiles over draws: the table's interval is the profile's."""
        laws = default_method(one).draws(one, DRAWS)

        def at(C: float) -> tuple[float, float, float]:
            size = OptimalSize(C / self.runs.ratio, self.runs.P, float(np.sqrt(C / 120)))
            low, high = np.quantile(size.of(laws), [0.5 - self.level / 2, 0.5 + self.level / 2])
            return float(np.exp(size.of(one.law)[0, 0])), float(np.exp(low)), float(np.exp(high))

        return at

    @property
    def shown(self) -> pd.DataFrame:
        """The table as it is printed: each number with its interval below it."""
        words = pd.DataFrame(index=self.table.index)
        for name, text in zip(QUANTITIES, (count_text, count_text, _short, _short, _short), strict=True):
            cells = self.table[[name, f"{name}_lower", f"{name}_upper"]].to_numpy()
            words[name] = [f"{text(x)} ({_end(low, text)} to {_end(high, text)})" if np.isfinite(x) else "-"
                           for x, low, high in cells]  # fmt: skip
        return words

    def __repr__(self) -> str:
        room = width()
        return f"{table(self.shown, room)}\n\n{fold(self.verdict, room)}"

    def _repr_html_(self) -> str:
        words = pd.Series([self.verdict]).to_frame("").to_html(header=False, index=False)
        return f"{self.shown.to_html()}{words}"


def _short(x: float) -> str:
    return f"{x:.3f}"


def _end(x: float, text: Any) -> str:
    return "?" if np.isnan(x) else "∞" if x == np.inf else "-∞" if x == -np.inf else text(x)


def optimum(
    table: Any,
    *,
    flops: Any,
    level: float = 0.95,
    law: LawForm | str = ChinchillaLaw,
    units: Mapping[str, str] | None = None,
) -> Optimum:
    """N* and D* for a training budget by isoFLOP minima, by the envelope of runs and by a fit of L(N, D).

    Args:
        table: runs of one P with N, D, loss and C (6 N P D if missing).
        flops: the training budget with every stream counted, 1e22 or "1e22".
        level: of the intervals, between 0 and 1.
        law: of N and D, for the third estimate.
        units: of the table's columns (not of flops), such as `{"C": "PF-days", "D": "billions"}`. `{"C": "own"}` takes
            C as it is.

    Returns:
        An `Optimum`. Exponents are those of N* = G C^a and D* = H C^b, with N in parameters, D in tokens and C in
        FLOPs. The loss is the forecast for one more run at each estimate's N* and D*, nats per token. An estimate
        that the runs do not allow is nan, with a note.

    Raises:
        ValueError: for implausible units, for several P, and for an invalid budget or level.

    Source: the three approaches of Hoffmann et al. 2022, arXiv 2203.15556, section 3.
    """
    check_level(level)
    budget = parse_size(flops)
    if not (np.isfinite(budget) and budget > 0):
        raise ValueError(f"flops={flops!r} must be a positive number, such as 1e22.")
    form = law_of(law)
    if not {"N", "D"} == set(form.axes):
        raise ValueError(f"law={form.__name__}: give a law of N and D, such as 'chinchilla'.")
    runs = Runs.of(table, units)
    if runs.doubt and (units or {}).get("C") != "own":
        raise ValueError(runs.doubt)
    curves = isoflop(runs.N, runs.D, runs.C, runs.loss, level)
    edge = frontier(runs.N, runs.D, runs.C, runs.loss)
    rows = {
        ISOFLOP: _by_isoflop(curves, budget, level),
        ENVELOPE: _by_power_laws(edge.log_N, edge.log_D, budget, level, edge.why or edge.how),
    }
    rows[PARAMETRIC], fitted = _by_fit(runs, form, budget, level, curves)
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("estimate")
    found = _with_loss(found, runs, level)
    return Optimum(found, _verdict(found, runs, curves, budget), budget, level, runs, curves, edge, fitted)


def _none(why: str) -> dict[str, Any]:
    """A row of an estimate that the runs do not allow."""
    names = [f"{q}{end}" for q in QUANTITIES[:-1] for end in ("", "_lower", "_upper")]
    return {**dict.fromkeys(names, np.nan), "note": f"cannot tell: {why}"}


def _by_power_laws(
    N: PowerLaw | None, D: PowerLaw | None, budget: float, level: float, note: str
) -> dict[str, Any]:
    """The row of two power laws of compute."""
    if N is None or D is None:
        return _none(note)
    ends = [law.at(budget, level) for law in (N, D)]
    ends += [(law.exponent, *law.exponent_ends(level)) for law in (N, D)]
    return {
        **{f"{q}{end}": x for q, three in zip(QUANTITIES, ends, strict=False)
           for end, x in zip(("", "_lower", "_upper"), three, strict=True)},
        "note": note,
    }  # fmt: skip


def _by_isoflop(curves: IsoFlop | None, budget: float, level: float) -> dict[str, Any]:
    """The row of the minima of the isoFLOP curves."""
    if curves is None:
        return _none("the runs have no budget with four sizes")
    told, of = len(curves.used), len(curves.budgets)
    if told < 3:
        return _none(f"{told} of {of} budgets have a minimum within their sizes, and three are needed")
    note = f"{told} of {of} budgets have a minimum within their sizes"
    few = "; few budgets: their scatter is hardly known" if told <= FEW else ""
    if curves.widest > SPREAD:
        few += f"; a budget's runs differ by up to {curves.widest:.2g}x in C, which is allowed for"
    return _by_power_laws(curves.law("N"), curves.law("D"), budget, level, note + few)


def _by_fit(
    runs: Runs, form: LawForm, budget: float, level: float, curves: IsoFlop | None
) -> tuple[dict[str, Any], Fit | None]:
    """The row of a fit of L(N, D), lengthened by the scatter of isoFLOP budgets, and the fit."""
    try:
        one = fit(form, {"N": runs.N, "D": runs.D, "loss": runs.loss})
    except FitError as error:
        return _none(str(error)), None
    if one.status in UNTOLD or not one.determined:
        return _none(f"{one.status} ({one.certificate.detail})"), one
    size = OptimalSize(budget / runs.ratio, runs.P, float(np.sqrt(budget / 120)))
    (log_N, a), lower, upper = default_method(one).interval(one, size.with_exponent, level)
    halves = (0.0, 0.0) if curves is None else curves.scatter(budget, level)
    ends = [lengthened(*three) for three in zip((log_N, a), lower, upper, halves, strict=True)]
    ends[1] = tuple(
        np.clip(ends[1], 0.0, 1.0)
    )  # N and D both grow with the budget: an open end is one of these
    low, high = size.ends(*ends[0])
    if not size.inside(float(log_N)):
        return _none("the fitted loss has no minimum along the budget"), one
    more = "; lengthened by the scatter of isoFLOP budgets" if halves[0] > 0 else ""
    detail = "" if one.status == Status.CONVERGED else f" ({one.certificate.detail})"
    N, tokens = float(np.exp(log_N)), budget / (6 * runs.ratio * runs.P)
    with np.errstate(divide="ignore"):
        D_low, D_high = np.float64(tokens) / high, np.float64(tokens) / np.float64(low)
    return {
        "N": N, "N_lower": low, "N_upper": high, "D": tokens / N, "D_lower": D_low, "D_upper": D_high,
        "a": a, "a_lower": ends[1][0], "a_upper": ends[1][1], "b": 1 - a, "b_lower": 1 - ends[1][1],
        "b_upper": 1 - ends[1][0], "note": f"{form.__name__}, {one.status}{detail}{more}",
    }, one  # fmt: skip


def _with_loss(found: pd.DataFrame, runs: Runs, level: float) -> pd.DataFrame:
    """The rows with the forecast of the loss at their N and D, and how far these lie outside the runs."""
    for name in ("loss", "loss_lower", "loss_upper", "beyond"):
        found[name] = np.nan
    found["outside"] = ""
    told = found.index[np.isfinite(found["N"].to_numpy(np.float64))]
    axes = {"N": runs.N, "D": runs.D}
    columns = [f"{q}{end}" for q in QUANTITIES for end in ("", "_lower", "_upper")]
    columns += ["beyond", "outside", "note"]
    if not len(told):
        return found[columns]
    for name in told:
        far = outside_runs(axes, {"N": float(found.loc[name, "N"]), "D": float(found.loc[name, "D"])})
        found.loc[name, "beyond"] = far.max()
        found.loc[name, "outside"] = str(far.idxmax()) if far.max() > 1 else ""
    try:
        made = forecast({**axes, "loss": runs.loss}, N=found.loc[told, "N"].to_numpy(np.float64),
                        D=found.loc[told, "D"].to_numpy(np.float64), level=level)  # fmt: skip
    except (FitError, ValueError) as error:
        found.loc[told, "note"] += f"; no forecast of the loss: {str(error).rstrip('.')}"
    else:
        for name, values in (("loss", made.loss), ("loss_lower", made.lower), ("loss_upper", made.upper)):
            found.loc[told, name] = values.to_numpy()
    return found[columns]


def _verdict(found: pd.DataFrame, runs: Runs, curves: IsoFlop | None, budget: float) -> str:
    """What the estimates say together, and what to know of each."""
    told = found[found["N"].notna()]
    streams = f" at P = {runs.P:g}" if runs.P != 1 else ""
    lines = []
    if len(told) > 1:
        factor = float(told["N"].max() / told["N"].min())
        low, high = told["N_lower"].max(), told["N_upper"].min()
        words = f"At {budget:.3g} FLOPs{streams} {len(told)} estimates of N* lie within a factor {factor:.2g}"
        lines.append(
            words + ("; their intervals overlap." if low <= high else "; their intervals do not overlap.")
        )
        if low > high and factor > APART:
            lines.append("Trust none of them alone: they rest on different parts of the runs.")
    elif not len(told):
        lines.append("These runs give no estimate.")
    if len(told):
        far = told.iloc[int(told["beyond"].to_numpy().argmax())]
        C = float(budget / runs.C.max())
        more = f" ({C:.2g}x the largest C)" if C > 1 and far["outside"] != "C" else ""
        axes = f"Outside the runs by {far['beyond']:.2g}x in {far['outside']}{more}."
        lines.append(axes if far["outside"] else "Within the runs.")
    if runs.taken:
        lines.append(f"Units: {runs.taken}.")
    if abs(np.log(runs.ratio)) > OFF:
        lines.append(f"C is {runs.ratio:.2f} times 6 N P D in these runs, and is taken so for the budget.")
    lines += [f"{name}: {note}." for name, note in found["note"].items()]
    return "\n".join(lines)
