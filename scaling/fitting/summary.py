"""A fit as a table for people: text for terminals, HTML for Jupyter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from scaling.fitting.table_notes import rising_note
from scaling.laws import ChinchillaLaw, DenseLaw
from scaling.optimise.estimate import Estimate
from scaling.optimise.multi_start import FitError, solve
from scaling.optimise.solver import ROUNDING
from scaling.result_table import ResultTable
from scaling.terminal_text import fold, width
from scaling.uncertainty.power import POWER, detectable
from scaling.uncertainty.prediction import default_method
from scaling.uncertainty.size_effects import grouping_note, growth_note

LEVEL = 0.95


def number_text(x: float) -> str:
    """Four decimals, from 100 five digits, and scientific notation where these say little."""
    if not np.isfinite(x):
        return "—" if np.isnan(x) else ("∞" if x > 0 else "-∞")
    if x != 0 and not 1e-3 <= abs(x) < 1e5:
        return f"{x:.3e}"
    return f"{x:.5g}" if abs(x) >= 100 else f"{x:.4f}"


def cross_check(name: str, gap: float) -> str:
    """How the second algorithm's objective compares, in words."""
    if np.isnan(gap):
        return name
    return f"{name} ends " + (
        f"{gap:+.1e} of the objective away" if abs(gap) > ROUNDING else "at the same objective"
    )


def facts(fit: Estimate, details: bool = True) -> list[tuple[str, str]]:
    """What is printed below the parameters: status, rows, errors (never R2 alone) and notes. All of it with `details`."""
    c, dof, name = fit.certificate, fit.degrees_of_freedom, fit.problem.objective.name
    baseline = baseline_r2(fit)
    without = f" (without P {baseline:.4f})" if baseline is not None else ""
    errors = f"rmse {number_text(fit.rmse)}, largest {number_text(fit.max_error)} {fit.reading.loss_unit}"
    rows = [
        ("status", f"{c.status} ({c.detail}); {name}"),
        ("rows", f"{fit.loss.size} fitted, {fit.excluded} left out; {dof:g} degrees of freedom"),
        ("R2", f"{fit.r2:.4f}{without}, {errors}"),
    ]  # fmt: skip
    if done := fit.reading.line():
        rows.append(("read", done))
    return rows + (_details(fit) if details else []) + [("note", text) for text in fit_notes(fit)]


def _details(fit: Estimate) -> list[tuple[str, str]]:
    """What a reader need not know who trusts the status: the law, its objective's value, how it was checked."""
    c, prime = fit.certificate, getattr(fit.law, "A_prime", None)
    rows = [
        ("law", f"{fit.form.__name__}: {(fit.form.__doc__ or '').splitlines()[0]}"),
        *([("source", fit.law.source)] if fit.law.source else []),
        ("objective", f"{fit.problem.objective.name} = {fit.objective_value:.6g}"),
        ("condition", f"{c.condition_number:.3g}: {c.worst_direction}"),
        ("cross-check", cross_check(c.second_algorithm, c.second_gap)),
    ]  # fmt: skip
    if prime is not None:
        rows.append(("also", f"printed A' / (N (k ln P + 1))^alpha: A' = A^alpha = {number_text(prime)}"))
    return rows


def fit_notes(fit: Estimate) -> tuple[str, ...]:
    """What to know of a fit apart from its numbers, a sentence each: of its data, its table, its objective."""
    rises, ratio, lost = rising_note(fit), fit.delta_over_noise, fit.undetermined
    mean = "the mean of the losses is nearer than the law: are corpora or budgets mixed?"
    flat = "delta is {} of the noise: it acts as least absolute deviations"
    found = (
        rises or (mean if fit.r2 < 0 else ""),
        flat.format(_share(ratio)) if ratio < 0.5 else "",
        f"these runs do not determine {', '.join(lost)}: no intervals for them"
        if lost and lost != fit.problem.law.free()
        else "",
    )
    doubts = (guess.action for guess in fit.reading.doubts)
    return (*doubts, *filter(None, found), *fit.certificate.notes, *fit.certificate.table_notes)


def _share(x: float) -> str:
    return f"{x:.2f}" if x >= 0.01 else "less than 0.01"


