"""What a sweep's fit says, as tables of text: its parameters, how well it fits, what P streams are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scaling import Fit
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
    """R2, R2 of the law without P, the errors, the status."""
    baseline, error = (
        baseline_r2(fit),
        f"rmse {number_text(fit.rmse)}, largest error {number_text(fit.max_error)} nats",
    )
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
