"""A fitted law's loss as numbers on a grid of its axes, which the page interpolates: any law, a user's own too.

The page interpolates with the polynomial of degree 5 through the nearest six nodes of each axis (`law_grid.js`).
It agrees with `law.predict` to AGREES of the loss where a law does not bend sharply. The page tells how far it is off.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

import scaling
from analysis.explorer.page_axes import PageAxis, PointGrid, node_weights
from scaling.laws.base import Array

POINTS = 6_000  # of a law's grid, about
MOST = 49  # nodes along an axis
NEAR = 6  # nodes along an axis that the page interpolates through
AGREES = 1e-6  # relative error of an interpolated loss


def loss_grid(axes: Mapping[str, PageAxis], law: Any) -> PointGrid:
    """The grid of a law's axes."""
    count = int(np.clip(POINTS ** (1 / len(law.axes)), NEAR, MOST))
    return PointGrid.whole({name: axes[name] for name in law.axes}, count)


def losses(law: Any, grid: PointGrid) -> Array:
    """The loss at every point, (K,), nats per token."""
    with np.errstate(all="ignore"):
        return np.asarray(law.predict(**grid.points(law.axes)))


def interpolation_error(law: Any, grid: PointGrid, found: Array) -> float:
    """Largest relative error of the interpolated loss midway between nodes, one axis after the other."""
    table, worst = found.reshape(grid.shape(law.axes)), 0.0
    for place, name in enumerate(law.axes):
        nodes, axis = grid.nodes(name), grid.axes[name]
        if axis.kind == "levels" or nodes.size < 2:
            continue
        middle = (nodes[1:] + nodes[:-1]) / 2
        if axis.whole:
            middle = axis.inner(np.round(axis.outer(middle)))
        read = np.moveaxis(np.tensordot(node_weights(nodes, middle, NEAR), table, (1, place)), 0, place)
        between = PointGrid(grid.axes, {**grid.parts, name: (middle,)})
        true = losses(law, between).reshape(read.shape)
        with np.errstate(all="ignore"):
            worst = max(worst, float(np.nanmax(np.abs(read / true - 1))))
    return worst


def can_be_explored(fit: scaling.Fit, axes: Mapping[str, PageAxis]) -> bool:
    """Whether the law is finite on the grid: where N takes one value constants may run off to infinity."""
    return bool(np.isfinite(losses(fit.law, loss_grid(axes, fit.law))).all())


def encoded(numbers: Array) -> str:
    """Numbers as base64 of little-endian floats of four bytes."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode("ascii")
