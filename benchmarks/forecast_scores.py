"""What a split of a table says of a forecast and of the fit's interval: used by `benchmarks.forecast`."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks.forecast_tables import Split, default_law
from scaling.forecasting.forecast import Tuned, forecast
from scaling.forecasting.registered import interval_score

LEVEL = 0.95
PLAIN, POOLED, PEER = "prediction interval", "forecast", "simple-scaling-laws"
KEYS = ["family", "table", "kind"]


def axes(runs: pd.DataFrame) -> dict[str, Any]:
    """The axes of runs as keyword arguments."""
    return {axis: runs[axis].to_numpy() for axis in ("N", "P", "D") if axis in runs}


def row(split: Split, method: str, lower: Any, upper: Any) -> dict[str, Any]:
    """Coverage, width and interval score of the log loss, which tables of any unit share."""
    y = np.log(split.asked.loss.to_numpy())
    low, high = (np.log(np.maximum(np.asarray(end, dtype=np.float64), 1e-9)) for end in (lower, upper))
    return {
        "family": split.table.family, "table": split.table.name, "kind": split.kind, "reach": split.reach,
        "fitted": len(split.fitted), "asked": y.size, "method": method,
        "coverage": float(((low <= y) & (y <= high)).mean()), "width": float((high - low).mean()),
        "score": float(interval_score(low, high, y, LEVEL).mean()),
    }  # fmt: skip


def plain(split: Split) -> dict[str, Any]:
    """The prediction interval of the default law, fitted as `scaling.fit` does."""
    law = default_law(split.fitted)
    fit = scaling.fit(law, split.fitted)
    found = fit.predict(level=LEVEL, widened=False, **{a: split.asked[a].to_numpy() for a in law.axes})
    return row(split, PLAIN, found.new_lower, found.new_upper)


def forecasts(split: Split, tuned: Tuned | None, alone: bool = True) -> list[dict[str, Any]]:
    """The pooled forecast and each law's own."""
    pooled = forecast(split.fitted, **axes(split.asked), level=LEVEL, tuned=tuned)
    rows = [row(split, POOLED, pooled.lower, pooled.upper)]
    for name, law in pooled.laws.items() if alone else ():
        one = forecast(split.fitted, **axes(split.asked), laws=[type(law)], level=LEVEL, tuned=tuned)
        rows.append(row(split, name, one.lower, one.upper))
    return rows


def run(work: Any, tasks: list[Any]) -> pd.DataFrame:
    """Rows of every task, by two processes."""
    with ProcessPoolExecutor(2) as pool:
        return pd.DataFrame([found for rows in pool.map(work, tasks) for found in rows])


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with width and score relative to the prediction interval of the same split."""
    base = rows[rows.method == PLAIN].set_index(KEYS)
    there = base.loc[pd.MultiIndex.from_frame(rows[KEYS])]
    return rows.assign(
        width_ratio=rows.width.to_numpy() / there.width.to_numpy(),
        score_ratio=rows.score.to_numpy() / there.score.to_numpy(),
    )
