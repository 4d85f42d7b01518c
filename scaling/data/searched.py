"""Settings that a sweep searched. The result at a point is its runs at the best settings.

A sweep over a learning rate, say, has several runs of one size and number of streams. Its table names what
was searched in the column `searched`, and has a column of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

COLUMN = "searched"  # names of columns, separated by commas. Empty if nothing was searched
POINT = ("corpus", "recipe", "size", "P")
OF_TOKENS = {"batch", "seq_len"}  # which move D by less than a step


def settings_searched(table: Any) -> list[str]:
    """The settings over which a table's runs were searched. None without a column that names them."""
    if COLUMN not in table:
        return []
    told = {str(text) for text in pd.unique(np.asarray(table[COLUMN], dtype=object)) if isinstance(text, str)}
    return sorted({name for text in told for name in text.split(",") if name})


def worse(table: Any, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the rows to keep are not at their point's best settings, (n,) bool.

    A point is a corpus, recipe, size (N where sizes have no names), P and D. Its best settings have the lowest
    mean loss over random seeds, among those of as many seeds as any. Choosing the
    lowest of several biases it downwards, a little if seeds differ much less than settings do.
    """
    names = settings_searched(table)
    if not names:
        return np.zeros(len(keep), dtype=bool)
    if missing := [name for name in names if name not in table]:
        raise ValueError(f"the table was searched over {missing[0]} and has no column of it. Add one")
    point = [name for name in POINT if name in table] + ([] if "size" in table else ["N"])
    frame = pd.DataFrame({name: np.asarray(table[name]) for name in [*point, *names, "loss"]})
    D = np.asarray(table["D"], dtype=float) if "D" in table else np.ones(len(frame))
    frame["D"] = np.log(D).round(2) if OF_TOKENS & set(names) else D
    frame = frame.assign(loss=frame["loss"].astype(float)).loc[keep]
    found = frame.groupby([*point, "D", *names], dropna=False)["loss"].agg(["mean", "count"]).reset_index()
    order = found.sort_values(["count", "mean"], ascending=[False, True])
    best = order.drop_duplicates([*point, "D"])[[*point, "D", *names]].assign(best=True)
    at = frame.reset_index().merge(best, how="left", on=[*point, "D", *names])
    out = np.zeros(len(keep), dtype=bool)
    out[at.loc[at["best"].isna(), "index"].to_numpy(dtype=int)] = True
    return out
