"""What P streams are worth in parameters: by a law, with intervals from draws, and by the points alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import scaling.data
from scaling.law import Law

EQUIVALENT_COLUMNS = ["N", "P", "loss", "equivalent_N", "multiple", "lower", "upper", "in_data"]


def usable(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be fitted and drawn as results: finished, with a finite loss."""
    keep = np.isfinite(table["loss"].astype(float)) & np.asarray(scaling.data.usable(table), dtype=bool)
    return table.loc[keep]


def equivalents(
    law: Law,
    *,
    sizes: Sequence[float],
    streams: Iterable[float],
    at_P: float = 1,
    draws: Law | None = None,
    level: float = 0.95,
    data: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The one-stream size with the loss of every (N, P) under a law.

    draws: a batch of laws (fields of shape (draws,)) as spread as the data leave them, e.g. from
    `scaling`'s interval methods; their quantiles give `lower` and `upper` (missing without draws). data: the runs behind the law; `in_data` says whether
    (N, P) lies within their range and the answer within their one-stream sizes. Columns:
    N, P, loss, equivalent_N, multiple (equivalent_N / N), lower, upper (of equivalent_N), in_data.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is no probability; give e.g. 0.95")
    grid = [(float(n), float(p)) for n in sizes for p in streams]
    N, P = (np.array(column) for column in zip(*grid, strict=True))
    found = np.asarray(law.equivalent_N(N=N, P=P, at_P=at_P))
    lower = upper = np.full(len(grid), np.nan)
    if draws is not None:
        many: Any = type(law).from_vector(draws.vector[:, None, :])
        spread = np.asarray(many.equivalent_N(N=N, P=P, at_P=at_P))
        tail = (1 - level) / 2
        lower, upper = np.quantile(spread, [tail, 1 - tail], axis=0, method="nearest")
    values = (N, P, law.predict(N=N, P=P), found, found / N, lower, upper, _in_data(N, P, found, data))
    return pd.DataFrame(dict(zip(EQUIVALENT_COLUMNS, values, strict=True)))


def _in_data(N: Any, P: Any, found: Any, data: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Whether the question and the answer lie within the runs' range."""
    if data is None:
        return np.zeros(len(N), dtype=bool)
    rows = usable(data)
    asked = (rows["N"].min() <= N) & (rows["N"].max() >= N) & (rows["P"].min() <= P) & (rows["P"].max() >= P)
    dense = rows.loc[rows["P"] == rows["P"].min(), "N"]
    return np.asarray(asked & (found >= dense.min()) & (found <= dense.max()))


def equivalents_by_points(table: pd.DataFrame, at_P: float = 1) -> pd.DataFrame:
    """The same question without a law: log N read off the runs at `at_P`, linear in the loss between two.

    Only runs whose loss lies between two of those are answered. Columns N, P, loss, equivalent_N, multiple.
    """
    rows = usable(table)
    line = rows[rows["P"] == at_P].groupby("N")["loss"].mean()
    others = rows[rows["P"] != at_P].sort_values(["P", "N"])
    if len(line) < 2 or not len(others):
        return pd.DataFrame(columns=["N", "P", "loss", "equivalent_N", "multiple"])
    losses, log_N = line.to_numpy(), np.log(line.index.to_numpy(dtype=float))
    order = np.argsort(losses)
    target = others["loss"].to_numpy(dtype=float)
    found = np.exp(np.interp(target, losses[order], log_N[order], left=np.nan, right=np.nan))
    result = others[["N", "P", "loss"]].assign(equivalent_N=found, multiple=found / others["N"])
    return result.dropna(subset="equivalent_N").reset_index(drop=True)
