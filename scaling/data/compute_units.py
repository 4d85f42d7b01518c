"""Units of N, D and C: which they cannot be, and tables brought to parameters, tokens and FLOPs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scaling.data.columns.column_names import FLOPS
from scaling.data.levels import approximate_C
from scaling.laws.base import Array

COUNTS = {"thousands": 1e3, "millions": 1e6, "billions": 1e9, "trillions": 1e12}
OWN = "own"  # a C that is deliberately counted in another way
UNITS: dict[str, dict[str, float]] = {
    "N": {"parameters": 1.0, **COUNTS},
    "D": {"tokens": 1.0, **COUNTS},
    "C": {"FLOPs": 1.0, **FLOPS, OWN: 1.0},
}
LEAST_N, LEAST_D = 1e3, 1e6  # every table has larger models, or runs, than this
RATIO = (1e-3, 1e6)  # tokens a parameter beyond which N and D are in different units
OFF = 10.0  # C this many times 6 N P D, or less than its inverse, is in another unit
NEAR = 3.0  # factor by which C may differ from 6 N P D once its unit is corrected
FAR = 1e12  # compute so many times beyond the runs is in another unit


def scale_of(units: Mapping[str, str] | None, axis: str) -> float:
    """What one unit of an axis is worth. Raises ValueError naming an unknown axis or unit."""
    for name, unit in (units or {}).items():
        if unit not in UNITS.get(name, {}):
            known = f"{name} may be in {', '.join(UNITS[name])}" if name in UNITS else "name N, D or C"
            raise ValueError(f"units: {name}={unit} is not known. {known[0].upper()}{known[1:]}.")
    return UNITS[axis][(units or {}).get(axis, next(iter(UNITS[axis])))]


def compute_in_base_units(table: pd.DataFrame, units: Mapping[str, str] | None) -> pd.DataFrame:
    """The table with N, D and C in parameters, tokens and FLOPs. Its columns must hold numbers."""
    scaled = {axis: scale_of(units, axis) for axis in UNITS}
    changed = {axis: table[axis] * by for axis, by in scaled.items() if by != 1 and axis in table}
    return table.assign(**changed) if changed else table


def unit_doubt(N: Array, D: Array, P: Array | float = 1.0, C: Array | None = None) -> str:
    """Which units of runs, (n,) each, are implausible, with the remedy. Empty if none is.

    Checks for sizes that no run has, tokens per parameter, and C against 6 N P D.
    """
    guess = {}
    if N.max() < LEAST_N:
        guess["N"] = "billions" if N.max() < 1e2 else "millions"
    if D.max() < LEAST_D:
        guess["D"] = "billions" if D.max() < 1e5 and guess.get("N") != "millions" else "millions"
    if guess:
        largest = " and ".join(
            f"{axis} at most {x.max():.3g}" for axis, x in (("N", N), ("D", D)) if axis in guess
        )
        return f"{largest}: {_as_if(guess)}"
    ratio = float(np.exp(np.median(np.log(D / N))))
    if not RATIO[0] <= ratio <= RATIO[1]:
        return f"D is {ratio:.1e} tokens a parameter: N and D are in different units. {_remedy({})}"
    if C is None:
        return ""
    factor = compute_ratio(N, D, P, C)
    if 1 / OFF <= factor <= OFF:
        return ""
    for unit, worth in UNITS["C"].items():
        if worth > 1 and 1 / NEAR <= factor * worth <= NEAR:
            return f"C is {factor:.1e} times 6 N P D: {_as_if({'C': unit})}"
    return f"C is {factor:.1e} times 6 N P D: its unit, or that of N or D, is another. {_remedy({'C': OWN})}"


def compute_ratio(N: Array, D: Array, P: Array | float, C: Array) -> float:
    """The median of C over 6 N P D."""
    return float(np.exp(np.median(np.log(C / approximate_C(N, D, P)))))


def budget_doubt(flops: float, C: Array) -> str:
    """Why a budget cannot be in the unit of the runs' C (n,). Empty if it can."""
    if C.min() / FAR <= flops <= FAR * C.max():
        return ""
    if C.min() / FAR <= flops * UNITS["C"]["PF-days"] <= FAR * C.max():
        return f"{flops:.3g} FLOPs are {C.min() / flops:.1e} times fewer than any run's: {_as_if({'C': 'PF-days'})}"
    return f"{flops:.3g} FLOPs are far from the runs' {C.min():.1e} to {C.max():.1e}. {_remedy({})}"


def _as_if(guess: Mapping[str, str]) -> str:
    words = " and ".join(f"{axis} in {unit}" for axis, unit in guess.items())
    return f"as if {words}. {_remedy(guess)}"


def _remedy(guess: Mapping[str, str]) -> str:
    example = guess or {"N": "billions", "D": "billions"}
    inside = ", ".join(f'"{axis}": "{unit}"' for axis, unit in example.items())
    if example == {"C": OWN}:
        return f"Correct the table. If C is meant so, give units={{{inside}}} (--units C={OWN})."
    flag = ",".join(f"{axis}={unit}" for axis, unit in example.items())
    return f"Give units={{{inside}}} (--units {flag}), or correct the table."
