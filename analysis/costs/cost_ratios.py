"""Parallel against parameter scaling at equal loss: the increase in cost of one over that of the other.

Ratio = (cost of the one-stream model with the loss of (N, P) - cost of (N, 1)) / (cost of (N, P) -
cost of (N, 1)): how many times less memory or time P streams add than parameters would. The
cost at a loss is interpolated between the published P = 1 points. As in the paper, costs are averaged
over batch sizes and lengths before they are divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.inference_cost import CostEstimate, estimate

LENGTHS = (64, 128, 256, 512)
BATCHES = (1, 2, 4, 8)


@dataclass(frozen=True)
class CostRatio:
    """How many times less P streams add than parameters do, at equal loss. Below 1 they add more."""

    memory: float
    latency: float


def cost_ratio(
    losses: pd.DataFrame,
    architectures: pd.DataFrame,
    *,
    size: str = "1.6B",
    P: int = 8,
    batches: Sequence[int] = (1,),
    lengths: Sequence[int] = LENGTHS,
    log_cost: bool = False,
) -> CostRatio:
    """The ratio for one size and P, over the mean of `batches` x `lengths` (input = output), on an A100.

    losses: size, P, loss of one corpus. architectures: paper_size_label, hidden, intermediate.
    log_cost: interpolate the logarithm of the cost between the P = 1 points, not the cost.
    """
    dense = losses[losses["P"] == 1].sort_values("loss")
    target = _one_loss(losses, size, P)
    lowest, highest = dense["loss"].iloc[0], dense["loss"].iloc[-1]
    if not lowest <= target <= highest:
        raise ValueError(
            f"{size} at P={P} has loss {target:g}, outside the one-stream points "
            f"({lowest:g} to {highest:g}). Choose a smaller P or size"
        )
    shapes = architectures.set_index("paper_size_label")
    n, batch = (a.ravel() for a in np.meshgrid(np.asarray(lengths), np.asarray(batches)))

    def costs(label: str, streams: int) -> CostEstimate:
        row = shapes.loc[label]
        shape: dict[str, Any] = {"width": row["hidden"], "ffn": row["intermediate"], "P": streams}
        return estimate(**shape, batch=batch, input_tokens=n, output_tokens=n)

    base, parallel = costs(size, 1), costs(size, P)
    line = [costs(label, 1) for label in dense["size"]]

    def one(name: str) -> float:
        points = np.stack([getattr(c, name) for c in line])
        grown = _at_loss(target, dense["loss"].to_numpy(), points, log_cost)
        start = getattr(base, name).mean()
        return float((grown.mean() - start) / (getattr(parallel, name).mean() - start))

    return CostRatio(memory=one("memory_bytes"), latency=one("latency_s"))


def _one_loss(losses: pd.DataFrame, size: str, P: int) -> float:
    """The loss of one run."""
    rows = losses[(losses["size"] == size) & (losses["P"] == P)]
    if len(rows) != 1:
        raise ValueError(
            f"size {size!r} at P={P} has {len(rows)} rows in the losses. Give one corpus with that run"
        )
    return float(rows["loss"].iloc[0])


def _at_loss(
    target: float, loss: NDArray[np.float64], cost: NDArray[np.float64], log_cost: bool
) -> NDArray[np.float64]:
    """Cost (points, settings) interpolated to one loss. `loss` ascends."""
    scaled = np.log(cost) if log_cost else cost
    read = np.array([np.interp(target, loss, column) for column in scaled.T])
    return np.exp(read) if log_cost else read


def ratio_grid(
    losses: pd.DataFrame,
    architectures: pd.DataFrame,
    *,
    streams: Sequence[int] = (2, 4, 8),
    batches: Sequence[int] = (1, 2, 4, 8, 16, 32),
    lengths: Sequence[int] = LENGTHS,
) -> pd.DataFrame:
    """The ratio of 1.6B at every P, batch and length on its own, on an A100.

    losses, architectures: as `cost_ratio` takes them. Columns: P, batch, length, memory_ratio, latency_ratio.
    """
    rows = []
    for P in streams:
        for batch in batches:
            for length in lengths:
                r = cost_ratio(losses, architectures, P=P, batches=(batch,), lengths=(length,))
                rows.append((P, batch, length, r.memory, r.latency))
    return pd.DataFrame(rows, columns=["P", "batch", "length", "memory_ratio", "latency_ratio"])


def break_even(grid: pd.DataFrame) -> pd.DataFrame:
    """Per P and length, the largest batch of the grid at which parallel scaling still adds less latency.

    Columns P, length, last_batch (0: none) and first_failing_batch (missing: none in the grid).
    """
    rows = []
    for (P, length), group in grid.groupby(["P", "length"]):
        pays = group["latency_ratio"] > 1
        paying, failing = group.loc[pays, "batch"], group.loc[~pays, "batch"]
        rows.append((P, length, paying.max() if len(paying) else 0, failing.min() if len(failing) else pd.NA))
    table = pd.DataFrame(rows, columns=["P", "length", "last_batch", "first_failing_batch"])
    return table.astype("Int64")


def headline_ratios(losses: pd.DataFrame, architectures: pd.DataFrame) -> pd.DataFrame:
    """The paper's four ratios under both interpolations: quantity, batches, printed, linear, log_cost."""
    printed = {("memory", 1): 22.0, ("latency", 1): 6.0, ("memory", 4): 7.0, ("latency", 4): 1.7}
    rows = []
    for batches, label in (((1,), "1"), (BATCHES, "1, 2, 4, 8")):
        found = [cost_ratio(losses, architectures, batches=batches, log_cost=log) for log in (False, True)]
        for quantity in ("memory", "latency"):
            linear, log = (getattr(r, quantity) for r in found)
            rows.append((quantity, label, printed[quantity, len(batches)], linear, log))
    return pd.DataFrame(rows, columns=["quantity", "batches", "printed", "linear", "log_cost"])
