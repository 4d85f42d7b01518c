"""A fit's intervals as numbers for the page: those of `Fit.predict` on a grid, and what widens them beyond the runs.

Inside the runs: by how much each end of the law's own interval is further from the loss than linear theory has it,
on a grid of sizes that is dense where the runs lie. Beyond them: the forecast of this law alone
(`scaling.forecasting.widened`) as its centre and spread on the grid of `law_grid`, the ways out of the runs, and of
each the half-width by the ratio of the change beyond the runs to that spread. `law_grid.js` puts them together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import scaling
from analysis.explorer import law_grid
from scaling.forecasting.drift import STEP, axis_of
from scaling.forecasting.exits import few_levels
from scaling.forecasting.widened import Way, Widening, drift_words, widening_of
from scaling.laws.base import Array
from scaling.uncertainty.hull import HULL, hull_sides

STREAMS = (1, 2, 3, 4, 6, 8, 16, 32, 64)
A_DECADE, MOST = 6, 16  # sizes within the runs' range: in a factor of ten, and at most
AROUND = (2.0, 5.0, 20.0, 100.0, 1e3, 1e4)  # sizes beyond the range, as multiples of its ends
FAR = np.linspace(np.log(1e4), np.log(1e12), 33).round(9)  # logarithms of sizes that the forecast is given at
RATIOS = np.linspace(0.0, 14.0, 29)  # logarithms of 1 + the change beyond the runs over the spread
LEAST = 1e-6  # of linear theory's half-width: no end is nearer


def interval_grid(fit: scaling.Fit, level: float) -> dict[str, Any] | None:
    """Everything about a fit's intervals that the page needs; None where the runs leave no degree of freedom."""
    widening = widening_of(fit)
    if widening is None:
        return None
    P = np.array(STREAMS if "P" in fit.law.axes else STREAMS[:1], dtype=np.float64)
    log_N = sizes(fit).round(9)
    ends = own_ends(fit, log_N, P, level)
    there = _axes(fit, FAR, P)
    found = widening.at(there)
    return {
        "logN": log_N.tolist(),
        "farLogN": FAR.tolist(),
        "P": P.tolist(),
        **{name: law_grid.encoded(end, "<f4") for name, end in ends.items()},
        "shift": law_grid.encoded(found.centre - widening.one.log_loss(there), "<f4"),
        "known": law_grid.encoded(np.log(found.known), "<f4"),
        "shared": law_grid.encoded(np.sqrt(found.shared), "<f4"),
        "growth": {axis: _growth(widening, axis) for axis in fit.law.axes},
        "edges": _edges(widening),
        "hull": hull_sides(np.log(np.stack([fit.axes[a] for a in fit.law.axes]))).tolist(),
        "near": HULL,
        "step": STEP,
        "ratios": RATIOS.tolist(),
        "still": float(widening.half_width(None, np.zeros(1), level)[0]),
        "ways": [_way(widening, way, level) for way in widening.ways],
    }


def _axes(fit: scaling.Fit, log_N: Array, P: Array) -> dict[str, Array]:
    """The law's axes at every point of a grid, P the slow one, (K,) each."""
    N, streams = (x.ravel() for x in np.broadcast_arrays(np.exp(log_N), P[:, None]))
    return {axis: {"N": N, "P": streams}[axis] for axis in fit.law.axes}


def sizes(fit: scaling.Fit) -> Array:
    """Logarithms of the sizes at which a fit's own interval is computed, ascending."""
    N = fit.axes["N"]
    low, high = float(N.min()), float(N.max())
    count = int(np.clip(A_DECADE * np.log10(high / low) + 2, 4, MOST))
    within = np.geomspace(low, max(high, low * 1.01), count)
    every = [*(low / far for far in AROUND), *within, *(high * far for far in AROUND)]
    return np.asarray(np.log(np.unique(every)))


def own_ends(fit: scaling.Fit, log_N: Array, P: Array, level: float) -> dict[str, Array]:
    """Logarithms of each half-width over linear theory's, P the slow axis, (K,); nan where an end is open.

    lower, upper: of the law. new_lower, new_upper: of one more run, over linear theory's and the noise together.
    """
    axes = _axes(fit, log_N, P)
    own = fit.predict(axes, level=level, widened=False)
    linear = fit.predict(axes, level=level, widened=False, method=scaling.Covariance())
    out = {}
    for kind in ("", "new_"):
        half = (linear[f"{kind}upper"] - linear["loss"]).to_numpy()
        for end in ("lower", "upper"):
            with np.errstate(all="ignore"):
                times = np.abs((own[f"{kind}{end}"] - own["loss"]).to_numpy()) / half
                out[f"{kind}{end}"] = np.log(np.maximum(times, LEAST))
    return out


def _edges(widening: Widening) -> dict[str, list[float]]:
    """The smallest and the largest logarithm of each axis over the runs, compute (C) included."""
    names = dict.fromkeys(axis for axis, _ in widening.ways)
    return {axis: [float(f(axis_of(widening.runs, axis))) for f in (np.min, np.max)] for axis in names}


def _growth(widening: Widening, axis: str) -> float:
    """By what the variance of shared errors grows beyond the runs along an axis."""
    middle = {a: np.array([np.median(x)]) for a, x in widening.runs.items()}
    return float(few_levels(widening.runs, middle | {axis: 2 * widening.runs[axis].max(keepdims=True)})[0])


def _way(widening: Widening, way: Way, level: float) -> dict[str, Any]:
    drift = widening.drift(way)
    halves = widening.half_width(way, np.expm1(RATIOS), level)
    axis, side = way
    said = drift_words(drift)
    return {
        "axis": axis,
        "side": side,
        "kappa": drift.kappa,
        "halves": np.log(halves).round(7).tolist(),
        "said": said,
    }
