"""A fitted law as numbers on a grid of N and P, which the page interpolates: any law of N and P, a user's own too.

Each point holds the loss and, per standard error of the fit, how far the loss moves along each of the
p principal directions of the parameters' covariance (the loss's sensitivities). The squares of these
sum to the variance of the loss, and their differences between two points to that of an equivalent size.
The page interpolates with the polynomial of degree 5 through the nearest 6 x 6 points (`law_grid.js`).
At whole P it agrees with `Fit.predict` to AGREES of the loss, as the tests check for every law.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

import scaling
from scaling.laws.base import Array
from scaling.uncertainty.interval_methods import at_points, slopes, spread

LOW, HIGH, A_DECADE = 1e2, 1e15, 8  # sizes of the grid, and its points in a factor of ten
STREAMS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
AGREES = 1e-6  # relative error of an interpolated loss at whole P


def log_sizes() -> Array:
    """Logarithms of the grid's sizes N, ascending and evenly spaced."""
    return np.linspace(np.log(LOW), np.log(HIGH), round(A_DECADE * np.log10(HIGH / LOW)) + 1)


def grid_streams(law: Any) -> Array:
    """P of the grid: one value for a law that knows no P."""
    return np.array(STREAMS if "P" in law.axes else STREAMS[:1], dtype=np.float64)


def _points(law: Any) -> dict[str, Array]:
    """The axes at every point of the grid, P the slow one, each (K,)."""
    N, P = np.broadcast_arrays(np.exp(log_sizes()), grid_streams(law)[:, None])
    return {axis: {"N": N, "P": P}[axis].ravel() for axis in law.axes}


def losses(law: Any) -> Array:
    """The loss at every point, (K,), nats per token."""
    with np.errstate(all="ignore"):
        return np.asarray(law.predict(**_points(law)))


def interpolation_error(law: Any) -> float:
    """Largest relative error of the loss midway between two sizes of the grid: above AGREES where a law bends."""
    sizes, middle = log_sizes(), np.array([3, -25, 150, 150, -25, 3]) / 256  # degree 5, evenly spaced
    read = np.lib.stride_tricks.sliding_window_view(losses(law).reshape(-1, len(sizes)), 6, axis=1) @ middle
    N, P = np.broadcast_arrays(np.exp((sizes[2:-3] + sizes[3:-2]) / 2), grid_streams(law)[:, None])
    with np.errstate(all="ignore"):
        true = np.asarray(law.predict(**{axis: {"N": N, "P": P}[axis] for axis in law.axes}))
        return float(np.nanmax(np.abs(read / true - 1)))


def can_be_explored(fit: scaling.Fit) -> bool:
    """Whether the law is finite on the grid: where N takes one value constants may run off to infinity."""
    return bool(np.isfinite(losses(fit.law)).all())


def sensitivities(fit: scaling.Fit) -> Array | None:
    """Change of the loss per standard error along each principal direction, (p, K); None if not finite."""
    covariance, _ = spread(fit)
    values, directions = np.linalg.eigh(covariance)
    factor = directions * np.sqrt(np.maximum(values, 0.0))
    gradient = slopes(fit.problem, fit.theta[None], at_points(_points(fit.law), fit.law.axes))[0]
    out = np.asarray(factor.T @ gradient)
    return out if np.isfinite(out).all() else None


def encoded(numbers: Array, kind: str) -> str:
    """Numbers as base64 of little-endian floats; kind: "<f8" or "<f4"."""
    return base64.b64encode(numbers.astype(kind).tobytes()).decode("ascii")
