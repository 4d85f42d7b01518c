"""Each trained run's validation loss split by what its context contains of it.

A target is `repeated` where the same pair of tokens (its predecessor and itself) is earlier in the
window, so that copying from context finds it. `seen` where only the token does. `new` where it does not.
`start` are the first START targets of a window of any kind: attention has little to rest on there. Small
models learn to copy all at once, earlier or later by chance, and gain .1 to .3 nats by it: a change with P
that is in `repeated` alone came from when that was, not from what streams can hold.

Writes context.parquet next to the sweep's runs.parquet, a row a run: its run_id, corpus, size, N, P, D,
seed, recipe and status, tokens_read. For every part loss_PART (nats per token), loss_PART_se (over
windows) and share_PART (of the targets). `parscale gains`, `report` and `figures` read it, and so does any
fit: `parscale fit SWEEP/context.parquet --columns loss=loss_new`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sweeps.inspect import trained_runs
from sweeps.model.parscale import ParScaleLM
from sweeps.store.store import Store

TABLE = "context.parquet"
ORDER = ("N", "P", "run_id")  # of the table's rows
PARTS = ("repeated", "seen", "new", "start")
START = 16
_OF_RUN = ("corpus", "size", "N", "P", "D", "seed", "recipe", "status")


def measure_context(folder: Path, tokens: int = 200_000) -> pd.DataFrame:
    """The table of every finished run whose weights are kept, on about so many validation tokens, which is written."""
    several = list(trained_runs.runs(folder))
    if not several:
        raise ValueError(f"{folder}: no finished run whose weights are kept under checkpoints/")
    runs = Store(folder).table().set_index("run_id")

    def of_run(known: trained_runs.Known) -> pd.DataFrame:
        run_id, config, weights = known
        facts = {name: runs.loc[run_id, name] for name in _OF_RUN if name in runs}
        return pd.DataFrame(
            [
                {
                    **facts,
                    **loss_of_parts(trained_runs.load_trained(weights), trained_runs.windows(config, tokens)),
                }
            ]
        )

    return trained_runs.complete(folder, TABLE, tokens, of_run, several, order=ORDER)


@torch.no_grad()
def loss_of_parts(model: ParScaleLM, windows: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Loss, its standard error over windows and share of each of PARTS.

    Args:
        model: any P.
        windows: pairs of inputs and targets, (B, T) each, targets already shifted, no padding.

    """
    model.eval()
    sums, counts = [], []  # (B, len(PARTS)) each
    for inputs, targets in windows:
        there = (inputs.to(model.head.device), targets.to(model.head.device))
        losses = model.loss(*there, reduction="none").reshape(targets.shape).double().cpu()
        masks = parts_of_targets(torch.cat([inputs, targets[:, -1:]], dim=1))
        sums.append(torch.einsum("bt,btk->bk", losses, masks.double()).numpy())
        counts.append(masks.sum(dim=1).double().numpy())
    total, count = np.concatenate(sums), np.concatenate(counts)
    found: dict[str, float] = {}
    for index, part in enumerate(PARTS):
        loss, se = ratio(total[:, index], count[:, index])
        share = float(count[:, index].sum() / count[:, :3].sum())
        found |= {f"loss_{part}": loss, f"loss_{part}_se": se, f"share_{part}": share}
    return found


def parts_of_targets(ids: Tensor) -> Tensor:
    """(B, T + 1) token ids -> (B, T, 4) bool: whether a target is repeated, seen, new, at the start."""
    same = ids[:, :, None] == ids[:, None, :]  # (B, T + 1, T + 1)
    before = torch.ones(same.shape[1:], dtype=torch.bool).tril(-1)
    seen = (same & before).any(dim=2)[:, 1:]
    pairs = same[:, 1:, 1:] & same[:, :-1, :-1]  # (B, T, T): target and predecessor both the same
    repeated = (pairs & before[1:, 1:]).any(dim=2)
    start = (torch.arange(seen.shape[1]) < START).expand_as(seen)
    return torch.stack([repeated, seen & ~repeated, ~seen, start], dim=2)


def ratio(total: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Sum of total over sum of count, and its standard error over the windows (one each). nan of nothing."""
    n = count.sum()
    if not n:
        return float("nan"), float("nan")
    mean = total.sum() / n
    windows = len(count)
    if windows < 2:
        return float(mean), float("nan")
    spread = windows / (windows - 1) * np.sum((total - mean * count) ** 2)
    return float(mean), float(np.sqrt(spread) / n)
