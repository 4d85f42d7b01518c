"""Values of a search that cannot win, by the forecast of their final losses (`scaling.forecast_finals`).

The forecast is of each value's own curve up to the rung and the learning rate that it plans, so what is decided
depends on these curves alone, and not on what else has ended by then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from sweeps.config.learning_rate import planned_rates
from sweeps.config.run import RunConfig
from sweeps.grids.search import Curve

LEAST_TOLD = 0.001  # chance that a sample of 2,000 still tells from none


def forecast_losers(curves: Mapping[float, Curve], runs: Mapping[float, RunConfig]) -> dict[float, str]:
    """The values with less than a 2% chance of the lowest final loss, and why. A value without a forecast is not among them.

    curves: by value, as far as a rung. runs: by value, their whole runs.
    """
    import scaling

    points = [
        (value, step, loss) for value, curve in curves.items() for step, loss in curve if math.isfinite(loss)
    ]
    table = pd.DataFrame(points, columns=["run", "step", "loss"])
    planned = {str(value): scaling.Schedule.of(*planned_rates(runs[value])) for value in curves}
    found = scaling.forecast_finals(table, planned, schedules=planned)
    rows = found.table.loc[found.cannot_win()].to_dict("index")
    return {float(str(value)): _why(row, found.level) for value, row in rows.items()}


def _why(row: Mapping[object, float], level: float) -> str:
    ends = f"{row['final']:.4f} ({level:.0%}: {row['lower']:.4f} to {row['upper']:.4f})"
    chance = f"{row['wins']:.1%}" if row["wins"] >= LEAST_TOLD else f"below {LEAST_TOLD:.1%}"
    return f"its forecast final loss is {ends}, the lowest with a chance of {chance}"
