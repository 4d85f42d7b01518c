"""What P streams are worth in parameters, and a value of any axis in another: by a law, and by the points alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scaling.data.runs import finished_runs
from scaling.laws.axis import categories_of
from scaling.laws.base import Array, Law, clean_axes
from scaling.optimise.estimate import Estimate
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import equivalent_interval, widened_multiple

EQUIVALENT_COLUMNS = ["N", "P", "loss", "equivalent_N", "multiple", "lower", "upper", "in_data"]


def predicted(law: Law, runs: pd.DataFrame) -> Array:
    """The law's loss at each run, (n,), nats per token; runs: a column each axis of the law."""
    return np.asarray(law.predict(**{axis: runs[axis].to_numpy(float) for axis in law.axes}))


def equivalents(
    law: Law | Estimate,
    *,
    N: ArrayLike,
    P: ArrayLike,
    at_P: float = 1,
    level: float = 0.95,
    method: Method | None = None,
    data: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The one-stream size with the loss of every (N, P), under a law or a fit; N and P broadcast.

    A fit gives `lower` and `upper` of equivalent_N too, by `method` (the fit's by default,
    formed on the logarithm); a law leaves them missing. data: the runs behind the law; `in_data` says
    whether (N, P) lies within their range and the answer within their one-stream sizes. Columns: N,
    P, loss, equivalent_N, multiple (equivalent_N / N), lower, upper, in_data.
    """
    check_level(level)
    N, P = (np.ravel(v).astype(float) for v in np.broadcast_arrays(N, P))
    known = law.law if isinstance(law, Estimate) else law
    found = np.asarray(known.equivalent_N(N=N, P=P, at_P=at_P))
    lower = upper = np.full(N.size, np.nan)
    if isinstance(law, Estimate):
        lower, upper = equivalent_interval(law, N, P, at_P, level, method)
    values = (N, P, known.predict(N=N, P=P), found, found / N, lower, upper, _in_data(N, P, found, data))
    return pd.DataFrame(dict(zip(EQUIVALENT_COLUMNS, values, strict=True)))


def _in_data(N: Any, P: Any, found: Any, data: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Whether the question and the answer lie within the runs' range."""
    if data is None:
        return np.zeros(len(N), dtype=bool)
    rows = finished_runs(data)
    asked = (rows["N"].min() <= N) & (rows["N"].max() >= N) & (rows["P"].min() <= P) & (rows["P"].max() >= P)
    dense = rows.loc[rows["P"] == rows["P"].min(), "N"]
    return np.asarray(asked & (found >= dense.min()) & (found <= dense.max()))


def equivalent_values(
    fit: Estimate, axis: str, at: Mapping[str, Any], point: Mapping[str, Any], level: float, method: Method
) -> pd.DataFrame:
    """What `Fit.equivalent` returns: values of an axis of equal loss with their intervals, one row a point."""
    check_level(level)
    if not at:
        raise ValueError(
            f"equivalent: no axis to move. Name one and its value, such as {{{fit.law.axes[-1]!r}: 1}}"
        )
    rules = fit.law.axis_rules
    both = clean_axes(fit.law.axes, point, rules), clean_axes(tuple(at), at, rules)
    shape = np.broadcast_shapes(*(v.shape for part in both for v in part.values()))
    here, there = ({a: np.ravel(np.broadcast_to(v, shape)) for a, v in part.items()} for part in both)
    found = np.asarray(fit.law.equivalent(axis, there, **here))

    def log_multiple(laws: Law) -> Array:
        batch: Any = laws.kind.from_vector(laws.vector[:, None, :])
        return np.asarray(np.log(batch.equivalent(axis, there, **here) / here[axis]))

    low = high = np.full(found.size, np.nan)
    if fit.determined:
        middle, low, high = method.interval(fit, log_multiple, level)
        low, high = widened_multiple(fit, axis, here, there, (middle, low, high), level)
    shown = {a: rule.labels(here[a]) for a, rule in categories_of(fit.law).items()}
    frame = pd.DataFrame({**here, **shown, "loss": fit.law.predict(**here), f"equivalent_{axis}": found})
    with np.errstate(over="ignore"):  # so far out that it is open
        ends = {"lower": here[axis] * np.exp(low), "upper": here[axis] * np.exp(high)}
    return frame.assign(multiple=found / here[axis], **ends)


def equivalents_by_points(table: pd.DataFrame) -> pd.DataFrame:
    """The same question without a law: log N read off the runs of P = 1, linear in the loss between two.

    Runs of one (N, P) are averaged; only losses between two of those of P = 1 are answered. Columns N, P,
    loss, equivalent_N, multiple.
    """
    rows = finished_runs(table)
    line = rows[rows["P"] == 1].groupby("N")["loss"].mean()
    others = rows[rows["P"] != 1].groupby(["P", "N"], as_index=False)["loss"].mean()
    if len(line) < 2 or not len(others):
        return pd.DataFrame(columns=["N", "P", "loss", "equivalent_N", "multiple"])
    losses, log_N = line.to_numpy(), np.log(line.index.to_numpy(dtype=float))
    order = np.argsort(losses)
    target = others["loss"].to_numpy(dtype=float)
    found = np.exp(np.interp(target, losses[order], log_N[order], left=np.nan, right=np.nan))
    result: pd.DataFrame = others[["N", "P", "loss"]].assign(equivalent_N=found, multiple=found / others["N"])
    return result.dropna(subset="equivalent_N").reset_index(drop=True)


def beside_points(law: Law | Estimate, runs: pd.DataFrame) -> pd.DataFrame:
    """`equivalents` of every (N, P) of one corpus' runs with P > 1, and `by_points`, what the runs alone say.

    by_points is missing where `equivalents_by_points` has no answer.
    """
    asked = runs.loc[runs["P"] > 1, ["N", "P"]].drop_duplicates()
    table = equivalents(law, N=asked["N"], P=asked["P"], data=runs)
    points = equivalents_by_points(runs)[["N", "P", "equivalent_N"]].astype(float)
    return table.merge(points.rename(columns={"equivalent_N": "by_points"}), how="left", on=["N", "P"])
