"""Prediction intervals as grounds behind curves: searched at few points, drawn smoothly between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from analysis.output import figure_style

Predict = Callable[..., pd.DataFrame]  # `Fit.predict`: N=, P= to a table with loss, new_lower, new_upper
Array = NDArray[np.float64]
INTERVAL, FORECAST = "95% prediction interval", "95% beyond the runs"
DENSE = 24  # places drawn for each part


@dataclass(frozen=True)
class Line:
    """Where a band is drawn: along an axis of the law, the others fixed.

    parts: ascending positive values within the runs and beyond them.
    """

    axes: Axes
    fixed: Mapping[str, float]
    along: str
    parts: Sequence[Array]
    color: str

    @property
    def places(self) -> list[Array]:
        """Each part's values, none twice."""
        return [np.unique(part) for part in self.parts]


def draw_bands(band: Predict, lines: Sequence[Line]) -> None:
    """The 95% prediction interval along each line. Nothing where no end is known.

    An end is a search, so it is made at the lines' values alone, all together; between them ends follow a monotone
    cubic in the logarithm, each part by itself, for the width may jump at the edge.
    """
    values = [np.concatenate(line.places) for line in lines]
    asked = [
        {line.along: x} | {a: np.full(x.size, v) for a, v in line.fixed.items()}
        for line, x in zip(lines, values, strict=True)
    ]
    seen = band(**{a: np.concatenate([one[a] for one in asked]) for a in asked[0]})
    last = np.cumsum([x.size for x in values])
    for line, end, x in zip(lines, last, values, strict=True):
        _draw(line, seen.iloc[end - x.size : end])


def _draw(line: Line, seen: pd.DataFrame) -> None:
    """The interval `seen` at a line's values."""
    places = line.places
    ends = seen[["new_lower", "new_upper"]].to_numpy(float)
    if not np.isfinite(ends).any():
        return
    within: Any = seen["inside"].to_numpy(bool) if "inside" in seen else np.arange(len(seen)) < places[0].size
    cuts = np.split(np.arange(len(seen)), [places[0].size])
    at, low, high, inside = (
        np.concatenate(column)
        for column in zip(
            *(_between(x, ends[i], within[i]) for x, i in zip(places, cuts, strict=True)), strict=True
        )
    )
    _shade(line.axes, at, (low, high), inside > 0.99, line.color)


def _between(x: Array, ends: Array, within: Any) -> tuple[Array, Array, Array, Array]:
    """DENSE places of a part, the ends there, and whether these lie within the runs."""
    at = np.geomspace(x[0], x[-1], DENSE) if x.size > 1 else x
    u, v = np.log(x), np.log(at)
    smooth = x.size > 1 and bool(np.isfinite(ends).all())
    low, high = (PchipInterpolator(u, y)(v) if smooth else np.interp(v, u, y) for y in ends.T)
    return at, low, high, np.interp(v, u, within.astype(float))


def _shade(axes: Axes, at: Array, ends: tuple[Array, Array], inside: Any, color: str) -> None:
    """A ground between the ends, paler where it is a forecast beyond the runs."""
    outside = ~inside | np.roll(~inside, 1) & (np.arange(len(at)) > 0) | np.append(~inside[1:], [False])
    for where, alpha, words in ((inside, 0.22, INTERVAL), (outside, 0.1, FORECAST)):
        look: dict[str, Any] = {"color": color, "alpha": alpha, "linewidth": 0, "zorder": 1}
        axes.fill_between(at, *ends, where=where, **look)
        if (where & np.isfinite(ends[0]) & np.isfinite(ends[1])).sum() > 1:
            axes.fill_between([], [], color=figure_style.GREY, alpha=2 * alpha, linewidth=0, label=words)