def baseline_r2(fit: Estimate) -> float | None:
    """R2 of the same objective by the law without P (DenseLaw, ChinchillaLaw) on the same rows.

    None where P plays no part.
    """
    without: dict[Any, Any] = {frozenset("NP"): DenseLaw, frozenset("NPD"): ChinchillaLaw}
    plain = without.get(frozenset(fit.law.axes))
    if plain is None:
        return None
    try:
        x = tuple(fit.axes[axis] for axis in plain.axes)
        return solve(replace(fit.problem, law=plain, x=x), start=8).r2
    except (FitError, np.linalg.LinAlgError):
        return None


def parameter_table(fit: Estimate, level: float = LEVEL) -> pd.DataFrame | None:
    """Parameters with intervals, or None where the status leaves none to give."""
    if fit.undetermined == fit.problem.law.free():
        return None
    return default_method(fit).parameters(fit, level)


def unconfirmed_ends(fit: Estimate) -> list[str]:
    """Which ends of the parameters' intervals are open because no refit confirmed one."""
    intervals = parameter_table(fit)
    return [] if intervals is None else list(intervals.attrs["unconfirmed"])


def fit_text(
    fit: Estimate,
    level: float = LEVEL,
    room: int | None = None,
    details: bool = True,
    parameters: pd.DataFrame | None = None,
) -> str:
    """The parameters, then what to know of them, as aligned lines folded to the room of a terminal.

    parameters: `parameter_table` at `level`, where it is at hand.
    """
    intervals = parameter_table(fit, level) if parameters is None else parameters
    told = [f"{key:<12}{value}" for key, value in facts(fit, details)]
    if intervals is None:
        rows = {n: [number_text(float(getattr(fit.law, n)))] for n in fit.law.names()}
        lines = _parameter_lines(fit, rows, room)
        return fold("\n".join([*lines, f"no intervals: {fit.status}", "", *told]), room, 12)
    rows = {"parameter": ["estimate", "lower", "upper"]}
    rows |= {
        str(n): [number_text(v) for v in row]
        for n, row in zip(intervals.index, intervals.to_numpy(), strict=True)
    }
    rows |= {n: [number_text(value)] for n, value in fit.form.fixed.items()}
    *notes, seen = notes_under(fit, intervals, level)
    under = (*(("note", n) for n in notes), ("power", seen))
    told.insert(0, f"{'intervals':<12}{100 * level:g}% {intervals.attrs['method']}")
    told += [f"{key:<12}{words}" for key, words in under if words]
    return fold("\n".join([*_parameter_lines(fit, rows, room), "", *told]), room, 12)


def _parameter_lines(fit: Estimate, rows: dict[str, list[str]], room: int | None) -> list[str]:
    """Parameters as aligned lines, nearer to each other where the room is small."""
    first = wide = 12
    if room is not None and room < first + 3 * wide:
        first, wide = max(map(len, rows)) + 1, max(len(v) for row in rows.values() for v in row) + 1
    return [
        f"{n:<{first}}{''.join(f'{v:>{wide}}' for v in row)}{_constraint(fit, n)}" for n, row in rows.items()
    ]


def _constraint(fit: Estimate, name: str) -> str:
    """That a parameter is fixed or kept within bounds, in words, else nothing."""
    if name in fit.form.fixed:
        return "   fixed"
    ends = getattr(fit.form, "bounds", {}).get(name)
    return f"   kept within {number_text(ends[0])} and {number_text(ends[1])}" if ends else ""


def notes_under(fit: Estimate, intervals: pd.DataFrame, level: float = LEVEL) -> list[str]:
    """What is to be said of intervals, empty where nothing is: of the method, ends, groups, noise, power."""
    open_ends = unconfirmed_note(intervals.attrs["unconfirmed"])
    return [intervals.attrs["caveat"], open_ends, *notes_of(fit), power_note(fit, intervals, level)]


def unconfirmed_note(ends: list[str]) -> str:
    """That ends are open for want of a confirmation, as `Method.parameters` names them, else nothing."""
    return f"open because no refit confirmed an end: {', '.join(ends)}" if ends else ""


def notes_of(fit: Estimate) -> list[str]:
    """What is to be said of any interval or prediction of a fit, loaded ones too: of groups and of noise."""
    return [grouping_note(fit), growth_note(fit)]


