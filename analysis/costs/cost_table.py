"""Loss and inference cost: one row per model and batch size, costs averaged over lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.costs.cost_ratios import BATCHES, LENGTHS
from analysis.costs.hardware import A100, Hardware
from analysis.inference_cost import GIB, estimate

COST_COLUMNS = ["size", "N", "P", "batch", "loss", "memory_gib", "latency_s"]


def cost_table(
    losses: pd.DataFrame, architectures: pd.DataFrame, *, hardware: Hardware = A100
) -> pd.DataFrame:
    """Memory and latency of every run at every batch of BATCHES, mean over input = output in LENGTHS.

    losses: size, N, P, loss of one corpus. architectures: paper_size_label, hidden, intermediate.
    Columns COST_COLUMNS, memory in GiB, latency in seconds. Raises ValueError for a size without a shape.
    """
    shapes = architectures.set_index("paper_size_label")
    unknown = sorted(set(losses["size"]) - set(shapes.index))
    if unknown:
        raise ValueError(
            f"size {unknown[0]!r} has no row in the architectures. They hold {list(shapes.index)}"
        )
    shape = shapes.loc[losses["size"]]
    n = np.asarray(LENGTHS, dtype=float)
    rows = []
    for batch in BATCHES:
        cost = estimate(
            width=shape["hidden"].to_numpy()[:, None],
            ffn=shape["intermediate"].to_numpy()[:, None],
            P=losses["P"].to_numpy()[:, None],
            batch=batch,
            input_tokens=n,
            output_tokens=n,
            hardware=hardware,
        )
        rows.append(
            losses[["size", "N", "P", "loss"]].assign(
                batch=batch,
                memory_gib=cost.memory_bytes.mean(axis=1) / GIB,
                latency_s=cost.latency_s.mean(axis=1),
            )
        )
    return pd.concat(rows, ignore_index=True)[COST_COLUMNS]
