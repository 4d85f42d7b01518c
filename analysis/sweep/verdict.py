"""What a sweep's fit says: its parameters, how well it fits, what P streams are worth, and a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scaling import Fit, Status
from scaling.fitting import printed_constants
from scaling.fitting.summary import baseline_r2, number_text
from scaling.selection.equivalent_size import equivalents

LEVEL = 0.95
ENDS = (f"lower {LEVEL:.0%}", f"upper {LEVEL:.0%}")


def law_table(fit: Fit) -> pd.DataFrame:
    """The law's parameters with intervals, as text."""
    intervals = fit.intervals(LEVEL)
    rows = [
        [str(name), *map(number_text, values)]
        for name, values in zip(intervals.index, intervals.to_numpy(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["parameter", "estimate", *ENDS])


def goodness(fit: Fit) -> str:
    """R2 beside that of the law without P, the errors, the status."""
    baseline, error = baseline_r2(fit), f"rmse {fit.rmse:.1e}, largest error {fit.max_error:.1e} nats"
    without = "" if baseline is None else f" (without P {baseline:.4f})"
    return f"R2 {fit.r2:.4f}{without}, {error}\n{fit.status}: {fit.certificate.detail}"


def worth_table(fit: Fit) -> pd.DataFrame:
    """What every P that was run is worth in parameters, as text."""
    streams = np.unique(fit.axes["P"])
    found = equivalents(fit, N=fit.axes["N"].max(), P=streams[streams > 1], level=LEVEL)
    rows: Any = found.itertuples()
    return pd.DataFrame(
        [
            [f"{row.P:.0f}"]
            + [f"x {number_text(value)}" for value in (row.multiple, row.lower / row.N, row.upper / row.N)]
            for row in rows
        ],
        columns=["P", "parameters", *ENDS],
    )


def verdict(fit: Fit) -> str:
    """Whether these runs support the law, in words; never more than the interval of k says."""
    if fit.status in (Status.FLAT, Status.TOO_FEW):
        return f"These runs cannot say what P is worth: {fit.certificate.detail}."
    low, high = (float(fit.intervals(LEVEL)[end]["k"]) for end in ("lower", "upper"))
    interval = f"k = {fit.law.k:.3f}, {LEVEL:.0%} interval {number_text(low)} to {number_text(high)}"  # type: ignore[attr-defined]
    if "k" in fit.certificate.at_bound or low <= 1e-6:
        return f"These runs do not support the law: {interval}, so P may be worth nothing here."
    if not np.isfinite(high) or high > 4 * low:
        return f"P helps in these runs, but how much is not determined: {interval}."
    if fit.status != Status.CONVERGED:
        return f"The fit is in doubt ({fit.status}: {fit.certificate.detail}); {interval}."
    return (
        f"P helps in these runs: {interval}. The paper's k, at .5B to 4.4B: {printed_constants.printed_k()}."
    )