def power_note(fit: Estimate, intervals: pd.DataFrame, level: float = LEVEL) -> str:
    """How large k would have to be to be seen, where its interval among `intervals` holds 0, else nothing."""
    if "k" not in fit.form.free() or not intervals.lower["k"] <= 0:
        return ""
    least = detectable(fit, "k", level)
    if not np.isfinite(least) or np.isinf(intervals.upper["k"]):
        return "these runs cannot tell any k from 0"
    return f"{POWER:.0%} of such sets of runs would detect a k of {number_text(least)} or more"


def fit_html(fit: Estimate, level: float = LEVEL) -> str:
    """The summary as two HTML tables."""
    top = "".join(
        f"<tr><th style='text-align:left'>{escape(k)}</th><td style='text-align:left'>{escape(v)}</td></tr>"
        for k, v in facts(fit)
    )
    intervals = parameter_table(fit, level)
    if intervals is None:
        rows: Any = [(n, [float(getattr(fit.law, n))]) for n in fit.law.names()]
        head = "<th>estimate</th>"
    else:
        rows = list(zip(intervals.index, intervals.to_numpy(), strict=True))
        head = f"<th>estimate</th><th>lower {100 * level:g}%</th><th>upper {100 * level:g}%</th>"
        rows += [(n, [v]) for n, v in fit.form.fixed.items()]
    body = "".join(
        f"<tr><th>{escape(str(n))}</th>{''.join(f'<td>{number_text(v)}</td>' for v in row)}"
        f"{f'<td>{words.strip()}</td>' if (words := _constraint(fit, n)) else ''}</tr>"
        for n, row in rows
    )
    notes = [] if intervals is None else notes_under(fit, intervals, level)
    note = "".join(f"<p>{escape(words)}</p>" for words in notes if words)
    return f"<table>{top}</table><table><tr><th>parameter</th>{head}</tr>{body}</table>{note}"


@dataclass(frozen=True, repr=False)
class FitSummary(ResultTable):
    """A fit as a table of its parameters. Its text is all that is known of the fit."""

    table: pd.DataFrame  # index parameter, columns estimate, std_error, lower, upper, fixed
    verdict: str
    words: str
    page: str

    @classmethod
    def of(cls, fit: Estimate, std_errors: pd.Series[float], level: float) -> FitSummary:
        """The summary of a fit with intervals at `level`."""
        names = list(fit.law.names())
        frame = pd.DataFrame({"estimate": [float(getattr(fit.law, n)) for n in names]}, index=names)
        frame["std_error"] = std_errors
        ends = parameter_table(fit, level)
        for end in ("lower", "upper"):
            frame[end] = ends[end].reindex(names) if ends is not None else np.nan
        frame["fixed"] = [name in fit.form.fixed for name in names]
        verdict = f"{fit.status}: {fit.certificate.detail}"
        return cls(
            frame.rename_axis("parameter"), verdict, fit_text(fit, level, width()), fit_html(fit, level)
        )

    def __repr__(self) -> str:
        """All that is known of the fit."""
        return self.words

    def _repr_html_(self) -> str:
        return self.page


SYMBOLS = {name: rf"\{name}" for name in ("alpha", "beta", "gamma", "rho")}


def fit_latex(fit: Estimate, level: float = LEVEL) -> str:
    """The parameters with intervals at `level` as a LaTeX table, and a comment on how the fit ended."""
    ends = parameter_table(fit, level)
    lines = [
        f"% {fit.form.__name__}, {fit.problem.objective.name}: {fit.status}; n = {fit.n:g}, rmse = {fit.rmse:.3g}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        rf"Parameter & Estimate & {100 * level:g}\% CI \\",
        r"\midrule",
    ]
    for name in fit.law.names():
        interval = "fixed" if name in fit.form.fixed else "--"
        if ends is not None and name in ends.index:
            interval = f"$[{_latex(ends.lower[name])},\\ {_latex(ends.upper[name])}]$"
        symbol = SYMBOLS.get(name, name if len(name) == 1 else rf"\mathrm{{{name}}}".replace("_", r"\_"))
        lines.append(rf"${symbol}$ & ${_latex(float(getattr(fit.law, name)))}$ & {interval} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex(x: float) -> str:
    """A number as LaTeX mathematics."""
    if not np.isfinite(x):
        return r"\text{--}" if np.isnan(x) else (r"\infty" if x > 0 else r"-\infty")
    mantissa, _, power = number_text(x).partition("e")
    return rf"{mantissa} \times 10^{{{int(power)}}}" if power else mantissa
