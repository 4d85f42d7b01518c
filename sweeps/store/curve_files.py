"""Loss curves of a sweep's runs as files: written while a run trains, read whether it has ended or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scaling.data.atomic_files import replacing
from sweeps.store.checksums import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

SO_FAR = "curve_so_far.parquet"  # next to the weights of a run in training


def write_curve(run_id: str, points: Sequence[dict[str, Any]], target: Path) -> None:
    """A curve's points as a table with run_id, step, tokens and what else each has. Written, then renamed."""
    import pyarrow.parquet as pq

    with replacing(target) as temporary:
        pq.write_table(_table(run_id, points), temporary)


def _table(run_id: str, points: Sequence[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    names = list(dict.fromkeys(name for point in points for name in point))
    columns: dict[str, Any] = {"run_id": pa.array([run_id] * len(points), pa.string())}
    for name in names:
        kind = pa.int64() if name in ("step", "tokens") else pa.float64()
        columns[name] = pa.array([point.get(name) for point in points], kind)
    return pa.table(columns)


def curves_so_far(folder: Path) -> pd.DataFrame:
    """The curves of all runs of a sweep's folder, ended or not: run_id, step, lr, train_loss, val_loss, ... . Empty if none.

    Of one run the curve of its end counts, then what was written last while it trained.
    """
    parts = [read_parquet(folder / "curves.parquet")] if (folder / "curves.parquet").is_file() else []
    ended = {str(run) for part in parts for run in part["run_id"].unique()}
    for path in sorted((folder / "curves").glob("*.parquet")):
        if path.stem not in ended:
            parts.append(read_parquet(path))
            ended.add(path.stem)
    for path in sorted((folder / "checkpoints").glob(f"*/{SO_FAR}")):
        whole = path.with_name("curve.parquet")  # of a run that was paused or stopped
        if path.parent.name not in ended:
            curve = pd.read_parquet(whole if whole.is_file() else path)
            parts.append(curve.assign(run_id=path.parent.name))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
