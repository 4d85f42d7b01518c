"""The exponent of N* = G C^a, estimated four ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from scaling.allocation.compute_optimum import Runs
from scaling.allocation.frontier import frontier
from scaling.allocation.isoflop import IsoFlop, isoflop
from scaling.allocation.power_law import PowerLaw
from scaling.fitting.fit import fit
from scaling.laws import ChinchillaLaw
from scaling.laws.base import Array, Law
from scaling.optimise.certificate import Status
from scaling.uncertainty.interval_methods import standard_errors
from scaling.uncertainty.prediction import default_method

LEVEL = 0.95
COLUMNS = ["method", "exponent", "standard_error", "lower", "upper", "factor", "budgets"]


def optimum_estimates(runs: Any, units: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The exponents of N_opt = G C^a four ways: isoFLOP parabola and cubic, envelope, parametric fit.

    `scaling.optimum` says what follows for a budget.

    Args:
        runs: N, D, loss and C (6 N P D if missing).
        units: of the columns, as `scaling.optimum` takes them.

    Returns:
        A DataFrame with one row per method: exponent a with standard error and 95% interval, the factor G, budgets
        used (points of the envelope, every C of the parametric fit) and a note on why it may differ. The cubic has
        one skew for all budgets. The parabola's interval includes the shift by that skew. Notes name implausible
        units and those that reading corrected.

    Raises:
        ValueError: for runs of more than one P, whose optima differ.

    Source: Hoffmann et al. 2022, arXiv 2203.15556, section 3.
    """
    given = Runs.of(runs, units)
    N, D, C, loss = given.N, given.D, given.C, given.loss
    plain, skewed = (isoflop(N, D, C, loss, LEVEL, shape) for shape in (False, True))
    edge = frontier(N, D, C, loss)
    laws = {
        "isoFLOP, degree 2": _with_misfit(_law(plain), _law(skewed)),
        "isoFLOP, degree 3": _law(skewed),
        "envelope": edge.log_N,
    }
    counts = [0 if one is None else len(one.used) for one in (plain, skewed)] + [len(edge.points)]
    rows = [_row(name, law, count) for (name, law), count in zip(laws.items(), counts, strict=True)]
    one = fit(ChinchillaLaw, {"N": N, "D": D, "loss": loss})
    a, G = _parametric(cast(ChinchillaLaw, one.law), given.P * given.ratio)
    _, low, high = default_method(one).interval(one, _exponent, LEVEL)
    error = float(standard_errors(one, _exponent)[0])
    rows.append(("parametric", a, error, float(low[0]), float(high[0]), G, np.unique(C).size))
    table = pd.DataFrame(rows, columns=COLUMNS).set_index("method")
    table["note"] = [_note(str(name), table, edge.why) for name in table.index]
    if one.status != Status.CONVERGED:
        table.loc["parametric", "note"] = f"the fit of L(N, D): {one.status} ({one.certificate.detail})"
    if given.taken:
        table["note"] = f"{given.taken}; " + table["note"]
    if given.doubt and (units or {}).get("C") != "own":
        table["note"] = f"units in doubt, factors cannot be compared: {given.doubt} " + table["note"]
    return table


def _law(curves: IsoFlop | None) -> PowerLaw | None:
    return None if curves is None else curves.law()


def _with_misfit(plain: PowerLaw | None, skewed: PowerLaw | None) -> PowerLaw | None:
    """The law through parabolas' minima, with what a skew moves it by as an error of its own."""
    if plain is None or skewed is None:
        return plain
    at = plain.middle - skewed.middle
    moved = np.array([plain.log_G - skewed.log_G - skewed.exponent * at, plain.exponent - skewed.exponent])
    return replace(plain, known=plain.known + np.outer(moved, moved))


def _row(name: str, law: PowerLaw | None, count: int) -> tuple[Any, ...]:
    if law is None:
        return (name, *[np.nan] * 5, count)
    return (name, law.exponent, law.standard_error, *law.exponent_ends(LEVEL), law.factor, count)


def _exponent(law: Law) -> Array:
    """The exponent beta / (alpha + beta) of a batch of laws, (B, 1)."""
    alpha, beta = (np.atleast_1d(getattr(law, name)) for name in ("alpha", "beta"))
    return np.asarray((beta / (alpha + beta))[:, None])


def _parametric(law: ChinchillaLaw, streams: float) -> tuple[float, float]:
    """Exponent and factor of N_opt = G C^a in closed form. nan if a term has vanished."""
    if min(law.A * law.alpha, law.B * law.beta) <= 0:
        return float("nan"), float("nan")
    a = law.beta / (law.alpha + law.beta)
    ratio = law.alpha * law.A / (law.beta * law.B)
    return a, ratio ** (1 / (law.alpha + law.beta)) * (6 * streams) ** -a


def _note(name: str, table: pd.DataFrame, why: str) -> str:
    row = table.loc[name]
    if not np.isfinite(row.exponent):
        return (name == "envelope" and why) or f"only {row.budgets:.0f} usable budgets: no estimate"
    if name == "parametric":
        return "assumes the law's form, at every budget at once"
    few = "; few budgets" if row.budgets <= 4 else ""
    other = float(table["exponent"]["parametric"])
    if not row.lower <= other <= row.upper:
        reason = (
            "leans to runs at the ends of a curve"
            if name == "envelope"
            else "assumes no form in N; its minima are local"
        )
        return f"parts from the parametric fit by {row.exponent - other:+.3f}: {reason}{few}"
    return f"agrees with the parametric fit within its 95% interval{few}"
