"""Optima without a law: isoFLOP parabolas and the envelope of runs, beside the parametric answer."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame
from scaling.data.levels import approximate_C, axis_levels
from scaling.data.runs import arrays
from scaling.fitting.fit import fit
from scaling.laws import ChinchillaLaw
from scaling.laws.base import Array
from scaling.optimise.certificate import Status
from scaling.selection.compare import streams_of

LEAST = 4  # sizes a group needs for a parabola with something to spare


def optimum_estimates(runs: Any) -> pd.DataFrame:
    """N_opt = G C^a four ways: isoFLOP parabola and cubic, envelope, parametric.

    (Hoffmann et al. 2022, section 3.)

    runs: N, D, loss and C (6 N P D where missing). One row a method: exponent a, standard error over the
    budgets, the factor G, budgets used (of envelope and parametric fit every C), and a note on what may part
    it from the others. Raises ValueError for runs of more than one P, whose optima differ.
    """
    runs = as_frame(runs, "runs")
    data, _ = arrays(runs, ("N", "D"))
    N, D, loss = data["N"], data["D"], data["loss"]
    P = streams_of(runs).get("P", np.ones(1))
    if np.ptp(P) > 0:
        raise ValueError(f"runs of P = {', '.join(f'{p:g}' for p in np.unique(P))}: take one P at a time")
    C = arrays(runs, ("C",))[0]["C"] if "C" in runs else approximate_C(N, D, P[0])
    rows = [_power_law(f"isoFLOP, degree {k}", *_isoflop(N, C, loss, k)) for k in (2, 3)]
    rows.append(_power_law("envelope", *_envelope(N, C, loss)))
    one = fit(ChinchillaLaw, {"N": N, "D": D, "loss": loss})
    a, G = _parametric(cast(ChinchillaLaw, one.law))
    rows.append(("parametric", a, np.nan, G, _count(C)))
    columns = ["method", "exponent", "standard_error", "factor", "budgets"]
    table = pd.DataFrame(rows, columns=columns).set_index("method")
    table["note"] = [_note(name, table) for name in table.index]
    if one.status != Status.CONVERGED:
        table.loc["parametric", "note"] = f"the fit of L(N, D): {one.status} ({one.certificate.detail})"
    return table


def _parametric(law: ChinchillaLaw) -> tuple[float, float]:
    """Exponent and factor of N_opt = G C^a in closed form; nan where a term has vanished."""
    if min(law.A * law.alpha, law.B * law.beta) <= 0:
        return float("nan"), float("nan")
    a = law.beta / (law.alpha + law.beta)
    ratio = law.alpha * law.A / (law.beta * law.B)
    return a, ratio ** (1 / (law.alpha + law.beta)) * 6**-a


def _isoflop(N: Array, C: Array, loss: Array, degree: int) -> tuple[Array, Array]:
    """Budgets and the N at the minimum of a polynomial in log N through each budget's losses."""
    group = axis_levels(C)
    found = []
    for g in range(int(group.max()) + 1):
        here = group == g
        x = np.log(N[here])
        if np.unique(x).size < max(LEAST, degree + 2):
            continue
        at = _minimum(x - x.mean(), loss[here], degree)
        if at is not None:
            found.append((float(np.exp(np.log(C[here]).mean())), float(np.exp(at + x.mean()))))
    return tuple(np.array(found).reshape(-1, 2).T)  # type: ignore[return-value]


def _minimum(x: Array, y: Array, degree: int) -> float | None:
    """Where the fitted polynomial has its minimum inside the points, or None."""
    poly = np.polynomial.Polynomial.fit(x, y, degree)
    roots = poly.deriv().roots()
    inside = [
        r.real
        for r in roots
        if abs(r.imag) < 1e-9 and x.min() < r.real < x.max() and poly.deriv(2)(r.real) > 0
    ]
    return float(min(inside, key=poly)) if inside else None


def _envelope(N: Array, C: Array, loss: Array) -> tuple[Array, Array]:
    """Runs that no cheaper run beats: the lower envelope of loss against compute."""
    order = np.lexsort((loss, C))
    best = np.minimum.accumulate(loss[order])
    frontier = order[np.concatenate([[True], best[1:] < best[:-1]])]
    return C[frontier], N[frontier]


def _count(C: Array) -> int:
    """Budgets, each C one."""
    return np.unique(C).size


def _power_law(method: str, C: Array, N: Array) -> tuple[str, float, float, float, int]:
    """A row of the table: method, exponent, its standard error, factor, budgets; nan from too few."""
    budgets = _count(C)
    if budgets < 3:
        return method, np.nan, np.nan, np.nan, budgets
    x, y = np.log(C), np.log(N)
    slope, intercept = np.polyfit(x, y, 1)
    left = y - slope * x - intercept
    se = np.sqrt((left**2).sum() / (C.size - 2) / ((x - x.mean()) ** 2).sum())
    return method, float(slope), float(se), float(np.exp(intercept)), budgets


def _note(name: str, table: pd.DataFrame) -> str:
    row = table.loc[name]
    if not np.isfinite(row.exponent):
        return f"only {row.budgets:.0f} usable budgets: no estimate"
    if name == "parametric":
        return "takes the law's form for granted, at every budget at once"
    gap = float(table["exponent"][name]) - float(table["exponent"]["parametric"])
    if np.isfinite(row.standard_error) and abs(gap) > 2 * row.standard_error:
        why = (
            "leans to runs at the ends of a curve"
            if name == "envelope"
            else "assumes no form in N; its minima are local"
        )
        return f"parts from the parametric fit by {gap:+.3f}: {why}"
    return "agrees with the parametric fit within two standard errors"
