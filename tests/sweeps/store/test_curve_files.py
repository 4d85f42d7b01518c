"""Curves as files: one in training, one gathered, one ended but not yet gathered."""

import pandas as pd

from sweeps.store.checksums import write_parquet
from sweeps.store.curve_files import SO_FAR, curves_so_far, write_curve

POINTS = [
    {"step": 10, "tokens": 20, "lr": 0.1, "train_loss": 3.0},
    {"step": 20, "tokens": 40, "lr": 0.1, "val_loss": 2.9},
]


def test_of_each_run_the_curve_of_its_end_counts(tmp_path):
    assert curves_so_far(tmp_path).empty
    for run in ("gathered", "ended", "going"):
        (tmp_path / "checkpoints" / run).mkdir(parents=True)
        write_curve(run, POINTS[:1], tmp_path / "checkpoints" / run / SO_FAR)
    (tmp_path / "curves").mkdir()
    write_parquet(
        tmp_path / "curves.parquet", pd.DataFrame([{"run_id": "gathered", **point} for point in POINTS])
    )
    write_parquet(
        tmp_path / "curves/ended.parquet", pd.DataFrame([{"run_id": "ended", **point} for point in POINTS])
    )
    found = curves_so_far(tmp_path)
    assert found.groupby("run_id").size().to_dict() == {"gathered": 2, "ended": 2, "going": 1}
    assert found["step"].dtype == int
    write_curve("going", POINTS, tmp_path / "checkpoints/going/curve.parquet")  # paused
    assert len(curves_so_far(tmp_path)) == 6
