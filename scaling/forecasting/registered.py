"""Registered forecasts: written down before the runs are made, scored once they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_runs
from scaling.data.columns.recognise import missing_column
from scaling.data.runs import arrays
from scaling.data.units import value_text
from scaling.forecasting.forecast_result import Forecast
from scaling.laws.axis import KNOWN, Axis, Levels, level_name
from scaling.laws.base import Array

NEAR = 0.02  # relative difference of an axis within which a run is the one that was forecast


@dataclass(frozen=True)
class Score:
    """How a forecast did: `table` one row a run, `coverage`, mean interval score, `widening`, `verdict`."""

    table: pd.DataFrame
    coverage: float
    score: float
    widening: float  # factor on both half-widths that would have put just the promised share inside
    verdict: str

    def __repr__(self) -> str:
        return f"{self.table.to_string()}\n\n{self.verdict}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>{self.verdict}</p>"


def interval_score(lower: Any, upper: Any, observed: Any, level: float) -> Any:
    """Width plus 2 / (1 - level) times the distance of a miss. Lower is better (Gneiting & Raftery 2007)."""
    miss = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    return upper - lower + 2 / (1 - level) * miss


def score(made: Forecast, runs: Any) -> Score:
    """Score a forecast against runs made since: those within 2% of a point on every axis.

    Categories must match. Several runs at a point are scored separately.

    Args:
        made: the forecast.
        runs: any table that `scaling.fit` takes.

    Returns:
        A `Score`. Its `table` has one row per run: the axes, loss (forecast), lower, upper and observed in nats per
        token, inside, score (interval score, nats per token) and needed (distance of the observation from the
        forecast in half-widths of its side, above 1 outside).

    Raises:
        ValueError: if no run was forecast.
    """
    axes, runs = tuple(map(str, made.points)), as_runs(runs, "runs")
    rules = {axis: rule or _levels_of(axis, made, runs) for axis, rule in axes_forecast(made).items()}
    data, _ = arrays(runs, axes, rules)
    rows = []
    for i, point in enumerate(made.points[list(axes)].to_numpy(object)):
        same = np.all([_near(data[a], at, rules[a]) for a, at in zip(axes, point, strict=True)], axis=0)
        ends = {"loss": made.loss.iloc[i], "lower": made.lower.iloc[i], "upper": made.upper.iloc[i]}
        rows += [{**dict(zip(axes, point, strict=True)), **ends, "observed": y} for y in data["loss"][same]]
    if not rows:
        first = ", ".join(f"{a}={value_text(a, made.points[a].iloc[0])}" for a in axes)
        raise ValueError(
            f"No run lies at a forecast point, such as {first}. Give the table that holds the new runs."
        )
    return _scored(pd.DataFrame(rows), made.level)


def axes_forecast(made: Forecast) -> dict[str, Axis | None]:
    """The axes of a forecast with the rules of their values. None for a category."""
    any_number = Axis(lowest=-np.inf)
    words = {str(axis): isinstance(column.iloc[0], str) for axis, column in made.points.items()}
    return {axis: None if word else KNOWN.get(axis, any_number) for axis, word in words.items()}


def _levels_of(axis: str, made: Forecast, runs: pd.DataFrame) -> Levels:
    """The categories of the forecast and of the runs."""
    if axis not in runs:
        raise ValueError(missing_column(axis, runs))
    return Levels(names=tuple(sorted({level_name(one) for one in (*made.points[axis], *runs[axis])})))


def _near(values: Array, at: Any, rule: Axis) -> Any:
    """Which values of an axis are the point's, (n,) bool."""
    if isinstance(rule, Levels):
        return values == rule.read([at])[0]
    return np.abs(values - at) <= NEAR * abs(at)


def _scored(table: pd.DataFrame, level: float) -> Score:
    table["inside"] = (table.lower <= table.observed) & (table.observed <= table.upper)
    table["score"] = interval_score(table.lower, table.upper, table.observed, level)
    half = np.where(table.observed > table.loss, table.upper - table.loss, table.loss - table.lower)
    table["needed"] = np.abs(table.observed - table.loss) / half
    needed = np.sort(table.needed.to_numpy())
    widening = float(needed[min(int(np.ceil(level * needed.size)), needed.size) - 1])
    coverage = float(table.inside.mean())
    return Score(table, coverage, float(table.score.mean()), widening, _verdict(table, level, widening))


def _verdict(table: pd.DataFrame, level: float, widening: float) -> str:
    inside, n = int(table.inside.sum()), len(table)
    held = f"{inside} of {n} runs lie inside the {100 * level:g}% interval"
    first = f"{held}, mean interval score {table.score.mean():.4g}."
    change = "wider" if widening > 1 else "narrower"
    second = f"An interval {widening:.2f}x as wide would just have held {100 * level:g}% of them ({change})."
    few = " With fewer than 20 runs this says little of the level." if n < 20 else ""
    return f"{first} {second}{few}"
